//! Twins of the convolution kernels, where neither `winograd` nor `direct` is faster. A task writes a block of im2col that stays
//! in cache, and a GEMM multiplies it. Blocks depend only on the sizes, not on the number of threads, and so do results.

use rayon::prelude::*;

use super::conv_direct as direct;
use super::conv_epilogue::Epilogue;
use super::conv_im2col::{DgradPhase, Target};
use super::conv_winograd as winograd;
use super::{norm, norm_grad};
use crate::exec::twin::{Args, Real, Strided};
use crate::exec::winograd::Plane;
use crate::kernel::{ConvDirection, ConvGeometry};

/// Elements of an im2col block: 512 kB of f32, a quarter of a current core's L2.
const BLOCK: usize = 128 * 1024;

/// The share of a task: rows, columns, and the taps that are summed at a time.
struct Blocks {
    rows: usize,
    columns: usize,
    taps: usize,
}

impl Blocks {
    /// At least four tasks, by rows or by columns. A task reads the weights of its columns once and copies its rows
    /// once, so rows and columns are of similar number. The taps that it copies at a time stay in cache.
    fn new(rows: usize, [taps, channels]: [usize; 2], columns: usize) -> Blocks {
        let by_columns = match columns {
            c if c >= 2 * rows => 4,
            c if 2 * c >= rows => 2,
            _ => 1,
        };
        let by_cache = BLOCK / (taps * channels).max(1);
        let most = by_cache.max(columns / 2).clamp(32, 1024);
        let row_block = most.min(rows.div_ceil(4 / by_columns).next_multiple_of(16)).max(16);
        Blocks {
            rows: row_block,
            columns: columns.div_ceil(by_columns).next_multiple_of(16).min(columns),
            taps: (BLOCK / (row_block * channels).max(1)).clamp(1, taps.max(1)),
        }
    }
}

/// The operands in f32, for code that exists only for f32.
fn operands<'a, T: Real>(
    inputs: [&'a [T]; 2],
    epilogue: Epilogue<'a, T>,
    to: Target<T>,
) -> Option<direct::Operands<'a>> {
    let [from, w] = T::floats(inputs)?;
    Some(direct::Operands { from, w, epilogue: epilogue.floats()?, to: Target(to.0.cast()) })
}

/// See `shaders/conv_fwd.wgsl`.
pub fn conv_fwd<T: Real>(mut a: Args<'_, T>) {
    let y = a.output(4);
    forward(&a, Target(y.as_mut_ptr()));
    if let Some(statistics) = &a.geometry::<ConvGeometry>().statistics {
        let moments = a.output(5);
        norm::statistics(&statistics.norm, y, moments);
    }
}

/// The products of [`conv_fwd`], with their epilogue.
fn forward<T: Real>(a: &Args<'_, T>, y: Target<T>) {
    let g = a.geometry::<ConvGeometry>();
    let (x, w, epilogue) = (a.input(0), a.input(1), Epilogue::new(a, g.epilogue));
    if let Some(operands) = operands([x, w], epilogue, y) {
        if let Some(plane) = Plane::choose(g) {
            return winograd::run(&plane, operands);
        }
        if direct::suits(g.go, g.gi) {
            return direct::conv_fwd(g, operands);
        }
    }
    let rows = g.out_rows();
    let blocks = Blocks::new(rows, [g.taps(), g.gi], g.go);
    let (row_tasks, col_tasks) = (rows.div_ceil(blocks.rows), g.go.div_ceil(blocks.columns));
    (0..g.groups * row_tasks * col_tasks).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        let (group, tile) = (task / (row_tasks * col_tasks), task % (row_tasks * col_tasks));
        let first = tile / col_tasks * blocks.rows;
        let m = blocks.rows.min(rows - first);
        let column = tile % col_tasks * blocks.columns;
        let n = blocks.columns.min(g.go - column);
        let column = group * g.go + column;
        let dst = (y.at(first * g.co() + column), g.co() as isize);
        // SAFETY: this task alone writes these rows and columns of y.
        let line = |row: usize| unsafe { std::slice::from_raw_parts_mut(dst.0.add(row * g.co()), n) };
        if epilogue.starts() {
            (0..m).for_each(|row| epilogue.start(line(row), (first + row) * g.co() + column, column));
        }
        for tap in (0..g.taps()).step_by(blocks.taps) {
            let taps = tap..g.taps().min(tap + blocks.taps);
            let k = taps.len() * g.gi;
            let lhs = if g.pointwise() {
                Strided { at: x[first * g.ci() + group * g.gi..].as_ptr(), row: g.ci() as isize, col: 1 }
            } else {
                g.im2col(x, group, first..first + m, taps, scratch);
                Strided { at: scratch.as_ptr(), row: k as isize, col: 1 }
            };
            let rhs = Strided { at: w[tap * g.gi * g.co() + column..].as_ptr(), row: g.co() as isize, col: 1 };
            // SAFETY: the operands are m×k and k×n by construction; this task alone writes its tile of y.
            unsafe { T::matmul([m, n, k], dst, epilogue.starts() || tap > 0, lhs, rhs) };
        }
        (0..m).for_each(|row| epilogue.end(line(row)));
    });
}

