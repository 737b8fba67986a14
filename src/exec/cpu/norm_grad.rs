//! Twins of the kernels of a norm's gradient.

use std::ops::Range;

use rayon::prelude::*;

use super::norm::{CHANNELS, interleave, scales};
use crate::exec::twin::{Args, Real};
use crate::kernel::{ConvStatistics, NormGeometry, NormMask};

/// dy where a ReLU gave y.
fn keep<T: Real>(y: T, dy: T) -> T {
    if y <= T::zero() { T::zero() } else { dy }
}

/// Where the ReLU after a norm was off.
enum Mask<'a, T> {
    /// No ReLU.
    Nowhere,
    /// Off where the stored y is not above 0.
    Stored(&'a [T]),
    /// Off where y, recomputed from scale, mean and β, is not above 0.
    Anew([&'a [T]; 3]),
}

impl<'a, T: Real> Mask<'a, T> {
    /// The mask by a kernel's flags. `bound` is its binding with y or β; scales and means are those of a task.
    fn new([relu, residual]: [bool; 2], bound: &'a [T], [scale, mean]: [&'a [T]; 2]) -> Self {
        match (relu, residual) {
            (false, _) => Mask::Nowhere,
            (true, true) => Mask::Stored(bound),
            (true, false) => Mask::Anew([scale, mean, bound]),
        }
    }

    /// Adds Σ dy and Σ dy · (x − mean) over the rows at these places to the first sums, for the channels from `c` on.
    /// Returns the number of channels.
    fn add_sums<const N: usize>(
        &self,
        at: impl Iterator<Item = usize>,
        c: usize,
        [dy, x]: [&[T]; 2],
        mean: &[T],
        sums: [&mut [T]; 2],
    ) -> usize {
        let of = |values: &[T]| -> [T; N] { std::array::from_fn(|i| values[c + i]) };
        let m = of(mean);
        let [mut sum, mut sum_x] = [&sums[0], &sums[1]].map(|sums| std::array::from_fn(|i| sums[i]));
        match *self {
            Mask::Nowhere => masked_sums(at, [dy, x], &m, [&mut sum, &mut sum_x], |_, _, d| d),
            Mask::Stored(y) => {
                let left = |at: usize, _: &[T; N], d: [T; N]| {
                    let y = &y[at..][..N];
                    std::array::from_fn(|i| keep(y[i], d[i]))
                };
                masked_sums(at, [dy, x], &m, [&mut sum, &mut sum_x], left);
            }
            Mask::Anew([scale, _, beta]) => {
                let (s, b) = (of(scale), of(beta));
                let left = |_, x: &[T; N], d: [T; N]| std::array::from_fn(|i| keep((x[i] - m[i]) * s[i] + b[i], d[i]));
                masked_sums(at, [dy, x], &m, [&mut sum, &mut sum_x], left);
            }
        }
        sums[0][..N].copy_from_slice(&sum);
        sums[1][..N].copy_from_slice(&sum_x);
        N
    }

    /// dy of the row that begins at `at`, given its x.
    fn apply(&self, at: usize, [dy, x]: [&[T]; 2], out: &mut [T]) {
        match *self {
            Mask::Nowhere => out.copy_from_slice(dy),
            Mask::Stored(y) => {
                for ((o, &d), &y) in out.iter_mut().zip(dy).zip(&y[at..]) {
                    *o = keep(y, d);
                }
            }
            // As norm_apply computes it, to the bit.
            Mask::Anew([scale, mean, beta]) => {
                for (((((o, &d), &x), &s), &m), &b) in out.iter_mut().zip(dy).zip(x).zip(scale).zip(mean).zip(beta) {
                    *o = keep((x - m) * s + b, d);
                }
            }
        }
    }
}

/// Sums dy masked by `left`, and its products with x − mean. Both sums stay in registers.
fn masked_sums<T: Real, const N: usize>(
    at: impl Iterator<Item = usize>,
    [dy, x]: [&[T]; 2],
    mean: &[T; N],
    [sum, sum_x]: [&mut [T; N]; 2],
    left: impl Fn(usize, &[T; N], [T; N]) -> [T; N],
) {
    let of = |values: &[T], at: usize| -> [T; N] {
        let values = &values[at..][..N];
        std::array::from_fn(|i| values[i])
    };
    for at in at {
        let x = of(x, at);
        let d = left(at, &x, of(dy, at));
        for i in 0..N {
            sum[i] += d[i];
            sum_x[i] += d[i] * (x[i] - mean[i]);
        }
    }
}

/// The inputs of all kernels of the gradient: dy, x, y or β, mean, 1 / std and γ.
struct Inputs<'a, T> {
    g: &'a NormGeometry,
    /// RELU, RESIDUAL.
    flags: [bool; 2],
    values: [&'a [T]; 6],
}

impl<'a, T: Real> Inputs<'a, T> {
    fn new(a: &Args<'a, T>) -> Self {
        let flags = ["RELU", "RESIDUAL"].map(|flag| a.flag(flag));
        Inputs { g: a.geometry(), flags, values: [0, 1, 2, 3, 4, 5].map(|i| a.input(i)) }
    }

    /// Adds Σ g and Σ g x̂ over some rows of a sample, for as many channels from `first` on as the sums hold.
    fn add_sums(&self, rows: Range<usize>, first: usize, [sum, sum_x]: [&mut [T]; 2]) {
        let Inputs { g, flags, values: [dy, x, bound, mean, invstd, gamma] } = self;
        let (m, r) = (g.spread(mean, rows.start), g.spread(invstd, rows.start));
        let scale = scales(&r, gamma);
        let mask = Mask::new(*flags, bound, [&scale, &m]);
        let channels = first..first + sum.len();
        // Blocks of rows stay in the L1 cache, and the sums of a group of channels in registers.
        let near = (2048 / sum.len()).max(1);
        for start in rows.clone().step_by(near) {
            let mut c = channels.start;
            while c < channels.end {
                let at = (start..rows.end.min(start + near)).map(|row| row * g.stride() + c);
                let sums = [&mut sum[c - first..], &mut sum_x[c - first..]];
                c += if channels.end - c >= 8 {
                    mask.add_sums::<8>(at, c, [dy, x], &m, sums)
                } else {
                    mask.add_sums::<4>(at, c, [dy, x], &m, sums)
                };
            }
        }
        for (sum_x, &r) in sum_x.iter_mut().zip(&r[first..]) {
            *sum_x = *sum_x * r;
        }
    }

    /// The sums of all segments.
    fn reduce(&self, sums: &mut [T]) {
        let c = self.g.stride();
        // An empty batch has no segments, but its memory has room for one.
        let segments = sums.par_chunks_mut(2 * c).take(self.g.samples * self.g.segments);
        segments.enumerate().for_each(|(segment, out)| {
            let (mut sum, mut sum_x) = (vec![T::zero(); c], vec![T::zero(); c]);
            self.add_sums(self.g.segment(segment), 0, [&mut sum, &mut sum_x]);
            interleave(out, &sum, &sum_x);
        });
    }

    /// dx, and the residual's gradient.
    fn apply(&self, sums: Option<Sums<'_, T>>, dx: &mut [T], dres: &mut [T]) {
        let Inputs { g, flags, values: [dy, x, bound, mean, invstd, gamma] } = self;
        let n = T::of((g.sample_rows * g.group_size) as f64);
        let block = g.block();
        let body = |index: usize, dx: &mut [T], mut dres: Option<&mut [T]>| {
            let first = index * block;
            let (m, r) = (g.spread(mean, first), g.spread(invstd, first));
            // dx = scale · g + offset + slope · (x − m), with the sums folded into three numbers per channel.
            let (mut offset, mut slope) = (vec![T::zero(); g.stride()], vec![T::zero(); g.stride()]);
            if let Some(Sums { values, per_channel }) = sums {
                let [sums, sums_x] = values.map(|sums| g.spread(sums, first));
                for c in 0..g.stride() {
                    let own = if per_channel { gamma[c] } else { T::one() };
                    offset[c] = -(r[c] * own * sums[c] / n);
                    slope[c] = -(r[c] * r[c] * own * sums_x[c] / n);
                }
            }
            let scale = scales(&r, gamma);
            let mask = Mask::new(*flags, bound, [&scale, &m]);
            for (i, out) in dx.chunks_exact_mut(g.stride()).enumerate() {
                let at = (first + i) * g.stride();
                let x = &x[at..][..g.stride()];
                mask.apply(at, [&dy[at..][..g.stride()], x], out);
                if let Some(dres) = &mut dres {
                    dres[i * g.stride()..][..g.stride()].copy_from_slice(out);
                }
                let affine = scale.iter().zip(&offset).zip(&slope).zip(&m);
                for ((out, &x), (((&scale, &offset), &slope), &m)) in out.iter_mut().zip(x).zip(affine) {
                    *out = scale * *out + offset + slope * (x - m);
                }
            }
        };
        let size = block * g.stride();
        debug_assert_eq!(dx.len(), g.rows * g.stride());
        if flags[1] {
            let both = dx.par_chunks_mut(size).zip(dres.par_chunks_mut(size)).enumerate();
            both.for_each(|(index, (dx, dres))| body(index, dx, Some(dres)));
        } else {
            dx.par_chunks_mut(size).enumerate().for_each(|(index, dx)| body(index, dx, None));
        }
    }
}

/// Σ g and Σ g x̂ of the numbers that share a mean.
#[derive(Clone, Copy)]
struct Sums<'a, T> {
    values: [&'a [T]; 2],
    /// Whether the sums are those of a channel, without γ.
    per_channel: bool,
}

/// See `shaders/batch_norm_grad.wgsl`.
pub fn batch_norm_grad<T: Real>(mut a: Args<'_, T>) {
    let inputs = Inputs::new(&a);
    let [dgamma, dbeta, dx, dres] = [6, 7, 8, 9].map(|i| a.output(i));
    let channels = dgamma.par_chunks_mut(CHANNELS).zip(dbeta.par_chunks_mut(CHANNELS));
    channels.enumerate().for_each(|(task, (dgamma, dbeta))| {
        dgamma.fill(T::zero());
        dbeta.fill(T::zero());
        inputs.add_sums(0..inputs.g.rows, task * CHANNELS, [dbeta, dgamma]);
    });
    let sums = Sums { values: [dbeta, dgamma], per_channel: true };
    inputs.apply((!a.flag("FIXED")).then_some(sums), dx, dres);
}

/// See `shaders/norm_grad_reduce.wgsl`.
pub fn norm_grad_reduce<T: Real>(mut a: Args<'_, T>) {
    let sums = a.output(6);
    Inputs::new(&a).reduce(sums);
}

/// The sums of an input gradient `dy`, for the gradient of the norm before the convolution, in `sums`.
pub(super) fn statistics<T: Real>(a: &Args<'_, T>, of: &ConvStatistics, dy: &[T], sums: &mut [T]) {
    let [x, mean, invstd, gamma, bound] = [5, 6, 7, 8, 9].map(|i| a.input(i));
    let NormMask { relu, residual } = of.mask.expect("the sums of an input gradient belong to a norm");
    Inputs { g: &of.norm, flags: [relu, residual], values: [dy, x, bound, mean, invstd, gamma] }.reduce(sums);
}

/// See `shaders/norm_grad_finalize.wgsl`.
pub fn norm_grad_finalize<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<NormGeometry>();
    let (partials, dgamma, dbeta) = (a.input(0), a.output(1), a.output(2));
    dgamma.fill(T::zero());
    dbeta.fill(T::zero());
    for segment in partials.chunks_exact(2 * g.stride()) {
        for c in 0..g.stride() {
            dbeta[c] += segment[c / 4 * 8 + c % 4];
            dgamma[c] += segment[c / 4 * 8 + c % 4 + 4];
        }
    }
}

