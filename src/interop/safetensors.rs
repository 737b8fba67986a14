//! Files in the safetensors format: read whole, replaced atomically.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Dtype, Metadata, SafeTensorError, TensorInfo};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::checksums;
pub use super::elements::{Tensor, TensorData};
use super::files::{FileError, open_plain, write_atomic};
use super::stored::StoredTensor;
use crate::memory;

/// Longest accepted header in bytes, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;
const METADATA_KEY: &str = "__metadata__";

/// Errors of safetensors files.
#[derive(Debug, Error)]
pub enum SafetensorsError {
    /// The operating system refused an access.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file with a fault in its format.
    #[error("{}: not a usable safetensors file: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A tensor with an unsupported element type.
    #[error("{}: tensor `{tensor}` has elements of type {dtype}, expected F32, F16, BF16, F64 or I64: convert it and save the file again", path.display())]
    UnsupportedType {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its element type, in the name of the format.
        dtype: String,
    },
    /// A 64-bit float is larger than every 32-bit one.
    #[error("{}: tensor `{tensor}` holds {value:e}, which does not fit a 32-bit float", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The value.
        value: f64,
    },
    /// A tensor for writing that contradicts itself. Nothing was written.
    #[error("{}: not written: tensor `{tensor}`: {reason}", path.display())]
    InvalidTensor {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The fault.
        reason: String,
    },
}

/// The whole content of a safetensors file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Free pairs of texts in the header.
    pub metadata: BTreeMap<String, String>,
}

/// The metadata of a file, without its tensors.
///
/// # Errors
/// When the file cannot be read, or its header is invalid.
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>, SafetensorsError> {
    let format = |reason: &str| SafetensorsError::Format { path: path.to_owned(), reason: reason.to_owned() };
    let (mut file, length) = open_plain(path)?;
    let bytes = read_header(path, &mut file, length)?;
    let header: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| format("its header is no JSON"))?;
    let metadata = header.get(METADATA_KEY).cloned().unwrap_or_else(|| serde_json::json!({}));
    let mut metadata = serde_json::from_value(metadata).map_err(|_| format("its metadata is not text"))?;
    checksums::take(&mut metadata, &mut BTreeMap::new()).map_err(|reason| format(&reason))?;
    Ok(metadata)
}

/// The header as it is read.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: HashMap<String, TensorInfo>,
}

/// A value of the header's top-level object, as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum HeaderEntry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor(TensorInfo),
}

impl TensorFile {
    /// Reads `path`. F16, BF16 and F64 are converted to F32.
    ///
    /// # Errors
    /// Truncated, oversized or contradictory files, and element types other than F32, F16, BF16, F64 and I64. Memory
    /// use is bounded by about four times the length of the file. A file that does not fit into free memory is refused.
    pub fn read(path: &Path) -> Result<Self, SafetensorsError> {
        let (file, metadata, listed) = list(path)?;
        let floats = listed.values().filter_map(StoredTensor::elements).fold(0, |sum: usize, n| sum.saturating_add(n));
        if !memory::has((floats as u64).saturating_mul(4)) {
            let reason = format!("its tensors have {floats} elements");
            return Err(FileError::reading(path, io::Error::new(ErrorKind::OutOfMemory, reason)).into());
        }
        let mut tensors = BTreeMap::new();
        for (name, stored) in listed {
            let dtype = readable(path, &name, &stored)?;
            let bytes = stored.read(&file).map_err(|error| unreadable(path, &name, error))?;
            let data = decode(path, &name, dtype, &bytes)?;
            tensors.insert(name, Tensor { shape: stored.shape, data });
        }
        Ok(Self { tensors, metadata })
    }

