//! The twins of the convolution kernels by [`winograd`](super::winograd): blocks of tiles and columns whose values at the
//! points stay in the cache, a block a task.

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::conv_direct::Operands;
use super::direct::lanes;
use super::geometry::{Geometry, Target};
use super::winograd::{Input, OUTPUTS, Output, OutputGrad, POINTS, Product, ROWS, Transform, Weight, WeightGrad};

/// Tiles whose values are held at a time.
const TILES: usize = 32;
/// Channels that are summed over at a time.
const CHANNELS: usize = 64;
/// Most columns of a task; half of them where that leaves fewer than 16 tasks.
const COLUMNS: usize = 128;
/// Floats by which the values at one pair of points are further from the next's than they need: else all lie in the same
/// few sets of the cache.
const APART: usize = 16;

/// A convolution with a 3×3 kernel, stride 1, forward or for the gradient of its input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    images: usize,
    /// Height and width of what is read.
    input: [usize; 2],
    /// Height and width of what is computed.
    output: [usize; 2],
    /// Rows and columns of zeros before what is read.
    pad: [isize; 2],
    /// Channels of what is read.
    channels: usize,
    /// Channels of what is computed.
    columns: usize,
    /// The kernel is read from its end.
    flipped: bool,
}

impl Plane {
    /// The forward direction, where it suits.
    pub(super) fn fwd(g: &Geometry) -> Option<Plane> {
        let pad = g.pad.map(|p| p as isize);
        Self::choose(g, [[g.h, g.w], [g.oh, g.ow]], pad, [g.ci, g.co], false)
    }

    /// The gradient of the input, where it suits.
    pub(super) fn dgrad(g: &Geometry) -> Option<Plane> {
        let pad = g.pad.map(|p| 2 - p as isize);
        Self::choose(g, [[g.oh, g.ow], [g.h, g.w]], pad, [g.co, g.ci], true)
    }

    fn choose(
        g: &Geometry,
        [input, output]: [[usize; 2]; 2],
        pad: [isize; 2],
        [channels, columns]: [usize; 2],
        flipped: bool,
    ) -> Option<Plane> {
        let whole = |c: usize| c > 0 && c.is_multiple_of(lanes().max(ROWS));
        let window = [g.kh, g.kw] == [3; 2] && g.stride == [1; 2] && g.dilation == [1; 2] && g.groups == 1;
        if !window || !whole(channels) || !whole(columns) {
            return None;
        }
        let plane = Plane { images: g.n, input, output, pad, channels, columns, flipped };
        let plain = 9 * g.n * output[0] * output[1] * channels * columns;
        (plane.tiles() > 0 && plane.work() < plain).then_some(plane)
    }

    /// Tiles of an image, along both axes.
    fn grid(&self) -> [usize; 2] {
        self.output.map(|size| size.div_ceil(OUTPUTS))
    }

    fn tiles(&self) -> usize {
        self.images * self.grid().iter().product::<usize>()
    }

    /// Tiles of a task.
    fn tiles_each(&self) -> usize {
        // The values of the kernel serve all tiles of a task where they are all kept.
        let most = if self.channels <= CHANNELS { 4 * TILES } else { TILES };
        most.min(self.tiles().div_ceil(4).next_multiple_of(TILES))
    }

    /// Columns of a task.
    fn columns_each(&self) -> usize {
        let tasks = self.tiles().div_ceil(self.tiles_each()) * self.columns.div_ceil(COLUMNS);
        if tasks < 16 { COLUMNS / 2 } else { COLUMNS }
    }

    /// About as many multiplications and additions, with the transformations: each value of the kernel takes as long as
    /// 24 multiplications (8 tiles of 1,024 channels win nothing, 16 of 256 are 1.6 times as fast, 32 of 512 2.1 times),
    /// each of the tiles 6.
    fn work(&self) -> usize {
        let tiles = self.tiles();
        let kernels = tiles.div_ceil(self.tiles_each());
        let blocks = self.columns.div_ceil(self.columns_each());
        let product = self.channels * self.columns * (tiles.next_multiple_of(ROWS) + 24 * kernels);
        POINTS * POINTS * (product + 6 * tiles * (self.channels * blocks + self.columns))
    }

