//! Direct convolution for few channels. A tile of outputs stays in registers while the sum runs over taps and channels.
//! Each output pixel reads its input through one pointer per tap (Dukhan 2019, "The Indirect Convolution Algorithm").
//!
//! With 16 or 32 channels, im2col's copies and the packing of the GEMM take longer than the multiplications: 20–60
//! GFLOP/s per core against 70–140 here.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Longest partial sum, in terms.
pub const LONGEST: usize = 256;

/// Output pixels to compute, and the input that they read: input line = line · step + tap.
#[derive(Debug)]
pub struct Plane {
    /// Lines and columns to compute in each image.
    pub count: [usize; 2],
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Distance between computed lines and columns in the input.
    pub input_step: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// The first computed line and column of the output.
    pub output_start: [usize; 2],
    /// Distance between computed lines and columns in the output.
    pub output_step: [usize; 2],
}

/// One position of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Tap {
    /// Line and column of the tap, relative to the input pixel.
    pub at: [isize; 2],
    /// Offset of its weights (channels × columns).
    pub weights: usize,
}

/// `y[pixel, column] = bias[column] + Σ_tap Σ_channel x[pixel at tap, channel] · w[tap, channel, column]`.
#[derive(Clone, Copy)]
pub struct Direct<'a> {
    /// Which pixels.
    pub plane: &'a Plane,
    /// The kernel.
    pub taps: &'a [Tap],
    /// Input, from the first channel that is read.
    pub x: &'a [f32],
    /// Channels of an input pixel, and number of channels to read.
    pub x_channels: [usize; 2],
    /// Weights.
    pub w: &'a [f32],
    /// Distance between the weights of two channels.
    pub w_stride: usize,
    /// Bias of every column.
    pub bias: Option<&'a [f32]>,
    /// Offset of the first column of the first pixel.
    pub y: *mut f32,
    /// Channels of a pixel of the output.
    pub y_channels: usize,
}

/// Floats in a vector of the machine.
pub fn lanes() -> usize {
    Arch::new().dispatch(Lanes)
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// A pixel to compute: line, column and offset in the input before the taps, and offset in the output.
#[derive(Clone, Copy, Default)]
struct Place {
    at: [isize; 2],
    x: isize,
    y: usize,
}

impl Direct<'_> {
    /// Whether `columns` fill a vector of the machine.
    pub fn fits(columns: usize) -> bool {
        columns >= lanes()
    }

    /// Computes pixels `rows` (counted over all images) in columns `columns`, which must fit.
    ///
    /// # Safety
    /// `y` must be valid for these pixels and columns, and no other thread may use them at the same time.
    pub unsafe fn run(self, rows: Range<usize>, columns: Range<usize>) {
        Arch::new().dispatch(Run { direct: self, rows, columns });
    }

    /// Offset of pixel `row` in the output.
    pub fn output_place(&self, row: usize) -> usize {
        self.place(row).y
    }

    fn place(&self, row: usize) -> Place {
        let p = self.plane;
        let (column, line) = (row % p.count[1], row / p.count[1] % p.count[0]);
        let image = row / (p.count[0] * p.count[1]);
        let at = [line * p.input_step[0], column * p.input_step[1]];
        let to: [usize; 2] =
            std::array::from_fn(|axis| p.output_start[axis] + [line, column][axis] * p.output_step[axis]);
        Place {
            at: at.map(|v| v as isize),
            x: (((image * p.input[0] + at[0]) * p.input[1] + at[1]) * self.x_channels[0]) as isize,
            y: ((image * p.output[0] + to[0]) * p.output[1] + to[1]) * self.y_channels,
        }
    }
}

struct Run<'a> {
    direct: Direct<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Two vectors of columns if there are enough columns. Tile and operands then fill all but a few registers.
        match (self.columns.len() >= 2 * S::F32_LANES, S::REGISTER_COUNT >= 32) {
            (true, true) => self.tiles::<S, 12, 2>(simd),
            (true, false) => self.tiles::<S, 6, 2>(simd),
            (false, _) => self.tiles::<S, 12, 1>(simd),
        }
    }
}

