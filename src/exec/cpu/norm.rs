//! Twins of the normalization kernels.

use rayon::prelude::*;

use super::{Args, Real};

/// How rows and channels map to statistics.
struct Geometry {
    rows: usize,
    c: usize,
    sample_rows: usize,
    segments: usize,
    segment_rows: usize,
    groups: usize,
    groups_padded: usize,
    group_size: usize,
    samples: usize,
}

impl Geometry {
    fn new<T>(a: &Args<'_, T>) -> Self {
        Geometry {
            rows: a.u("ROWS"),
            c: a.u("C4") * 4,
            sample_rows: a.u("SAMPLE_ROWS"),
            segments: a.u("SEGMENTS"),
            segment_rows: a.u("SEGMENT_ROWS"),
            groups: a.u("GROUPS"),
            groups_padded: a.u("GROUPS_PADDED"),
            group_size: a.u("GROUP_SIZE"),
            samples: a.u("SAMPLES"),
        }
    }

    /// Rows of a segment.
    fn range(&self, segment: usize) -> std::ops::Range<usize> {
        let sample = segment / self.segments;
        let first = sample * self.sample_rows + segment % self.segments * self.segment_rows;
        first..(first + self.segment_rows).min((sample + 1) * self.sample_rows)
    }

    /// Statistic of channel `c` in row `row`.
    fn stat(&self, row: usize, c: usize) -> usize {
        row / self.sample_rows * self.groups_padded + (c / self.group_size).min(self.groups_padded - 1)
    }

    /// Statistics of all channels of a sample, spread out to one value per channel.
    fn spread<T: Real>(&self, stats: &[T], row: usize) -> Vec<T> {
        (0..self.c).map(|c| stats[self.stat(row, c)]).collect()
    }

    /// Rows of a task of the passes over all elements; never across samples.
    fn block(&self) -> usize {
        let rows = (16 * 1024 / self.c).clamp(1, self.sample_rows);
        if self.samples == 1 || self.sample_rows.is_multiple_of(rows) { rows } else { self.sample_rows }
    }
}

/// γ / std of each channel.
fn scales<T: Real>(invstd: &[T], gamma: &[T]) -> Vec<T> {
    invstd.iter().zip(gamma).map(|(&r, &w)| r * w).collect()
}

/// The partials of a segment are stored a vector of each quantity in turn.
fn interleave<T: Real>(out: &mut [T], first: &[T], second: &[T]) {
    for (c4, pair) in out.chunks_exact_mut(8).enumerate() {
        pair[..4].copy_from_slice(&first[c4 * 4..][..4]);
        pair[4..].copy_from_slice(&second[c4 * 4..][..4]);
    }
}

/// See `shaders/norm_stats.wgsl`.
pub fn norm_stats<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let x = a.input(0);
    a.output(1).par_chunks_mut(2 * g.c).enumerate().for_each(|(segment, out)| {
        let rows = g.range(segment);
        let n = T::of(rows.len() as f64);
        let shift = &x[rows.start * g.c..][..g.c];
        let (mut sum, mut squares) = (vec![T::zero(); g.c], vec![T::zero(); g.c]);
        for row in rows.clone() {
            for (((s, q), &v), &k) in sum.iter_mut().zip(&mut squares).zip(&x[row * g.c..][..g.c]).zip(shift) {
                let d = v - k;
                *s += d;
                *q += d * d;
            }
        }
        for c in 0..g.c {
            squares[c] = (squares[c] - sum[c] * sum[c] / n).max(T::zero());
            sum[c] = shift[c] + sum[c] / n;
        }
        interleave(out, &sum, &squares);
    });
}

