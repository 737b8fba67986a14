//! Twins of the convolution kernels: blocks of im2col that stay in cache, multiplied by a well-kept GEMM, one block a
//! task. Blocks depend on the sizes alone, never on the number of threads, so results do not either.

use rayon::prelude::*;

use super::Args;
use super::real::{Real, Strided};

/// Elements of an im2col block: 512 kB of f32, a quarter of a current core's L2.
const BLOCK: usize = 128 * 1024;

/// A pointer that tasks share to write disjoint parts of one buffer.
#[derive(Clone, Copy)]
struct Target<T>(*mut T);
// SAFETY: every task writes its own rows and columns only; see the call sites.
unsafe impl<T: Send> Send for Target<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    fn at(self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// Sizes of a convolution in floats.
struct Geometry {
    n: usize,
    h: usize,
    w: usize,
    oh: usize,
    ow: usize,
    kh: usize,
    kw: usize,
    stride: [usize; 2],
    pad: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    /// Channels of a group, in and out.
    gi: usize,
    go: usize,
    /// Channels of all groups.
    ci: usize,
    co: usize,
}

impl Geometry {
    fn new<T>(a: &Args<'_, T>) -> Self {
        let (groups, gi, go) = (a.u("GROUPS"), a.u("GI4") * 4, a.u("GO4") * 4);
        Geometry {
            n: a.u("N"),
            h: a.u("H"),
            w: a.u("W"),
            oh: a.u("OH"),
            ow: a.u("OW"),
            kh: a.u("KH"),
            kw: a.u("KW"),
            stride: [a.u("SH"), a.u("SW")],
            pad: [a.u("PT"), a.u("PL")],
            dilation: [a.u("DH"), a.u("DW")],
            groups,
            gi,
            go,
            ci: groups * gi,
            co: groups * go,
        }
    }

    fn out_rows(&self) -> usize {
        self.n * self.oh * self.ow
    }

    fn taps(&self) -> usize {
        self.kh * self.kw
    }

    /// Is the im2col matrix the input itself?
    fn pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1, 1] && self.pad == [0, 0] && self.oh == self.h && self.ow == self.w
    }

    /// The input row (pixel) that a tap reads for an output pixel.
    fn input_row(&self, image: usize, oh: usize, ow: usize, tap: usize) -> Option<usize> {
        let h = (oh * self.stride[0] + tap / self.kw * self.dilation[0]).checked_sub(self.pad[0])?;
        let w = (ow * self.stride[1] + tap % self.kw * self.dilation[1]).checked_sub(self.pad[1])?;
        (h < self.h && w < self.w).then(|| (image * self.h + h) * self.w + w)
    }

    /// Writes the im2col rows of output pixels `rows` and the taps `taps` of one group.
    fn im2col<T: Real>(
        &self,
        x: &[T],
        group: usize,
        rows: std::ops::Range<usize>,
        taps: std::ops::Range<usize>,
        to: &mut Vec<T>,
    ) {
        to.clear();
        for row in rows {
            let (ow, oh, image) = (row % self.ow, row / self.ow % self.oh, row / (self.ow * self.oh));
            for tap in taps.clone() {
                match self.input_row(image, oh, ow, tap) {
                    Some(pixel) => to.extend_from_slice(&x[pixel * self.ci + group * self.gi..][..self.gi]),
                    None => to.resize(to.len() + self.gi, T::zero()),
                }
            }
        }
    }
}

/// Blocks of rows whose im2col is at most [`BLOCK`] elements, and blocks of columns when rows alone are too few tasks.
fn tiles(rows: usize, sum: usize, columns: usize) -> (usize, usize) {
    let by_cache = (BLOCK / sum.max(1)).clamp(32, 1024);
    let row_block = by_cache.min(rows.div_ceil(4).next_multiple_of(16)).max(16);
    // A phase of an input smaller than the stride has no row at all.
    let blocks = rows.div_ceil(row_block).max(1);
    let column_block = columns.div_ceil(4usize.div_ceil(blocks)).next_multiple_of(16).min(columns);
    (row_block, column_block)
}

