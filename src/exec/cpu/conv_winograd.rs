//! The twins of the convolution kernels by [`winograd`](crate::exec::winograd). A task has a block of tiles and columns, whose
//! values at the points stay in the cache.

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::LINE;
use super::conv_direct::Operands;
use super::conv_im2col::Target;
use super::winograd_maps::{Input, Output, OutputGrad, Product, ROWS, Transform, Weight, WeightGrad};
use super::winograd_shares::Shares;
use crate::exec::winograd::{OUTPUTS, POINTS, Plane};

/// Tiles of a group, which a task transforms and multiplies together.
const TILES: usize = 32;
/// Channels that are summed over at a time.
const CHANNELS: usize = 64;
/// Padding, in floats, between the values at two pairs of points. Without it all lie in the same few sets of the cache.
const APART: usize = 16;

impl Plane {
    /// Where a tile starts: image, row and column of its first output.
    fn place(&self, tile: usize) -> [usize; 3] {
        let [rows, columns] = self.grid();
        let at = [tile / columns % rows, tile % columns].map(|i| i * OUTPUTS);
        [tile / (rows * columns), at[0], at[1]]
    }
}

/// Offset of a pixel in an image of `size`; `None` for a pixel outside the image.
fn pixel(image: usize, [row, column]: [i64; 2], size: [usize; 2]) -> Option<usize> {
    let within = |at: i64, size: usize| usize::try_from(at).ok().filter(|&at| at < size);
    Some((image * size[0] + within(row, size[0])?) * size[1] + within(column, size[1])?)
}

/// Addresses of `N`×`N` pixels from `first` on in an image of `size`; `outside` for pixels outside the image.
fn window<P: Copy, const N: usize>(
    image: usize,
    first: [i64; 2],
    size: [usize; 2],
    at: impl Fn(usize) -> P,
    outside: P,
) -> [[P; N]; N] {
    let place = |row: usize, column: usize| [first[0] + row as i64, first[1] + column as i64];
    std::array::from_fn(|r| std::array::from_fn(|c| pixel(image, place(r, c), size).map_or(outside, &at)))
}

