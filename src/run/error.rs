//! Why a run's folder, or a file in it, could not be made, read or written.

use std::path::PathBuf;

use thiserror::Error;

use super::pictures::PictureError;
use crate::exec::ExecError;
use crate::interop::files::FileError;
use crate::interop::safetensors::SafetensorsError;
use crate::interop::torchvision::CheckpointError;

/// An error of a run's folder or of a file in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
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
    /// Another process writes into the folder.
    #[error("{} is in use: {holder}; wait until that process has ended, or stop it", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who holds it, in words.
        holder: String,
    },
    /// A file of a run is not whole.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// `metrics.csv` is malformed.
    #[error("{}: {source}", path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: csv::Error,
    },
    /// Another table is malformed.
    #[error("{}: {source}; the run's other files can be used without it: move it away", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: csv::Error,
    },
    /// `run.json` does not hold the facts of a run.
    #[error("{}: {source}; the run's other files can be used without it: move it away", path.display())]
    Facts {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A picture cannot be drawn or saved.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A checkpoint that cannot be read, or does not fit the model.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint that was not written by this program.
    #[error(
        "{}: its metadata has no usable `{key}`, so it is not a checkpoint of `shadegrad train`; \
         such files are best.safetensors and last.safetensors in a run directory", path.display()
    )]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// The entry that is missing or wrong.
        key: String,
    },
    /// A run that cannot be resumed.
    #[error("{} cannot be resumed: {reason}", path.display())]
    CannotResume {
        /// The file that was read.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The device failed while states were read or written.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl From<SafetensorsError> for RunError {
    fn from(e: SafetensorsError) -> Self {
        RunError::Checkpoint(e.into())
    }
}
