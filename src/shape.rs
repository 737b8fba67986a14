//! Shapes, memory layouts, and all size rules of convolution and pooling.
//!
//! Activations are N H W C, convolution weights KH KW I O. In memory the channel axes are padded with zeros to a
//! multiple of [`LANES`], so every shader loads `vec4`s. The interface has logical shapes only.

mod window;

use std::fmt;

use half::f16;

pub use window::{AxisWindow, Padding, Pair, Phase, Window, phases};

/// Width of the vectors that shaders load. Channel axes are padded to a multiple of it.
pub const LANES: usize = 4;

/// `n` rounded up to a multiple of [`LANES`].
pub const fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

/// A logical shape, outermost axis first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Number of logical elements.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }
    /// The last axis: channels of an activation, output channels of a weight.
    pub fn channels(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }
    /// Product of all axes but the last: the pixels of an activation.
    pub fn rows(&self) -> usize {
        self.0[..self.0.len().saturating_sub(1)].iter().product()
    }
    /// The four axes of an N H W C activation. A rank-2 [N, C] counts as N 1 1 C.
    pub fn nhwc(&self) -> Option<[usize; 4]> {
        match self.0[..] {
            [n, h, w, c] => Some([n, h, w, c]),
            [n, c] => Some([n, 1, 1, c]),
            _ => None,
        }
    }
}

impl<const R: usize> From<[usize; R]> for Shape {
    fn from(dims: [usize; R]) -> Self {
        Shape(dims.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i > 0 { "×" } else { "" })?;
        }
        write!(f, "]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The padded axes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Last axis padded: activations `[N,H,W,C]`, `[N,C]` and vectors `[C]`.
    Channels,
    /// Last two axes padded: weights `[KH,KW,I,O]` and `[I,O]`.
    Kernel,
    /// Padded at the end only: flat buffers of several tensors.
    Flat,
}

/// Element type of a tensor in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Element {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, two in a word of 32 (see [`crate::precision`]).
    F16,
}

impl Element {
    /// Number of words of 32 bits for `len` elements in memory.
    pub fn floats(self, len: usize) -> usize {
        match self {
            Element::F32 => len,
            Element::F16 => len / 2,
        }
    }
}

/// The two 16-bit values in a word of 32 bits, the first in the lower half.
pub fn halves(word: f32) -> [f32; 2] {
    let bits = word.to_bits();
    [bits as u16, (bits >> 16) as u16].map(|bits| f16::from_bits(bits).to_f32())
}

/// The word of 32 bits with two 16-bit values.
pub fn whole(halves: [f32; 2]) -> f32 {
    let [low, high] = halves.map(|v| u32::from(f16::from_f32(v).to_bits()));
    f32::from_bits(low | high << 16)
}

/// Type of a value: its logical shape, layout and element type. Class labels are whole numbers in f32, exact up to 2^24.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    /// Logical shape.
    pub shape: Shape,
    /// Memory layout.
    pub layout: Layout,
    /// Element type.
    pub element: Element,
}

