//! The reader for all text files of a data set: lists, class lists, tables, JSON and TOML.
//!
//! | start of the file | encoding |
//! |---|---|
//! | `EF BB BF` | UTF-8; the byte order mark is dropped |
//! | `FF FE` or `FE FF` | UTF-16, little or big endian |
//! | anything else | UTF-8 |
//!
//! Line ends become `\n` from `\n`, `\r\n` or `\r`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::DataError;

/// Largest text file in bytes. A list of ten million lines is smaller.
const MAX_BYTES: u64 = 1 << 30;

/// Reads the text file at `path`.
///
/// # Errors
/// Where the file is not regular, is larger than 1 GiB, or is neither UTF-8 nor UTF-16 with a byte order mark. The
/// message names the line of the first byte that is not text.
pub(crate) fn read_text(path: &Path) -> Result<String, DataError> {
    decode(&read_file(path, MAX_BYTES)?).map_err(|problem| DataError::malformed(path, problem))
}

/// Refuses a file that the user may not read.
///
/// # Errors
/// [`DataError::Io`] if the permission is missing.
pub(crate) fn require_right(path: &Path) -> Result<(), DataError> {
    match File::open(path) {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            Err(DataError::Io { path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

/// The start of a text file, of at most `limit` bytes; `None` if it is not a text file. Characters cut at the end are
/// replaced.
pub(crate) fn start_of(path: &Path, limit: u64) -> Option<String> {
    let (file, _) = open_regular(path).ok()?;
    let mut start = Vec::new();
    file.take(limit).read_to_end(&mut start).ok()?;
    let whole = start.len() / 2 * 2;
    Some(match start.as_slice() {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => decode(&start[..whole]).unwrap_or_default(),
        bytes => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    })
}

/// The value in a JSON file.
///
/// # Errors
/// Where it cannot be read, or is not of this form.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, DataError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| {
        let problem = format!("{}; export it again, or correct that line", json_problem(&text, &error));
        DataError::malformed(path, problem)
    })
}

/// The fault of a JSON text in words, with its place and the text there.
pub(crate) fn json_problem(text: &str, error: &serde_json::Error) -> String {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = (0..=error.column().saturating_sub(1).min(line.len())).rev().find(|at| line.is_char_boundary(*at));
    let rest = &line[at.unwrap_or(0)..];
    let place = format!("line {} column {}", error.line(), error.column());
    match ["NaN", "Infinity", "-Infinity"].iter().find(|word| rest.starts_with(**word)) {
        Some(word) => format!("{place} holds {word}, which JSON does not have; expected a number"),
        None if error.is_eof() => format!("it ends at {place}, before its last bracket: it is cut off"),
        None => error.to_string(),
    }
}

/// Opens a regular file. A FIFO would block, and a device may never end.
///
/// # Errors
/// Where there is nothing at `path`, or no regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    match irregular(&metadata) {
        Some(kind) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {kind}, not a regular file"))),
        None => Ok((File::open(path)?, metadata.len())),
    }
}

/// The kind of a path that is neither a regular file nor a folder, in words.
pub(crate) fn irregular(metadata: &fs::Metadata) -> Option<&'static str> {
    if metadata.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return Some("a FIFO");
        } else if kind.is_socket() {
            return Some("a socket");
        } else if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    Some(if metadata.is_dir() { "a folder" } else { "a special file" })
}

/// The bytes of a regular file of at most `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let failed = |e| DataError::io(path, e);
    let (file, length) = open_regular(path).map_err(failed)?;
    if length > limit {
        return Err(DataError::malformed(path, format!("has {length} bytes; the limit is {limit}")));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // `take` keeps the limit if the file grows while it is read.
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The text encoded in `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Result<String, String> {
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest)?,
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => utf8(bytes)?,
    };
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    let line = |at: usize| bytes[..at].iter().filter(|&&b| b == b'\n').count() + 1;
    if let Some(at) = bytes.iter().position(|&b| b == 0) {
        let line = line(at);
        return Err(format!(
            "line {line} holds a zero byte: the file is binary, or UTF-16 without a byte order mark; save it as UTF-8"
        ));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        Err(error) => Err(format!("line {} is not UTF-8; save the file as UTF-8", line(error.valid_up_to()))),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err("starts as UTF-16, but is damaged; save it as UTF-8".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn every_encoding_reads_alike() {
        let text = "id,naïve\n1,猫\n";
        let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            let units = text.replace('\n', "\r\n").encode_utf16().flat_map(bytes).collect::<Vec<_>>();
            [mark.as_slice(), &units].concat()
        };
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            text.replace('\n', "\r").into_bytes(),
            utf16([0xFF, 0xFE], u16::to_le_bytes),
            utf16([0xFE, 0xFF], u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).unwrap(), text);
        }
        assert!(decode(b"a\nb\nna\xefve").unwrap_err().contains("line 3"));
        assert!(decode(b"\xff\xfea\0b").unwrap_err().contains("UTF-16"));
        assert!(decode(b"a\0b\0").unwrap_err().contains("zero byte"));
    }
}