/// See `shaders/conv_fwd.wgsl`.
pub fn conv_fwd<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (x, w, bias, has_bias) = (a.input(0), a.input(1), a.input(2), a.flag("HAS_BIAS"));
    let y = Target(a.output(3).as_mut_ptr());
    let (rows, k) = (g.out_rows(), g.taps() * g.gi);
    let (row_block, col_block) = tiles(rows, k, g.go);
    let (row_tasks, col_tasks) = (rows.div_ceil(row_block), g.go.div_ceil(col_block));
    (0..g.groups * row_tasks * col_tasks).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        let (group, tile) = (task / (row_tasks * col_tasks), task % (row_tasks * col_tasks));
        let first = tile / col_tasks * row_block;
        let m = row_block.min(rows - first);
        let column = tile % col_tasks * col_block;
        let n = col_block.min(g.go - column);
        let lhs = if g.pointwise() {
            Strided { at: x[first * g.ci + group * g.gi..].as_ptr(), row: g.ci as isize, col: 1 }
        } else {
            g.im2col(x, group, first..first + m, 0..g.taps(), scratch);
            Strided { at: scratch.as_ptr(), row: k as isize, col: 1 }
        };
        let column = group * g.go + column;
        let rhs = Strided { at: w[column..].as_ptr(), row: g.co as isize, col: 1 };
        let dst = Strided { at: y.at(first * g.co + column), row: g.co as isize, col: 1 };
        if has_bias {
            for row in 0..m {
                // SAFETY: this task alone writes these rows and columns of y.
                let line = unsafe { std::slice::from_raw_parts_mut(dst.at.add(row * g.co), n) };
                line.copy_from_slice(&bias[column..column + n]);
            }
        }
        // SAFETY: the operands are m×k and k×n by construction; this task alone writes its tile of y.
        unsafe { T::matmul([m, n, k], dst, has_bias, lhs, rhs) };
    });
}

/// One phase of [`conv_dgrad`]: the input rows and columns that the same taps reach.
struct DgradPhase {
    h_start: usize,
    h_count: usize,
    w_start: usize,
    w_count: usize,
    /// kh, kw of each tap.
    taps: Vec<[usize; 2]>,
}

fn dgrad_phases<T>(a: &Args<'_, T>, g: &Geometry) -> Vec<DgradPhase> {
    let get = |name: &str, i: usize| a.consts.array(name)[i] as usize;
    let axis = |p: &str, i: usize| {
        let (first, step) = (get(&format!("{p}_TAP"), i), get(&format!("{p}_STEP"), i));
        (0..get(&format!("{p}_TAPS"), i)).map(|t| first + t * step).collect::<Vec<_>>()
    };
    let mut phases = Vec::new();
    for (h, w) in (0..g.stride[0]).flat_map(|h| (0..g.stride[1]).map(move |w| (h, w))) {
        let columns = axis("W", w);
        phases.push(DgradPhase {
            h_start: get("H_START", h),
            h_count: get("H_COUNT", h),
            w_start: get("W_START", w),
            w_count: get("W_COUNT", w),
            taps: axis("H", h).into_iter().flat_map(|kh| columns.iter().map(move |&kw| [kh, kw])).collect(),
        });
    }
    phases
}

/// See `shaders/conv_dgrad.wgsl`.
pub fn conv_dgrad<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let phases = dgrad_phases(&a, &g);
    let (dy, wt, bias, has_bias) = (a.input(0), a.input(1), a.input(2), a.flag("HAS_BIAS"));
    let dx = Target(a.output(3).as_mut_ptr());
    let mut tasks = Vec::new();
    for (p, group) in (0..phases.len()).flat_map(|p| (0..g.groups).map(move |group| (p, group))) {
        let rows = g.n * phases[p].h_count * phases[p].w_count;
        let (row_block, col_block) = tiles(rows, phases[p].taps.len() * g.go, g.gi);
        for first in (0..rows).step_by(row_block) {
            let m = row_block.min(rows - first);
            tasks
                .extend((0..g.gi).step_by(col_block).map(|c| (p, group, first..first + m, c..g.gi.min(c + col_block))));
        }
    }
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(lhs, product), (p, group, rows, columns)| {
            dgrad_tile(&g, &phases[p], group, dy, rows.clone(), lhs);
            let (m, n, k) = (rows.len(), columns.len(), phases[p].taps.len() * g.go);
            product.clear();
            product.resize(m * n, T::zero());
            if has_bias {
                let values = &bias[group * g.gi..][columns.clone()];
                product.chunks_exact_mut(n).for_each(|line| line.copy_from_slice(values));
            }
            for (t, [kh, kw]) in phases[p].taps.iter().enumerate() {
                let weight = ((kh * g.kw + kw) * g.co + group * g.go) * g.gi + columns.start;
                let a = Strided { at: lhs[t * g.go..].as_ptr(), row: k as isize, col: 1 };
                let b = Strided { at: wt[weight..].as_ptr(), row: g.gi as isize, col: 1 };
                let dst = Strided { at: product.as_mut_ptr(), row: n as isize, col: 1 };
                // SAFETY: the operands are m×go and go×n by construction; `product` is this task's own.
                unsafe { T::matmul([m, n, g.go], dst, has_bias || t > 0, a, b) };
            }
            for (row, line) in rows.zip(product.chunks_exact(n)) {
                let pixel = phases[p].pixel(&g, row);
                let to = dx.at(pixel * g.ci + group * g.gi + columns.start);
                // SAFETY: every input pixel is in one phase, and this task alone writes these channels of it.
                unsafe { std::slice::from_raw_parts_mut(to, n) }.copy_from_slice(line);
            }
        },
    );
}

