//! Whether a file is the published one.

use std::fmt::Write;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::Refusal;
use super::table::PublishedFile;
use crate::interop::files::{FileError, open_plain};

/// Bytes read at once.
const BLOCK: usize = 1 << 18;

impl PublishedFile<'_> {
    /// Whether a size in bytes agrees with the published one.
    pub fn has_size(&self, bytes: u64) -> bool {
        bytes.abs_diff(self.bytes) <= self.slack
    }

    /// Compares size and SHA-256 of a file with the published ones. Returns the difference, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn difference(&self, path: &Path) -> Result<Option<Refusal>, FileError> {
        let (mut file, bytes) = open_plain(path)?;
        if !self.has_size(bytes) {
            return Ok(Some(Refusal::Size { found: bytes, expected: self.bytes }));
        }
        let found = digest(&mut file).map_err(|error| FileError::reading(path, error))?;
        let expected = self.sha256.to_owned();
        Ok((!found.starts_with(self.sha256)).then_some(Refusal::Hash { found, expected }))
    }
}

/// SHA-256 in lower-case hexadecimal digits.
fn digest(source: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match source.read(&mut block)? {
            0 => break,
            count => hash.update(&block[..count]),
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn digests_are_those_of_the_standard() {
        // FIPS 180-4, examples of one block and of the empty message.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&mut b"abc".as_slice()).expect("reads"), abc);
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(&mut b"".as_slice()).expect("reads"), empty);
    }
}
