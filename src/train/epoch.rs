//! The steps of an epoch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::TrainError;
use super::diagnose;
use super::masks::Masks;
use super::observer::{Observer, StepProgress};
use super::orders::{Order, StepOrder};
use super::outputs::{Outputs, StepResults};
use super::sharded::{Reduced, ShardedBatch};
use super::step::Phase;
use super::trace::Pending;
use super::trainer::Trainer;
use crate::data::Batch;
use crate::exec::PlanId;
use crate::plan::PlanOptions;
use crate::run::history::NormRow;
use crate::run::resume::Exact;

/// A step under way: its batch (for a diagnosis) and its place.
struct Started {
    running: Running,
    batch: Batch,
    /// Images of the batch, on all ranks.
    images: usize,
    /// Step of the epoch, from 1.
    step: usize,
    /// Optimizer step and its learning rate, if this batch ends one.
    update: Option<(u64, f64)>,
    masks: Masks,
}

/// The work of a step.
enum Running {
    /// A plan whose outputs are not taken yet.
    Plan(Pending, PlanId),
    /// A batch of shards that is finished.
    Finished(StepResults),
}

impl Trainer {
    /// One pass over the training images, or over those after the position of a resumed run. A step's loss is read
    /// while the next step runs.
    pub(super) fn epoch(&mut self, epoch: usize, observer: &dyn Observer, stop: &AtomicBool) -> Result<(), TrainError> {
        let (start, steps, first) = (Instant::now(), self.loaders.batches(), self.position.batch);
        let before = self.position.sums.images.0;
        let mut started: Option<Started> = None;
        self.work.order(Order::Epoch { epoch: epoch as u64, first: first as u64 })?;
        let mut batches = self.loaders.train.epoch_from(epoch as u64, first)?;
        for index in first..steps {
            let asked = Instant::now();
            let Some(batch) = batches.next() else { break };
            self.position.sums.waited += asked.elapsed().as_secs_f64();
            self.tracer.span("wait for data", asked);
            let next = self.start_step((epoch, index), batch?, stop)?;
            self.position.batch = index + 1;
            if let Some(done) = started.replace(next) {
                self.finish(epoch, done)?;
            }
            let sums = &self.position.sums;
            observer.step(&StepProgress {
                epoch,
                step: index + 1,
                steps,
                loss: (sums.images.0 > before).then(|| sums.loss()),
                accuracy: self.objective.counts_right().then(|| sums.accuracy()),
                images_per_s: (sums.images.0 - before) / start.elapsed().as_secs_f64(),
            });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        started.map_or(Ok(()), |done| self.finish(epoch, done))?;
        self.tracer.write(&self.record.run)
    }

    /// Starts a batch: the last batch of a step updates the parameters, those before it add their gradients.
    fn start_step(
        &mut self,
        (epoch, index): (usize, usize),
        batch: Batch,
        stop: &AtomicBool,
    ) -> Result<Started, TrainError> {
        let each = self.settings.accumulate;
        let last = (index + 1).is_multiple_of(each) || index + 1 == self.loaders.batches();
        self.record.log.lr = self.rates.after(self.position.steps);
        let step = self.position.steps + 1;
        let step_order = StepOrder { index, lr: self.record.log.lr, step, more: !index.is_multiple_of(each), last };
        let images = self.loaders.train.images_of(index);
        let masks = Masks::of_batch(self.settings.seed, step, index);
        let running = if self.work.sharded().is_some() {
            self.work.order(Order::Step(step_order))?;
            let reduced = self.run_shards(&step_order, &batch, stop.load(Ordering::Relaxed))?;
            if let Some(error) = self.shard_failure((epoch, index), (&batch, masks), &reduced) {
                return Err(error);
            }
            stop.fetch_or(reduced.stop, Ordering::Relaxed);
            Running::Finished(reduced.results)
        } else {
            let inputs = self.rates.inputs(&self.settings, &step_order);
            let key = (images, Phase::of_batch(last).where_head_alone(self.rates.head_alone(step)));
            let plan = self.model.training_plan(&*self.objective, key, PlanOptions::default())?;
            let started = Instant::now();
            self.model.feed(&*self.objective, plan, &batch, &inputs)?;
            self.tracer.span("hand over data", started);
            Running::Plan(self.tracer.run_step(&mut self.model.session, plan, None)?, plan)
        };
        let update = last.then_some((step, self.record.log.lr));
        if last {
            self.position.steps = step;
            if self.settings.check_every > 0 && step.is_multiple_of(self.settings.check_every) {
                self.work.compare(&mut self.model, (epoch, step))?;
            }
        }
        Ok(Started { running, batch, images, step: index + 1, update, masks })
    }

    /// Runs the shards of a batch that this rank has, and the update. `stop` requests that all ranks end after this
    /// batch.
    pub(super) fn run_shards(&mut self, order: &StepOrder, own: &Batch, stop: bool) -> Result<Reduced, TrainError> {
        let &StepOrder { index, step, last, .. } = order;
        let head_alone = self.rates.head_alone(step);
        let (images, exact) = (self.loaders.train.images_of(index), index + 1 == self.loaders.batches());
        let batch = ShardedBatch { own, images, last, head_alone, stop, exact };
        let inputs = self.rates.inputs(&self.settings, order);
        self.work.step((&mut self.model, &*self.objective), &batch, &inputs, &mut self.tracer)
    }

    /// The error of a shard whose loss is not finite.
    fn shard_failure(
        &mut self,
        (epoch, index): (usize, usize),
        (batch, masks): (&Batch, Masks),
        reduced: &Reduced,
    ) -> Option<TrainError> {
        let (shard, images) = reduced.bad.clone()?;
        let layer = match images {
            Some(images) => {
                let part = batch.part(images);
                diagnose::layer_in_training(&mut self.model, &*self.objective, &part, masks.of_shard(shard))
            }
            None => format!("shard {shard}, whose images another rank has"),
        };
        Some(self.failure(index + 1, epoch).error("loss", reduced.results.loss, layer))
    }

    /// Takes a step's results and adds them to the epoch's sums.
    fn finish(&mut self, epoch: usize, done: Started) -> Result<(), TrainError> {
        let asked = Instant::now();
        let results = match done.running {
            Running::Plan(pending, plan) => {
                let values = pending.take(&mut self.model.session, plan)?;
                StepResults::of(&Outputs::new(&self.model.session, plan, values))
            }
            Running::Finished(results) => results,
        };
        self.tracer.span("wait for results", asked);
        self.tracer.step_done(&self.record.run)?;
        if !results.loss.is_finite() {
            let layer = diagnose::layer_in_training(&mut self.model, &*self.objective, &done.batch, done.masks);
            return Err(self.failure(done.step, epoch).error("loss", results.loss, layer));
        }
        self.position.first_loss.get_or_insert(Exact(f64::from(results.loss)));
        results.add_to(&mut self.position.sums, done.images);
        if let (Some((step, lr)), Some(gradient_norm), Some(weight_norm)) =
            (done.update, results.gradient_norm, results.weight_norm)
        {
            self.record.log.push_norm(NormRow { epoch, step, lr, loss: results.loss, gradient_norm, weight_norm });
        }
        self.loaders.train.recycle(done.batch);
        Ok(())
    }
}
