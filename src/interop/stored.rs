//! A tensor in a file: its description, and how its elements are read.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use safetensors::tensor::Dtype;

use crate::memory;

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredTensor {
    /// Extent of each axis, outermost first.
    pub(super) shape: Vec<usize>,
    /// Type of the elements; `None` for a type that is not read.
    pub(super) dtype: Option<Dtype>,
    /// Distance of neighbors along each axis, in elements; `None` for row-major order.
    pub(super) strides: Option<Vec<usize>>,
    /// Position of the first element in the file, in bytes.
    pub(super) start: u64,
    /// CRC-32 of the bytes, if the file has one.
    pub(super) checksum: Option<u32>,
}

impl StoredTensor {
    /// Number of elements; `None` when it overflows.
    pub(super) fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// Bytes from the first element to the last; `None` when that overflows.
    pub(super) fn span_bytes(&self) -> Option<usize> {
        let elements = self.elements()?;
        let span = match &self.strides {
            Some(strides) if elements > 0 => {
                let step =
                    |at: usize, (&size, &stride): (&usize, &usize)| at.checked_add((size - 1).checked_mul(stride)?);
                self.shape.iter().zip(strides).try_fold(0, step)?.checked_add(1)?
            }
            _ => elements,
        };
        Some(span.checked_mul(self.dtype?.bitsize())?.div_ceil(8))
    }

    /// The elements in row-major order, as bytes.
    ///
    /// # Errors
    /// When the file is too short, memory runs out, or the bytes differ from their checksum
    /// ([`ErrorKind::InvalidData`]).
    pub(super) fn read(&self, mut file: &File) -> io::Result<Vec<u8>> {
        let span = self.span_bytes().ok_or(ErrorKind::InvalidData)?;
        // Room for the bytes and for the elements as floats. Small tensors are read without a query of the free memory.
        if span > 1 << 26 && !memory::has(span as u64 * 3) {
            return Err(io::Error::new(ErrorKind::OutOfMemory, format!("a tensor has {span} bytes")));
        }
        let mut bytes = vec![];
        bytes.try_reserve_exact(span).map_err(|_| ErrorKind::OutOfMemory)?;
        bytes.resize(span, 0);
        file.seek(SeekFrom::Start(self.start))?;
        file.read_exact(&mut bytes)?;
        if self.checksum.is_some_and(|sum| sum != crc32fast::hash(&bytes)) {
            return Err(io::Error::new(ErrorKind::InvalidData, "its bytes differ from their checksum"));
        }
        match &self.strides {
            Some(strides) if *strides != row_major(&self.shape) => Ok(self.gather(strides, &bytes)),
            _ => Ok(bytes),
        }
    }

    /// Brings elements into row-major order.
    fn gather(&self, strides: &[usize], bytes: &[u8]) -> Vec<u8> {
        let width = self.dtype.map_or(1, |dtype| dtype.bitsize() / 8);
        let elements = self.elements().unwrap_or(0);
        let mut out = Vec::with_capacity(elements * width);
        // An axis of one element may have a stride beyond the file. `at` leaves the file there, but nothing is read.
        let (mut index, mut at) = (vec![0; self.shape.len()], 0usize);
        for _ in 0..elements {
            out.extend_from_slice(&bytes[at * width..][..width]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at = at.wrapping_add(strides[axis]);
                if index[axis] < self.shape[axis] {
                    break;
                }
                at = at.wrapping_sub(strides[axis].wrapping_mul(index[axis]));
                index[axis] = 0;
            }
        }
        out
    }
}

/// The strides of row-major order. A tensor may have other strides along axes of one element.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
}