/// See `shaders/conv_dgrad.wgsl`.
pub fn conv_dgrad<T: Real>(mut a: Args<'_, T>) {
    let dx = a.output(4);
    backward(&a, Target(dx.as_mut_ptr()));
    if let Some(statistics) = &a.geometry::<ConvGeometry>().statistics {
        let sums = a.output(10);
        norm_grad::statistics(&a, statistics, dx, sums);
    }
}

/// The products of [`conv_dgrad`], with their epilogue.
fn backward<T: Real>(a: &Args<'_, T>, dx: Target<T>) {
    let g = a.geometry::<ConvGeometry>();
    let ConvDirection::InputGrad { phases } = &g.direction else { panic!("an input gradient has phases") };
    let phases = DgradPhase::all(phases);
    let (dy, wt, epilogue) = (a.input(0), a.input(1), Epilogue::new(a, g.epilogue));
    if let Some(operands) = operands([dy, wt], epilogue, dx) {
        if let Some(plane) = Plane::choose(g) {
            return winograd::run(&plane, operands);
        }
        if direct::suits(g.gi, g.go) {
            return phases.iter().for_each(|phase| direct::conv_dgrad(g, phase, operands));
        }
    }
    let mut tasks = Vec::new();
    for (p, group) in (0..phases.len()).flat_map(|p| (0..g.groups).map(move |group| (p, group))) {
        let rows = g.n * phases[p].count().iter().product::<usize>();
        let blocks = Blocks::new(rows, [phases[p].taps.len(), g.go], g.gi);
        for first in (0..rows).step_by(blocks.rows) {
            let rows = first..rows.min(first + blocks.rows);
            let columns = (0..g.gi).step_by(blocks.columns).map(|c| c..g.gi.min(c + blocks.columns));
            tasks.extend(columns.map(|columns| (p, group, rows.clone(), columns, blocks.taps)));
        }
    }
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(lhs, product), (p, group, rows, columns, taps_each)| {
            let (m, n) = (rows.len(), columns.len());
            let column = group * g.gi + columns.start;
            let place = |row: usize| phases[p].pixel(g, row) * g.ci() + column;
            product.clear();
            product.resize(m * n, T::zero());
            if epilogue.starts() {
                let lines = rows.clone().zip(product.chunks_exact_mut(n));
                lines.for_each(|(row, line)| epilogue.start(line, place(row), column));
            }
            for (part, taps) in phases[p].taps.chunks(taps_each).enumerate() {
                dgrad_tile(g, (&phases[p], taps), group, dy, rows.clone(), lhs);
                let k = taps.len() * g.go;
                for (t, [kh, kw]) in taps.iter().enumerate() {
                    let weight = ((kh * g.kw + kw) * g.co() + group * g.go) * g.gi + columns.start;
                    let a = Strided { at: lhs[t * g.go..].as_ptr(), row: k as isize, col: 1 };
                    let b = Strided { at: wt[weight..].as_ptr(), row: g.gi as isize, col: 1 };
                    let dst = (product.as_mut_ptr(), n as isize);
                    // SAFETY: the operands are m×go and go×n by construction; `product` is this task's own.
                    unsafe { T::matmul([m, n, g.go], dst, epilogue.starts() || part + t > 0, a, b) };
                }
            }
            for (row, line) in rows.zip(product.chunks_exact_mut(n)) {
                epilogue.end(line);
                // SAFETY: every input pixel is in one phase, and this task alone writes these channels of it.
                unsafe { std::slice::from_raw_parts_mut(dx.at(place(row)), n) }.copy_from_slice(line);
            }
        },
    );
}

/// The output gradients that taps of a phase reach from input pixels `rows`.
fn dgrad_tile<T: Real>(
    g: &ConvGeometry,
    (phase, taps): (&DgradPhase, &[[usize; 2]]),
    group: usize,
    dy: &[T],
    rows: std::ops::Range<usize>,
    to: &mut Vec<T>,
) {
    to.clear();
    let reach = |position: usize, tap: usize, axis: usize, size: usize| {
        let at = (position + g.pad[axis]).checked_sub(tap * g.dilation[axis])? / g.stride[axis];
        (at < size).then_some(at)
    };
    for row in rows {
        let [image, h, w] = phase.position(g, row);
        for &[kh, kw] in taps {
            match (reach(h, kh, 0, g.oh), reach(w, kw, 1, g.ow)) {
                (Some(oh), Some(ow)) => {
                    let pixel = (image * g.oh + oh) * g.ow + ow;
                    to.extend_from_slice(&dy[pixel * g.co() + group * g.go..][..g.go]);
                }
                _ => to.resize(to.len() + g.go, T::zero()),
            }
        }
    }
}

