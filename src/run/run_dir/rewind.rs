//! A run that goes on: what it had written after the place that it goes on from is taken back, since it will be written
//! again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{CONFUSION, EVENTS, NORMS, RunDir, RunDirError};
use crate::interop::files::{FileError, write_atomic};
use crate::run::mistakes;
use crate::run::tensorboard;

/// Results of the best epoch, but for the folder of mistakes.
const RESULTS: [&str; 5] = ["curves.png", "samples.png", "confusion.png", CONFUSION, "iou.csv"];

impl RunDir {
    /// Takes back the norms of steps after `steps`, events of epochs from `epoch` on, and results, which are made at the
    /// end: those of a first part would stand for the whole run if it is cut off.
    ///
    /// # Errors
    /// When a file cannot be read or the disk refuses.
    pub fn rewind(&self, epoch: usize, steps: u64) -> Result<(), RunDirError> {
        self.keep_start(NORMS, |norms| norms_until(norms, steps))?;
        self.keep_start(EVENTS, |events| tensorboard::length_before(events, epoch as u64))?;
        self.drop_results()
    }

    /// Cuts a file, if it is there, to the length that `length` gives for its bytes.
    fn keep_start(&self, name: &str, length: impl FnOnce(&[u8]) -> usize) -> Result<(), RunDirError> {
        let path = self.path.join(name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            bytes => bytes.map_err(|e| FileError::reading(&path, e))?,
        };
        Ok(write_atomic(&path, |w| w.write_all(&bytes[..length(&bytes)]))?)
    }

    /// Of the folder of mistakes only what was written by [`mistakes::write`].
    fn drop_results(&self) -> Result<(), RunDirError> {
        let errors = self.path.join("errors");
        for mistake in mistakes::read(self)? {
            if let Some(name) = Path::new(&mistake.picture).file_name() {
                remove(&errors.join(name))?;
            }
        }
        remove(&errors.join("errors.csv"))?;
        // It stays where something else lies in it.
        let _ = fs::remove_dir(&errors);
        RESULTS.iter().try_for_each(|name| remove(&self.path.join(name)))
    }
}

/// Length of the lines of a `norms.csv` up to a step, with the names of the columns.
fn norms_until(csv: &[u8], steps: u64) -> usize {
    let step = |line: &[u8]| std::str::from_utf8(line).ok()?.split(',').nth(1)?.parse::<u64>().ok();
    let lines = csv.split_inclusive(|&byte| byte == b'\n').enumerate();
    lines.take_while(|(i, line)| *i == 0 || step(line).is_some_and(|step| step <= steps)).map(|(_, l)| l.len()).sum()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), RunDirError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::writing(path, error).into()),
        _ => Ok(()),
    }
}
