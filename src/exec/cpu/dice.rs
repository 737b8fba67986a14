//! Twins of the Dice loss.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// Operands and sizes that all three kernels share.
struct Dice<T> {
    c: usize,
    stride: usize,
    smooth: T,
    ignore: Option<T>,
}

impl<T: Real> Dice<T> {
    fn new(a: &Args<'_, T>) -> Self {
        Dice {
            c: a.u("C"),
            stride: a.u("C4") * 4,
            smooth: T::of(a.consts.float("SMOOTH")),
            ignore: a.flag("HAS_IGNORE").then(|| T::of(a.consts.float("IGNORE"))),
        }
    }

    /// Probabilities of a row.
    fn softmax(&self, row: &[T], p: &mut Vec<T>) {
        let row = &row[..self.c];
        let top = row.iter().copied().fold(T::neg_infinity(), T::max);
        p.clear();
        p.extend(row.iter().map(|&v| (v - top).exp()));
        let total: T = p.iter().copied().sum();
        p.iter_mut().for_each(|v| *v = *v / total);
    }

    /// D and P + T + ε of a class; `None` for a class without pixels when ε is 0.
    fn of(&self, sums: &[T], class: usize) -> Option<(T, T)> {
        let all = sums[self.stride + class] + sums[2 * self.stride + class] + self.smooth;
        (all > T::zero()).then(|| ((sums[class] + sums[class] + self.smooth) / all, all))
    }
}

/// See `shaders/dice_sums.wgsl`.
pub fn dice_sums<T: Real>(mut a: Args<'_, T>) {
    let (dice, rows, each) = (Dice::new(&a), a.u("ROWS"), a.u("SEGMENT_ROWS"));
    let (logits, labels, stride) = (a.input(0), a.input(1), dice.stride);
    a.output(2).par_chunks_exact_mut(3 * stride).enumerate().for_each_init(Vec::new, |p, (segment, out)| {
        out.fill(T::zero());
        for row in segment * each..rows.min((segment + 1) * each) {
            if dice.ignore == Some(labels[row]) {
                continue;
            }
            dice.softmax(&logits[row * stride..], p);
            for (class, &p) in p.iter().enumerate() {
                out[stride + class] += p;
            }
            if let Some(label) = labels[row].class(dice.c) {
                out[label] += p[label];
                out[2 * stride + label] += T::one();
            }
        }
    });
}

/// See `shaders/dice_finalize.wgsl`.
pub fn dice_finalize<T: Real>(mut a: Args<'_, T>) {
    let (dice, sums) = (Dice::new(&a), a.input(0));
    let total: T = (0..dice.c).map(|class| dice.of(sums, class).map_or(T::one(), |(d, _)| d)).sum();
    let loss = a.output(1);
    loss.fill(T::zero());
    loss[0] = T::one() - total / T::of(dice.c as f64);
}

/// See `shaders/dice_grad.wgsl`.
pub fn dice_grad<T: Real>(mut a: Args<'_, T>) {
    let dice = Dice::new(&a);
    let (upstream, sums, logits, labels) = (a.input(0)[0], a.input(1), a.input(2), a.input(3));
    let (classes, stride) = (T::of(dice.c as f64), dice.stride);
    let terms: Vec<_> = (0..dice.c).map(|class| dice.of(sums, class)).collect();
    a.output(4).par_chunks_exact_mut(stride).enumerate().for_each_init(Vec::new, |p, (row, out)| {
        out.fill(T::zero());
        if dice.ignore == Some(labels[row]) {
            return;
        }
        dice.softmax(&logits[row * stride..], p);
        let slope = |class: usize| {
            let hit = if labels[row] == T::of(class as f64) { T::of(2.0) } else { T::zero() };
            terms[class].map_or(T::zero(), |(d, all)| (d - hit) / (all * classes))
        };
        let mean: T = (0..dice.c).map(|class| p[class] * slope(class)).sum();
        for (class, out) in out[..dice.c].iter_mut().enumerate() {
            *out = upstream * p[class] * (slope(class) - mean);
        }
    });
}