    /// Where a tile starts: image, row and column of its first output.
    fn place(&self, tile: usize) -> [usize; 3] {
        let [rows, columns] = self.grid();
        let at = [tile / columns % rows, tile % columns].map(|i| i * OUTPUTS);
        [tile / (rows * columns), at[0], at[1]]
    }
}

/// Offset of a pixel of an image of `size`, or none outside of it.
fn pixel(image: usize, [row, column]: [isize; 2], size: [usize; 2]) -> Option<usize> {
    let within = |at: isize, size: usize| usize::try_from(at).ok().filter(|&at| at < size);
    Some((image * size[0] + within(row, size[0])?) * size[1] + within(column, size[1])?)
}

/// Addresses of `N`×`N` pixels from `first` on in an image of `size`; `outside` where there is none.
fn window<P: Copy, const N: usize>(
    image: usize,
    first: [isize; 2],
    size: [usize; 2],
    at: impl Fn(usize) -> P,
    outside: P,
) -> [[P; N]; N] {
    let place = |row: usize, column: usize| [first[0] + row as isize, first[1] + column as isize];
    std::array::from_fn(|r| std::array::from_fn(|c| pixel(image, place(r, c), size).map_or(outside, &at)))
}

thread_local! {
    /// Memory of a thread's tasks: 2 MB that are made once.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Parts of these lengths of a thread's memory, which grows when it must.
fn parts<const N: usize>(lengths: [usize; N]) -> [*mut f32; N] {
    SCRATCH.with_borrow_mut(|scratch| {
        let total = lengths.iter().sum();
        if scratch.len() < total {
            scratch.resize(total, 0.0);
        }
        let mut at = scratch.as_mut_ptr();
        lengths.map(|len| {
            let part = at;
            at = at.wrapping_add(len);
            part
        })
    })
}

/// Addresses of a vector at all pairs of points, `apart` from each other.
fn points(first: *mut f32, apart: usize) -> [[*mut f32; POINTS]; POINTS] {
    std::array::from_fn(|r| std::array::from_fn(|c| first.wrapping_add((r * POINTS + c) * apart)))
}

fn constant(pointers: [[*mut f32; POINTS]; POINTS]) -> [[*const f32; POINTS]; POINTS] {
    pointers.map(|row| row.map(<*mut f32>::cast_const))
}

/// Computes all outputs.
pub(super) fn run(plane: &Plane, operands: Operands<'_>) {
    let (tiles, each) = (plane.tiles(), plane.tiles_each());
    let tasks = tiles.div_ceil(each);
    let width = plane.columns_each();
    let blocks = plane.columns.div_ceil(width);
    (0..tasks * blocks).into_par_iter().for_each(|task| {
        let (tile, column) = (task / blocks * each, task % blocks * width);
        let tiles = tile..tiles.min(tile + each);
        let columns = column..plane.columns.min(column + width);
        let block = Block { plane: *plane, operands, tiles, columns };
        Arch::new().dispatch(block);
    });
}

/// A task of [`run`].
struct Block<'a> {
    plane: Plane,
    operands: Operands<'a>,
    tiles: Range<usize>,
    columns: Range<usize>,
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: each task has tiles and columns of its own, and they cover what they should.
        unsafe {
            self.compute(simd);
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self, simd: S) {
        let Block { plane, operands, tiles, columns } = self;
        let (most, channels, width) =
            (TILES.min(tiles.len()).next_multiple_of(ROWS), CHANNELS.min(plane.channels), columns.len());
        let apart = [most * channels, channels * width, most * width].map(|len| len + APART);
        let [v, u, m] = apart.map(|len| len * POINTS * POINTS);
        let [v, u, m, zeros, sink] = parts([v, u, m, channels, width]);
        // SAFETY: parts of the scratch do not overlap, and are as long as this.
        unsafe { std::slice::from_raw_parts_mut(zeros, channels) }.fill(0.0);
        for first in tiles.clone().step_by(TILES) {
            let places = (first..tiles.end.min(first + TILES)).map(|tile| plane.place(tile));
            for channel in (0..plane.channels).step_by(CHANNELS) {
                let depth = CHANNELS.min(plane.channels - channel);
                if plane.channels > CHANNELS || first == tiles.start {
                    for k in 0..depth {
                        let from = weights(&plane, operands.w, channel + k, columns.start);
                        let to = points(u.wrapping_add(k * width), apart[1]);
                        // SAFETY: the kernel has these channels and columns; u is this task's.
                        unsafe { Transform::<3, POINTS> { from, to, len: width }.run::<Weight, S>(simd) };
                    }
                }
                for (t, [image, row, column]) in places.clone().enumerate() {
                    let at = [row as isize - plane.pad[0], column as isize - plane.pad[1]];
                    let address = |pixel: usize| operands.from.as_ptr().wrapping_add(pixel * plane.channels + channel);
                    let from = window(image, at, plane.input, address, zeros.cast_const());
                    let to = points(v.wrapping_add(t * channels), apart[0]);
                    // SAFETY: pixels lie within the input, with all their channels; v is this task's.
                    unsafe { Transform::<POINTS, POINTS> { from, to, len: depth }.run::<Input, S>(simd) };
                }
                for point in 0..POINTS * POINTS {
                    let product = Product {
                        size: [places.len().next_multiple_of(ROWS), width, depth],
                        a: (v.wrapping_add(point * apart[0]), [channels, 1]),
                        b: (u.wrapping_add(point * apart[1]), width),
                        c: (m.wrapping_add(point * apart[2]), width),
                        add: channel > 0,
                    };
                    // SAFETY: v and m have rows up to a multiple of ROWS.
                    unsafe { product.run(simd) };
                }
            }
            for (t, [image, row, column]) in places.enumerate() {
                let from = constant(points(m.wrapping_add(t * width), apart[2]));
                let at = [row as isize, column as isize];
                let address = |pixel: usize| operands.to.at(pixel * plane.columns + columns.start);
                let to = window(image, at, plane.output, address, sink);
                // SAFETY: this task alone writes these pixels and columns; what lies outside goes to the sink.
                unsafe { Transform::<POINTS, OUTPUTS> { from, to, len: width }.run::<Output, S>(simd) };
                if let Some(bias) = operands.bias {
                    for to in to.into_iter().flatten().filter(|&to| to != sink) {
                        // SAFETY: as above.
                        let pixel = unsafe { std::slice::from_raw_parts_mut(to, width) };
                        pixel.iter_mut().zip(&bias[columns.clone()]).for_each(|(y, b)| *y += b);
                    }
                }
            }
        }
    }
}