    /// Replaces `path` with this content, all or nothing: see [`write_atomic`]. Equal content gives equal bytes. The
    /// writer of the `safetensors` crate does not guarantee that, because it keeps the metadata in a hash map.
    ///
    /// # Errors
    /// When the number of a tensor's elements differs from its shape, or the disk fails. The old file stays.
    pub fn write_atomic(&self, path: &Path) -> Result<(), SafetensorsError> {
        let (header, order) = self.header(path)?;
        write_atomic(path, |writer| {
            writer.write_all(&(header.len() as u64).to_le_bytes())?;
            writer.write_all(&header)?;
            order.iter().try_for_each(|data| data.write_to(writer))
        })?;
        Ok(())
    }

    /// The JSON header, padded to a multiple of 8 bytes, and the tensors in file order. The widest elements come first,
    /// which aligns all of them.
    fn header(&self, path: &Path) -> Result<(Vec<u8>, Vec<&TensorData>), SafetensorsError> {
        let invalid = |tensor: &str, reason: String| SafetensorsError::InvalidTensor {
            path: path.to_owned(),
            tensor: tensor.to_owned(),
            reason,
        };
        let mut metadata = self.metadata.clone();
        checksums::add(&mut metadata, &self.tensors);
        let mut entries = BTreeMap::from([(METADATA_KEY, HeaderEntry::Metadata(&metadata))]);
        let mut named: Vec<_> = self.tensors.iter().collect();
        named.sort_by_key(|(_, tensor)| std::cmp::Reverse(tensor.data.dtype().1));
        let mut offset = 0;
        for (name, tensor) in &named {
            if *name == METADATA_KEY {
                return Err(invalid(name, "the format reserves this name".into()));
            }
            let elements = tensor.shape.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis));
            if elements != Some(tensor.data.len()) {
                let reason = format!("shape {:?} does not hold {} elements", tensor.shape, tensor.data.len());
                return Err(invalid(name, reason));
            }
            let (dtype, width) = tensor.data.dtype();
            let end = offset + tensor.data.len() * width;
            let info = TensorInfo { dtype, shape: tensor.shape.clone(), data_offsets: (offset, end) };
            entries.insert(name, HeaderEntry::Tensor(info));
            offset = end;
        }
        let mut header =
            serde_json::to_vec(&entries).map_err(|error| FileError::writing(path, io::Error::from(error)))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        if header.len() as u64 > MAX_HEADER {
            let reason = format!("the header would exceed {MAX_HEADER} bytes: too many tensors or too much metadata");
            return Err(invalid(METADATA_KEY, reason));
        }
        Ok((header, named.into_iter().map(|(_, tensor)| &tensor.data).collect()))
    }
}

/// Opens a file and lists its metadata and tensors, without their elements.
pub(super) fn list(
    path: &Path,
) -> Result<(File, BTreeMap<String, String>, BTreeMap<String, StoredTensor>), SafetensorsError> {
    let format = |reason: String| SafetensorsError::Format { path: path.to_owned(), reason };
    let (mut file, length) = open_plain(path)?;
    let bytes = read_header(path, &mut file, length)?;
    let malformed = |error| format(describe(&SafeTensorError::InvalidHeaderDeserialization(error), length));
    let Header { metadata, tensors } = serde_json::from_slice(&bytes).map_err(malformed)?;
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let header = Metadata::new(metadata, tensors).map_err(|error| format(describe(&error, length)))?;
    let start = 8 + bytes.len() as u64;
    if start.checked_add(header.data_len() as u64) != Some(length) {
        return Err(format(describe(&SafeTensorError::MetadataIncompleteBuffer, length)));
    }
    let stored = |(name, info): (String, &TensorInfo)| {
        let (shape, dtype) = (info.shape.clone(), Some(info.dtype));
        let start = start + info.data_offsets.0 as u64;
        (name, StoredTensor { shape, dtype, strides: None, start, checksum: None })
    };
    let mut tensors = header.tensors().into_iter().map(stored).collect();
    let mut metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    checksums::take(&mut metadata, &mut tensors).map_err(format)?;
    Ok((file, metadata, tensors))
}

