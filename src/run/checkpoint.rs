//! A checkpoint with its model card.

use std::path::{Path, PathBuf};

use super::card::ModelCard;
use super::error::RunError;
use super::folder::RunDir;
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
    /// When there is none, or shadegrad's training did not write it.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let path = checkpoint_path(path)?;
        let file = TensorFile::read(&path)?;
        let card = ModelCard::from_metadata(&file, &path)?;
        Ok(Checkpoint { file, path, card })
    }

    /// The `config.toml` beside it, if it lies in a run folder.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.path.parent().map(|folder| folder.join("config.toml")).filter(|path| path.is_file())
    }
}

/// The best checkpoint of a run folder. A file is its own checkpoint.
///
/// # Errors
/// When there is none.
pub fn checkpoint_path(path: &Path) -> Result<PathBuf, RunError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let run = RunDir::open(path)?;
    // `open` fails if there is no checkpoint.
    Ok(run.checkpoint().unwrap_or_else(|| run.last_path()))
}

/// Names of a file of weights in a folder that Hugging Face's programs write.
const OF_OTHERS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// The file of weights that a path stands for: a file is itself; of a run its best checkpoint, of a folder of Hugging Face its
/// weights.
///
/// # Errors
/// When there is none.
pub fn weights_path(path: &Path) -> Result<PathBuf, RunError> {
    let of_others = OF_OTHERS.map(|name| path.join(name)).into_iter().find(|file| file.is_file());
    of_others.map_or_else(|| checkpoint_path(path), Ok)
}
