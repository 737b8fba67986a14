//! Files in the safetensors format: read whole, replaced atomically.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Dtype, Metadata, SafeTensorError, SafeTensors, TensorInfo};
use half::{bf16, f16};
use serde::Serialize;
use thiserror::Error;

use super::files::{FileError, open_plain, write_atomic};
use crate::memory;

/// Longest accepted header in bytes, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;
const METADATA_KEY: &str = "__metadata__";

/// Elements of a [`Tensor`], row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// 32-bit floats. F16, BF16 and F64 are converted to them.
    F32(Vec<f32>),
    /// 64-bit integers, such as BatchNorm's `num_batches_tracked`.
    I64(Vec<i64>),
}

impl TensorData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I64(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn dtype(&self) -> (Dtype, usize) {
        match self {
            Self::F32(_) => (Dtype::F32, 4),
            Self::I64(_) => (Dtype::I64, 8),
        }
    }

    fn write_to(&self, writer: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::F32(values) => write_blocks(values, writer, f32::to_le_bytes),
            Self::I64(values) => write_blocks(values, writer, i64::to_le_bytes),
        }
    }
}

/// Converts block by block, without a second copy of the tensor.
fn write_blocks<T: Copy, const N: usize>(
    values: &[T],
    writer: &mut dyn Write,
    to_bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut bytes = Vec::new();
    for block in values.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|&value| to_bytes(value)));
        writer.write_all(&bytes)?;
    }
    Ok(())
}

/// A named tensor's shape and elements. A scalar has the shape `[]` and one element.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each axis, outermost first.
    pub shape: Vec<usize>,
    /// The elements; their number is that of the shape.
    pub data: TensorData,
}

impl Tensor {
    /// A float tensor.
    pub fn f32(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Self { shape: shape.into(), data: TensorData::F32(values) }
    }

    /// An integer tensor.
    pub fn i64(shape: impl Into<Vec<usize>>, values: Vec<i64>) -> Self {
        Self { shape: shape.into(), data: TensorData::I64(values) }
    }
}

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
    /// Free text pairs kept in the header.
    pub metadata: BTreeMap<String, String>,
}

/// The metadata of a file, without its tensors.
///
/// # Errors
/// When the file cannot be read, or its header is invalid.
pub fn read_metadata(path: &Path) -> Result<BTreeMap<String, String>, SafetensorsError> {
    let format = |reason: &str| SafetensorsError::Format { path: path.to_owned(), reason: reason.to_owned() };
    let (mut file, length) = open_plain(path)?;
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|_| format("it is truncated"))?;
    let header = u64::from_le_bytes(start);
    if header > MAX_HEADER.min(length.saturating_sub(8)) {
        return Err(format("it is truncated, or a file of another kind"));
    }
    let mut bytes = vec![];
    file.take(header).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
    let header: serde_json::Value = serde_json::from_slice(&bytes).map_err(|_| format("its header is no JSON"))?;
    let metadata = header.get(METADATA_KEY).cloned().unwrap_or_else(|| serde_json::json!({}));
    serde_json::from_value(metadata).map_err(|_| format("its metadata is not text"))
}

/// A value of the header's top-level object.
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
    /// use is bounded by about three times the length of the file. A file that does not fit into free memory is refused.
    pub fn read(path: &Path) -> Result<Self, SafetensorsError> {
        Self::read_within(path, u64::MAX)
    }

    /// As [`TensorFile::read`], for a file of at most `most` bytes: a larger one is refused before it takes memory.
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn read_within(path: &Path, most: u64) -> Result<Self, SafetensorsError> {
        let bytes = read_bytes(path, most)?;
        let format = |error: SafeTensorError| SafetensorsError::Format {
            path: path.to_owned(),
            reason: describe(&error, bytes.len() as u64),
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let views = SafeTensors::deserialize(&bytes).map_err(format)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in views.iter() {
            let data = decode(path, name, view.dtype(), view.data())?;
            let shape = view.shape().to_vec();
            tensors.insert(name.to_owned(), Tensor { shape, data });
        }
        Ok(Self { tensors, metadata })
    }

    /// Replaces `path` with this content, all or nothing: see [`write_atomic`]. Equal content gives equal bytes. The
    /// writer of the `safetensors` crate does not guarantee that, because it keeps the metadata in a hash map.
    ///
    /// # Errors
    /// When the number of a tensor's elements is not that of its shape, or the disk fails. The old file stays.
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
        let mut entries = BTreeMap::new();
        if !self.metadata.is_empty() {
            entries.insert(METADATA_KEY, HeaderEntry::Metadata(&self.metadata));
        }
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

/// Reads the bytes of a file of at most `most`. The length of the header is first checked against that of the file, so a
/// file of another kind is refused before memory is reserved.
fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>, SafetensorsError> {
    let format = |reason| SafetensorsError::Format { path: path.to_owned(), reason };
    let fail = |source| FileError::reading(path, source);
    let (mut file, length) = open_plain(path)?;
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
    let mut bytes = prefix.to_vec();
    (&file).take(header).read_to_end(&mut bytes).map_err(fail)?;
    require_end(&bytes, length).map_err(format)?;
    if length > most {
        return Err(format(format!("it has {length} bytes, and a checkpoint of this network has at most {most}")));
    }
    let out_of_memory = || fail(io::Error::new(io::ErrorKind::OutOfMemory, format!("it has {length} bytes")));
    let capacity = usize::try_from(length - 8 - header).unwrap_or(usize::MAX);
    // Twice: the bytes, and the tensors as floats.
    if !memory::has(length.saturating_mul(2)) || bytes.try_reserve_exact(capacity).is_err() {
        return Err(out_of_memory().into());
    }
    // `take` keeps the bound if the file grows while it is read.
    file.take(length - 8 - header).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Refuses a file whose tensors do not end at its `length`. `start`: the length of the header, and the header.
fn require_end(start: &[u8], length: u64) -> Result<(), String> {
    match SafeTensors::read_metadata(start) {
        // Only the header was read.
        Ok(_) | Err(SafeTensorError::MetadataIncompleteBuffer) => {}
        Err(error) => return Err(describe(&error, length)),
    }
    let header: Metadata = serde_json::from_slice(&start[8..]).map_err(|error| error.to_string())?;
    let end = header.tensors().values().map(|info| info.data_offsets.1 as u64).max().unwrap_or(0);
    match end.saturating_add(start.len() as u64) == length {
        true => Ok(()),
        false => Err(describe(&SafeTensorError::MetadataIncompleteBuffer, length)),
    }
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

fn decode(path: &Path, name: &str, dtype: Dtype, bytes: &[u8]) -> Result<TensorData, SafetensorsError> {
    Ok(match dtype {
        Dtype::I64 => TensorData::I64(map_elements(bytes, i64::from_le_bytes)),
        Dtype::F32 => TensorData::F32(map_elements(bytes, f32::from_le_bytes)),
        Dtype::F16 => TensorData::F32(map_elements(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => TensorData::F32(map_elements(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        Dtype::F64 => {
            let wide: Vec<f64> = map_elements(bytes, f64::from_le_bytes);
            // A finite weight that becomes infinite would show as a NaN loss much later.
            if let Some(value) = wide.iter().find(|v| v.is_finite() && (**v as f32).is_infinite()) {
                return Err(SafetensorsError::Format {
                    path: path.to_owned(),
                    reason: format!("tensor `{name}` holds {value:e}, which does not fit a 32-bit float"),
                });
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
