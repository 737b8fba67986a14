//! Results of a step and of an evaluation.

use super::TrainingError;

/// Numbers of one batch. A [`Step`] shows them, and an [`Evaluation`] adds them up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measured {
    pub loss: f32,
    /// Terms and metrics.
    pub named: Vec<(String, f32)>,
    /// Sum of the loss, sum of the weights, correct rows, counted rows.
    pub totals: Option<[f64; 4]>,
    pub gradient_norm: Option<f32>,
}

/// A training step that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Number of the step, counted from 1.
    pub number: u64,
    /// Loss of the batch before the update. If it is not finite, no parameter has changed.
    pub loss: f32,
    pub(super) measured: Measured,
}

impl Step {
    /// A term or metric of [`Losses`](super::Losses) by its name.
    pub fn metric(&self, name: &str) -> Option<f32> {
        self.measured.named.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// Share of rows (images or pixels) whose largest logit is that of their label, if the loss counts them.
    pub fn accuracy(&self) -> Option<f64> {
        self.measured.totals.and_then(accuracy)
    }

    /// L2 norm of all gradients before clipping, with
    /// [`TrainingOptions::gradient_norm`](super::TrainingOptions::gradient_norm).
    pub fn gradient_norm(&self) -> Option<f32> {
        self.measured.gradient_norm
    }
}

fn accuracy([_, _, correct, counted]: [f64; 4]) -> Option<f64> {
    (counted > 0.0).then_some(correct / counted)
}

/// Means over batches. Except for rounding, they do not depend on how the samples are cut into batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    samples: usize,
    loss: f64,
    named: Vec<(String, f64)>,
    totals: Option<[f64; 4]>,
}

impl Evaluation {
    pub(super) fn add(&mut self, samples: usize, batch: Measured) {
        let n = samples as f64;
        self.samples += samples;
        self.loss += n * f64::from(batch.loss);
        for (i, (name, value)) in batch.named.into_iter().enumerate() {
            if i == self.named.len() {
                self.named.push((name, 0.0));
            }
            self.named[i].1 += n * f64::from(value);
        }
        if let Some(totals) = batch.totals {
            let sums = self.totals.get_or_insert_default();
            sums.iter_mut().zip(totals).for_each(|(sum, new)| *sum += new);
        }
    }

    pub(super) fn checked(self) -> Result<Self, TrainingError> {
        if self.samples == 0 { Err(TrainingError::Empty) } else { Ok(self) }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Mean loss: over the weights of all rows if the loss has totals, else over the samples.
    pub fn loss(&self) -> f64 {
        match self.totals {
            Some([sum, weight, ..]) if weight > 0.0 => sum / weight,
            _ => self.loss / self.samples as f64,
        }
    }

    /// Mean over the samples of a term or metric of [`Losses`](super::Losses).
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.named.iter().find(|(known, _)| known == name).map(|&(_, sum)| sum / self.samples as f64)
    }

    /// Share of rows (images or pixels) whose largest logit is that of their label, if the loss counts them.
    pub fn accuracy(&self) -> Option<f64> {
        self.totals.and_then(accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_weighs_batches_by_their_samples_and_rows_by_their_weights() {
        let batch =
            |loss, named, totals| Measured { loss, named: vec![("term".into(), named)], totals, gradient_norm: None };
        let mut sums = Evaluation::default();
        sums.add(3, batch(1.0, 2.0, None));
        sums.add(1, batch(5.0, 4.0, None));
        assert_eq!((sums.loss(), sums.metric("term"), sums.accuracy()), (2.0, Some(2.5), None));

        let mut rows = Evaluation::default();
        rows.add(1, batch(1.0, 0.0, Some([4.0, 4.0, 1.0, 5.0])));
        rows.add(1, batch(7.0, 0.0, Some([7.0, 1.0, 2.0, 5.0])));
        assert_eq!((rows.loss(), rows.accuracy()), (11.0 / 5.0, Some(0.3)));
        assert!(matches!(Evaluation::default().checked(), Err(TrainingError::Empty)));
    }
}