impl TensorType {
    /// An activation or vector: the last axis is channels.
    pub fn channels(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), layout: Layout::Channels, element: Element::F32 }
    }
    /// A weight whose last two axes are input and output channels.
    pub fn kernel(shape: impl Into<Shape>) -> Self {
        TensorType { shape: shape.into(), layout: Layout::Kernel, element: Element::F32 }
    }
    /// A flat buffer of `len` floats.
    pub fn flat(len: usize) -> Self {
        TensorType { shape: Shape(vec![len]), layout: Layout::Flat, element: Element::F32 }
    }
    /// Size of the last axis in memory; one vector for an empty flat buffer.
    pub fn stride(&self) -> usize {
        padded(self.shape.channels().max(1))
    }
    /// Number of words of 32 bits in memory, padding included.
    pub fn words(&self) -> usize {
        self.element.floats(self.len())
    }
    /// Number of elements in memory, padding included: a multiple of [`LANES`].
    pub fn len(&self) -> usize {
        let dims = &self.shape.0;
        match self.layout {
            Layout::Flat => padded(self.shape.elements()),
            Layout::Channels => self.shape.rows() * self.stride(),
            Layout::Kernel => {
                let (inner, outer) = (&dims[dims.len() - 2..], &dims[..dims.len() - 2]);
                outer.iter().product::<usize>() * padded(inner[0]) * padded(inner[1])
            }
        }
    }
    /// Whether the logical elements are contiguous in memory, with padding at the end only.
    pub fn is_dense(&self) -> bool {
        let single_row = self.layout == Layout::Channels && self.shape.rows() == 1;
        self.layout == Layout::Flat || single_row || self.len() == self.shape.elements()
    }
    /// Whether a weight has rows of zeros in memory that pad its input channels.
    pub fn has_padded_rows(&self) -> bool {
        let inputs = self.shape.0.iter().rev().nth(1);
        self.layout == Layout::Kernel && inputs.is_some_and(|inputs| !inputs.is_multiple_of(LANES))
    }
    /// Whether the tensor has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offset in memory of the first float of a logical row (a run of the last axis).
    fn row_offset(&self, row: usize) -> usize {
        match self.layout {
            Layout::Kernel => {
                let inputs = self.shape.0[self.shape.rank() - 2];
                (row / inputs * padded(inputs) + row % inputs) * self.stride()
            }
            _ => row * self.stride(),
        }
    }

    /// Logical values in memory order, with zeros in the padding.
    pub fn pack<A: Copy, B: From<A> + Copy + Default>(&self, logical: &[A]) -> Vec<B> {
        let mut memory = vec![B::default(); self.len()];
        let c = if self.layout == Layout::Flat { self.shape.elements() } else { self.shape.channels() };
        for (row, values) in logical.chunks_exact(c.max(1)).enumerate() {
            let at = if self.layout == Layout::Flat { 0 } else { self.row_offset(row) };
            for (to, &from) in memory[at..at + c].iter_mut().zip(values) {
                *to = from.into();
            }
        }
        memory
    }

    /// The inverse of [`TensorType::pack`].
    pub fn unpack<A: Copy>(&self, memory: &[A]) -> Vec<A> {
        if self.layout == Layout::Flat {
            return memory[..self.shape.elements()].to_vec();
        }
        let c = self.shape.channels();
        (0..self.shape.rows()).flat_map(|row| memory[self.row_offset(row)..][..c].iter().copied()).collect()
    }

    /// [`TensorType::unpack`] that keeps the allocation of a dense tensor.
    pub fn unpacked<A: Copy>(&self, mut memory: Vec<A>) -> Vec<A> {
        if !self.is_dense() {
            return self.unpack(&memory);
        }
        memory.truncate(self.shape.elements());
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pack_and_unpack_are_inverse_and_pad_with_zeros() {
        let t = TensorType::kernel([2, 1, 3, 5]);
        let logical: Vec<f32> = (1..=30).map(|v| v as f32).collect();
        let memory: Vec<f32> = t.pack(&logical);
        assert_eq!(memory.len(), 2 * 4 * 8);
        assert_eq!(memory[5..8], [0.0; 3]);
        assert_eq!(memory[24..32], [0.0; 8], "the padded input channel");
        assert_eq!(t.unpack(&memory), logical);
    }

    #[test]
    fn unpacked_values_are_those_of_unpack() {
        let types = [TensorType::flat(30), TensorType::channels([2, 1, 3, 5]), TensorType::channels([1, 21])];
        for t in types.into_iter().chain([TensorType::kernel([1, 1, 16, 16])]) {
            let memory: Vec<f32> = (0..t.len()).map(|v| v as f32).collect();
            assert_eq!(t.unpacked(memory.clone()), t.unpack(&memory), "{t:?}");
        }
    }
}
