//! The tensors of a file: shape and elements.

use std::io::{self, Write};

use ::safetensors::tensor::Dtype;

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

    pub(super) fn dtype(&self) -> (Dtype, usize) {
        match self {
            Self::F32(_) => (Dtype::F32, 4),
            Self::I64(_) => (Dtype::I64, 8),
        }
    }

    pub(super) fn write_to(&self, writer: &mut dyn Write) -> io::Result<()> {
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
    /// The elements: as many as the shape has.
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