/// Reads the header of a file. The header's length is first compared with the length of the file, so that a file of
/// another kind is refused before it takes memory.
fn read_header(path: &Path, file: &mut File, length: u64) -> Result<Vec<u8>, SafetensorsError> {
    let format = |reason| SafetensorsError::Format { path: path.to_owned(), reason };
    let fail = |source| FileError::reading(path, source);
    let mut prefix = [0; 8];
    if length < 8 {
        return Err(format(format!("it has {length} bytes, fewer than the smallest header: empty or truncated")));
    }
    file.read_exact(&mut prefix).map_err(fail)?;
    let header = u64::from_le_bytes(prefix);
    if header > MAX_HEADER || header > length - 8 {
        return Err(format(format!(
            "its first 8 bytes claim a header of {header} bytes, but the file has {length} \
             (at most {MAX_HEADER} are allowed): truncated, or a file of another kind"
        )));
    }
    let mut bytes = Vec::new();
    // `take` holds the bound even when the file grows while it is read.
    file.take(header).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// The parser's error in words.
fn describe(error: &SafeTensorError, length: u64) -> String {
    match error {
        SafeTensorError::MetadataIncompleteBuffer => format!(
            "its tensors do not end where the file ends ({length} bytes): truncated or overwritten; \
             copy or save it again"
        ),
        SafeTensorError::InvalidOffset(name) => {
            format!("tensor `{name}` lies outside the data or overlaps another")
        }
        SafeTensorError::TensorInvalidInfo => "a tensor's shape and its number of bytes disagree".into(),
        other => other.to_string(),
    }
}

/// The error of a tensor that could not be read from a file.
pub(super) fn unreadable(path: &Path, name: &str, error: io::Error) -> SafetensorsError {
    match error.kind() {
        ErrorKind::InvalidData => {
            let reason = format!("tensor `{name}` {}", checksums::DIFFERS);
            SafetensorsError::Format { path: path.to_owned(), reason }
        }
        _ => FileError::reading(path, error).into(),
    }
}

/// The type of a tensor's elements, or an error for a type that is not read.
pub(super) fn readable(path: &Path, name: &str, stored: &StoredTensor) -> Result<Dtype, SafetensorsError> {
    let is_read = |dtype: &Dtype| matches!(dtype, Dtype::I64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64);
    stored.dtype.filter(is_read).ok_or_else(|| {
        let dtype = stored.dtype.map_or_else(|| "quantized or complex".into(), |dtype| dtype.to_string());
        SafetensorsError::UnsupportedType { path: path.to_owned(), tensor: name.to_owned(), dtype }
    })
}

/// Converts the elements of a tensor.
pub(super) fn decode(path: &Path, name: &str, dtype: Dtype, bytes: &[u8]) -> Result<TensorData, SafetensorsError> {
    Ok(match dtype {
        Dtype::I64 => TensorData::I64(map_elements(bytes, i64::from_le_bytes)),
        Dtype::F32 => TensorData::F32(map_elements(bytes, f32::from_le_bytes)),
        Dtype::F16 => TensorData::F32(map_elements(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => TensorData::F32(map_elements(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        Dtype::F64 => {
            let wide: Vec<f64> = map_elements(bytes, f64::from_le_bytes);
            // A finite weight that becomes infinite would show as a NaN loss much later.
            if let Some(value) = wide.iter().find(|v| v.is_finite() && (**v as f32).is_infinite()) {
                let (path, tensor, value) = (path.to_owned(), name.to_owned(), *value);
                return Err(SafetensorsError::TooLarge { path, tensor, value });
            }
            TensorData::F32(wide.into_iter().map(|value| value as f32).collect())
        }
        other => {
            return Err(SafetensorsError::UnsupportedType {
                path: path.to_owned(),
                tensor: name.to_owned(),
                dtype: other.to_string(),
            });
        }
    })
}

fn map_elements<T, const N: usize>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| convert(*chunk)).collect()
}