/// See `shaders/norm_finalize.wgsl`.
pub fn norm_finalize<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (eps, momentum) = (T::of(a.consts.float("EPS")), T::of(a.consts.float("MOMENTUM")));
    let (update, unbiased) = (a.flag("UPDATE"), a.flag("UNBIASED"));
    let partials = a.input(0);
    let (running_mean, running_var, mean, invstd) = (a.output(1), a.output(2), a.output(3), a.output(4));
    mean.fill(T::zero());
    invstd.fill(T::zero());
    let samples = mean.chunks_mut(g.groups_padded).zip(invstd.chunks_mut(g.groups_padded));
    for (sample, (mean, invstd)) in samples.enumerate() {
        let mut m2 = vec![T::zero(); g.groups];
        let n = merge(&g, partials, sample, mean, &mut m2);
        for (group, &m2) in m2.iter().enumerate() {
            invstd[group] = T::one() / (m2 / n + eps).sqrt();
            if update {
                let v = if unbiased { m2 / (n - T::one()).max(T::one()) } else { m2 / n };
                running_mean[group] += momentum * (mean[group] - running_mean[group]);
                running_var[group] += momentum * (v - running_var[group]);
            }
        }
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

/// Means and squared deviations of a sample's groups, from 0 on, its segments merged in order (Chan et al. 1983), and how
/// many numbers they are of. All groups have as many in each segment, so factors are the same for all.
fn merge<T: Real>(g: &Geometry, partials: &[T], sample: usize, mean: &mut [T], m2: &mut [T]) -> T {
    let mut n = T::zero();
    for s in 0..g.segments {
        let partials = &partials[(sample * g.segments + s) * 2 * g.c..][..2 * g.c];
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
    let g = Geometry::new(&a);
    let (relu, residual) = (a.flag("RELU"), a.flag("RESIDUAL"));
    let (x, mean, invstd, gamma, beta, res) = (a.input(0), a.input(1), a.input(2), a.input(3), a.input(4), a.input(5));
    let block = g.block();
    a.output(6).par_chunks_mut(block * g.c).enumerate().for_each(|(index, out)| {
        let first = index * block;
        let (m, r) = (g.spread(mean, first), g.spread(invstd, first));
        let scale = scales(&r, gamma);
        for (i, out) in out.chunks_exact_mut(g.c).enumerate() {
            let at = (first + i) * g.c;
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

/// dy where a ReLU gave y.
fn keep<T: Real>(y: T, dy: T) -> T {
    if y <= T::zero() { T::zero() } else { dy }
}

/// Where the ReLU behind a norm was off.
enum Mask<'a, T> {
    /// There is none.
    Nowhere,
    /// Where y was not above 0, as it was stored.
    Stored(&'a [T]),
    /// Where it would not be, computed anew from scale, mean and β.
    Anew([&'a [T]; 3]),
}

impl<'a, T: Real> Mask<'a, T> {
    /// From a kernel's flags and its binding, which is y or β, and a task's scales and means.
    fn new([relu, residual]: [bool; 2], bound: &'a [T], [scale, mean]: [&'a [T]; 2]) -> Self {
        match (relu, residual) {
            (false, _) => Mask::Nowhere,
            (true, true) => Mask::Stored(bound),
            (true, false) => Mask::Anew([scale, mean, bound]),
        }
    }

    /// Adds Σ dy and Σ dy · (x − mean) of the channels from `c` on, over the rows that have them at these places. Gives the
    /// number of channels.
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
        let (mut sum, mut sum_x) = (of(sums[0]), of(sums[1]));
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
        sums[0][c..][..N].copy_from_slice(&sum);
        sums[1][c..][..N].copy_from_slice(&sum_x);
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

/// Adds up dy as `left` leaves it, and its products with x − mean; both in registers.
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

/// See `shaders/norm_grad_reduce.wgsl`.
pub fn norm_grad_reduce<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (dy, x, mean, invstd, gamma) = (a.input(0), a.input(1), a.input(3), a.input(4), a.input(5));
    let (flags, bound) = (["RELU", "RESIDUAL"].map(|flag| a.flag(flag)), a.input(2));
    a.output(6).par_chunks_mut(2 * g.c).enumerate().for_each(|(segment, out)| {
        let rows = g.range(segment);
        let (m, r) = (g.spread(mean, rows.start), g.spread(invstd, rows.start));
        let scale = scales(&r, gamma);
        let mask = Mask::new(flags, bound, [&scale, &m]);
        let (mut sum, mut sum_x) = (vec![T::zero(); g.c], vec![T::zero(); g.c]);
        // Rows that stay in the nearest cache, as many channels at a time as there are registers for.
        let near = (2048 / g.c).max(1);
        for first in rows.clone().step_by(near) {
            let mut c = 0;
            while c < g.c {
                let at = (first..rows.end.min(first + near)).map(|row| row * g.c + c);
                c += if g.c - c >= 8 {
                    mask.add_sums::<8>(at, c, [dy, x], &m, [&mut sum, &mut sum_x])
                } else {
                    mask.add_sums::<4>(at, c, [dy, x], &m, [&mut sum, &mut sum_x])
                };
            }
        }
        for c in 0..g.c {
            sum_x[c] = sum_x[c] * r[c];
        }
        interleave(out, &sum, &sum_x);
    });
}

/// See `shaders/norm_grad_finalize.wgsl`.
pub fn norm_grad_finalize<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (partials, dgamma, dbeta) = (a.input(0), a.output(1), a.output(2));
    dgamma.fill(T::zero());
    dbeta.fill(T::zero());
    for segment in partials.chunks_exact(2 * g.c) {
        for c in 0..g.c {
            dbeta[c] += segment[c / 4 * 8 + c % 4];
            dgamma[c] += segment[c / 4 * 8 + c % 4 + 4];
        }
    }
}

/// See `shaders/norm_group_sums.wgsl`.
pub fn norm_group_sums<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (partials, gamma, sum_g, sum_gx) = (a.input(0), a.input(1), a.output(2), a.output(3));
    for i in 0..sum_g.len() {
        let (sample, group) = (i / g.groups_padded, i % g.groups_padded);
        (sum_g[i], sum_gx[i]) = (T::zero(), T::zero());
        if group < g.groups {
            for s in 0..g.segments {
                let channels = group * g.group_size..(group + 1) * g.group_size;
                for (c, &scale) in channels.clone().zip(&gamma[channels]) {
                    let at = (sample * g.segments + s) * 2 * g.c + c / 4 * 8 + c % 4;
                    sum_g[i] += scale * partials[at];
                    sum_gx[i] += scale * partials[at + 4];
                }
            }
        }
    }
}

/// See `shaders/norm_grad_apply.wgsl`.
pub fn norm_grad_apply<T: Real>(mut a: Args<'_, T>) {
    let g = Geometry::new(&a);
    let (residual, per_channel, fixed) = (a.flag("RESIDUAL"), a.flag("PER_CHANNEL"), a.flag("FIXED"));
    let (dy, x, mean, invstd) = (a.input(0), a.input(1), a.input(3), a.input(4));
    let (gamma, sum_g, sum_gx) = (a.input(5), a.input(6), a.input(7));
    let (flags, bound) = (["RELU", "RESIDUAL"].map(|flag| a.flag(flag)), a.input(2));
    let (dx, dres) = (a.output(8), a.output(9));
    let n = T::of((g.sample_rows * g.group_size) as f64);
    let block = g.block();
    let body = |index: usize, dx: &mut [T], mut dres: Option<&mut [T]>| {
        let first = index * block;
        let (m, r) = (g.spread(mean, first), g.spread(invstd, first));
        // dx = scale · g + offset + slope · (x − m), with the sums folded into three numbers per channel.
        let (mut offset, mut slope) = (vec![T::zero(); g.c], vec![T::zero(); g.c]);
        if !fixed {
            let (sums, sums_x) = (g.spread(sum_g, first), g.spread(sum_gx, first));
            for c in 0..g.c {
                let own = if per_channel { gamma[c] } else { T::one() };
                offset[c] = -(r[c] * own * sums[c] / n);
                slope[c] = -(r[c] * r[c] * own * sums_x[c] / n);
            }
        }
        let scale = scales(&r, gamma);
        let mask = Mask::new(flags, bound, [&scale, &m]);
        for (i, out) in dx.chunks_exact_mut(g.c).enumerate() {
            let at = (first + i) * g.c;
            let x = &x[at..][..g.c];
            mask.apply(at, [&dy[at..][..g.c], x], out);
            if let Some(dres) = &mut dres {
                dres[i * g.c..][..g.c].copy_from_slice(out);
            }
            let affine = scale.iter().zip(&offset).zip(&slope).zip(&m);
            for ((out, &x), (((&scale, &offset), &slope), &m)) in out.iter_mut().zip(x).zip(affine) {
                *out = scale * *out + offset + slope * (x - m);
            }
        }
    };
    let size = block * g.c;
    debug_assert_eq!(dx.len(), g.rows * g.c);
    if residual {
        let both = dx.par_chunks_mut(size).zip(dres.par_chunks_mut(size)).enumerate();
        both.for_each(|(index, (dx, dres))| body(index, dx, Some(dres)));
    } else {
        dx.par_chunks_mut(size).enumerate().for_each(|(index, dx)| body(index, dx, None));
    }
}