/// See `shaders/conv_wgrad.wgsl`.
pub fn conv_wgrad<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<ConvGeometry>();
    let ConvDirection::WeightGrad { splits, chunk } = g.direction else { panic!("a weight gradient has splits") };
    let (x, dy) = (a.input(0), a.input(1));
    let dw = Target(a.output(2).as_mut_ptr());
    if let (Some(operands), Some(plane)) = (T::floats([x, dy]), Plane::choose(g)) {
        return winograd::wgrad(&plane, operands, Target(dw.0.cast()), splits);
    }
    let direct = T::floats([x, dy]).filter(|_| direct::suits_wgrad(g.go, g.gi));
    // Taps of a task: enough rows (64) to keep the product efficient, few enough to have several tasks.
    let taps_each = if direct.is_some() { 1 } else { 64usize.div_ceil(g.gi).min(g.taps()) };
    let tap_tasks = g.taps().div_ceil(taps_each);
    (0..splits * g.groups * tap_tasks).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        let (tap, batch) = (task % tap_tasks * taps_each, task / tap_tasks);
        let (group, split) = (batch % g.groups, batch / g.groups);
        let taps = tap..g.taps().min(tap + taps_each);
        let m = taps.len() * g.gi;
        let (first, last) = (split * chunk, ((split + 1) * chunk).min(g.out_rows()));
        let block = (BLOCK / m).clamp(64, 1024);
        let to = dw.at(((split * g.taps() + tap) * g.gi) * g.co() + group * g.go);
        if let Some(operands) = direct {
            for channel in 0..m {
                // SAFETY: this task alone writes its rows of dw.
                unsafe { std::slice::from_raw_parts_mut(to.add(channel * g.co()), g.go) }.fill(T::zero());
            }
            // Blocks of pixels that stay in the cache while all tiles go over them.
            for start in (first..last).step_by(direct::LONGEST) {
                let pixels = start..last.min(start + direct::LONGEST);
                direct::conv_wgrad(g, [group, tap], pixels, operands, Target(to.cast()));
            }
            return;
        }
        let dst = (to, g.co() as isize);
        for start in (first..last.max(first + 1)).step_by(block) {
            let pixels = start..last.min(start + block);
            let k = pixels.len();
            let lhs = if g.pointwise() && k > 0 {
                Strided { at: x[start * g.ci() + group * g.gi..].as_ptr(), row: 1, col: g.ci() as isize }
            } else {
                g.im2col(x, group, pixels, taps.clone(), scratch);
                Strided { at: scratch.as_ptr(), row: 1, col: m as isize }
            };
            let rhs =
                Strided { at: dy.as_ptr().wrapping_add(start * g.co() + group * g.go), row: g.co() as isize, col: 1 };
            // SAFETY: the operands are m×k and k×go by construction; this task alone writes its rows of dw. With an
            // empty chunk k is 0 and the rows are set to zero.
            unsafe { T::matmul([m, g.go, k], dst, start > first, lhs, rhs) };
        }
    });
}

/// Rows and columns that are transposed at a time.
const SIDE: usize = 64;

/// See `shaders/transpose_kernel.wgsl`.
pub fn transpose_kernel<T: Real>(mut a: Args<'_, T>) {
    let (i, o) = (a.u("I4") * 4, a.u("O4") * 4);
    let w = a.input(0);
    // Through blocks of 64×64, so that both sides are touched 4 cache lines at a time. Single lines a power of two
    // apart would each be a cache miss that no prefetcher foresees.
    a.output(1).par_chunks_mut(i * o).zip(w.par_chunks(i * o)).for_each(|(to, from)| {
        let mut block = [T::zero(); SIDE * SIDE];
        for (first_i, first_o) in (0..i).step_by(SIDE).flat_map(|i| (0..o).step_by(SIDE).map(move |o| (i, o))) {
            let [height, width] = [(i - first_i).min(SIDE), (o - first_o).min(SIDE)];
            for (r, line) in block.chunks_exact_mut(SIDE).enumerate().take(height) {
                line[..width].copy_from_slice(&from[(first_i + r) * o + first_o..][..width]);
            }
            for c in 0..width {
                let to = &mut to[(first_o + c) * i + first_i..][..height];
                for (to, line) in to.iter_mut().zip(block.chunks_exact(SIDE)) {
                    *to = line[c];
                }
            }
        }
    });
}
