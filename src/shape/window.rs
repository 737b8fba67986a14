//! Windows that slide over the two spatial axes: size rules of convolution, transposed convolution and pooling.

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

/// Size of the two spatial axes, `[rows, columns]`, or one number for both.
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

/// A window that slides over the spatial axes, for convolution and pooling.
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
    /// Rounds the output size up instead of down (pooling only). A window must start inside the input or its leading
    /// padding, as in PyTorch.
    pub ceil_mode: bool,
}

impl Window {
    /// A square window with stride and dilation 1, and without padding.
    pub const fn square(kernel_size: usize) -> Self {
        let (stride, dilation) = ([1; 2], [1; 2]);
        Window { kernel_size: [kernel_size; 2], stride, padding: Padding::same(0), dilation, ceil_mode: false }
    }

    /// Sets the stride along H and W.
    pub const fn stride(self, stride: usize) -> Self {
        Window { stride: [stride; 2], ..self }
    }

    /// Sets the padding on all four sides.
    pub const fn padding(self, padding: usize) -> Self {
        Window { padding: Padding::same(padding), ..self }
    }

    /// Sets the dilation: the distance between the taps along H and W.
    pub const fn dilation(self, dilation: usize) -> Self {
        Window { dilation: [dilation; 2], ..self }
    }

    /// Checks the parameters. Kernels index with 32 bits, so a size must be small enough that sums of sizes do not
    /// overflow.
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
    /// A rule in words, when a parameter is 0 or too large, or the window does not fit.
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
    /// Output size of a transposed convolution of this window over an input of [H, W]: `(size − 1)·stride − padding +
    /// dilation·(kernel − 1) + 1 + output_padding`. Also returns the window of the convolution whose input gradient it
    /// is; `output_padding` is subtracted from its trailing padding.
    ///
    /// # Errors
    /// A rule in words, when a parameter is 0 or too large, or the output is empty.
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
            // An output padding of at least the stride reduces the padding of the convolution, if that is large enough.
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

/// A phase of a strided window along one axis, seen from the input: the input positions that are congruent modulo the
/// stride. The same taps reach all of them.
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

/// A window along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisWindow {
    /// Number of taps.
    pub kernel: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Padding before the first position.
    pub padding: usize,
    /// Distance between taps.
    pub dilation: usize,
}

/// The `stride` phases of an axis of `input` positions. An input gradient that goes phase by phase multiplies no zeros. Input position `i`
/// receives output `o` through tap `k` if `o·stride = i + padding − k·dilation`.
pub fn phases(input: usize, window: AxisWindow) -> Vec<Phase> {
    let AxisWindow { kernel, stride, padding, dilation } = window;
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
    fn every_input_position_and_tap_is_in_exactly_one_phase() {
        for (input, kernel, stride, padding, dilation) in
            [(9, 3, 2, 1, 1), (8, 7, 2, 3, 1), (11, 3, 2, 2, 2), (10, 2, 3, 0, 1), (13, 4, 3, 2, 2), (1, 1, 2, 0, 1)]
        {
            let mut pairs = Vec::new();
            for (index, p) in phases(input, AxisWindow { kernel, stride, padding, dilation }).iter().enumerate() {
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
