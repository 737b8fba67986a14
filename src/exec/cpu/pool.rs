//! Twins of the pooling kernels.

use rayon::prelude::*;

use super::{Args, Real};

/// Sizes of a pooling.
struct Geometry {
    h: usize,
    w: usize,
    oh: usize,
    ow: usize,
    c: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
    dilation: [usize; 2],
}

impl Geometry {
    fn new<T>(a: &Args<'_, T>) -> Self {
        Geometry {
            h: a.u("H"),
            w: a.u("W"),
            oh: a.u("OH"),
            ow: a.u("OW"),
            c: a.u("C4") * 4,
            kernel: [a.u("KH"), a.u("KW")],
            stride: [a.u("SH"), a.u("SW")],
            before: [a.u("PT"), a.u("PL")],
            after: [a.u("PB"), a.u("PR")],
            dilation: [a.u("DH"), a.u("DW")],
        }
    }

    /// (tap, input pixel) of the taps of an output pixel that lie inside the input.
    fn window(&self, pixel: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let (ow, oh, n) = (pixel % self.ow, pixel / self.ow % self.oh, pixel / (self.ow * self.oh));
        let axis = move |o: usize, k: usize, a: usize, size: usize| {
            (o * self.stride[a] + k * self.dilation[a]).checked_sub(self.before[a]).filter(|&p| p < size)
        };
        (0..self.kernel[0] * self.kernel[1]).filter_map(move |tap| {
            let h = axis(oh, tap / self.kernel[1], 0, self.h)?;
            let w = axis(ow, tap % self.kernel[1], 1, self.w)?;
            Some((tap, (n * self.h + h) * self.w + w))
        })
    }

    /// (tap, output pixel) of the windows that cover an input pixel.
    fn covering(&self, pixel: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let (w, h, n) = (pixel % self.w, pixel / self.w % self.h, pixel / (self.w * self.h));
        let axis = move |p: usize, k: usize, a: usize, size: usize| {
            let at = (p + self.before[a]).checked_sub(k * self.dilation[a])?;
            (at % self.stride[a] == 0 && at / self.stride[a] < size).then_some(at / self.stride[a])
        };
        (0..self.kernel[0] * self.kernel[1]).filter_map(move |tap| {
            let oh = axis(h, tap / self.kernel[1], 0, self.oh)?;
            let ow = axis(w, tap % self.kernel[1], 1, self.ow)?;
            Some((tap, (n * self.oh + oh) * self.ow + ow))
        })
    }

    /// What a window's sum is divided by.
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

/// See `shaders/max_pool.wgsl`.
pub fn max_pool<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (x, y, index) = (a.input(0), a.output(1), a.output(2));
    y.par_chunks_mut(g.c).zip(index.par_chunks_mut(g.c)).enumerate().for_each(|(pixel, (y, index))| {
        y.fill(T::zero());
        index.fill(-T::one());
        for (tap, from) in g.window(pixel) {
            let tap = T::of(tap as f64);
            for ((y, index), &v) in y.iter_mut().zip(index.iter_mut()).zip(&x[from * g.c..]) {
                if *index < T::zero() || v > *y || v.is_nan() {
                    (*y, *index) = (v, tap);
                }
            }
        }
    });
}

/// See `shaders/max_pool_grad.wgsl`.
pub fn max_pool_grad<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (dy, index) = (a.input(0), a.input(1));
    a.output(2).par_chunks_mut(g.c).enumerate().for_each(|(pixel, dx)| {
        dx.fill(T::zero());
        for (tap, from) in g.covering(pixel) {
            let (tap, at) = (T::of(tap as f64), from * g.c);
            for ((dx, &d), &won) in dx.iter_mut().zip(&dy[at..]).zip(&index[at..]) {
                if won == tap {
                    *dx += d;
                }
            }
        }
    });
}

/// See `shaders/avg_pool.wgsl`.
pub fn avg_pool<T: Real>(mut a: Args<'_, T>) {
    let (g, include_pad) = (Geometry::new(&a), a.flag("COUNT_INCLUDE_PAD"));
    let x = a.input(0);
    a.output(1).par_chunks_mut(g.c).enumerate().for_each(|(pixel, y)| {
        y.fill(T::zero());
        for (_, from) in g.window(pixel) {
            for (y, &v) in y.iter_mut().zip(&x[from * g.c..]) {
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
    let (g, include_pad) = (Geometry::new(&a), a.flag("COUNT_INCLUDE_PAD"));
    let dy = a.input(0);
    a.output(1).par_chunks_mut(g.c).enumerate().for_each(|(pixel, dx)| {
        dx.fill(T::zero());
        for (_, from) in g.covering(pixel) {
            let divisor = T::of(g.divisor(from, include_pad) as f64);
            for (dx, &d) in dx.iter_mut().zip(&dy[from * g.c..]) {
                *dx += d / divisor;
            }
        }
    });
}