/// See `shaders/norm_group_sums.wgsl`.
pub fn norm_group_sums<T: Real>(mut a: Args<'_, T>) {
    let g = a.geometry::<NormGeometry>();
    let (partials, gamma, sum_g, sum_gx) = (a.input(0), a.input(1), a.output(2), a.output(3));
    for i in 0..sum_g.len() {
        let (sample, group) = (i / g.groups_padded(), i % g.groups_padded());
        (sum_g[i], sum_gx[i]) = (T::zero(), T::zero());
        if group < g.groups {
            for s in 0..g.segments {
                let channels = group * g.group_size..(group + 1) * g.group_size;
                for (c, &scale) in channels.clone().zip(&gamma[channels]) {
                    let at = (sample * g.segments + s) * 2 * g.stride() + c / 4 * 8 + c % 4;
                    sum_g[i] += scale * partials[at];
                    sum_gx[i] += scale * partials[at + 4];
                }
            }
        }
    }
}

/// See `shaders/norm_grad_apply.wgsl`.
pub fn norm_grad_apply<T: Real>(mut a: Args<'_, T>) {
    let sums = Sums { values: [a.input(6), a.input(7)], per_channel: a.flag("PER_CHANNEL") };
    let [dx, dres] = [8, 9].map(|i| a.output(i));
    Inputs::new(&a).apply((!a.flag("FIXED")).then_some(sums), dx, dres);
}
