//! Twins of the reductions.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// See `shaders/sum_partials.wgsl`.
pub fn sum_partials<T: Real>(mut a: Args<'_, T>) {
    let (len, total) = (a.u("LEN4") * 4, a.u("TOTAL4") * 4);
    let partials = a.input(0);
    a.output(1)[..len].par_chunks_mut(4096).enumerate().for_each(|(block, out)| {
        out.fill(T::zero());
        for part in (block * 4096..total).step_by(len) {
            let n = out.len().min(total - part);
            for (sum, &v) in out[..n].iter_mut().zip(&partials[part..]) {
                *sum += v;
            }
        }
    });
}

/// See `shaders/sum.wgsl`.
pub fn sum<T: Real>(mut a: Args<'_, T>) {
    let [outer, middle, inner, parts] = ["OUTER", "MIDDLE", "INNER", "PARTS"].map(|name| a.u(name));
    let (fold, x, out) = (a.flag("FOLD"), a.input(0), a.output(1));
    // An empty batch has no results, but its memory has room for one.
    out.par_chunks_exact_mut(4).take(parts * outer * inner).enumerate().for_each(|(i, out)| {
        out.fill(T::zero());
        for m in (i / (inner * outer)..middle).step_by(parts) {
            let vector = (i / inner % outer * middle + m) * inner + i % inner;
            out.iter_mut().zip(&x[vector * 4..]).for_each(|(sum, &v)| *sum += v);
        }
        if fold {
            let sum = out.iter().copied().sum();
            out.copy_from_slice(&[sum, T::zero(), T::zero(), T::zero()]);
        }
    });
}

/// See `shaders/channel_sums.wgsl`.
pub fn channel_sums<T: Real>(mut a: Args<'_, T>) {
    let (rows, c, each) = (a.u("ROWS"), a.u("C4") * 4, a.u("SEGMENT_ROWS"));
    let x = a.input(0);
    a.output(1).par_chunks_mut(c).enumerate().for_each(|(segment, out)| {
        out.fill(T::zero());
        for row in segment * each..((segment + 1) * each).min(rows) {
            for (sum, &v) in out.iter_mut().zip(&x[row * c..]) {
                *sum += v;
            }
        }
    });
}
