//! Twins of the binary cross entropy.

use rayon::prelude::*;

use super::focal::Focal;
use crate::exec::twin::{Args, Real};

/// Sizes, options and operands of both kernels.
struct Loss<'a, T> {
    c: usize,
    stride: usize,
    smoothing: T,
    ignore: Option<T>,
    targets: &'a [T],
    weights: Option<&'a [T]>,
    focal: Option<Focal<T>>,
}

impl<'a, T: Real> Loss<'a, T> {
    fn new(a: &Args<'a, T>, [targets, weights]: [usize; 2]) -> Self {
        Loss {
            c: a.u("C"),
            stride: a.u("C4") * 4,
            smoothing: T::of(a.consts.float("LABEL_SMOOTHING")),
            ignore: a.flag("HAS_IGNORE").then(|| T::of(a.consts.float("IGNORE"))),
            targets: a.input(targets),
            weights: a.flag("WEIGHTED").then(|| a.input(weights)),
            focal: Focal::of(a),
        }
    }

    /// The smoothed target and the positive weight of the element at `i` in memory; `None` where it does not count.
    fn at(&self, i: usize) -> Option<(T, T)> {
        let (channel, y) = (i % self.stride, self.targets[i]);
        if channel >= self.c || self.ignore == Some(y) {
            return None;
        }
        let t = (T::one() - self.smoothing) * y + T::of(0.5) * self.smoothing;
        Some((t, self.weights.map_or(T::one(), |w| w[channel])))
    }
}

/// −log σ(−x).
fn softplus<T: Real>(x: T) -> T {
    let tail = (-x.abs()).exp().ln_1p();
    // Not `max`, which drops a NaN.
    if x < T::zero() { tail } else { x + tail }
}

/// See `shaders/binary_cross_entropy.wgsl`.
pub fn binary_cross_entropy<T: Real>(mut a: Args<'_, T>) {
    let (loss, logits) = (Loss::new(&a, [1, 2]), a.input(0));
    let (parts, total) = (a.u("PARTS"), a.u("TOTAL4"));
    let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
    // An empty batch has no parts, but its memory has room for one.
    a.output(3).par_chunks_exact_mut(4).take(parts).enumerate().for_each(|(part, out)| {
        let (mut sum, mut counted, mut right) = (zero, zero, zero);
        for i in (part..total).step_by(parts).flat_map(|vector| vector * 4..vector * 4 + 4) {
            let Some((t, weight)) = loss.at(i) else { continue };
            let x = logits[i];
            let focus = |nll: T| loss.focal.map_or(nll, |focal| focal.focus(nll) * nll);
            let [present, absent] = [-x, x].map(|x| focus(softplus(x)));
            sum += weight * t * present + (one - t) * absent;
            counted += one;
            right += if (x > zero) == (loss.targets[i] > half) { one } else { zero };
        }
        out.copy_from_slice(&[sum, counted, right, counted]);
    });
}

/// See `shaders/binary_cross_entropy_grad.wgsl`.
pub fn binary_cross_entropy_grad<T: Real>(mut a: Args<'_, T>) {
    const CHUNK: usize = 4096;
    let loss = Loss::new(&a, [3, 4]);
    let (upstream, totals, logits) = (a.input(0)[0], a.input(1), a.input(2));
    let u = match a.flag("MEAN") {
        true if totals[3] > T::zero() => upstream / totals[1],
        true => T::zero(),
        false => upstream,
    };
    a.output(5).par_chunks_mut(CHUNK).enumerate().for_each(|(block, out)| {
        for (i, out) in (block * CHUNK..).zip(out) {
            *out = loss.at(i).map_or(T::zero(), |(t, weight)| {
                let e = (-logits[i].abs()).exp();
                let (near, far) = (T::one() / (T::one() + e), e / (T::one() + e));
                let [on, off] = if logits[i] < T::zero() { [far, near] } else { [near, far] };
                let focus = |x: T| loss.focal.map_or(T::one(), |focal| focal.focus_grad(softplus(x)));
                let [on, off] = [on * focus(logits[i]), off * focus(-logits[i])];
                u * ((T::one() - t) * on - weight * t * off)
            });
        }
    });
}
