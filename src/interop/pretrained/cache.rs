//! The folders where programs keep published weights.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::PretrainedError;
use super::table::{Place, Published, PublishedFile};
use crate::exec::gpu::default_cache_dir;

/// Folders that are searched; `None` for a folder that no environment variable locates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Ours, where downloads go.
    pub own: Option<PathBuf>,
    /// The folder of `torch.hub`.
    pub torch: Option<PathBuf>,
    /// The folder of Hugging Face's programs.
    pub hugging_face: Option<PathBuf>,
}

impl Folders {
    /// The folders that environment variables name.
    ///
    /// | folder | variables, the first that is set |
    /// |---|---|
    /// | ours | `SHADEGRAD_WEIGHTS_DIR`, `SHADEGRAD_CACHE_DIR/weights`, the user's cache folder `/shadegrad/weights` |
    /// | torch's | `TORCH_HOME/hub/checkpoints`, `XDG_CACHE_HOME/torch/hub/checkpoints`, `~/.cache/torch/hub/checkpoints` |
    /// | Hugging Face's | `HF_HUB_CACHE`, `HF_HOME/hub`, `XDG_CACHE_HOME/huggingface/hub`, `~/.cache/huggingface/hub` |
    pub fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || path("HOME").or_else(|| path("USERPROFILE"));
        let cache = || path("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache")));
        let torch = path("TORCH_HOME").or_else(|| cache().map(|cache| cache.join("torch")));
        let hugging_face = || path("HF_HOME").or_else(|| cache().map(|cache| cache.join("huggingface")));
        Folders {
            own: path("SHADEGRAD_WEIGHTS_DIR").or_else(|| default_cache_dir().map(|cache| cache.join("weights"))),
            torch: torch.map(|torch| torch.join("hub").join("checkpoints")),
            hugging_face: path("HF_HUB_CACHE").or_else(|| hugging_face().map(|home| home.join("hub"))),
        }
    }

    /// The first file with the right name, size and hash. A file of the right name with other bytes is skipped.
    ///
    /// # Errors
    /// When a file of the right name cannot be read.
    pub fn find(&self, weights: &Published<'_>) -> Result<Option<PathBuf>, PretrainedError> {
        for file in weights.files {
            for path in self.candidates(file).into_iter().filter(|path| path.is_file()) {
                if file.difference(&path)?.is_none() {
                    return Ok(Some(path));
                }
            }
        }
        Ok(None)
    }

    /// The paths at which a file may lie.
    fn candidates(&self, file: &PublishedFile<'_>) -> Vec<PathBuf> {
        let own = self.own.iter().map(|folder| folder.join(file.name));
        match file.place {
            Place::Url(address) => {
                let name = address.rsplit('/').next().unwrap_or(file.name);
                own.chain(self.torch.iter().map(|folder| folder.join(name))).collect()
            }
            Place::HuggingFace { repository, path, .. } => {
                let snapshots = self.hugging_face.iter().flat_map(|folder| snapshots(folder, repository));
                own.chain(snapshots.map(|snapshot| snapshot.join(path))).collect()
            }
        }
    }
}

/// The snapshots of a repository in Hugging Face's folder, sorted.
fn snapshots(folder: &Path, repository: &str) -> Vec<PathBuf> {
    let folder = folder.join(format!("models--{}", repository.replace('/', "--"))).join("snapshots");
    let mut found: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort_unstable();
    found
}
