//! The course of the learning rate: a factor for every step, in PyTorch's definitions, after an optional linear warm-up.

use crate::choices;
use crate::run::resume::{Exact, Plateau};

choices! {
    /// How the learning rate changes over the run.
    pub enum Schedule {
        /// Stays at the value of `lr`.
        Constant = "constant",
        /// Is multiplied by `gamma` every `step_size` epochs.
        Step = "step",
        /// Is multiplied by `gamma` after each epoch of `milestones`.
        Multistep = "multistep",
        /// Falls along half a cosine to 0 at the end (Loshchilov & Hutter 2017).
        Cosine = "cosine",
        /// Falls to 0 as `(1 − t/T)^0.9` at step t of T (Chen et al. 2018).
        Polynomial = "polynomial",
        /// Rises from 1/25 of `lr` to `lr` over the first 30 % of the steps, then falls to almost 0 (Smith & Topin 2018).
        /// The momentum is constant.
        OneCycle = "one-cycle",
        /// Is multiplied by `gamma` when the score that chooses the best epoch has not improved for more than `patience`
        /// epochs.
        Plateau = "plateau",
    }
}

/// Exponent of [`Schedule::Polynomial`].
const POWER: f64 = 0.9;
/// Share by which a score must rise, or a validation loss fall, to count as progress for [`Schedule::Plateau`].
const THRESHOLD: f64 = 1e-4;

/// Settings of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleOptions {
    /// Kind.
    pub kind: Schedule,
    /// Epochs over which the rate first rises linearly; they are part of the run.
    pub warmup: f64,
    /// Epochs between two steps.
    pub step_size: usize,
    /// Epochs after which the rate falls.
    pub milestones: Vec<usize>,
    /// Factor of a fall.
    pub gamma: f64,
    /// Epochs without progress before the rate falls.
    pub patience: usize,
}

impl ScheduleOptions {
    /// A schedule of a kind with the usual settings: no warm-up, γ 0.1.
    pub fn new(kind: Schedule) -> Self {
        ScheduleOptions { kind, warmup: 0.0, step_size: 1, milestones: vec![], gamma: 0.1, patience: 2 }
    }
}

/// A schedule over a run of known length.
#[derive(Debug, Clone, PartialEq)]
pub struct LrSchedule {
    options: ScheduleOptions,
    steps: u64,
    steps_per_epoch: u64,
    warmup_steps: u64,
    plateau: Plateau,
}

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLength {
    /// Number of epochs.
    pub epochs: usize,
    /// Optimizer steps of an epoch.
    pub steps_per_epoch: usize,
}

impl LrSchedule {
    /// A schedule over a run of this length.
    pub fn new(options: ScheduleOptions, length: RunLength) -> Self {
        let (steps_per_epoch, epochs) = (length.steps_per_epoch.max(1) as u64, length.epochs as u64);
        let steps = steps_per_epoch * epochs;
        let warmup_steps = ((options.warmup * steps_per_epoch as f64).round() as u64).min(steps);
        LrSchedule { options, steps, steps_per_epoch, warmup_steps, plateau: Plateau::default() }
    }

    /// The factor of the learning rate at step `step`, from 0.
    pub fn factor(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return (step + 1) as f64 / (self.warmup_steps + 1) as f64;
        }
        let (t, total) = ((step - self.warmup_steps) as f64, (self.steps - self.warmup_steps).max(1) as f64);
        let epoch = (step / self.steps_per_epoch) as usize;
        let o = &self.options;
        match o.kind {
            Schedule::Constant => 1.0,
            Schedule::Step => o.gamma.powf((epoch / o.step_size.max(1)) as f64),
            Schedule::Multistep => o.gamma.powf(o.milestones.iter().filter(|&&m| m <= epoch).count() as f64),
            Schedule::Cosine => falling_cosine(t / total),
            Schedule::Polynomial => (1.0 - t / total).max(0.0).powf(POWER),
            Schedule::OneCycle => one_cycle(t, total),
            Schedule::Plateau => self.plateau.factor.0,
        }
    }

    /// The state of [`Schedule::Plateau`].
    pub fn plateau(&self) -> Plateau {
        self.plateau
    }

    /// Continues from an earlier state of [`Schedule::Plateau`].
    pub fn set_plateau(&mut self, plateau: Plateau) {
        self.plateau = plateau;
    }

    /// Records an epoch's validation: the task's first score, else the loss. NaN counts as no progress. In segmentation
    /// the loss is always the plain cross entropy, which can rise while training with another loss improves the score.
    pub fn epoch_done(&mut self, score: Option<f64>, val_loss: f64) {
        let plateau = &mut self.plateau;
        let better = match score {
            Some(score) if score.is_nan() => false,
            // An earlier version may have stored NaN as the best.
            Some(score) => {
                plateau.score.is_none_or(|Exact(best)| best.is_nan() || score > best + THRESHOLD * best.abs())
            }
            None => val_loss < plateau.best.0 * (1.0 - THRESHOLD),
        };
        if better {
            (plateau.best, plateau.score, plateau.waited) = (Exact(val_loss), score.map(Exact), 0);
            return;
        }
        plateau.waited += 1;
        if plateau.waited > self.options.patience {
            (plateau.factor, plateau.waited) = (Exact(plateau.factor.0 * self.options.gamma), 0);
        }
    }
}

