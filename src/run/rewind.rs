//! Removal of rows after the saved position, before a run is resumed. The resumed run writes them again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::error::RunError;
use super::folder::{CONFUSION, EVENTS, LAYERS, NORMS, RunDir, TRUST, remove_if_there};
use super::{mistakes, tensorboard};
use crate::interop::files::{FileError, write_atomic};

/// Results of the best epoch, besides the folder of mistakes and the tables that the task's card names.
const RESULTS: [&str; 8] =
    ["curves.png", "curves.svg", "samples.png", "gradcam.png", "confusion.png", CONFUSION, "iou.csv", TRUST];

impl RunDir {
    /// Removes the norms of steps after `steps`, the rows of layers and the events of epochs from `epoch` on, and the results. Results are
    /// written at the end of a run. If the resumed run were interrupted too, results of its first part would look like
    /// those of the whole run.
    ///
    /// # Errors
    /// When a file cannot be read or the disk refuses.
    pub fn rewind(&self, epoch: usize, steps: u64) -> Result<(), RunError> {
        self.keep_start(NORMS, |norms| norms_until(norms, steps))?;
        self.keep_start(LAYERS, |layers| layers_before(layers, epoch))?;
        self.keep_start(EVENTS, |events| tensorboard::length_before(events, epoch as u64))?;
        self.drop_results()
    }

    /// Cuts a file, if it exists, to the length that `length` computes from its bytes.
    fn keep_start(&self, name: &str, length: impl FnOnce(&[u8]) -> usize) -> Result<(), RunError> {
        let path = self.path().join(name);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            bytes => bytes.map_err(|e| FileError::reading(&path, e))?,
        };
        Ok(write_atomic(&path, |w| w.write_all(&bytes[..length(&bytes)]))?)
    }

    /// Removes the results; in the folder of mistakes, only the files of [`mistakes::write`].
    fn drop_results(&self) -> Result<(), RunError> {
        let errors = self.path().join("errors");
        // A damaged table names no pictures, so the pictures stay.
        for mistake in mistakes::read(self).unwrap_or_default() {
            if let Some(name) = Path::new(&mistake.picture).file_name() {
                remove_if_there(&errors.join(name))?;
                remove_if_there(&errors.join(mistakes::seen(&mistake.picture)))?;
            }
        }
        remove_if_there(&errors.join("errors.csv"))?;
        // A folder that holds other files stays.
        let _ = fs::remove_dir(&errors);
        let facts = self.read_facts().ok().flatten();
        let tables: Vec<String> =
            facts.iter().flat_map(|f| &f.shown).flat_map(|card| &card.tables).map(|t| t.0.to_string()).collect();
        let tables =
            tables.iter().map(String::as_str).filter(|name| Path::new(name).file_name().is_some_and(|f| f == *name));
        let remove = |name: &str| remove_if_there(&self.path().join(name));
        Ok(RESULTS.into_iter().chain(tables).try_for_each(remove)?)
    }
}

/// Length of the lines of a `layers.csv` before an epoch, with the names of the columns.
fn layers_before(csv: &[u8], epoch: usize) -> usize {
    lines_while(csv, 0, |of| of < epoch as u64)
}

/// Length of the lines of a `norms.csv` up to a step, with the names of the columns.
fn norms_until(csv: &[u8], steps: u64) -> usize {
    lines_while(csv, 1, |step| step <= steps)
}

/// Length of the first line and of the lines after it, up to the first whose number in a column is not kept.
fn lines_while(csv: &[u8], column: usize, keeps: impl Fn(u64) -> bool) -> usize {
    let number = |line: &[u8]| std::str::from_utf8(line).ok()?.split(',').nth(column)?.parse::<u64>().ok();
    let lines = csv.split_inclusive(|&byte| byte == b'\n').enumerate();
    lines.take_while(|(i, line)| *i == 0 || number(line).is_some_and(&keeps)).map(|(_, l)| l.len()).sum()
}
