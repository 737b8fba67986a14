//! Errors of a run's folder and its files.

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
    /// The folder exists and is not empty.
    #[error("{} exists already and is not empty; runs are never overwritten: choose another folder or move it away", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The path is not the folder of a run.
    #[error("{} is not a run folder: {reason}", path.display())]
    NotARun {
        /// The path given.
        path: PathBuf,
        /// The missing or faulty entry.
        reason: String,
    },
    /// Another process writes into the folder.
    #[error("{} is in use: {holder}; wait until that process has ended, or stop it", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, in words.
        holder: String,
    },
    /// A file of a run is damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault, and the remedy.
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
    #[error("{}: {source}; move it away, and the run's other files can be used", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: csv::Error,
    },
    /// `run.json` does not hold the facts of a run.
    #[error("{}: {source}; move it away, and the run's other files can be used", path.display())]
    Facts {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: serde_json::Error,
    },
    /// A picture cannot be drawn or saved.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A checkpoint that cannot be read, or does not fit the model.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint that shadegrad's training did not write.
    #[error(
        "{}: its metadata has no usable `{key}`, so it is not a checkpoint of a run; expected best.safetensors or \
         last.safetensors of a run folder", path.display()
    )]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// The entry that is missing or wrong.
        key: String,
    },
    /// A checkpoint in the folder of another run.
    #[error(
        "{}: it holds the weights of another run: their validation loss after epoch {epoch} was {loss}, and {} has another; \
         move the file out of this folder, or restore the run's own from a copy", path.display(), table.display()
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The epoch after which it was written.
        epoch: u32,
        /// Its validation loss.
        loss: f64,
        /// `metrics.csv` of the folder.
        table: PathBuf,
    },
    /// A run that cannot be resumed.
    #[error("{} cannot be resumed: {reason}", path.display())]
    CannotResume {
        /// The file that was read.
        path: PathBuf,
        /// Why.
        reason: Unresumable,
    },
    /// The device failed while states were read or written.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

/// Why a run cannot be resumed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unresumable {
    /// No epoch is left.
    #[error("{epochs} {} done; expected a larger number of epochs", if *epochs == 1 { "epoch is" } else { "epochs are" })]
    Done {
        /// Finished epochs.
        epochs: usize,
    },
    /// The early stop had ended the run, and would have ended a run of more epochs too.
    #[error(
        "it ended after {epochs} epochs, since the score had not improved for {early_stop}; with more epochs alone it would end \
         there again: allow more epochs without a better score, or 0 for any number"
    )]
    EndedEarly {
        /// Finished epochs.
        epochs: usize,
        /// Epochs without a better score that end the run.
        early_stop: usize,
    },
    /// A finished run without the state of its optimizer.
    #[error(
        "it has finished and has no finished.safetensors, the state of its optimizer: the file was removed, the run belongs to a \
         sweep, or an earlier version trained it; start a new run from its weights {}", weights.display()
    )]
    NoState {
        /// Its weights.
        weights: PathBuf,
    },
    /// The order of the images changed in the middle of an epoch.
    #[error(
        "it stopped in the middle of epoch {epoch}, where {what} was {before} and now is {now}, so that images would be \
         skipped or come twice: keep {before} until an epoch has ended"
    )]
    MidEpoch {
        /// The epoch under way, from 1.
        epoch: usize,
        /// The difference, in words.
        what: &'static str,
        /// The setting that decides it, if any.
        setting: Option<&'static str>,
        /// Value of the run.
        before: String,
        /// Requested value.
        now: String,
    },
    /// Data or settings that change the weights.
    #[error(
        "its data or settings have changed: {}; restore them, or allow changed data",
        changes.join(". ")
    )]
    Changed {
        /// Each change in words.
        changes: Vec<String>,
    },
    /// A file that cannot be restored.
    #[error("{problem}: restore the file from a copy, or begin a new run from the weights in {}", weights.display())]
    Lost {
        /// The lost data, and the reason.
        problem: String,
        /// The weights of the last epoch.
        weights: PathBuf,
    },
    /// A tensor of another shape or name.
    #[error("its `{tensor}` is not that of this model: resume with the settings that the run was started with")]
    OtherModel {
        /// Name of the tensor.
        tensor: String,
    },
}

impl From<SafetensorsError> for RunError {
    fn from(e: SafetensorsError) -> Self {
        RunError::Checkpoint(e.into())
    }
}
