//! Twins of the loss kernels.

use rayon::prelude::*;

use super::{Args, Real};

/// Options and one row's softmax.
struct Loss<'a, T> {
    c: usize,
    smoothing: T,
    ignore: Option<T>,
    weights: Option<&'a [T]>,
    log_probabilities: bool,
}

impl<'a, T: Real> Loss<'a, T> {
    fn new(a: &Args<'a, T>, weights: usize) -> Self {
        Loss {
            c: a.u("C"),
            smoothing: T::of(a.consts.float("LABEL_SMOOTHING")),
            ignore: a.flag("HAS_IGNORE").then(|| T::of(a.consts.float("IGNORE"))),
            weights: a.flag("WEIGHTED").then(|| a.input(weights)),
            log_probabilities: a.flag("LOG_PROBABILITIES"),
        }
    }

    fn weight(&self, class: usize) -> T {
        self.weights.map_or(T::one(), |w| w[class])
    }

    /// Weight of a label; 0 when it is no class.
    fn label_weight(&self, label: T) -> T {
        label.to_usize().filter(|&k| k < self.c).map_or(T::zero(), |k| self.weight(k))
    }

    fn counts(&self, label: T) -> bool {
        self.ignore != Some(label)
    }

    /// Largest logit and Σ exp(logit − largest); of log-probabilities 0 and 1, so that they stay as they are.
    fn softmax(&self, row: &[T]) -> (T, T) {
        if self.log_probabilities {
            return (T::zero(), T::one());
        }
        let top = row[..self.c].iter().copied().fold(T::neg_infinity(), T::max);
        (top, row[..self.c].iter().map(|&v| (v - top).exp()).sum())
    }
}

/// See `shaders/softmax_cross_entropy.wgsl`.
pub fn softmax_cross_entropy<T: Real>(mut a: Args<'_, T>) {
    let (loss, stride) = (Loss::new(&a, 2), a.u("C4") * 4);
    let (logits, labels) = (a.input(0), a.input(1));
    let each = T::of(loss.c as f64);
    a.output(3).par_chunks_mut(4).enumerate().for_each(|(row, out)| {
        out.fill(T::zero());
        let (label, row) = (labels[row], &logits[row * stride..][..stride]);
        if !loss.counts(label) {
            return;
        }
        let (top, total) = loss.softmax(row);
        let nll = |k: usize| total.ln() - (row[k] - top);
        let smooth: T = (0..loss.c).filter(|&k| loss.weight(k) != T::zero()).map(|k| loss.weight(k) * nll(k)).sum();
        let weight = loss.label_weight(label);
        if weight != T::zero() {
            let k = label.to_usize().unwrap_or(0);
            out[0] = (T::one() - loss.smoothing) * weight * nll(k);
        }
        if loss.smoothing > T::zero() || smooth.is_nan() {
            out[0] += loss.smoothing / each * smooth;
        }
        out[1] = weight;
        let best = (0..loss.c).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        out[2] = if T::of(best as f64) == label { T::one() } else { T::zero() };
        out[3] = T::one();
    });
}

/// See `shaders/softmax_cross_entropy_grad.wgsl`.
pub fn softmax_cross_entropy_grad<T: Real>(mut a: Args<'_, T>) {
    let (loss, stride) = (Loss::new(&a, 4), a.u("C4") * 4);
    let (upstream, totals, logits, labels) = (a.input(0)[0], a.input(1), a.input(2), a.input(3));
    let u = match a.flag("MEAN") {
        true if totals[3] > T::zero() => upstream / totals[1],
        true => T::zero(),
        false => upstream,
    };
    let all: T = (0..loss.c).map(|k| loss.weight(k)).sum();
    let smooth = loss.smoothing / T::of(loss.c as f64);
    a.output(5).par_chunks_mut(stride).enumerate().for_each(|(row, out)| {
        out.fill(T::zero());
        let (label, row) = (labels[row], &logits[row * stride..][..stride]);
        if !loss.counts(label) {
            return;
        }
        let (top, total) = loss.softmax(row);
        let weight = (T::one() - loss.smoothing) * loss.label_weight(label);
        for k in 0..loss.c {
            // Log-probabilities are not normalized here, so no class feels the others.
            let p = if loss.log_probabilities { T::zero() } else { (row[k] - top).exp() / total };
            let hit = if T::of(k as f64) == label { weight } else { T::zero() };
            out[k] = u * (p * (weight + smooth * all) - hit - smooth * loss.weight(k));
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
