//! Shapes, memory layouts, and all size rules of convolution and pooling.
//!
//! Activations are N H W C, convolution weights KH KW I O. In memory the channel axes are padded with zeros to a
//! multiple of [`LANES`], so that every shader loads `vec4`s. The interface has logical shapes only.

use std::fmt;

use half::f16;

/// Width of the vectors that shaders load; channel axes are padded to a multiple of it.
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
    /// The four axes of an N H W C activation; a rank-2 [N, C] counts as N 1 1 C.
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

/// Which axes are padded in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Last axis padded: activations `[N,H,W,C]`, `[N,C]` and vectors `[C]`.
    Channels,
    /// Last two axes padded: weights `[KH,KW,I,O]` and `[I,O]`.
    Kernel,
    /// Nothing padded but the end: flat buffers that hold many tensors.
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
    /// Words of 32 bits for `len` numbers in memory.
    pub fn floats(self, len: usize) -> usize {
        match self {
            Element::F32 => len,
            Element::F16 => len / 2,
        }
    }
}

/// The two numbers of 16 bits in a word of 32, the first in the lower half.
pub fn halves(word: f32) -> [f32; 2] {
    let bits = word.to_bits();
    [bits as u16, (bits >> 16) as u16].map(|bits| f16::from_bits(bits).to_f32())
}

/// The word of 32 bits with two numbers of 16.
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
    /// Size of the last axis in memory; of an empty flat buffer, one vector.
    pub fn stride(&self) -> usize {
        padded(self.shape.channels().max(1))
    }
    /// Words of 32 bits in memory, padding included.
    pub fn words(&self) -> usize {
        self.element.floats(self.len())
    }
    /// Number of numbers in memory, padding included: a multiple of [`LANES`].
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
    /// Whether the logical numbers are contiguous in memory, with padding at the end alone.
    pub fn is_dense(&self) -> bool {
        let single_row = self.layout == Layout::Channels && self.shape.rows() == 1;
        self.layout == Layout::Flat || single_row || self.len() == self.shape.elements()
    }
    /// Whether it is a weight with rows of zeros in memory, which pad its input channels.
    pub fn has_padded_rows(&self) -> bool {
        let inputs = self.shape.0.iter().rev().nth(1);
        self.layout == Layout::Kernel && inputs.is_some_and(|inputs| !inputs.is_multiple_of(LANES))
    }
    /// True when there is no element at all.
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
}

/// Zeros around the two spatial axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same padding on all four sides.
    pub const fn same(p: usize) -> Self {
        Padding { top: p, bottom: p, left: p, right: p }
    }
}

/// A size of the two spatial axes, `[rows, columns]`, or one number for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(size: usize) -> Self {
        Pair([size; 2])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(sizes: [usize; 2]) -> Self {
        Pair(sizes)
    }
}

impl From<Pair> for Padding {
    /// The same padding on both sides of an axis.
    fn from(Pair([rows, columns]): Pair) -> Self {
        Padding { top: rows, bottom: rows, left: columns, right: columns }
    }
}

/// A window that slides over the spatial axes: what convolution and pooling share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// KH, KW.
    pub kernel_size: [usize; 2],
    /// Step along H and W.
    pub stride: [usize; 2],
    /// Padding, possibly asymmetric.
    pub padding: Padding,
    /// Distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// Round the output size up instead of down (pooling only); a window must still start inside the input or its
    /// leading padding, as in PyTorch.
    pub ceil_mode: bool,
}

impl Window {
    /// A square window with stride and dilation 1, and without padding.
    pub const fn square(kernel_size: usize) -> Self {
        let (stride, dilation) = ([1; 2], [1; 2]);
        Window { kernel_size: [kernel_size; 2], stride, padding: Padding::same(0), dilation, ceil_mode: false }
    }

    /// The same with this stride along H and W.
    pub const fn stride(self, stride: usize) -> Self {
        Window { stride: [stride; 2], ..self }
    }

    /// The same with this padding on all four sides.
    pub const fn padding(self, padding: usize) -> Self {
        Window { padding: Padding::same(padding), ..self }
    }

    /// The same with this distance between the taps along H and W.
    pub const fn dilation(self, dilation: usize) -> Self {
        Window { dilation: [dilation; 2], ..self }
    }

    /// Kernels index with 32 bits: each size must leave room for a sum.
    fn check(&self) -> Result<(), String> {
        const MOST: usize = 1 << 30;
        let Padding { top, bottom, left, right } = self.padding;
        let sizes = [self.kernel_size, self.stride, self.dilation, [top, bottom], [left, right]];
        match sizes.as_flattened().iter().find(|&&size| size > MOST) {
            Some(size) => Err(format!("{size} is too large for a kernel size, stride, padding or dilation")),
            None => Ok(()),
        }
    }

    /// Output size [OH, OW] for an input of [H, W]:
    /// `floor((size + padding − dilation·(kernel − 1) − 1) / stride) + 1`.
    ///
    /// # Errors
    /// A rule in words when a parameter is 0 or too large, or the window does not fit.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], String> {
        self.check()?;
        let pads = [(self.padding.top, self.padding.bottom), (self.padding.left, self.padding.right)];
        let mut out = [0; 2];
        for axis in 0..2 {
            let (k, s, d) = (self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
            if k == 0 || s == 0 || d == 0 {
                return Err(format!("kernel size {k}, stride {s} and dilation {d} must all be at least 1"));
            }
            let (extent, size) = (d * (k - 1) + 1, input[axis] + pads[axis].0 + pads[axis].1);
            if input[axis] == 0 || size < extent {
                let name = ["height", "width"][axis];
                return Err(format!(
                    "the window covers {extent} pixels in {name} but the input with its padding has only {size}"
                ));
            }
            let room = size - extent;
            out[axis] = if self.ceil_mode { room.div_ceil(s) } else { room / s } + 1;
            if self.ceil_mode && (out[axis] - 1) * s >= input[axis] + pads[axis].0 {
                out[axis] -= 1;
            }
        }
        Ok(out)
    }
}