/// Addresses of a channel's kernel, from `column` on.
fn weights(plane: &Plane, w: &[f32], channel: usize, column: usize) -> [[*const f32; 3]; 3] {
    let tap = |r: usize, c: usize| if plane.flipped { 8 - (r * 3 + c) } else { r * 3 + c };
    let offset = |tap: usize| (tap * plane.channels + channel) * plane.columns + column;
    std::array::from_fn(|r| std::array::from_fn(|c| w.as_ptr().wrapping_add(offset(tap(r, c)))))
}

/// The gradient of the kernel: `splits` parts of 9 × channels × columns, whose sum it is. The parts are sums over tiles.
pub(super) fn wgrad(plane: &Plane, [x, dy]: [&[f32]; 2], dw: Target<f32>, splits: usize) {
    let tiles = plane.tiles();
    let [by_channels, by_columns] = [plane.channels.div_ceil(WGRAD[0]), plane.columns.div_ceil(WGRAD[1])];
    (0..splits * by_channels * by_columns).into_par_iter().for_each(|task| {
        let (split, block) = (task / (by_channels * by_columns), task % (by_channels * by_columns));
        let channel = block / by_columns * WGRAD[0];
        let column = block % by_columns * WGRAD[1];
        Arch::new().dispatch(WgradBlock {
            plane: *plane,
            x,
            dy,
            dw: dw.at(split * 9 * plane.channels * plane.columns),
            tiles: split * tiles / splits..(split + 1) * tiles / splits,
            channels: channel..plane.channels.min(channel + WGRAD[0]),
            columns: column..plane.columns.min(column + WGRAD[1]),
        });
    });
}