impl Run<'_> {
    /// Computes all tiles of `P` pixels and `V` vectors of columns.
    #[inline(always)]
    fn tiles<S: Simd, const P: usize, const V: usize>(self, simd: S) {
        let Run { direct: d, rows, columns } = self;
        let [from, read] = d.x_channels;
        let zeros = vec![0.0f32; read];
        let offset = |tap: &Tap| (tap.at[0] * d.plane.input[1] as isize + tap.at[1]) * from as isize;
        let offsets: Vec<isize> = d.taps.iter().map(offset).collect();
        let reach = |axis: usize| {
            let of = |tap: &Tap| tap.at[axis];
            (d.taps.iter().map(of).min().unwrap_or(0), d.taps.iter().map(of).max().unwrap_or(0))
        };
        let reach = [reach(0), reach(1)];
        let within = |at: isize, axis: usize| (0..d.plane.input[axis] as isize).contains(&at);
        let x = d.x.as_ptr();
        let mut pointers = vec![[x; P]; d.taps.len()];
        for first in rows.clone().step_by(P) {
            // The last tile is filled up with copies of the last pixel.
            let places: [Place; P] = std::array::from_fn(|p| d.place((first + p).min(rows.end - 1)));
            let inside = |place: &Place| {
                (0..2).all(|i| within(place.at[i] + reach[i].0, i) && within(place.at[i] + reach[i].1, i))
            };
            if places.iter().all(inside) {
                for (to, offset) in pointers.iter_mut().zip(&offsets) {
                    *to = places.map(|place| x.wrapping_offset(place.x + offset));
                }
            } else {
                for ((to, tap), offset) in pointers.iter_mut().zip(d.taps).zip(&offsets) {
                    *to = places.map(|place| {
                        let there = (0..2).all(|i| within(place.at[i] + tap.at[i], i));
                        if there { x.wrapping_offset(place.x + offset) } else { zeros.as_ptr() }
                    });
                }
            }
            let wide = V * S::F32_LANES;
            let mut column = columns.start;
            loop {
                // The last tile ends at the last column, and recomputes some columns.
                let at = column.min(columns.end - wide);
                let sums: [[S::f32s; V]; P] = d.tile(simd, &pointers, at);
                for (place, sums) in places.iter().zip(sums).take(rows.end - first) {
                    for (v, sum) in sums.into_iter().enumerate() {
                        // SAFETY: the caller of `run` guarantees pixel and columns.
                        unsafe { store::<S>(d.y.add(place.y + at + v * S::F32_LANES), sum) };
                    }
                }
                column += wide;
                if column >= columns.end {
                    break;
                }
            }
        }
    }
}

impl Direct<'_> {
    /// `P` pixels by `V` vectors of columns from `column` on.
    #[inline(always)]
    fn tile<S: Simd, const P: usize, const V: usize>(
        &self,
        simd: S,
        pointers: &[[*const f32; P]],
        column: usize,
    ) -> [[S::f32s; V]; P] {
        let start = std::array::from_fn(|v| match self.bias {
            // SAFETY: every column has a bias.
            Some(bias) => unsafe { load::<S>(bias.as_ptr().add(column + v * S::F32_LANES)) },
            None => simd.splat_f32s(0.0),
        });
        let mut totals = [start; P];
        // Sums of partial sums, since rounding grows with the root of the longest one. A GEMM's partial sums are as
        // long.
        let taps_each = (LONGEST / self.x_channels[1].max(1)).max(1);
        for (pointers, taps) in pointers.chunks(taps_each).zip(self.taps.chunks(taps_each)) {
            let sums: [[S::f32s; V]; P] = self.part(simd, pointers, taps, column);
            for (total, sum) in totals.iter_mut().flatten().zip(sums.iter().flatten()) {
                *total = simd.add_f32s(*total, *sum);
            }
        }
        totals
    }

    /// Partial sums of a tile over some of the taps.
    #[inline(always)]
    fn part<S: Simd, const P: usize, const V: usize>(
        &self,
        simd: S,
        pointers: &[[*const f32; P]],
        taps: &[Tap],
        column: usize,
    ) -> [[S::f32s; V]; P] {
        let mut sums = [[simd.splat_f32s(0.0); V]; P];
        for (x, tap) in pointers.iter().zip(taps) {
            let mut w = self.w[tap.weights + column..].as_ptr();
            for channel in 0..self.x_channels[1] {
                // SAFETY: the weights of the channels lie `w_stride` apart, each with a number per column.
                let weights: [S::f32s; V] = std::array::from_fn(|v| unsafe { load::<S>(w.add(v * S::F32_LANES)) });
                for (sums, x) in sums.iter_mut().zip(x) {
                    // SAFETY: the pointer is to a pixel of the input or to zeros of the same length.
                    let value = simd.splat_f32s(unsafe { *x.add(channel) });
                    for (sum, &weight) in sums.iter_mut().zip(&weights) {
                        *sum = simd.mul_add_e_f32s(value, weight, *sum);
                    }
                }
                w = w.wrapping_add(self.w_stride);
            }
        }
        sums
    }
}

/// # Safety
/// `from` must be valid for a vector.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: passed on to the caller.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// `to` must be valid for a vector.
#[inline(always)]
unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: passed on to the caller.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}