impl Window {
    /// Output size of a transposed convolution of this window over an input of [H, W]:
    /// `(size − 1)·stride − padding + dilation·(kernel − 1) + 1 + output_padding`; also the window of the convolution
    /// whose input gradient it is (`output_padding` is taken from its trailing padding).
    ///
    /// # Errors
    /// A rule in words when a parameter is 0 or too large, or the output is empty.
    pub fn transposed(&self, input: [usize; 2], output_padding: [usize; 2]) -> Result<([usize; 2], Window), String> {
        self.check()?;
        let pads = [(self.padding.top, self.padding.bottom), (self.padding.left, self.padding.right)];
        let (mut out, mut after) = ([0; 2], [0; 2]);
        for axis in 0..2 {
            let (k, s, d) = (self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
            if k == 0 || s == 0 || d == 0 || input[axis] == 0 {
                return Err(format!(
                    "kernel size {k}, stride {s}, dilation {d} and input size {} must all be at least 1",
                    input[axis]
                ));
            }
            let extra = output_padding[axis];
            // An output padding above the stride reduces the padding of the convolution, where that is large enough.
            if extra >= s && (extra >= d || extra > pads[axis].1 + s - 1) {
                return Err(format!("output_padding {extra} must be smaller than the stride {s}"));
            }
            let reach = (input[axis] - 1) * s + d * (k - 1) + 1 + extra;
            out[axis] = reach
                .checked_sub(pads[axis].0 + pads[axis].1)
                .filter(|&size| size > 0)
                .ok_or_else(|| format!("the padding removes all {reach} pixels in {}", ["height", "width"][axis]))?;
            after[axis] = pads[axis].1.saturating_sub(extra);
        }
        let padding = Padding { bottom: after[0], right: after[1], ..self.padding };
        Ok((out, Window { padding, ..*self }))
    }
}

/// One phase of a strided window seen from the input's side: the input positions that are congruent modulo the stride
/// are reached by the same taps. Along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// First tap that reaches this phase.
    pub first_tap: usize,
    /// Number of taps that reach it, possibly 0.
    pub taps: usize,
    /// Distance between those taps.
    pub tap_step: usize,
    /// First input position of the phase.
    pub start: usize,
    /// Number of input positions of the phase.
    pub count: usize,
}

/// The `stride` phases of an axis, so that an input gradient multiplies no zeros: input position `i` receives
/// output `o` through tap `k` where `o·stride = i + padding − k·dilation`.
pub fn phases(input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Vec<Phase> {
    (0..stride)
        .map(|phase| {
            let start = (phase + stride - padding % stride) % stride;
            let hits = |k: &usize| (k * dilation) % stride == phase;
            let first_tap = (0..kernel).find(hits).unwrap_or(0);
            let second = (first_tap + 1..kernel + stride).find(hits).unwrap_or(first_tap + stride);
            Phase {
                first_tap,
                taps: (0..kernel).filter(hits).count(),
                tap_step: second - first_tap,
                start,
                count: (input + stride - 1).saturating_sub(start) / stride,
            }
        })
        .collect()
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
    fn every_input_position_and_tap_is_in_exactly_one_phase() {
        for (input, kernel, stride, padding, dilation) in
            [(9, 3, 2, 1, 1), (8, 7, 2, 3, 1), (11, 3, 2, 2, 2), (10, 2, 3, 0, 1), (13, 4, 3, 2, 2), (1, 1, 2, 0, 1)]
        {
            let mut pairs = Vec::new();
            for (index, p) in phases(input, kernel, stride, padding, dilation).iter().enumerate() {
                for i in (0..p.count).map(|j| p.start + j * stride) {
                    assert!(i < input);
                    assert_eq!((i + padding) % stride, index % stride);
                    pairs.extend((0..p.taps).map(|t| (i, p.first_tap + t * p.tap_step)));
                }
            }
            let mut expected: Vec<_> = (0..input)
                .flat_map(|i| (0..kernel).map(move |k| (i, k)))
                .filter(|&(i, k)| (i + padding + stride * kernel * dilation - k * dilation) % stride == 0)
                .collect();
            pairs.sort_unstable();
            expected.sort_unstable();
            assert_eq!(pairs, expected, "input {input} kernel {kernel} stride {stride}");
        }
    }

    #[test]
    fn output_sizes_follow_pytorch() {
        assert_eq!(Window::square(7).stride(2).padding(3).output_size([224, 224]), Ok([112, 112]));
        let ceil = Window { ceil_mode: true, ..Window::square(3).stride(2) };
        assert_eq!(ceil.output_size([4, 6]), Ok([2, 3]));
        let starts_in_padding = Window { ceil_mode: true, ..Window::square(2).stride(2).padding(1) };
        assert_eq!(starts_in_padding.output_size([3, 3]), Ok([2, 2]), "a window may not start in the trailing padding");
        assert!(Window::square(5).output_size([4, 4]).unwrap_err().contains("only 4"));
    }
}