/// Channels and columns of a task of [`wgrad`].
const WGRAD: [usize; 2] = [64, 128];

/// A task of [`wgrad`].
struct WgradBlock<'a> {
    plane: Plane,
    x: &'a [f32],
    dy: &'a [f32],
    dw: *mut f32,
    tiles: Range<usize>,
    channels: Range<usize>,
    columns: Range<usize>,
}

impl WithSimd for WgradBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: each task has a part, channels and columns of its own, and they cover what they should.
        unsafe {
            self.compute(simd);
        }
    }
}

impl WgradBlock<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self, simd: S) {
        let WgradBlock { plane, x, dy, dw, tiles, channels, columns } = self;
        let (height, width) = (channels.len(), columns.len());
        let apart = [TILES * height, TILES * width, height * width].map(|len| len + APART);
        let [v, d, u] = apart.map(|len| len * POINTS * POINTS);
        let [v, d, u, zeros] = parts([v, d, u, height.max(width)]);
        // SAFETY: parts of the scratch do not overlap, and are as long as this.
        unsafe { std::slice::from_raw_parts_mut(zeros, height.max(width)) }.fill(0.0);
        let zeros = zeros.cast_const();
        for first in (tiles.start..tiles.end.max(tiles.start + 1)).step_by(TILES) {
            let places = (first..tiles.end.min(first + TILES)).map(|tile| plane.place(tile));
            for (t, [image, row, column]) in places.clone().enumerate() {
                let at = [row as isize, column as isize];
                let address = |pixel: usize| dy.as_ptr().wrapping_add(pixel * plane.columns + columns.start);
                let from = window(image, at, plane.output, address, zeros);
                let to = points(d.wrapping_add(t * width), apart[1]);
                // SAFETY: pixels lie within the output's gradient, with all their columns; d is this task's.
                unsafe { Transform::<OUTPUTS, POINTS> { from, to, len: width }.run::<OutputGrad, S>(simd) };
                let at = [at[0] - plane.pad[0], at[1] - plane.pad[1]];
                let address = |pixel: usize| x.as_ptr().wrapping_add(pixel * plane.channels + channels.start);
                let from = window(image, at, plane.input, address, zeros);
                let to = points(v.wrapping_add(t * height), apart[0]);
                // SAFETY: the same of the input, and v.
                unsafe { Transform::<POINTS, POINTS> { from, to, len: height }.run::<Input, S>(simd) };
            }
            for point in 0..POINTS * POINTS {
                let product = Product {
                    size: [height, width, places.len()],
                    a: (v.wrapping_add(point * apart[0]), [1, height]),
                    b: (d.wrapping_add(point * apart[1]), width),
                    c: (u.wrapping_add(point * apart[2]), width),
                    add: first > tiles.start,
                };
                // SAFETY: channels come in multiples of ROWS.
                unsafe { product.run(simd) };
            }
        }
        for (c, channel) in channels.enumerate() {
            let from = constant(points(u.wrapping_add(c * width), apart[2]));
            let offset = |tap: usize| (tap * plane.channels + channel) * plane.columns + columns.start;
            let to = std::array::from_fn(|r| std::array::from_fn(|k| dw.wrapping_add(offset(r * 3 + k))));
            // SAFETY: this task alone writes these channels and columns of its part.
            unsafe { Transform::<POINTS, 3> { from, to, len: width }.run::<WeightGrad, S>(simd) };
        }
    }
}
