//! Twins of the normalization kernels; `norm_grad` has those of the gradient.

use std::ops::Range;

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::kernel::NormGeometry;

impl NormGeometry {
    /// Statistics of a sample's groups, repeated to one value per channel.
    pub fn spread<T: Real>(&self, stats: &[T], row: usize) -> Vec<T> {
        (0..self.stride()).map(|c| stats[self.statistic(row, c)]).collect()
    }

    /// Rows per task in the passes over all elements. A task stays within one sample.
    pub fn block(&self) -> usize {
        // An empty batch has samples of no rows.
        let sample = self.sample_rows.max(1);
        let rows = (16 * 1024 / self.stride()).clamp(1, sample);
        if self.samples == 1 || sample.is_multiple_of(rows) { rows } else { sample }
    }
}

/// Channels per task where a task reads all rows: one cache line.
pub(super) const CHANNELS: usize = 16;

/// γ / std of each channel.
pub(super) fn scales<T: Real>(invstd: &[T], gamma: &[T]) -> Vec<T> {
    invstd.iter().zip(gamma).map(|(&r, &w)| r * w).collect()
}

/// Stores the partial results of a segment: vectors of the two quantities in turn.
pub(super) fn interleave<T: Real>(out: &mut [T], first: &[T], second: &[T]) {
    for (c4, pair) in out.chunks_exact_mut(8).enumerate() {
        pair[..4].copy_from_slice(&first[c4 * 4..][..4]);
        pair[4..].copy_from_slice(&second[c4 * 4..][..4]);
    }
}

/// Means and squared deviations over some rows of `c` channels, for as many channels from `first` on as the results
/// hold.
fn moments<T: Real>(c: usize, x: &[T], rows: Range<usize>, first: usize, [mean, m2]: [&mut [T]; 2]) {
    let channels = mean.len();
    if rows.is_empty() {
        // The shaders divide by 0.
        mean.fill(T::nan());
        m2.fill(T::nan());
        return;
    }
    let n = T::of(rows.len() as f64);
    let shift = &x[rows.start * c + first..][..channels];
    mean.fill(T::zero());
    m2.fill(T::zero());
    for row in rows {
        for (((s, q), &v), &k) in mean.iter_mut().zip(&mut *m2).zip(&x[row * c + first..][..channels]).zip(shift) {
            let d = v - k;
            *s += d;
            *q += d * d;
        }
    }
    for ((mean, m2), &k) in mean.iter_mut().zip(m2).zip(shift) {
        *m2 = (*m2 - *mean * *mean / n).max(T::zero());
        *mean = k + *mean / n;
    }
}

/// See `shaders/batch_norm.wgsl`.
pub fn batch_norm<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<NormGeometry>();
    let [x, gamma, beta, res] = [0, 1, 2, 3].map(|i| a.input(i));
    let [running_mean, running_var, mean, invstd, y] = [4, 5, 6, 7, 8].map(|i| a.output(i));
    let finalize = Finalize::new(&a);
    let channels = mean.par_chunks_mut(CHANNELS).zip(invstd.par_chunks_mut(CHANNELS));
    channels.enumerate().for_each(|(task, (mean, m2))| moments(g.stride(), x, 0..g.rows, task * CHANNELS, [mean, m2]));
    let n = T::of(g.rows as f64);
    finalize.run(n, &mean[..g.groups], &mut invstd[..g.groups], Some([running_mean, running_var]));
    invstd[g.groups..].fill(T::zero());
    apply(g, ["RELU", "RESIDUAL"].map(|flag| a.flag(flag)), [x, mean, invstd, gamma, beta, res], y);
}

/// See `shaders/norm_stats.wgsl`.
pub fn norm_stats<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<NormGeometry>();
    let x = a.input(0);
    let task = |(segment, out): (usize, &mut [T])| segment_moments(g.stride(), x, g.segment(segment), out);
    // An empty batch has no segments, but its memory has room for one.
    a.output(1).par_chunks_mut(2 * g.stride()).take(g.samples * g.segments).enumerate().for_each(task);
}

/// The moments of a convolution's result `y`, in `out`.
pub(super) fn statistics<T: Real>(g: &NormGeometry, y: &[T], out: &mut [T]) {
    let task = |(i, out): (usize, &mut [T])| segment_moments(g.stride(), y, g.segment(i), out);
    out.par_chunks_mut(2 * g.stride()).enumerate().for_each(task);
}

/// Moments of all `c` channels over some rows.
fn segment_moments<T: Real>(c: usize, x: &[T], rows: Range<usize>, out: &mut [T]) {
    let (mut mean, mut m2) = (vec![T::zero(); c], vec![T::zero(); c]);
    moments(c, x, rows, 0, [&mut mean, &mut m2]);
    interleave(out, &mean, &m2);
}

/// How a batch's moments become statistics.
struct Finalize<T> {
    eps: T,
    momentum: T,
    unbiased: bool,
}

