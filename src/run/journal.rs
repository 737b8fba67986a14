//! The journal of a run: its epochs in three formats, and the norms of its steps.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use serde::Serialize;

use super::error::RunError;
use super::facts::RunFacts;
use super::folder::{EVENTS, LAYERS, NORMS, RunDir};
use super::history::{EpochRow, NormRow};
use super::layers::LayerRow;
use super::score::Score;
use super::tensorboard;
use crate::interop::files::{FileError, open_plain, read_text, write_atomic};

const JSON_LINES: &str = "metrics.jsonl";

impl RunDir {
    /// Appends one epoch to `metrics.csv`, after the column names if it is the first, and syncs the
    /// file to disk. A failed append does not change the earlier rows.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append_metrics(&self, row: &EpochRow) -> Result<(), RunError> {
        append(&self.metrics_path(), |first| {
            let mut line = Vec::new();
            let rows = std::slice::from_ref(row);
            let written =
                if first { EpochRow::write_csv(rows, &mut line) } else { EpochRow::append_csv(rows, &mut line) };
            written.map_err(io::Error::from)?;
            Ok(line)
        })
    }

    /// Appends one epoch to the run's TensorBoard event file and syncs the file to disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append_event(&self, row: &EpochRow) -> Result<(), RunError> {
        let now = SystemTime::now();
        append(&self.path().join(EVENTS), |first| {
            let settings = || self.settings_text().map(|text| tensorboard::settings(&text, now));
            let start = || [tensorboard::header(now), settings().unwrap_or_default()].concat();
            Ok([if first { start() } else { vec![] }, tensorboard::epoch(row, now)].concat())
        })
    }

    /// The settings without the folder.
    fn settings_text(&self) -> Option<String> {
        let text = read_text(&self.config_path(), 1 << 20).ok()?;
        Some(text.lines().filter(|line| !line.starts_with("out = ")).map(|line| format!("{line}\n")).collect())
    }

    /// Appends pictures of the best epoch to the event file, at the step of the last epoch. Files that are not PNG are
    /// left out.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append_pictures(&self, names: &[&str], epoch: u32) -> Result<(), RunError> {
        let now = SystemTime::now();
        let picture = |name: &&str| {
            let png = fs::read(self.path().join(name)).ok()?;
            tensorboard::picture(name.strip_suffix(".png")?, &png, epoch, now)
        };
        append(&self.path().join(EVENTS), |_| Ok(names.iter().filter_map(picture).flatten().collect()))
    }

    /// Replaces `metrics.jsonl` by these epochs, one JSON object a line. A number that is not finite is null.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_json_lines(&self, rows: &[EpochRow]) -> Result<(), RunError> {
        let object = |row: &EpochRow| {
            let columns = row.columns();
            let value = |(name, value): (&str, f64)| match name {
                "epoch" => (name.to_owned(), u64::from(row.epoch).into()),
                _ => (name.to_owned(), value.into()),
            };
            serde_json::Value::Object(columns.into_iter().map(value).collect())
        };
        let path = self.path().join(JSON_LINES);
        Ok(write_atomic(&path, |w| rows.iter().try_for_each(|row| writeln!(w, "{}", object(row))))?)
    }

    /// Replaces `metrics.csv` by these epochs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn rewrite_metrics(&self, rows: &[EpochRow]) -> Result<(), RunError> {
        Ok(write_atomic(&self.metrics_path(), |w| EpochRow::write_csv(rows, w).map_err(io::Error::from))?)
    }

    /// The epochs in `metrics.csv`; empty for a run that ended before its first epoch.
    ///
    /// # Errors
    /// If the file cannot be read, or a row is malformed.
    pub fn read_metrics(&self) -> Result<Vec<EpochRow>, RunError> {
        let path = self.metrics_path();
        let (file, _) = open_plain(&path)?;
        let facts = self.read_facts().ok().flatten();
        let known: Vec<Score> = facts.iter().flat_map(RunFacts::known_scores).cloned().collect();
        EpochRow::read_csv(file, &known).map_err(|source| RunError::Metrics { path, source })
    }

    /// Appends to `layers.csv`, after the column names if it is new.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append_layers(&self, rows: &[LayerRow]) -> Result<(), RunError> {
        self.append_rows(LAYERS, rows)
    }

    /// Appends to `norms.csv`, after the column names if it is new.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append_norms(&self, rows: &[NormRow]) -> Result<(), RunError> {
        self.append_rows(NORMS, rows)
    }

    /// Appends rows to a table, after the column names if it is new.
    fn append_rows<R: Serialize>(&self, table: &str, rows: &[R]) -> Result<(), RunError> {
        if rows.is_empty() {
            return Ok(());
        }
        append(&self.path().join(table), |first| {
            let mut csv = csv::WriterBuilder::new().has_headers(first).from_writer(vec![]);
            rows.iter().try_for_each(|row| csv.serialize(row)).map_err(io::Error::from)?;
            csv.into_inner().map_err(csv::IntoInnerError::into_error)
        })
    }
}

/// Appends the bytes that `make` returns to a file, and forces them to disk. The argument of `make` is true for an
/// empty file.
fn append(path: &Path, make: impl FnOnce(bool) -> io::Result<Vec<u8>>) -> Result<(), RunError> {
    let fail = |source| RunError::from(FileError::writing(path, source));
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
    let length = file.seek(SeekFrom::End(0)).map_err(fail)?;
    append_or_undo(&mut file, length, &make(length == 0).map_err(fail)?).map_err(fail)
}

/// Appends `line`; on failure cuts the file back to `length`, so that no half row remains.
fn append_or_undo(file: &mut File, length: u64, line: &[u8]) -> io::Result<()> {
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        // The write's own error is the one to report; a second failure would only hide it.
        let _ = file.set_len(length);
    }
    written
}
