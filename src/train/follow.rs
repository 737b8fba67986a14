//! The ranks that follow rank 0: they compute their shards, make the same updates, and write nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::TrainError;
use super::model::LoadedModel;
use super::observer::Outcome;
use super::orders::{Order, WORDS};
use super::replicas::compare;
use super::trainer::Trainer;
use crate::ranks::{Wait, broadcast};

impl Trainer {
    /// Follows the orders of rank 0 until it ends.
    pub(super) fn follow(mut self, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let mut batches = None;
        let mut interrupted = false;
        loop {
            let mut words = [0u64; WORDS];
            broadcast(self.work.ranks(), bytemuck::cast_slice_mut(&mut words), Wait::Unlimited)?;
            match Order::of(words) {
                Order::Epoch { epoch, first } => batches = Some(self.loaders.train.epoch_from(epoch, first as usize)?),
                Order::Step(order) => {
                    let batch = batches.as_mut().and_then(Iterator::next).transpose()?.unwrap_or_default();
                    let reduced = self.run_shards(&order, &batch, stop.load(Ordering::Relaxed))?;
                    interrupted = reduced.stop;
                    // Rank 0 reports a loss that is not finite.
                    if reduced.bad.is_some() {
                        break;
                    }
                    self.loaders.train.recycle(batch);
                }
                Order::Compare { epoch, step } => compare(self.work.ranks(), &mut self.model, (epoch as usize, step))?,
                Order::Evaluate => {
                    let evaluate = |model: &mut LoadedModel| self.work.evaluate(model, &*self.objective);
                    drop(self.model.with_average(self.settings.ema != 0.0, evaluate)?);
                }
                Order::End { interrupted: all } => {
                    interrupted |= all;
                    break;
                }
            }
        }
        Ok(Outcome { interrupted, ..Outcome::nothing(self.record.run.path()) })
    }
}

impl Outcome {
    /// The outcome of a rank that wrote nothing.
    fn nothing(run: &Path) -> Self {
        Outcome {
            run: run.to_owned(),
            rows: vec![],
            best: None,
            verdict: None,
            example: None,
            pictures: vec![],
            diverged: false,
            left_out: vec![],
            interrupted: false,
            ended_early: false,
        }
    }
}
