//! PyTorch's own files (`.pth`, `.pt`, `.bin`, `.ckpt`), as `torch.save` writes them: a zip archive, or the container before
//! PyTorch 1.6. No code of a file runs: see the list of instructions in `pytorch/machine.rs` and of globals in
//! `pytorch/globals.rs`.
//!
//! Opening a file reads only its pickle. Each size that the file claims is first compared with the length of the file.

mod archive;
mod globals;
mod legacy;
mod machine;
mod pickle;
mod state_dict;
mod value;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::files::FileError;
use super::stored::StoredTensor;
use pickle::Pickle;
use state_dict::{StateDict, TensorRef};
use value::PickleError;

/// Most bytes of a file's pickle.
const MOST_PICKLE_BYTES: u64 = 1 << 26;

/// Why a PyTorch file is not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PytorchError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not what it claims to be.
    #[error("{}: not a usable PyTorch file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// The file asks for code to run.
    #[error(
        "{}: the file asks to run `{name}`, and no code of a file is run: save the weights alone, \
         `torch.save(model.state_dict(), FILE)`, or ask its author for a safetensors file", path.display()
    )]
    Code {
        /// The file.
        path: PathBuf,
        /// Module and name of the function that would run.
        name: String,
    },
}

/// The two containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Zip,
    Legacy,
}

/// Where the elements of a storage lie in a file. All in bytes.
struct Storage {
    start: u64,
    bytes: u64,
    /// CRC-32 of the elements.
    checksum: Option<u32>,
}

/// Content of a file.
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, StoredTensor>,
    /// The key of the state dict in the file, such as `state_dict`, and other keys that hold weights.
    pub(super) part: Option<String>,
    pub(super) other_parts: Vec<String>,
}

/// The container of a PyTorch file that begins with `start`; `None` for other files.
pub(super) fn container(start: &[u8]) -> Option<Container> {
    if start.starts_with(b"PK\x03\x04") {
        return Some(Container::Zip);
    }
    let pickled =
        start.first() == Some(&0x80) && start.windows(legacy::MAGIC.len()).take(24).any(|w| w == legacy::MAGIC);
    pickled.then_some(Container::Legacy)
}

/// Lists the tensors of a file.
///
/// # Errors
/// When the file is damaged, asks for code to run, or holds no state dict.
pub(super) fn open(path: &Path, file: &File, length: u64, container: Container) -> Result<Contents, PytorchError> {
    let format = |reason| PytorchError::Format { path: path.to_owned(), reason };
    let pickle_error = |error| match error {
        PickleError::Global(name) => PytorchError::Code { path: path.to_owned(), name },
        PickleError::Format(reason) => format(reason),
    };
    match container {
        Container::Zip => {
            let archive = archive::read(file, length).map_err(format)?;
            let (pickle, _) = Pickle::read(&archive.pickle).map_err(pickle_error)?;
            contents(&StateDict::find(&pickle).map_err(format)?, &archive.storages).map_err(format)
        }
        Container::Legacy => {
            let start = legacy::start(file).map_err(|error| FileError::reading(path, error))?;
            let pickles = legacy::pickles(&start).map_err(pickle_error)?;
            let found = StateDict::find(&pickles.object).map_err(format)?;
            let storages = legacy::storages(file, length, &pickles).map_err(format)?;
            contents(&found, &storages).map_err(format)
        }
    }
}

fn contents(found: &StateDict<'_>, storages: &HashMap<String, Storage>) -> Result<Contents, String> {
    let place = |(name, tensor): &(&str, TensorRef<'_>)| {
        let storage =
            storages.get(tensor.key).ok_or_else(|| format!("tensor `{name}` names a storage that it lacks"))?;
        let placed = place(tensor, storage).map_err(|reason| format!("tensor `{name}` {reason}"))?;
        Ok(((*name).to_owned(), placed))
    };
    Ok(Contents {
        tensors: found.tensors.iter().map(place).collect::<Result<_, String>>()?,
        part: (!found.path.is_empty()).then(|| found.path.join(".")),
        other_parts: found.others.iter().map(|&key| key.to_owned()).collect(),
    })
}

/// Where a tensor lies in the file, or the fault of its description.
fn place(tensor: &TensorRef<'_>, storage: &Storage) -> Result<StoredTensor, String> {
    let narrow = |sizes: &[u64]| sizes.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>();
    let huge = || format!("claims the shape {:?}", tensor.shape);
    let (shape, strides) = narrow(&tensor.shape).zip(narrow(&tensor.strides)).ok_or_else(huge)?;
    let outside = || format!("lies outside its storage of {} bytes", storage.bytes);
    let Some(dtype) = tensor.dtype else {
        return Ok(StoredTensor { shape, dtype: None, strides: Some(strides), start: storage.start, checksum: None });
    };
    let width = (dtype.bitsize() / 8) as u64;
    let first =
        tensor.view.checked_add(tensor.offset).and_then(|first| first.checked_mul(width)).ok_or_else(outside)?;
    let stored =
        StoredTensor { shape, dtype: Some(dtype), strides: Some(strides), start: storage.start, checksum: None };
    let elements = stored.elements().ok_or_else(huge)? as u64;
    let span = stored.span_bytes().ok_or_else(outside)? as u64;
    let view = tensor.numel.checked_mul(width).ok_or_else(outside)?;
    let offset = tensor.offset.checked_mul(width).ok_or_else(outside)?;
    if offset.checked_add(span).is_none_or(|end| end > view)
        || first.checked_add(span).is_none_or(|end| end > storage.bytes)
    {
        return Err(outside());
    }
    // A stride of 0 repeats one element, so that a tensor may take far more memory than the file.
    if elements > tensor.numel {
        return Err(format!("claims {elements} elements of a storage of {}", tensor.numel));
    }
    let whole = first == 0 && span == storage.bytes;
    Ok(StoredTensor { start: storage.start + first, checksum: storage.checksum.filter(|_| whole), ..stored })
}
