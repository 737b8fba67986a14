//! Successive halving (Jamieson & Talwalkar 2016): all runs train for a few epochs, the best of them for more epochs, and so
//! on. Bad settings thus cost few epochs.

use super::SweepRunState;
use crate::run::Score;
use crate::run::history::EpochRow;
use crate::train::{Fetching, Observer, StepProgress};

/// Rungs: shares of the epochs after which runs are dropped. Of `runs` runs, one in `eta` survives each rung. Of two rungs at
/// the same epoch, the first is left out.
pub(super) fn rungs(runs: usize, eta: usize, epochs: usize) -> Vec<f64> {
    if eta < 2 {
        return vec![];
    }
    let mut share = 1.0;
    let mut rungs = vec![];
    let mut left = runs;
    while left > 1 {
        left = left.div_ceil(eta);
        share /= eta as f64;
        rungs.push(share);
    }
    rungs.reverse();
    let end = |share: f64| (share * epochs as f64).ceil().max(1.0);
    let later = |i: usize| rungs.get(i + 1).map_or(epochs as f64, |&next| end(next));
    (0..rungs.len()).filter(|&i| end(rungs[i]) < later(i)).map(|i| rungs[i]).collect()
}

/// The best runs of `alive`, one in `eta`, in their order. Diverged and failed runs are dropped first.
pub(super) fn survivors(alive: &[usize], states: &[SweepRunState], score: Option<&Score>, eta: usize) -> Vec<usize> {
    let best = |&i: &usize| match &states[i] {
        SweepRunState::Done(rows) | SweepRunState::Paused(rows) => {
            rows.iter().filter_map(|row| merit(row, score)).fold(f64::NEG_INFINITY, f64::max)
        }
        SweepRunState::Begins | SweepRunState::Diverged | SweepRunState::Failed(_) => f64::NEG_INFINITY,
    };
    let mut order = alive.to_vec();
    order.sort_by(|a, b| best(b).total_cmp(&best(a)));
    order.truncate(alive.len().div_ceil(eta));
    order.sort_unstable();
    order
}

/// The decisive score with the sign that makes higher better. Without a score, the negative validation loss.
pub(super) fn merit(row: &EpochRow, score: Option<&Score>) -> Option<f64> {
    score.map_or(Some(-row.val_loss), |score| row.score(score).map(|value| score.merit(value)))
}

/// Pauses a run after an epoch.
pub(super) struct Until<'a> {
    pub epoch: usize,
    pub inner: &'a dyn Observer,
}

impl Observer for Until<'_> {
    fn reading(&self, done: usize, total: usize) {
        self.inner.reading(done, total);
    }
    fn begins(&self, lines: &[String]) {
        self.inner.begins(lines);
    }
    fn first_step(&self) {
        self.inner.first_step();
    }
    fn step(&self, progress: &StepProgress) {
        self.inner.step(progress);
    }
    fn fetching(&self, progress: &Fetching<'_>) {
        self.inner.fetching(progress);
    }
    fn evaluating(&self, done: usize, total: usize) {
        self.inner.evaluating(done, total);
    }
    fn epoch(&self, row: &EpochRow, epochs: usize) {
        self.inner.epoch(row, epochs);
    }
    fn pauses_after(&self, epoch: usize) -> bool {
        epoch >= self.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_end_at_different_epochs() {
        assert_eq!(rungs(8, 2, 16), [0.125, 0.25, 0.5]);
        assert_eq!(rungs(9, 3, 9), [1.0 / 9.0, 1.0 / 3.0]);
        // After epochs 1, 1 and 2 of 3: the first of the two 1s is left out.
        assert_eq!(rungs(8, 2, 3), [0.25, 0.5]);
        assert_eq!(rungs(8, 2, 1), [0.0; 0]);
        assert_eq!(rungs(8, 0, 16), [0.0; 0]);
        assert_eq!(rungs(1, 2, 16), [0.0; 0]);
    }
}