thread_local! {
    /// Scratch memory of a thread's tasks: 2 MB, allocated once.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Slices of these lengths in the thread's scratch memory, which grows if it is too short.
fn parts<const N: usize>(lengths: [usize; N]) -> [*mut f32; N] {
    SCRATCH.with_borrow_mut(|scratch| {
        const FLOATS: usize = LINE / size_of::<f32>();
        let lengths = lengths.map(|len| len.next_multiple_of(FLOATS));
        let total = lengths.iter().sum::<usize>() + FLOATS;
        if scratch.len() < total {
            scratch.resize(total, 0.0);
        }
        let mut at = scratch.as_mut_ptr();
        at = at.wrapping_add(at.align_offset(LINE));
        lengths.map(|len| {
            let part = at;
            at = at.wrapping_add(len);
            part
        })
    })
}

/// Values at all pairs of points. Each pair has lines of `width` floats.
#[derive(Clone, Copy)]
struct Values {
    at: *mut f32,
    width: usize,
    /// Distance from one pair of points to the next.
    apart: usize,
}

impl Values {
    /// Floats of `lines` lines at all pairs of points.
    fn len(lines: usize, width: usize) -> usize {
        POINTS * POINTS * (lines * width + APART)
    }

    fn new(at: *mut f32, lines: usize, width: usize) -> Values {
        Values { at, width, apart: lines * width + APART }
    }

    /// The first line at a pair of points.
    fn point(&self, point: usize) -> *mut f32 {
        self.at.wrapping_add(point * self.apart)
    }

    /// Where a line starts, at all pairs.
    fn line(&self, line: usize) -> [[*mut f32; POINTS]; POINTS] {
        let first = self.at.wrapping_add(line * self.width);
        std::array::from_fn(|r| std::array::from_fn(|c| first.wrapping_add((r * POINTS + c) * self.apart)))
    }

    /// [`Values::line`] for reading.
    fn read(&self, line: usize) -> [[*const f32; POINTS]; POINTS] {
        self.line(line).map(|row| row.map(<*mut f32>::cast_const))
    }
}

/// Computes all outputs.
pub(super) fn run(plane: &Plane, operands: Operands<'_>) {
    let shares = Shares::choose(plane, rayon::current_num_threads());
    let [by_tiles, by_columns] = shares.tasks(plane);
    (0..by_tiles * by_columns).into_par_iter().for_each(|task| {
        let (tile, column) = (task / by_columns * shares.tiles, task % by_columns * shares.columns);
        let tiles = tile..plane.tiles().min(tile + shares.tiles);
        let columns = column..plane.columns.min(column + shares.columns);
        Arch::new().dispatch(Block { plane: *plane, operands, tiles, columns });
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
        // SAFETY: tasks have disjoint tiles and columns, which together cover the result.
        unsafe {
            self.compute(simd);
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self, simd: S) {
        let (tiles, all, width) = (self.tiles.len(), self.plane.channels, self.columns.len());
        let (group, channels) = (TILES.min(tiles.next_multiple_of(ROWS)), CHANNELS.min(all));
        // Products are kept until all channels are summed.
        let groups = if all > CHANNELS { tiles.div_ceil(group) } else { 1 };
        let [input, kernel, product] = [[group, channels], [channels, width], [group, width]];
        let lengths = [input, kernel, product].map(|[lines, width]| Values::len(lines, width));
        let [v, u, m, zeros, sink] = parts([lengths[0], lengths[1], lengths[2] * groups, channels, width]);
        let v = Values::new(v, group, channels);
        let u = Values::new(u, channels, width);
        // SAFETY: parts of the scratch do not overlap, and are as long as this.
        unsafe { std::slice::from_raw_parts_mut(zeros, channels) }.fill(0.0);
        for channel in (0..all).step_by(CHANNELS) {
            let depth = channels.min(all - channel);
            // SAFETY: passed on to the caller; all of these are this task's.
            unsafe { self.kernels(simd, channel..channel + depth, u) };
            for (index, first) in self.tiles.clone().step_by(TILES).enumerate() {
                let tiles = first..self.tiles.end.min(first + TILES);
                let m = Values::new(m.wrapping_add(index % groups * lengths[2]), group, width);
                // SAFETY: as above; v and m have rows up to a multiple of ROWS.
                unsafe {
                    self.inputs(simd, tiles.clone(), channel..channel + depth, v, zeros);
                    for point in 0..POINTS * POINTS {
                        let product = Product {
                            size: [tiles.len().next_multiple_of(ROWS), width, depth],
                            a: (v.point(point), [channels, 1]),
                            b: (u.point(point), width),
                            c: (m.point(point), width),
                            add: channel > 0,
                        };
                        product.run(simd);
                    }
                    if channel + depth == all {
                        self.outputs(simd, tiles, m, sink);
                    }
                }
            }
        }
    }

    /// Values of the kernels of some channels.
    #[inline(always)]
    unsafe fn kernels<S: Simd>(&self, simd: S, channels: Range<usize>, to: Values) {
        let plane = &self.plane;
        let tap = |r: usize, c: usize| if plane.flipped { 8 - (r * 3 + c) } else { r * 3 + c };
        for (k, channel) in channels.enumerate() {
            let offset = |tap: usize| (tap * plane.channels + channel) * plane.columns + self.columns.start;
            let address = |r: usize, c: usize| self.operands.w.as_ptr().wrapping_add(offset(tap(r, c)));
            let from = std::array::from_fn(|r| std::array::from_fn(|c| address(r, c)));
            let transform = Transform::<3, POINTS> { from, to: to.line(k), len: self.columns.len() };
            // SAFETY: the kernel has these channels and columns; the rest is passed on to the caller.
            unsafe { transform.run::<Weight, S>(simd) };
        }
    }

    /// Values of the inputs of some tiles in some channels.
    #[inline(always)]
    unsafe fn inputs<S: Simd>(
        &self,
        simd: S,
        tiles: Range<usize>,
        channels: Range<usize>,
        to: Values,
        zeros: *const f32,
    ) {
        let plane = &self.plane;
        let address = |pixel: usize| self.operands.from.as_ptr().wrapping_add(pixel * plane.channels + channels.start);
        for (t, [image, row, column]) in tiles.map(|tile| plane.place(tile)).enumerate() {
            let at = [row as i64 - plane.pad[0], column as i64 - plane.pad[1]];
            let from = window(image, at, plane.input, address, zeros);
            let transform = Transform::<POINTS, POINTS> { from, to: to.line(t), len: channels.len() };
            // SAFETY: pixels lie within the input, with all their channels; the rest is passed on to the caller.
            unsafe { transform.run::<Input, S>(simd) };
        }
    }

    /// Outputs of some tiles from the products. Outputs outside the map go to the sink.
    #[inline(always)]
    unsafe fn outputs<S: Simd>(&self, simd: S, tiles: Range<usize>, from: Values, sink: *mut f32) {
        let Block { plane, operands, columns, .. } = self;
        let address = |pixel: usize| operands.to.at(pixel * plane.columns + columns.start);
        for (t, [image, row, column]) in tiles.map(|tile| plane.place(tile)).enumerate() {
            let to = window(image, [row as i64, column as i64], plane.output, address, sink);
            let transform = Transform::<POINTS, OUTPUTS> { from: from.read(t), to, len: columns.len() };
            // SAFETY: this task alone writes these pixels and columns; the rest is passed on to the caller.
            unsafe { transform.run::<Output, S>(simd) };
            if !operands.epilogue.applies() {
                continue;
            }
            for to in to.into_iter().flatten().filter(|&to| to != sink) {
                // SAFETY: as above; and it lies in the output.
                let (line, at) = unsafe {
                    let at = to.offset_from_unsigned(operands.to.at(0));
                    (std::slice::from_raw_parts_mut(to, columns.len()), at)
                };
                operands.epilogue.apply(line, at, columns.start);
            }
        }
    }
}

/// The gradient of the kernel as `splits` partial sums of 9 × channels × columns. Each is a sum over some tiles.
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
        // SAFETY: tasks have disjoint parts, channels and columns, which together cover the result.
        unsafe {
            self.compute(simd);
        }
    }
}

impl WgradBlock<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self, simd: S) {
        let (height, width) = (self.channels.len(), self.columns.len());
        let group = TILES.min(self.tiles.len());
        let lengths =
            [[group, height], [group, width], [height, width]].map(|[lines, width]| Values::len(lines, width));
        let [v, d, u, zeros] = parts([lengths[0], lengths[1], lengths[2], height.max(width)]);
        let v = Values::new(v, group, height);
        let d = Values::new(d, group, width);
        let u = Values::new(u, height, width);
        // SAFETY: parts of the scratch do not overlap, and are as long as this.
        unsafe { std::slice::from_raw_parts_mut(zeros, height.max(width)) }.fill(0.0);
        for first in (self.tiles.start..self.tiles.end.max(self.tiles.start + 1)).step_by(TILES) {
            let tiles = first..self.tiles.end.min(first + TILES);
            // SAFETY: passed on to the caller; channels come in multiples of ROWS.
            unsafe {
                self.values(simd, tiles.clone(), [v, d], zeros);
                for point in 0..POINTS * POINTS {
                    let product = Product {
                        size: [height, width, tiles.len()],
                        a: (v.point(point), [1, height]),
                        b: (d.point(point), width),
                        c: (u.point(point), width),
                        add: first > self.tiles.start,
                    };
                    product.run(simd);
                }
            }
        }
        let plane = &self.plane;
        for (c, channel) in self.channels.clone().enumerate() {
            let offset = |tap: usize| (tap * plane.channels + channel) * plane.columns + self.columns.start;
            let to = std::array::from_fn(|r| std::array::from_fn(|k| self.dw.wrapping_add(offset(r * 3 + k))));
            let transform = Transform::<POINTS, 3> { from: u.read(c), to, len: width };
            // SAFETY: this task alone writes these channels and columns of its part.
            unsafe { transform.run::<WeightGrad, S>(simd) };
        }
    }

    /// Values of the inputs and of the outputs' gradients of some tiles.
    #[inline(always)]
    unsafe fn values<S: Simd>(&self, simd: S, tiles: Range<usize>, [v, d]: [Values; 2], zeros: *const f32) {
        let WgradBlock { plane, x, dy, channels, columns, .. } = self;
        for (t, [image, row, column]) in tiles.map(|tile| plane.place(tile)).enumerate() {
            let at = [row as i64, column as i64];
            let address = |pixel: usize| dy.as_ptr().wrapping_add(pixel * plane.columns + columns.start);
            let from = window(image, at, plane.output, address, zeros);
            let outputs = Transform::<OUTPUTS, POINTS> { from, to: d.line(t), len: columns.len() };
            let at = [at[0] - plane.pad[0], at[1] - plane.pad[1]];
            let address = |pixel: usize| x.as_ptr().wrapping_add(pixel * plane.channels + channels.start);
            let from = window(image, at, plane.input, address, zeros);
            let inputs = Transform::<POINTS, POINTS> { from, to: v.line(t), len: channels.len() };
            // SAFETY: pixels lie within the maps, with all their channels and columns; v and d are this task's.
            unsafe {
                outputs.run::<OutputGrad, S>(simd);
                inputs.run::<Input, S>(simd);
            }
        }
    }
}
