//! Twins of the softmax.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// See `shaders/softmax.wgsl`.
pub fn softmax<T: Real>(mut a: Args<'_, T>) {
    let (c, stride, log, x) = (a.u("C"), a.u("C4") * 4, a.flag("LOG"), a.input(0));
    a.output(1).par_chunks_exact_mut(stride).zip(x.par_chunks_exact(stride)).for_each(|(y, x)| {
        let (x, padding) = (&x[..c], &mut y[c..]);
        padding.fill(T::zero());
        let top = x.iter().copied().fold(T::neg_infinity(), T::max);
        let total: T = x.iter().map(|&v| (v - top).exp()).sum();
        for (y, &v) in y.iter_mut().zip(x) {
            *y = if log { v - top - total.ln() } else { (v - top).exp() / total };
        }
    });
}

/// See `shaders/softmax_grad.wgsl`.
pub fn softmax_grad<T: Real>(mut a: Args<'_, T>) {
    let (c, stride, log) = (a.u("C"), a.u("C4") * 4, a.flag("LOG"));
    let (dy, y) = (a.input(0), a.input(1));
    let rows = a.output(2).par_chunks_exact_mut(stride).zip(dy.par_chunks_exact(stride));
    rows.zip(y.par_chunks_exact(stride)).for_each(|((dx, dy), y)| {
        dx[c..].fill(T::zero());
        let pairs = || dy[..c].iter().copied().zip(y.iter().copied());
        let sum: T = pairs().map(|(dy, y)| if log { dy } else { dy * y }).sum();
        for (dx, (dy, y)) in dx.iter_mut().zip(pairs()) {
            *dx = if log { dy - y.exp() * sum } else { y * (dy - sum) };
        }
    });
}
