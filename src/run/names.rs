//! Names of folders for results: free names, numbered names, names of several runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::RunError;
use crate::interop::files::FileError;

/// Refuses a path that is a file or a folder that is not empty. Creates nothing.
///
/// # Errors
/// [`RunError::Taken`].
pub fn check_free(path: &Path) -> Result<(), RunError> {
    let free = match fs::symlink_metadata(path) {
        Ok(_) => path.is_dir() && list(path)?.next().is_none(),
        // Creating the folder reports other faults of the path.
        Err(_) => true,
    };
    if free { Ok(()) } else { Err(RunError::Taken { path: path.to_owned() }) }
}

/// Makes a folder for results: `out`, which must be missing or empty, by default the next `runs/STEM-NNN`.
///
/// # Errors
/// `out` is taken, or the folder cannot be made.
pub fn new_folder(out: Option<&Path>, stem: &str) -> Result<PathBuf, RunError> {
    let Some(path) = out else { return new_numbered(Path::new("runs"), stem) };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|e| FileError::writing(parent, e))?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check_free(path)?,
        Err(error) => return Err(FileError::writing(path, error).into()),
    }
    Ok(path.to_owned())
}

/// Free paths beside a folder: `PATH-2` and higher numbers. Empty for a path without a name.
pub(crate) fn free_beside(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let numbered = move |number| name.as_ref().map(|name| path.with_file_name(format!("{name}-{number}")));
    (2..u32::MAX).map_while(numbered).filter(|path| check_free(path).is_ok())
}

/// The path of the next `PARENT/STEM-NNN`, without making it.
///
/// # Errors
/// The folder cannot be listed.
pub fn next_numbered(parent: &Path, stem: &str) -> Result<PathBuf, RunError> {
    let highest = if parent.is_dir() { highest_number(parent, stem)? } else { 0 };
    Ok(parent.join(format!("{stem}-{:03}", highest + 1)))
}

/// Makes the next `PARENT/STEM-NNN`. Two callers at the same moment never get the same folder.
///
/// # Errors
/// The folder cannot be made.
pub fn new_numbered(parent: &Path, stem: &str) -> Result<PathBuf, RunError> {
    fs::create_dir_all(parent).map_err(|e| FileError::writing(parent, e))?;
    let mut number = highest_number(parent, stem)? + 1;
    loop {
        let path = parent.join(format!("{stem}-{number:03}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Another run took this number since the folder was listed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(FileError::writing(&path, error).into()),
        }
    }
}

fn list(path: &Path) -> Result<fs::ReadDir, FileError> {
    fs::read_dir(path).map_err(|e| FileError::reading(path, e))
}

/// The highest NNN among `parent/STEM-NNN`, or 0.
fn highest_number(parent: &Path, stem: &str) -> Result<u32, FileError> {
    let mut highest = 0;
    for entry in list(parent)? {
        let name = entry.map_err(|e| FileError::reading(parent, e))?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix(stem)?.strip_prefix('-')?.parse().ok());
        // A larger number would overflow, and no run has one.
        highest = highest.max(number.filter(|&n: &u32| n < 1_000_000_000).unwrap_or(0));
    }
    Ok(highest)
}

/// A name for each of several runs: the last part of its path, or the whole path if several share that part.
pub fn names(runs: &[PathBuf]) -> Vec<String> {
    let short: Vec<String> = runs.iter().map(|path| name(path)).collect();
    let alone = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    short
        .iter()
        .zip(runs)
        .map(|(name, path)| if alone(name) { name.clone() } else { path.display().to_string() })
        .collect()
}

/// The last part of a run's path. For a checkpoint, the name of its folder.
fn name(path: &Path) -> String {
    let folder = if path.is_file() { path.parent().filter(|p| p.file_name().is_some()).unwrap_or(path) } else { path };
    folder.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
