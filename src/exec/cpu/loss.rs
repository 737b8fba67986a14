//! Twins of the loss kernels.

use rayon::prelude::*;

use super::focal::Focal;
use crate::exec::twin::{Args, Real};

/// Options of the loss, and the softmax of a row.
struct Loss<'a, T> {
    c: usize,
    smoothing: T,
    ignore: Option<T>,
    labels: &'a [T],
    weights: Option<&'a [T]>,
    log_probabilities: bool,
    soft_labels: bool,
    focal: Option<Focal<T>>,
}

impl<'a, T: Real> Loss<'a, T> {
    fn new(a: &Args<'a, T>, [labels, weights]: [usize; 2]) -> Self {
        Loss {
            c: a.u("C"),
            labels: a.input(labels),
            smoothing: T::of(a.consts.float("LABEL_SMOOTHING")),
            ignore: a.flag("HAS_IGNORE").then(|| T::of(a.consts.float("IGNORE"))),
            weights: a.flag("WEIGHTED").then(|| a.input(weights)),
            log_probabilities: a.flag("LOG_PROBABILITIES"),
            soft_labels: a.flag("SOFT_LABELS"),
            focal: Focal::of(a),
        }
    }

    fn weight(&self, class: usize) -> T {
        self.weights.map_or(T::one(), |w| w[class])
    }

    /// The soft label of a row: its probabilities.
    fn soft(&self, row: usize) -> Option<&'a [T]> {
        let stride = self.c.next_multiple_of(4);
        self.soft_labels.then(|| &self.labels[row * stride..][..self.c])
    }

    /// The class of a row's label; `None` when the label is not a class.
    fn class(&self, row: usize) -> Option<usize> {
        self.labels[row].class(self.c)
    }

    fn counts(&self, row: usize) -> bool {
        self.soft_labels || self.ignore != Some(self.labels[row])
    }

    /// Largest logit and Σ exp(logit − largest); 0 and 1 for log-probabilities, which need no normalization.
    fn softmax(&self, row: &[T]) -> (T, T) {
        if self.log_probabilities {
            return (T::zero(), T::one());
        }
        let top = largest(&row[..self.c]);
        let mut total = T::zero();
        // In chunks, so that the compiler vectorizes the exponentials.
        for chunk in row[..self.c].chunks(16) {
            let mut powers = [T::zero(); 16];
            powers.iter_mut().zip(chunk).for_each(|(power, &v)| *power = (v - top).exp_fast());
            total += powers[..chunk.len()].iter().copied().sum();
        }
        (top, total)
    }
}

/// The largest number, in vectorized chunks.
fn largest<T: Real>(row: &[T]) -> T {
    let larger = |top: T, v: T| if v > top { v } else { top };
    let mut tops = [T::neg_infinity(); 4];
    let (vectors, rest) = row.as_chunks::<4>();
    for vector in vectors {
        tops = std::array::from_fn(|i| larger(tops[i], vector[i]));
    }
    tops.into_iter().chain(rest.iter().copied()).fold(T::neg_infinity(), larger)
}

/// Whether this is the first of the largest numbers.
fn is_best<T: Real>(row: &[T], k: usize) -> bool {
    let (before, after) = (&row[..k], &row[k + 1..]);
    // No comparison with NaN is true.
    !row[k].is_nan() && !before.iter().any(|&v| v >= row[k]) && !after.iter().any(|&v| v > row[k])
}