impl<T: Real> Finalize<T> {
    fn new(a: &Args<'_, T>) -> Self {
        let [eps, momentum] = ["EPS", "MOMENTUM"].map(|name| T::of(a.consts.float(name)));
        Finalize { eps, momentum, unbiased: a.flag("UNBIASED") }
    }

    /// Turns squared deviations over `n` numbers into 1 / std, and updates the running statistics.
    fn run(&self, n: T, mean: &[T], m2: &mut [T], mut running: Option<[&mut [T]; 2]>) {
        for (i, (&mean, m2)) in mean.iter().zip(m2).enumerate() {
            let variance = *m2 / n;
            if let Some([running_mean, running_var]) = &mut running {
                let v = if self.unbiased { *m2 / (n - T::one()).max(T::one()) } else { variance };
                running_mean[i] += self.momentum * (mean - running_mean[i]);
                running_var[i] += self.momentum * (v - running_var[i]);
            }
            *m2 = T::one() / (variance + self.eps).sqrt();
        }
    }
}

/// See `shaders/norm_finalize.wgsl`.
pub fn norm_finalize<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<NormGeometry>();
    let (finalize, update, partials) = (Finalize::new(&a), a.flag("UPDATE"), a.input(0));
    let [running_mean, running_var, mean, invstd] = [1, 2, 3, 4].map(|i| a.output(i));
    mean.fill(T::zero());
    invstd.fill(T::zero());
    let samples = mean.chunks_mut(g.groups_padded()).zip(invstd.chunks_mut(g.groups_padded()));
    for (sample, (mean, m2)) in samples.enumerate() {
        let m2 = &mut m2[..g.groups];
        let n = merge(g, partials, sample, mean, m2);
        finalize.run(n, mean, m2, update.then_some([&mut *running_mean, &mut *running_var]));
    }
}

/// See `shaders/norm_fixed.wgsl`.
pub fn norm_fixed<T: Real>(mut a: Args<'_, T>) {
    let (c, eps) = (a.u("C"), T::of(a.consts.float("EPS")));
    let (running_mean, running_var, mean, invstd) = (a.input(0), a.input(1), a.output(2), a.output(3));
    mean.fill(T::zero());
    invstd.fill(T::zero());
    for i in 0..c {
        (mean[i], invstd[i]) = (running_mean[i], T::one() / (running_var[i] + eps).sqrt());
    }
}

/// Merges a sample's segments in order (Chan et al. 1983) to means and squared deviations of its groups, and returns
/// the count of numbers. All groups have the same count in each segment, so they share the factors.
fn merge<T: Real>(g: &NormGeometry, partials: &[T], sample: usize, mean: &mut [T], m2: &mut [T]) -> T {
    let mut n = T::zero();
    for s in 0..g.segments {
        let partials = &partials[(sample * g.segments + s) * 2 * g.stride()..][..2 * g.stride()];
        let rows = T::of(g.segment_rows.min(g.sample_rows - s * g.segment_rows) as f64);
        for member in 0..g.group_size {
            let total = n + rows;
            let (part, between) = (rows / total, n * rows / total);
            for (group, (mean, m2)) in mean.iter_mut().zip(m2.iter_mut()).enumerate() {
                let c = group * g.group_size + member;
                let at = c / 4 * 8 + c % 4;
                let delta = partials[at] - *mean;
                *m2 = *m2 + partials[at + 4] + delta * delta * between;
                *mean += delta * part;
            }
            n = total;
        }
    }
    n
}

/// See `shaders/norm_apply.wgsl`.
pub fn norm_apply<T: Real>(mut a: Args<'_, T>) {
    let inputs = [0, 1, 2, 3, 4, 5].map(|i| a.input(i));
    apply(a.geometry(), ["RELU", "RESIDUAL"].map(|flag| a.flag(flag)), inputs, a.output(6));
}

/// y from x, mean, 1 / std, γ, β and the residual.
fn apply<T: Real>(
    g: &NormGeometry,
    [relu, residual]: [bool; 2],
    [x, mean, invstd, gamma, beta, res]: [&[T]; 6],
    y: &mut [T],
) {
    let block = g.block();
    y.par_chunks_mut(block * g.stride()).enumerate().for_each(|(index, out)| {
        let first = index * block;
        let (m, r) = (g.spread(mean, first), g.spread(invstd, first));
        let scale = scales(&r, gamma);
        for (i, out) in out.chunks_exact_mut(g.stride()).enumerate() {
            let at = (first + i) * g.stride();
            for ((((o, &v), &m), &s), &b) in out.iter_mut().zip(&x[at..]).zip(&m).zip(&scale).zip(beta) {
                *o = (v - m) * s + b;
            }
            if residual {
                for (o, &v) in out.iter_mut().zip(&res[at..]) {
                    *o += v;
                }
            }
            if relu {
                for o in out.iter_mut() {
                    *o = if *o < T::zero() { T::zero() } else { *o };
                }
            }
        }
    });
}
