//! A lock, so that one process at a time fetches a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// A lock that ends with its value or its process.
pub(super) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Takes the lock of a path, and calls `waits` once if another process holds it. A file system without locks gives
    /// a lock that locks nothing; the check of the hash then finds a file that two processes wrote.
    pub(super) fn take(path: &Path, waits: impl FnOnce()) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waits();
                file.lock()?;
            }
            Err(TryLockError::Error(_)) => return Ok(Lock { _file: None }),
        }
        Ok(Lock { _file: Some(file) })
    }
}
