//! The lock of a folder that a process writes results into: a run's, or a sweep's.
//!
//! The lock belongs to the open file `.shadegrad-lock`, not to its existence. The system releases it when the process ends,
//! however it ends, so a killed process blocks nobody.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::RunError;
use crate::interop::files::{FileError, clear_unfinished};

/// Name of the file in the folder.
const LOCK: &str = ".shadegrad-lock";
/// Largest lock file, in bytes. It holds one line.
const MAX_BYTES: u64 = 4096;

/// Pause in which a probe releases the lock.
const PROBED: Duration = Duration::from_millis(10);

/// Holds a folder until it is dropped.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    path: PathBuf,
    held: bool,
}

/// Contents of the file: who holds the folder.
#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    /// Seconds since 1970.
    since: u64,
}

impl FolderLock {
    /// Takes the lock, and removes incomplete files of killed processes from the folder. On a file system without locks the
    /// folder is not locked; see [`FolderLock::note`].
    ///
    /// # Errors
    /// [`RunError::Locked`] when another process holds the lock; [`RunError::File`] when the folder cannot be written
    /// to.
    pub fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(LOCK);
        let mut retries = 3;
        loop {
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = opened.map_err(|e| FileError::writing(&path, e))?;
            let held = match file.try_lock() {
                Ok(()) => true,
                // A probe of another process holds the lock for a moment.
                Err(TryLockError::WouldBlock) if retries > 0 => {
                    retries -= 1;
                    std::thread::sleep(PROBED);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(RunError::Locked { path: folder.to_owned(), holder: holder(file) });
                }
                Err(TryLockError::Error(_)) => false,
            };
            // The previous holder may have removed the file after it was opened here. A lock on a removed file excludes nobody.
            if !held || is_still_at(&file, &path) {
                let mut lock = FolderLock { file, path, held };
                lock.sign().map_err(|e| FileError::writing(&lock.path, e))?;
                clear_unfinished(folder);
                return Ok(lock);
            }
        }
    }

    /// A line about a file system without locks.
    pub fn note(&self) -> Option<String> {
        let text = "note:    the file system has no locks: make sure that no other process writes into this folder";
        (!self.held).then(|| text.to_owned())
    }

    fn sign(&mut self) -> std::io::Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let holder = Holder { pid: std::process::id(), host: host(), since };
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(serde_json::to_string(&holder).unwrap_or_default().as_bytes())
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The lock is still held, so the file is this lock's. A file that remains blocks nobody.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether a process writes into a folder. If nobody holds the lock, the probe holds it for a moment.
#[cfg(feature = "cli")]
pub(crate) fn is_held(folder: &Path) -> bool {
    let file = File::open(folder.join(LOCK));
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The holder of a locked file, in words. Some systems do not let other processes read a locked file.
fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_BYTES).read_to_string(&mut text);
    match read.ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok()) {
        Some(Holder { pid, host, since }) => {
            let start = UNIX_EPOCH + Duration::from_secs(since);
            let seconds = SystemTime::now().duration_since(start).unwrap_or_default().as_secs();
            let host: String = host.chars().filter(|c| !c.is_control()).collect();
            format!("process {pid} on {host} has been writing into it for {}", in_words(seconds))
        }
        None => "another process is writing into it".into(),
    }
}

fn in_words(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {} min", minutes % 60),
    }
}

fn host() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let kernel = || fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    kernel().or(named).filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".into())
}

/// Whether a path still names an open file.
#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_once_and_free_again_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = FolderLock::take(folder.path()).expect("free");
        let error = FolderLock::take(folder.path()).expect_err("held").to_string();
        assert!(error.contains(&format!("process {} on ", std::process::id())), "{error}");
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 0, "no file stays");
        // The remaining file of a killed process is not a lock.
        fs::write(folder.path().join(LOCK), "remains").expect("writes");
        FolderLock::take(folder.path()).expect("free");
    }

    #[test]
    fn half_written_files_of_others_go_and_those_under_way_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, under_way, foreign] =
            [".writing-aB3dE6", ".writing-zzzzz1", ".writing-notes"].map(|name| folder.path().join(name));
        for path in [&old, &under_way, &foreign] {
            fs::write(path, "half").expect("writes");
        }
        let open = File::open(&under_way).expect("opens");
        open.try_lock().expect("free");
        drop(FolderLock::take(folder.path()).expect("free"));
        assert!(!old.exists() && under_way.exists() && foreign.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_on_a_removed_file_holds_nobody_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(LOCK);
        let old = File::create(&path).expect("writes");
        assert!(is_still_at(&old, &path));
        fs::remove_file(&path).expect("removes");
        assert!(!is_still_at(&old, &path));
        File::create(&path).expect("writes");
        assert!(!is_still_at(&old, &path), "another file of the same name");
    }
}
