//! Twins of the optimizer kernels.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::hyper::Hyper;

/// Elements of a task.
const CHUNK: usize = 16 * 1024;

/// See `shaders/sgd.wgsl`.
pub fn sgd<T: Real>(mut a: Args<'_, T>) {
    let (decay_end, nesterov) = (a.u("DECAY_END4") * 4, a.flag("NESTEROV"));
    let (momentum, decay) = (T::of(a.consts.float("MOMENTUM")), T::of(a.consts.float("WEIGHT_DECAY")));
    let (p, grad, velocity, lr) = (a.output(0), a.input(1), a.output(2), Hyper::of(a.input(3)).lr);
    let clip = if a.flag("CLIP") { a.input(4)[1] } else { T::one() };
    if !a.input(5)[0].is_finite() {
        return;
    }
    let chunks = p.par_chunks_mut(CHUNK).zip(velocity.par_chunks_mut(CHUNK)).zip(grad.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(block, ((p, velocity), grad))| {
        let decayed = decay_end.saturating_sub(block * CHUNK).min(p.len());
        let mut update = |range: std::ops::Range<usize>, decay: T| {
            let parts = p[range.clone()].iter_mut().zip(&mut velocity[range.clone()]).zip(&grad[range]);
            for ((p, velocity), &g) in parts {
                let g = g * clip + decay * *p;
                *velocity = momentum * *velocity + g;
                *p = *p - lr * if nesterov { g + momentum * *velocity } else { *velocity };
            }
        };
        update(0..decayed, decay);
        update(decayed..grad.len(), T::zero());
    });
}

/// See `shaders/adam.wgsl`.
pub fn adam<T: Real>(mut a: Args<'_, T>) {
    let (decay_end, decoupled) = (a.u("DECAY_END4") * 4, a.flag("DECOUPLED"));
    let [rate1, b2, rate2, eps, decay] =
        ["RATE1", "BETA2", "RATE2", "EPS", "WEIGHT_DECAY"].map(|n| T::of(a.consts.float(n)));
    let (p, grad, m, v, hyper) = (a.output(0), a.input(1), a.output(2), a.output(3), Hyper::of(a.input(4)));
    let (lr, step, root) = (hyper.lr, hyper.lr * hyper.first_correction, hyper.second_correction);
    let clip = if a.flag("CLIP") { a.input(5)[1] } else { T::one() };
    if !a.input(6)[0].is_finite() {
        return;
    }
    let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
    let chunks = p.par_chunks_mut(CHUNK).zip(moments).zip(grad.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(block, ((p, (m, v)), grad))| {
        let decayed = decay_end.saturating_sub(block * CHUNK).min(p.len());
        let mut update = |range: std::ops::Range<usize>, decay: T| {
            let moments = m[range.clone()].iter_mut().zip(&mut v[range.clone()]);
            for ((p, (m, v)), &g) in p[range.clone()].iter_mut().zip(moments).zip(&grad[range]) {
                let (shrink, push) = if decoupled { (T::one() - lr * decay, T::zero()) } else { (T::one(), decay) };
                let g = g * clip + push * *p;
                *m += rate1 * (g - *m);
                *v = b2 * *v + rate2 * g * g;
                *p = *p * shrink - step * *m / (v.sqrt() * root + eps);
            }
        };
        update(0..decayed, decay);
        update(decayed..grad.len(), T::zero());
    });
}

/// See `shaders/sum_squares.wgsl`.
pub fn sum_squares<T: Real>(mut a: Args<'_, T>) {
    let (len, parts, grad) = (a.u("LEN4"), a.u("PARTS"), a.input(0));
    a.output(1).par_chunks_mut(4).enumerate().for_each(|(part, out)| {
        let vectors = (part..len).step_by(parts);
        out.fill(T::zero());
        out[0] = vectors.flat_map(|v| &grad[v * 4..][..4]).map(|&g| g * g).sum();
    });
}

/// See `shaders/clip_scale.wgsl`.
pub fn clip_scale<T: Real>(mut a: Args<'_, T>) {
    let unscale = if a.flag("SCALED") { T::one() / a.input(1)[0] } else { T::one() };
    let (norm, max_norm) = (a.input(0)[0].sqrt() * unscale, T::of(a.consts.float("MAX_NORM")));
    let out = a.output(2);
    out.fill(T::zero());
    let above = norm + T::of(1e-6);
    (out[0], out[1]) = (norm, if above > max_norm { max_norm / above * unscale } else { unscale });
}
