//! Numbers of a run that must be finite.

use super::TrainError;
use super::diagnose::{Failure, bad_state};
use super::trainer::Trainer;

impl Trainer {
    /// The place of a failure.
    pub(super) fn failure(&self, step: usize, epoch: usize) -> Failure<'_> {
        Failure { run: &self.run, precision: self.settings.precision, lr: self.log.lr, step, epoch }
    }

    /// Refuses states that are not finite: they must not replace good ones in a checkpoint.
    pub(super) fn require_finite(&mut self, epoch: usize) -> Result<(), TrainError> {
        match bad_state(&mut self.model, self.settings.precision)? {
            Some((what, state)) => Err(self.failure(self.position.batch, epoch).error(what, f32::NAN, state)),
            None => Ok(()),
        }
    }
}