/// See `shaders/softmax_cross_entropy.wgsl`.
pub fn softmax_cross_entropy<T: Real>(mut a: Args<'_, T>) {
    let (loss, stride) = (Loss::new(&a, [1, 2]), a.u("C4") * 4);
    let logits = a.input(0);
    let each = T::of(loss.c as f64);
    // An empty batch has no rows, but its memory has room for one.
    a.output(3).par_chunks_mut(4).take(a.u("ROWS")).enumerate().for_each(|(index, out)| {
        out.fill(T::zero());
        let row = &logits[index * stride..][..stride];
        if !loss.counts(index) {
            return;
        }
        let (top, total) = loss.softmax(row);
        let ln = total.ln();
        let nll = |k: usize| ln - (row[k] - top);
        let (hit, weight, truth) = match (loss.soft(index), loss.class(index)) {
            (Some(q), _) => {
                let sum = (0..loss.c).filter(|&k| q[k] != T::zero()).map(|k| q[k] * loss.weight(k) * nll(k)).sum();
                (sum, T::one(), Some((0..loss.c).fold(0, |best, k| if q[k] > q[best] { k } else { best })))
            }
            (None, Some(k)) if loss.weight(k) != T::zero() => {
                let focus = loss.focal.map_or(T::one(), |focal| focal.focus(nll(k)));
                (loss.weight(k) * focus * nll(k), loss.weight(k), Some(k))
            }
            (None, class) => (T::zero(), T::zero(), class),
        };
        out[0] = (T::one() - loss.smoothing) * hit;
        if loss.smoothing > T::zero() {
            let smooth = (0..loss.c).filter(|&k| loss.weight(k) != T::zero()).map(|k| loss.weight(k) * nll(k));
            out[0] += loss.smoothing / each * smooth.sum();
        }
        if total.is_nan() {
            // A label with weight 0 counts too.
            out[0] = total;
        }
        out[1] = weight;
        out[2] = if truth.is_some_and(|k| is_best(&row[..loss.c], k)) { T::one() } else { T::zero() };
        out[3] = T::one();
    });
}

/// See `shaders/softmax_cross_entropy_grad.wgsl`.
pub fn softmax_cross_entropy_grad<T: Real>(mut a: Args<'_, T>) {
    let (loss, stride) = (Loss::new(&a, [3, 4]), a.u("C4") * 4);
    let (upstream, totals, logits) = (a.input(0)[0], a.input(1), a.input(2));
    let u = match a.flag("MEAN") {
        true if totals[3] > T::zero() => upstream / totals[1],
        true => T::zero(),
        false => upstream,
    };
    let all: T = (0..loss.c).map(|k| loss.weight(k)).sum();
    let smooth = loss.smoothing / T::of(loss.c as f64);
    a.output(5).par_chunks_mut(stride).enumerate().for_each(|(index, out)| {
        out.fill(T::zero());
        let row = &logits[index * stride..][..stride];
        if !loss.counts(index) {
            return;
        }
        let (top, total) = loss.softmax(row);
        let (soft, class) = (loss.soft(index), loss.class(index));
        let u = match (loss.focal, class) {
            (Some(focal), Some(k)) => u * focal.focus_grad(total.ln() - (row[k] - top)),
            _ => u,
        };
        let hit = |k: usize| match soft {
            Some(q) => (T::one() - loss.smoothing) * q[k] * loss.weight(k),
            None if class == Some(k) => (T::one() - loss.smoothing) * loss.weight(k),
            None => T::zero(),
        };
        let weight = match (soft, class) {
            (Some(_), _) => (0..loss.c).map(hit).sum(),
            (None, class) => class.map_or(T::zero(), hit),
        };
        // Log-probabilities are not normalized here, so a class does not depend on the others.
        if !loss.log_probabilities {
            let scale = u * (weight + smooth * all) / total;
            out[..loss.c].iter_mut().zip(row).for_each(|(out, &v)| *out = (v - top).exp_fast() * scale);
        }
        // Classes from whose gradient something is subtracted.
        let classes = match class {
            _ if soft.is_some() || smooth > T::zero() || !u.is_finite() => 0..loss.c,
            Some(k) => k..k + 1,
            None => 0..0,
        };
        for k in classes {
            out[k] = out[k] - u * (hit(k) + smooth * loss.weight(k));
        }
    });
}

/// See `shaders/loss_finalize.wgsl`.
pub fn loss_finalize<T: Real>(mut a: Args<'_, T>) {
    let (mean, totals, loss) = (a.flag("MEAN"), a.input(0), a.output(1));
    loss.fill(T::zero());
    loss[0] = match mean {
        true if totals[3] == T::zero() => T::zero(),
        true => totals[0] / totals[1],
        false => totals[0],
    };
}
