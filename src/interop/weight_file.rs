//! A file of weights of any kind, opened without its elements. Its first bytes show its kind; its name does not count.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::files::{FileError, open_plain};
use super::pytorch::{self, PytorchError};
use super::safetensors::{self, SafetensorsError, Tensor, TensorData};
use super::stored::StoredTensor;
use super::torchvision::CheckpointError;

/// An open file of weights: names and shapes of its tensors. Elements are read one tensor at a time, so that tensors
/// that nobody uses take no memory.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    kind: Kind,
    file: File,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, StoredTensor>,
    part: Option<String>,
    other_parts: Vec<String>,
}

/// A kind of file whose weights are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Safetensors,
    Pytorch,
}

/// First bytes of a file, from which its kind is found.
const START: usize = 64;

impl WeightFile {
    /// Opens a safetensors file, or a PyTorch file of either layout. No code of a file runs.
    ///
    /// # Errors
    /// When the file is of another kind, damaged, or asks for code to run.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let (mut file, length) = open_plain(path)?;
        let mut start = vec![];
        file.by_ref().take(START as u64).read_to_end(&mut start).map_err(|error| FileError::reading(path, error))?;
        if let Some(container) = pytorch::container(&start) {
            let contents = pytorch::open(path, &file, length, container)?;
            let pytorch::Contents { tensors, part, other_parts } = contents;
            let (path, metadata) = (path.into(), BTreeMap::new());
            return Ok(WeightFile { path, kind: Kind::Pytorch, file, metadata, tensors, part, other_parts });
        }
        if let Some((kind, remedy)) = other_kind(&start) {
            return Err(CheckpointError::Kind { path: path.to_owned(), kind, remedy });
        }
        let (file, metadata, tensors) = safetensors::list(path)?;
        let (path, kind) = (path.into(), Kind::Safetensors);
        Ok(WeightFile { path, kind, file, metadata, tensors, part: None, other_parts: vec![] })
    }

    /// Path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Free pairs of texts in a safetensors file; empty for a PyTorch file.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// For a PyTorch file that holds more than the weights: their key, such as `state_dict`, and other keys with
    /// weights, which are not read.
    pub fn part(&self) -> Option<(&str, &[String])> {
        self.part.as_deref().map(|part| (part, self.other_parts.as_slice()))
    }

    /// Name and shape of each tensor, sorted by name.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> + Clone {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Reads a tensor; F16, BF16 and F64 become F32.
    ///
    /// # Errors
    /// When no tensor has this name, its elements are of another type, or the file was changed or damaged.
    pub fn read(&self, name: &str) -> Result<Tensor, CheckpointError> {
        let format = |reason: String| SafetensorsError::Format { path: self.path.clone(), reason };
        let Some(stored) = self.tensors.get(name) else {
            return Err(format(format!("it has no tensor `{name}`")).into());
        };
        let dtype = safetensors::readable(&self.path, name, stored)?;
        let bytes = stored.read(&self.file).map_err(|error| self.unreadable(name, error))?;
        let data: TensorData = safetensors::decode(&self.path, name, dtype, &bytes)?;
        Ok(Tensor { shape: stored.shape.clone(), data })
    }

    fn unreadable(&self, name: &str, error: std::io::Error) -> CheckpointError {
        match error.kind() {
            _ if self.kind == Kind::Safetensors => safetensors::unreadable(&self.path, name, error).into(),
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                let reason = format!("tensor `{name}` is damaged: {error}");
                PytorchError::Format { path: self.path.clone(), reason }.into()
            }
            _ => FileError::reading(&self.path, error).into(),
        }
    }
}

/// The kind of a file without readable weights, and the remedy.
fn other_kind(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let text = start.trim_ascii_start().to_ascii_lowercase();
    Some(match start {
        _ if start.starts_with(b"version https://git-lfs") => {
            ("a pointer of Git LFS, not the weights themselves", "run `git lfs pull` in its folder")
        }
        _ if text.starts_with(b"<!doctype") || text.starts_with(b"<html") || text.starts_with(b"<?xml") => {
            ("a web page, so the download went wrong", "download the weights themselves")
        }
        _ if start.starts_with(b"\x89HDF") => ("a file of Keras (HDF5)", "convert the weights to safetensors"),
        _ if start.starts_with(b"GGUF") => ("a file of GGUF", "convert the weights to safetensors"),
        [_, _, _, _, b'E', b'T', b'1', b'2', ..] => {
            ("a program of ExecuTorch", "save the `state_dict()` of its module with torch.save")
        }
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            ("a model of TensorFlow Lite", "convert the weights to safetensors")
        }
        _ if start.starts_with(b"\x1f\x8b") => ("compressed by gzip", "unpack it first"),
        [0x80, 2..=5, rest @ ..] if rest.get(6) != Some(&b'{') => {
            ("a pickle that torch.save did not write", "save the weights with torch.save or as safetensors")
        }
        _ => return None,
    })
}
