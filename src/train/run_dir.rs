//! The folder of one run: settings, metrics, checkpoints and pictures. Never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use super::history::EpochRow;
use crate::interop::files::{FileError, open_plain, write_atomic};

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.csv";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const RESUME: &str = "resume.safetensors";
const NORMS: &str = "norms.csv";

/// Why a run directory could not be made, opened or written to.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder asked for is taken.
    #[error("{} exists already and is not empty; runs are never overwritten: choose another folder or move it away", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The path is not the folder of a run.
    #[error("{} is not a run directory: {reason}", path.display())]
    NotARun {
        /// The path given.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// `metrics.csv` holds something else than epochs.
    #[error("{}: {source}", path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: csv::Error,
    },
}

/// One optimizer step in `norms.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormRow {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimizer step of the run, from 1.
    pub step: u64,
    /// Learning rate.
    pub lr: f64,
    /// Loss of the step's last batch.
    pub loss: f32,
    /// Norm of all gradients, before clipping.
    pub gradient_norm: f32,
    /// Norm of all parameters, before the step.
    pub weight_norm: f32,
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new run directory and checks that it can be written to.
    ///
    /// `out` is used as given: it must not exist yet, or be empty. Without it the folder is
    /// `runs/STEM-001`, `-002` and so on, one above the highest there is. Two runs started at the same
    /// moment never get the same folder.
    ///
    /// # Errors
    /// `out` is taken, or the folder cannot be made or written to.
    pub fn create(out: Option<&Path>, stem: &str) -> Result<Self, RunDirError> {
        Self { path: new_folder(out, stem)? }.claimed()
    }

    /// As [`RunDir::create`] without `out`, in a folder other than `runs`.
    pub fn create_numbered(parent: &Path, stem: &str) -> Result<Self, RunDirError> {
        Self { path: new_numbered(parent, stem)? }.claimed()
    }

    /// Whether [`RunDir::create`] could take `path`, as far as can be told without making anything.
    ///
    /// # Errors
    /// It is a file, or a folder with something in it.
    pub fn check_free(path: &Path) -> Result<(), RunDirError> {
        let free = match fs::symlink_metadata(path) {
            Ok(_) => path.is_dir() && list(path)?.next().is_none(),
            // Whatever else is wrong with the path is said when the folder is made.
            Err(_) => true,
        };
        if free { Ok(()) } else { Err(RunDirError::Taken { path: path.to_owned() }) }
    }

    /// Creates the empty `metrics.csv`. This decides between two runs that found the same empty
    /// folder, and finds out before training, not after, that the folder cannot be written to.
    fn claimed(self) -> Result<Self, RunDirError> {
        let metrics = self.metrics_path();
        match OpenOptions::new().write(true).create_new(true).open(&metrics) {
            Ok(_) => Ok(self),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(RunDirError::Taken { path: self.path }),
            Err(error) => Err(FileError::writing(&metrics, error).into()),
        }
    }

    /// Opens the folder of an earlier run, to evaluate or predict with it.
    ///
    /// # Errors
    /// There is no such folder, or it lacks its settings or any checkpoint.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        let not_a_run = |reason: String| RunDirError::NotARun { path: path.to_owned(), reason };
        let metadata = fs::metadata(path).map_err(|e| FileError::reading(path, e))?;
        if !metadata.is_dir() {
            return Err(not_a_run("it is a file; name the folder it lies in".into()));
        }
        let run = Self { path: path.to_owned() };
        if !run.config_path().is_file() {
            return Err(not_a_run(format!("it has no {CONFIG}")));
        }
        if run.checkpoint().is_none() {
            let reason = format!("it has neither {BEST} nor {LAST}: the run ended before its first checkpoint");
            return Err(not_a_run(reason));
        }
        Ok(run)
    }

    /// Opens the folder of a run that was interrupted.
    ///
    /// # Errors
    /// There is no such folder, or the run has ended.
    pub fn to_resume(path: &Path) -> Result<Self, RunDirError> {
        fs::metadata(path).map_err(|e| FileError::reading(path, e))?;
        let run = Self { path: path.to_owned() };
        if run.resume_path().is_file() {
            return Ok(run);
        }
        let reason = format!("it has no {RESUME}: the run ended, or had not finished an epoch; start a new one");
        Err(RunDirError::NotARun { path: path.to_owned(), reason })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Resolved settings.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// One row per epoch.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// Weights of the epoch with the best validation score.
    pub fn best_path(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// Weights of the last finished epoch or step.
    pub fn last_path(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// Where an unfinished run stands.
    pub fn resume_path(&self) -> PathBuf {
        self.path.join(RESUME)
    }

    /// Drops [`RunDir::resume_path`]: the run has ended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_progress(&self) -> Result<(), RunDirError> {
        let path = self.resume_path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::writing(&path, error).into()),
            _ => Ok(()),
        }
    }

    /// Appends to `norms.csv`, after the column names if it is new.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append_norms(&self, rows: &[NormRow]) -> Result<(), RunDirError> {
        if rows.is_empty() {
            return Ok(());
        }
        let path = self.path.join(NORMS);
        let fail = |source| RunDirError::from(FileError::writing(&path, source));
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(fail)?;
        let new = file.metadata().map_err(fail)?.len() == 0;
        let mut csv = csv::WriterBuilder::new().has_headers(new).from_writer(file);
        rows.iter().try_for_each(|row| csv.serialize(row)).map_err(|e| fail(io::Error::from(e)))?;
        csv.flush().map_err(fail)
    }

    /// Loss and accuracy over epochs.
    pub fn curves_path(&self) -> PathBuf {
        self.path.join("curves.png")
    }

    /// Confusion matrix of the validation set.
    pub fn confusion_path(&self) -> PathBuf {
        self.path.join("confusion.png")
    }

    /// Validation images with prediction and truth.
    pub fn samples_path(&self) -> PathBuf {
        self.path.join("samples.png")
    }

    /// The best checkpoint, else the last one, if there is any.
    pub fn checkpoint(&self) -> Option<PathBuf> {
        [self.best_path(), self.last_path()].into_iter().find(|path| path.is_file())
    }

    /// Writes `config.toml`.
    pub fn write_config(&self, toml: &str) -> Result<(), RunDirError> {
        Ok(write_atomic(&self.config_path(), |w| w.write_all(toml.as_bytes()))?)
    }

    /// Writes a text file of this name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_file(&self, name: &str, text: &str) -> Result<(), RunDirError> {
        Ok(write_atomic(&self.path.join(name), |w| w.write_all(text.as_bytes()))?)
    }

    /// Appends one epoch to `metrics.csv`, after the column names if it is the first, and forces it
    /// to disk. A failed append leaves the earlier rows as they were.
    pub fn append_metrics(&self, row: &EpochRow) -> Result<(), RunDirError> {
        let path = self.metrics_path();
        let fail = |source| RunDirError::from(FileError::writing(&path, source));
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(fail)?;
        let length = file.seek(SeekFrom::End(0)).map_err(fail)?;
        let mut line = Vec::new();
        EpochRow::write_csv(std::slice::from_ref(row), length == 0, &mut line).map_err(|e| fail(io::Error::from(e)))?;
        append_or_undo(&mut file, length, &line).map_err(fail)
    }

    /// Replaces `metrics.csv` by these epochs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn rewrite_metrics(&self, rows: &[EpochRow]) -> Result<(), RunDirError> {
        Ok(write_atomic(&self.metrics_path(), |w| EpochRow::write_csv(rows, true, w).map_err(io::Error::from))?)
    }

    /// Every epoch in `metrics.csv`; none if the run ended before its first.
    pub fn read_metrics(&self) -> Result<Vec<EpochRow>, RunDirError> {
        let path = self.metrics_path();
        let (file, _) = open_plain(&path)?;
        EpochRow::read_csv(file).map_err(|source| RunDirError::Metrics { path, source })
    }
}

/// Makes a folder for results: `out`, which must not exist yet or be empty, or else the next `runs/STEM-NNN`.
///
/// # Errors
/// `out` is taken, or the folder cannot be made.
pub fn new_folder(out: Option<&Path>, stem: &str) -> Result<PathBuf, RunDirError> {
    let Some(path) = out else { return new_numbered(Path::new("runs"), stem) };
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|e| FileError::writing(parent, e))?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => RunDir::check_free(path)?,
        Err(error) => return Err(FileError::writing(path, error).into()),
    }
    Ok(path.to_owned())
}

fn new_numbered(parent: &Path, stem: &str) -> Result<PathBuf, RunDirError> {
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

/// Appends `line`; on failure cuts the file back to `length`, so that no half row stays behind.
fn append_or_undo(file: &mut File, length: u64, line: &[u8]) -> io::Result<()> {
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        // The write's own error is the one to report; a second failure would only hide it.
        let _ = file.set_len(length);
    }
    written
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
        // Numbers near the type's end are no run of ours, and counting on from them would overflow.
        highest = highest.max(number.filter(|&n: &u32| n < 1_000_000_000).unwrap_or(0));
    }
    Ok(highest)
}