/// A run of pixels of a line over which a tap's gradient is summed.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Offset of the first pixel in the input.
    pub x: usize,
    /// Offset of the first pixel in the output's gradient.
    pub dy: usize,
    /// Number of pixels.
    pub len: usize,
}

/// `dw[channel, column] += Σ_pixel x[pixel, channel] · dy[pixel, column]`: the gradient of one tap.
#[derive(Clone, Copy)]
pub struct DirectWgrad<'a> {
    /// Which pixels.
    pub segments: &'a [Segment],
    /// Input, from the first channel of the group.
    pub x: &'a [f32],
    /// Distance between pixels of a segment in the input.
    pub x_step: usize,
    /// Channels.
    pub channels: usize,
    /// Gradient of the output, from the first column of the group.
    pub dy: &'a [f32],
    /// Distance between its pixels.
    pub dy_step: usize,
    /// Columns.
    pub columns: usize,
    /// The first channel's gradient.
    pub dw: *mut f32,
    /// Distance between the gradients of two channels.
    pub dw_stride: usize,
}

impl DirectWgrad<'_> {
    /// Whether `columns` are whole vectors of the machine.
    pub fn fits(columns: usize) -> bool {
        columns.is_multiple_of(lanes())
    }

    /// Adds the gradient to `dw`.
    ///
    /// # Safety
    /// `dw` must be valid for all channels and columns, and no other thread may use them at the same time.
    pub unsafe fn run(self) {
        Arch::new().dispatch(self);
    }

    /// Computes tiles of `P` channels, with enough vectors to keep the machine's multipliers busy.
    #[inline(always)]
    fn few<S: Simd, const P: usize>(self, simd: S) {
        let whole = |vectors: usize| self.columns.is_multiple_of(vectors * S::F32_LANES);
        match (whole(4) && S::REGISTER_COUNT >= 32, whole(2)) {
            (true, _) => self.tiles::<S, P, 4>(simd),
            (false, true) => self.tiles::<S, P, 2>(simd),
            (false, false) => self.tiles::<S, P, 1>(simd),
        }
    }

    /// Computes all tiles of `P` channels and `V` vectors of columns.
    #[inline(always)]
    fn tiles<S: Simd, const P: usize, const V: usize>(self, simd: S) {
        let wide = V * S::F32_LANES;
        for (channel, column) in
            (0..self.channels).step_by(P).flat_map(|k| (0..self.columns).step_by(wide).map(move |c| (k, c)))
        {
            let to =
                |p: usize, v: usize| self.dw.wrapping_add((channel + p) * self.dw_stride + column + v * S::F32_LANES);
            // SAFETY: the caller of `run` guarantees channels and columns.
            let mut sums: [[S::f32s; V]; P] =
                std::array::from_fn(|p| std::array::from_fn(|v| unsafe { load::<S>(to(p, v)) }));
            for segment in self.segments.iter().filter(|s| s.len > 0) {
                let mut x = self.x[segment.x + channel..].as_ptr();
                let mut dy = self.dy[segment.dy + column..].as_ptr();
                for _ in 0..segment.len {
                    // SAFETY: pixels of a segment lie within both tensors, with all their channels.
                    let dys: [S::f32s; V] = std::array::from_fn(|v| unsafe { load::<S>(dy.add(v * S::F32_LANES)) });
                    for (p, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: as above.
                        let value = simd.splat_f32s(unsafe { *x.add(p) });
                        for (sum, &dy) in sums.iter_mut().zip(&dys) {
                            *sum = simd.mul_add_e_f32s(value, dy, *sum);
                        }
                    }
                    (x, dy) = (x.wrapping_add(self.x_step), dy.wrapping_add(self.dy_step));
                }
            }
            for (p, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    // SAFETY: as for the loads.
                    unsafe { store::<S>(to(p, v), sum) };
                }
            }
        }
    }
}

impl WithSimd for DirectWgrad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let two = self.columns.is_multiple_of(2 * S::F32_LANES);
        let many = S::REGISTER_COUNT >= 32;
        // The number of channels is a multiple of 4, or 1 to 3 as in pictures.
        match self.channels {
            1 => return self.few::<S, 1>(simd),
            2 => return self.few::<S, 2>(simd),
            3 => return self.few::<S, 3>(simd),
            _ => {}
        }
        match (two, self.channels.is_multiple_of(8), self.channels.is_multiple_of(16) && many) {
            (true, true, _) if many => self.tiles::<S, 8, 2>(simd),
            (true, ..) => self.tiles::<S, 4, 2>(simd),
            (false, _, true) => self.tiles::<S, 16, 1>(simd),
            (false, true, _) => self.tiles::<S, 8, 1>(simd),
            (false, false, _) => self.tiles::<S, 4, 1>(simd),
        }
    }
}