/// Half a cosine: 1 at 0, 0 at 1.
fn falling_cosine(share: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * share).cos())
}

/// PyTorch's `OneCycleLR` with its defaults: from 1/25 up to 1 by 30 % of the steps, down to 1/250000.
fn one_cycle(t: f64, total: f64) -> f64 {
    const START: f64 = 1.0 / 25.0;
    const END: f64 = START / 1e4;
    let (top, last) = (0.3 * total - 1.0, total - 1.0);
    if t <= top {
        return START + (1.0 - START) * (1.0 - falling_cosine(t / top));
    }
    END + (1.0 - END) * falling_cosine(((t - top) / (last - top).max(f64::MIN_POSITIVE)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors of `epochs` epochs of one step.
    fn factors(options: ScheduleOptions, epochs: usize) -> Vec<f64> {
        let schedule = LrSchedule::new(options, RunLength { epochs, steps_per_epoch: 1 });
        (0..epochs as u64).map(|step| schedule.factor(step)).collect()
    }

    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
        }
    }

    /// Values of torch.optim.lr_scheduler with a rate of 1, printed after each `step()`: StepLR(2, 0.5),
    /// MultiStepLR([1, 4], 0.1), CosineAnnealingLR(8), PolynomialLR(8, 0.9), OneCycleLR(1.0, total_steps=10).
    #[test]
    fn schedules_are_pytorchs() {
        let step = ScheduleOptions { step_size: 2, gamma: 0.5, ..ScheduleOptions::new(Schedule::Step) };
        close(&factors(step, 6), &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        let multi = ScheduleOptions { milestones: vec![1, 4], ..ScheduleOptions::new(Schedule::Multistep) };
        close(&factors(multi, 6), &[1.0, 0.1, 0.1, 0.1, 0.01, 0.01]);
        let cosine = [1.0, 0.9619397663, 0.8535533906, 0.6913417162, 0.5, 0.3086582838, 0.1464466094, 0.0380602337];
        close(&factors(ScheduleOptions::new(Schedule::Cosine), 8), &cosine);
        let polynomial =
            [1.0, 0.8867623543, 0.7718895067, 0.6550764934, 0.5358867313, 0.4136453447, 0.2871745887, 0.1538930517];
        close(&factors(ScheduleOptions::new(Schedule::Polynomial), 8), &polynomial);
        let one_cycle =
            [0.04, 0.52, 1.0, 0.950484632, 0.8117456539, 0.6112620219, 0.3887419781, 0.1882583461, 0.049519368, 4e-06];
        close(&factors(ScheduleOptions::new(Schedule::OneCycle), 10), &one_cycle);
    }

    /// ReduceLROnPlateau(factor=0.5, patience=1) over losses, and in the mode `max` over scores while the loss rises, the
    /// rate printed before each.
    #[test]
    fn a_plateau_is_pytorchs() {
        let rates = |epochs: [(Option<f64>, f64); 10]| {
            let options = ScheduleOptions { gamma: 0.5, patience: 1, ..ScheduleOptions::new(Schedule::Plateau) };
            let mut schedule = LrSchedule::new(options, RunLength { epochs: 10, steps_per_epoch: 1 });
            let mut rates = vec![];
            for (step, (score, loss)) in epochs.into_iter().enumerate() {
                rates.push(schedule.factor(step as u64));
                schedule.epoch_done(score, loss);
            }
            rates
        };
        let expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125];
        close(&rates([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.85, 0.85, 0.85].map(|loss| (None, loss))), &expected);
        let scores = [0.1, 0.2, 0.2, 0.20001, 0.2, 0.2, 0.3, 0.25, 0.25, 0.25];
        close(&rates(std::array::from_fn(|i| (Some(scores[i]), 1.0 + i as f64))), &expected);
        // NaN counts as no progress.
        let nan = f64::NAN;
        let expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25];
        close(&rates([nan, 0.1, nan, nan, 0.2, 0.3, nan, nan, 0.4, 0.5].map(|score| (Some(score), 1.0))), &expected);
        let expected = [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25];
        close(&rates([nan, nan, 1.0, nan, 0.9, nan, nan, 0.8, 0.7, 0.6].map(|loss| (None, loss))), &expected);
    }

    #[test]
    fn a_warm_up_rises_to_the_full_rate_and_is_part_of_the_run() {
        let options = ScheduleOptions { warmup: 0.75, ..ScheduleOptions::new(Schedule::Cosine) };
        let schedule = LrSchedule::new(options, RunLength { epochs: 2, steps_per_epoch: 4 });
        let factors: Vec<f64> = (0..8).map(|step| schedule.factor(step)).collect();
        close(&factors[..4], &[0.25, 0.5, 0.75, 1.0]);
        assert!(factors[3..].is_sorted_by(|a, b| a > b) && factors[7] > 0.0 && factors[7] < 0.1, "{factors:?}");
    }
}