impl DgradPhase {
    /// Position (image, h, w) of a row of the phase.
    fn position(&self, g: &Geometry, row: usize) -> [usize; 3] {
        let (j, i) = (row % self.w_count, row / self.w_count % self.h_count);
        let image = row / (self.w_count * self.h_count);
        [image, self.h_start + i * g.stride[0], self.w_start + j * g.stride[1]]
    }

    fn pixel(&self, g: &Geometry, row: usize) -> usize {
        let [image, h, w] = self.position(g, row);
        (image * g.h + h) * g.w + w
    }
}

/// The output gradients that a phase's taps reach from input pixels `rows`.
fn dgrad_tile<T: Real>(
    g: &Geometry,
    phase: &DgradPhase,
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
        for &[kh, kw] in &phase.taps {
            match (reach(h, kh, 0, g.oh), reach(w, kw, 1, g.ow)) {
                (Some(oh), Some(ow)) => {
                    let pixel = (image * g.oh + oh) * g.ow + ow;
                    to.extend_from_slice(&dy[pixel * g.co + group * g.go..][..g.go]);
                }
                _ => to.resize(to.len() + g.go, T::zero()),
            }
        }
    }
}

/// See `shaders/conv_wgrad.wgsl`.
pub fn conv_wgrad<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (splits, chunk) = (a.u("SPLITS"), a.u("CHUNK"));
    let (x, dy) = (a.input(0), a.input(1));
    let dw = Target(a.output(2).as_mut_ptr());
    // Taps of a task: enough rows (64) to keep the product efficient, few enough to have several tasks.
    let taps_each = 64usize.div_ceil(g.gi).min(g.taps());
    let tap_tasks = g.taps().div_ceil(taps_each);
    (0..splits * g.groups * tap_tasks).into_par_iter().for_each_init(Vec::new, |scratch, task| {
        let (tap, batch) = (task % tap_tasks * taps_each, task / tap_tasks);
        let (group, split) = (batch % g.groups, batch / g.groups);
        let taps = tap..g.taps().min(tap + taps_each);
        let m = taps.len() * g.gi;
        let (first, last) = (split * chunk, ((split + 1) * chunk).min(g.out_rows()));
        let block = (BLOCK / m).clamp(64, 1024);
        let to = dw.at(((split * g.taps() + tap) * g.gi) * g.co + group * g.go);
        let dst = Strided { at: to, row: g.co as isize, col: 1 };
        for start in (first..last.max(first + 1)).step_by(block) {
            let pixels = start..last.min(start + block);
            let k = pixels.len();
            let lhs = if g.pointwise() && k > 0 {
                Strided { at: x[start * g.ci + group * g.gi..].as_ptr(), row: 1, col: g.ci as isize }
            } else {
                g.im2col(x, group, pixels, taps.clone(), scratch);
                Strided { at: scratch.as_ptr(), row: 1, col: m as isize }
            };
            let rhs = Strided { at: dy.as_ptr().wrapping_add(start * g.co + group * g.go), row: g.co as isize, col: 1 };
            // SAFETY: the operands are m×k and k×go by construction; this task alone writes its rows of dw. With an
            // empty chunk k is 0 and the rows are set to zero.
            unsafe { T::matmul([m, g.go, k], dst, start > first, lhs, rhs) };
        }
    });
}

/// See `shaders/transpose_kernel.wgsl`.
pub fn transpose_kernel<T: Real>(mut a: Args<'_, T>) {
    let (i, o) = (a.u("I4") * 4, a.u("O4") * 4);
    let w = a.input(0);
    // Blocks of 16 output channels, so that the strided reads stay within the cache lines that they touch.
    a.output(1).par_chunks_mut(i * o).zip(w.par_chunks(i * o)).for_each(|(to, from)| {
        for (block, rows) in to.chunks_mut(16 * i).enumerate() {
            for c in 0..i {
                for (r, row) in rows.chunks_exact_mut(i).enumerate() {
                    row[c] = from[c * o + block * 16 + r];
                }
            }
        }
    });
}
