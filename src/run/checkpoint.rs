//! A checkpoint with its model card.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::card::{EPOCH, ModelCard, VAL_LOSS};
use super::error::RunError;
use super::folder::{MAX_TABLE_BYTES, METRICS, RunDir};
use super::history::EpochRow;
use crate::interop::files::read_bytes;
use crate::interop::safetensors::TensorFile;

/// A checkpoint with its model card.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Tensors and metadata.
    pub file: TensorFile,
    /// Path of the file.
    pub path: PathBuf,
    /// Description of its model.
    pub card: ModelCard,
}

impl Checkpoint {
    /// Opens the best checkpoint of a run folder, or a checkpoint file.
    ///
    /// # Errors
    /// When the checkpoint is missing, is not from shadegrad's training, or lies in the folder of another run.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let path = checkpoint_path(path)?;
        let file = TensorFile::read(&path)?;
        let card = ModelCard::from_metadata(&file, &path)?;
        let table = path.with_file_name(METRICS);
        let (rows, _) = EpochRow::read_damaged(&read_bytes(&table, MAX_TABLE_BYTES).unwrap_or_default(), &[]);
        if let Some(mark) = EpochMark::of(&file.metadata).filter(|mark| mark.contradicts(&rows)) {
            return Err(RunError::OtherRun { path, epoch: mark.epoch, loss: mark.val_loss, table });
        }
        Ok(Checkpoint { file, path, card })
    }

    /// The `config.toml` beside it, if it lies in a run folder.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.path.parent().map(|folder| folder.join("config.toml")).filter(|path| path.is_file())
    }
}

/// The epoch after which a checkpoint was written, with its validation loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EpochMark {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Its validation loss.
    pub val_loss: f64,
}

impl EpochMark {
    /// The mark in the metadata of a checkpoint. A file that was written within an epoch, or by an earlier version, has
    /// no mark.
    pub fn of(metadata: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self { epoch: metadata.get(EPOCH)?.parse().ok()?, val_loss: metadata.get(VAL_LOSS)?.parse().ok()? })
    }

    /// The metadata entries.
    pub fn entries(self) -> [(String, String); 2] {
        // `{:?}` prints the shortest text that reads back exactly.
        [(EPOCH.to_owned(), self.epoch.to_string()), (VAL_LOSS.to_owned(), format!("{:?}", self.val_loss))]
    }

    /// Whether the rows of a run show another loss after this epoch.
    pub fn contradicts(self, rows: &[EpochRow]) -> bool {
        rows.iter().any(|row| row.epoch == self.epoch && row.val_loss.to_bits() != self.val_loss.to_bits())
    }
}

/// The path of the best checkpoint of a run folder. The path of a file is returned as it is.
///
/// # Errors
/// When the path is neither a run folder nor a file.
pub fn checkpoint_path(path: &Path) -> Result<PathBuf, RunError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let run = RunDir::open(path)?;
    // `open` fails if there is no checkpoint.
    Ok(run.checkpoint().unwrap_or_else(|| run.last_path()))
}

/// Names that Hugging Face's programs give to a file of weights.
const OF_OTHERS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// The file of weights at a path: the file itself, the best checkpoint of a run, or the weights in a folder of Hugging Face.
///
/// # Errors
/// When the path has no file of weights.
pub fn weights_path(path: &Path) -> Result<PathBuf, RunError> {
    let of_others = OF_OTHERS.map(|name| path.join(name)).into_iter().find(|file| file.is_file());
    of_others.map_or_else(|| checkpoint_path(path), Ok)
}
