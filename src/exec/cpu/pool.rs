//! Twins of the pooling kernels.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::kernel::PoolGeometry;

impl PoolGeometry {
    /// The input pixels in the window of each output pixel, without padding.
    fn windows(&self) -> Reach {
        let axis = |o: usize, k: usize, a: usize, size: usize| {
            (o * self.stride[a] + k * self.dilation[a]).checked_sub(self.before[a]).filter(|&p| p < size)
        };
        Reach::new(self.kernel, [self.oh, self.ow], [self.h, self.w], axis)
    }

    /// The output pixels whose windows cover each input pixel.
    fn coverings(&self) -> Reach {
        let axis = |p: usize, k: usize, a: usize, size: usize| {
            let at = (p + self.before[a]).checked_sub(k * self.dilation[a])?;
            (at % self.stride[a] == 0 && at / self.stride[a] < size).then_some(at / self.stride[a])
        };
        Reach::new(self.kernel, [self.h, self.w], [self.oh, self.ow], axis)
    }

    /// The divisor of a window's sum.
    fn divisor(&self, pixel: usize, include_pad: bool) -> usize {
        let count = |o: usize, a: usize, size: usize| {
            let inside = |k: &usize| {
                let p = o * self.stride[a] + k * self.dilation[a];
                if include_pad {
                    p < self.before[a] + size + self.after[a]
                } else {
                    p >= self.before[a] && p < self.before[a] + size
                }
            };
            (0..self.kernel[a]).filter(inside).count()
        };
        count(pixel / self.ow % self.oh, 0, self.h) * count(pixel % self.ow, 1, self.w)
    }
}

/// The (tap, partner) pairs of every line and of every column. A pixel's pairs follow from them without divisions.
struct Reach {
    lines: Vec<Vec<(usize, usize)>>,
    columns: Vec<Vec<(usize, usize)>>,
    kernel_columns: usize,
    /// Height and width of the partners.
    to: [usize; 2],
}

impl Reach {
    fn new(
        kernel: [usize; 2],
        from: [usize; 2],
        to: [usize; 2],
        partner: impl Fn(usize, usize, usize, usize) -> Option<usize>,
    ) -> Reach {
        let [lines, columns] = [0, 1].map(|a| {
            let of = |at| (0..kernel[a]).filter_map(|k| Some((k, partner(at, k, a, to[a])?))).collect();
            (0..from[a]).map(of).collect()
        });
        Reach { lines, columns, kernel_columns: kernel[1], to }
    }

    /// (tap, partner) of a pixel; `line` counts over all images.
    fn at(&self, line: usize, column: usize) -> impl Iterator<Item = (usize, usize)> {
        let image = line / self.lines.len();
        self.lines[line % self.lines.len()].iter().flat_map(move |&(kh, h)| {
            let pixel = move |&(kw, w): &(usize, usize)| {
                (kh * self.kernel_columns + kw, (image * self.to[0] + h) * self.to[1] + w)
            };
            self.columns[column].iter().map(pixel)
        })
    }
}

/// See `shaders/max_pool.wgsl`.
pub fn max_pool<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<PoolGeometry>();
    let (x, y, index) = (a.input(0), a.output(1), a.output(2));
    let (windows, line) = (g.windows(), g.ow * g.channels);
    y.par_chunks_mut(line).zip(index.par_chunks_mut(line)).enumerate().for_each(|(line, (y, index))| {
        let pixels = y.chunks_exact_mut(g.channels).zip(index.chunks_exact_mut(g.channels));
        for (column, (y, index)) in pixels.enumerate() {
            y.fill(T::zero());
            index.fill(-T::one());
            for (tap, from) in windows.at(line, column) {
                let tap = T::of(tap as f64);
                for ((y, index), &v) in y.iter_mut().zip(index.iter_mut()).zip(&x[from * g.channels..]) {
                    let better = *index < T::zero() || v > *y || v.is_nan();
                    (*y, *index) = if better { (v, tap) } else { (*y, *index) };
                }
            }
        }
    });
}

/// See `shaders/max_pool_grad.wgsl`.
pub fn max_pool_grad<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<PoolGeometry>();
    let (dy, index, addend) = (a.input(0), a.input(1), a.input(2));
    let (add, stride, first) = (a.flag("ADD"), a.u("ADDEND_C4") * 4, a.u("ADDEND_FIRST4") * 4);
    let coverings = g.coverings();
    a.output(3).par_chunks_mut(g.w * g.channels).enumerate().for_each(|(line, dx)| {
        for (column, dx) in dx.chunks_exact_mut(g.channels).enumerate() {
            match add {
                true => dx.copy_from_slice(&addend[(line * g.w + column) * stride + first..][..g.channels]),
                false => dx.fill(T::zero()),
            }
            for (tap, from) in coverings.at(line, column) {
                let (tap, at) = (T::of(tap as f64), from * g.channels);
                for ((dx, &d), &won) in dx.iter_mut().zip(&dy[at..]).zip(&index[at..]) {
                    *dx += if won == tap { d } else { T::zero() };
                }
            }
        }
    });
}

/// See `shaders/avg_pool.wgsl`.
pub fn avg_pool<T: Real>(mut a: Args<'_, T>) {
    let (g, include_pad) = (a.geometry::<PoolGeometry>(), a.flag("COUNT_INCLUDE_PAD"));
    let x = a.input(0);
    let windows = g.windows();
    a.output(1).par_chunks_mut(g.channels).enumerate().for_each(|(pixel, y)| {
        y.fill(T::zero());
        for (_, from) in windows.at(pixel / g.ow, pixel % g.ow) {
            for (y, &v) in y.iter_mut().zip(&x[from * g.channels..]) {
                *y += v;
            }
        }
        let divisor = T::of(g.divisor(pixel, include_pad) as f64);
        for y in y {
            *y = *y / divisor;
        }
    });
}

/// See `shaders/avg_pool_grad.wgsl`.
pub fn avg_pool_grad<T: Real>(mut a: Args<'_, T>) {
    let (g, include_pad) = (a.geometry::<PoolGeometry>(), a.flag("COUNT_INCLUDE_PAD"));
    let dy = a.input(0);
    let coverings = g.coverings();
    a.output(1).par_chunks_mut(g.channels).enumerate().for_each(|(pixel, dx)| {
        dx.fill(T::zero());
        for (_, from) in coverings.at(pixel / g.w, pixel % g.w) {
            let divisor = T::of(g.divisor(from, include_pad) as f64);
            for (dx, &d) in dx.iter_mut().zip(&dy[from * g.channels..]) {
                *dx += d / divisor;
            }
        }
    });
}
