//! Reads and replaces whole files. Neither a crash nor a full disk loses the old file.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::text::meant_path;

/// The action that the operating system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAction {
    /// Reading a file or listing a folder.
    Read,
    /// Creating, writing or replacing a file or folder.
    Write,
}

/// A file or folder that cannot be read or written. The message names it and the remedy.
#[derive(Debug, Error)]
#[error("cannot {} {}: {source}; {}{}", self.verb(), path.display(), self.remedy(), self.meant())]
pub struct FileError {
    /// The action.
    pub action: FileAction,
    /// The file or folder.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

impl FileError {
    /// Reading `path` failed with `source`.
    pub fn reading(path: &Path, source: io::Error) -> Self {
        Self { action: FileAction::Read, path: path.to_owned(), source }
    }

    /// Writing `path` failed with `source`.
    pub fn writing(path: &Path, source: io::Error) -> Self {
        Self { action: FileAction::Write, path: path.to_owned(), source }
    }

    fn verb(&self) -> &'static str {
        match self.action {
            FileAction::Read => "read",
            FileAction::Write => "write",
        }
    }

    /// The existing file that was probably meant, as the end of a sentence.
    fn meant(&self) -> String {
        let missing = self.action == FileAction::Read && self.source.kind() == ErrorKind::NotFound;
        if missing { meant_path(&self.path) } else { String::new() }
    }

    /// The remedy.
    pub fn remedy(&self) -> &'static str {
        use FileAction::{Read, Write};
        match (self.action, self.source.kind()) {
            (_, ErrorKind::StorageFull) => "free some disk space or choose a folder on another disk",
            (_, ErrorKind::QuotaExceeded) => "your disk quota is used up: delete files or choose another folder",
            (_, ErrorKind::OutOfMemory) => "it does not fit into this machine's memory",
            (Write, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                "choose a folder that you may write to"
            }
            (Read, ErrorKind::PermissionDenied) => "check its permissions",
            (Read, ErrorKind::NotFound) => "check the path",
            (Write, ErrorKind::AlreadyExists) => "a file is in the way: choose another folder",
            (Write, ErrorKind::NotFound) => "create its folder first or choose another",
            (_, ErrorKind::NotADirectory) => "a part of the path is a file where a folder is needed",
            (_, ErrorKind::IsADirectory | ErrorKind::InvalidInput) => "name a plain file",
            (Read, _) => "check the path and the disk",
            (Write, _) => "check the disk or choose another folder",
        }
    }
}

/// Opens a plain file and returns its length in bytes. Folders, pipes and devices are refused before they are opened: a
/// pipe would block, and a device may never end.
///
/// # Errors
/// When the file cannot be opened, or is not plain.
pub fn open_plain(path: &Path) -> Result<(File, u64), FileError> {
    let fail = |source| FileError::reading(path, source);
    let metadata = fs::metadata(path).map_err(fail)?;
    if metadata.is_dir() {
        return Err(fail(io::Error::new(ErrorKind::IsADirectory, "it is a folder")));
    }
    if !metadata.is_file() {
        return Err(fail(io::Error::new(ErrorKind::InvalidInput, "it is a device or a pipe")));
    }
    Ok((File::open(path).map_err(fail)?, metadata.len()))
}

/// Reads a text file of at most `limit` bytes.
///
/// # Errors
/// When the file cannot be read, is longer, or is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    let not_text =
        |_| FileError::reading(path, io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8"));
    String::from_utf8(read_bytes(path, limit)?).map_err(not_text)
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// When the file cannot be read, or is longer.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::reading(path, source);
    let (file, length) = open_plain(path)?;
    if length > limit {
        let reason = format!("it has {length} bytes, more than the {limit} expected of such a file");
        return Err(fail(io::Error::new(ErrorKind::FileTooLarge, reason)));
    }
    let mut bytes = Vec::new();
    // `take` keeps the limit if the file grows while it is read.
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Replaces the content of `path` by the output of `fill`, all or nothing. The bytes go to a temporary file in the same
/// folder, are flushed to disk, and the file is renamed last. A crash at any moment keeps either the old file or the
/// new one.
///
/// # Errors
/// When `fill` or the disk fails. The old file stays, and the temporary one is removed.
pub fn write_atomic(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    write(path, fill, |temporary| temporary.persist(path))
}

/// Writes a new file, all or nothing, as [`write_atomic`] does. It never replaces a file.
///
/// # Errors
/// When the file exists, or `fill` or the disk fails.
pub fn write_new(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    clear_unfinished(folder_of(path));
    write(path, fill, |temporary| temporary.persist_noclobber(path))
}

/// Gives a complete file its final name, and atomically replaces a file of that name. Both names are in one folder.
///
/// # Errors
/// When the disk fails.
#[cfg(feature = "fetch")]
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    let fail = |source| FileError::writing(to, source);
    fs::rename(from, to).map_err(fail)?;
    sync_folder(folder_of(to)).map_err(fail)
}

fn write(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    persist: impl FnOnce(NamedTempFile) -> Result<File, tempfile::PersistError>,
) -> Result<(), FileError> {
    let fail = |source| FileError::writing(path, source);
    let folder = folder_of(path);
    let temporary = new_temporary(folder).map_err(fail)?;
    let mut writer = BufWriter::with_capacity(1 << 18, temporary.as_file());
    fill(&mut writer).and_then(|()| writer.flush()).map_err(fail)?;
    drop(writer);
    temporary.as_file().sync_all().map_err(fail)?;
    persist(temporary).map_err(|error| fail(error.error))?;
    sync_folder(folder).map_err(fail)
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Prefix of the names of unfinished files; [`RANDOM`] letters and digits follow.
const UNFINISHED: &str = ".writing-";
/// Number of letters and digits after the prefix.
const RANDOM: usize = 6;

/// Removes unfinished files of killed processes from a folder. A file that is being written is locked by its writer,
/// and stays. So does a file that cannot be removed.
pub fn clear_unfinished(folder: &Path) {
    let random = |name: &str| name.len() == RANDOM && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let unfinished = |name: &str| name.strip_prefix(UNFINISHED).is_some_and(random);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let plain = entry.file_type().is_ok_and(|kind| kind.is_file());
        if plain && entry.file_name().to_str().is_some_and(unfinished) {
            let abandoned = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if abandoned {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn new_temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED).rand_bytes(RANDOM);
    // Temporary files are private by default. A checkpoint gets the user's usual permissions: the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder)?;
    // The lock shows `clear_unfinished` that the writer lives. Without locks, nothing is cleared.
    let _ = temporary.as_file().try_lock();
    Ok(temporary)
}

/// Makes the rename survive a power cut. Windows has no such call, because it journals folders.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
