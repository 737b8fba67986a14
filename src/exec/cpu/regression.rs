//! Twins of the regression losses.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// See `shaders/regression_loss.wgsl`.
pub fn regression_loss<T: Real>(mut a: Args<'_, T>) {
    let (op, delta) = (a.u("OP"), T::of(a.consts.float("DELTA")));
    let (parts, total) = (a.u("PARTS"), a.u("TOTAL4"));
    let elements = T::of((a.u("ROWS") * a.u("C")) as f64);
    let (prediction, target) = (a.input(0), a.input(1));
    let half = T::of(0.5);
    let loss = |d: T| match op {
        0 => d * d,
        1 => d.abs(),
        _ if d.abs() <= delta => half * d * d,
        _ => delta * (d.abs() - half * delta),
    };
    // An empty batch has no parts, but its memory has room for one.
    a.output(2).par_chunks_exact_mut(4).take(parts).enumerate().for_each(|(part, out)| {
        let mut sum = T::zero();
        for at in (part..total).step_by(parts) {
            let vector = at * 4..at * 4 + 4;
            sum += prediction[vector.clone()].iter().zip(&target[vector]).map(|(&p, &t)| loss(p - t)).sum();
        }
        let n = if part == 0 { elements } else { T::zero() };
        out.copy_from_slice(&[sum, n, T::zero(), n]);
    });
}

/// See `shaders/regression_loss_grad.wgsl`.
pub fn regression_loss_grad<T: Real>(mut a: Args<'_, T>) {
    let (op, delta) = (a.u("OP"), T::of(a.consts.float("DELTA")));
    let (upstream, prediction, target) = (a.input(0)[0], a.input(1), a.input(2));
    let scale = upstream / T::of((a.u("ROWS") * a.u("C")) as f64);
    let slope = |d: T| match op {
        0 => d + d,
        1 if d == T::zero() => d,
        1 => d.signum(),
        _ => d.max(-delta).min(delta),
    };
    let out = a.output(3).par_chunks_mut(4096);
    out.zip(prediction.par_chunks(4096)).zip(target.par_chunks(4096)).for_each(|((out, p), t)| {
        for ((out, &p), &t) in out.iter_mut().zip(p).zip(t) {
            *out = scale * slope(p - t);
        }
    });
}
