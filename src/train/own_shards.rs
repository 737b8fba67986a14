//! The shards of a batch that one rank computes.

use std::ops::Range;
use std::sync::mpsc::Sender;

use rayon::prelude::*;

use super::TrainError;
use super::masks::Masks;
use super::model::LoadedModel;
use super::objective::Objective;
use super::outputs::{Outputs, StepResults};
use super::reduction::{Finished, Report};
use super::step::{Phase, port};
use super::trace::{Pending, Tracer};
use crate::data::Batch;
use crate::exec::{Final, PlanId};
use crate::graph::Group;
use crate::plan::PlanOptions;
use crate::ranks::Buckets;
use crate::ranks::tree::{Threads, TreeSum};

/// Shards to compute.
pub(super) struct OwnShards<'a> {
    /// Shards of the whole batch.
    pub shards: usize,
    /// Number of each shard of this rank, and its images within `batch`.
    pub own: Vec<(usize, Range<usize>)>,
    pub batch: &'a Batch,
    /// Whether only the head has gradients.
    pub head_alone: bool,
    /// The dropout masks of the batch.
    pub masks: Masks,
    /// The running statistics before the batch.
    pub statistics: &'a [f32],
    /// Number of values of all gradients.
    pub parameters: usize,
    /// Buckets of gradients and changes of the running statistics.
    pub buckets: Buckets,
}

/// A shard on the device.
struct Started {
    shard: usize,
    images: usize,
    plan: PlanId,
    pending: Pending,
}

/// The weight of a shard's gradients, and its changes of the running statistics.
struct Weighted {
    weight: f32,
    moves: Vec<f32>,
}

impl OwnShards<'_> {
    /// Computes the shards. Buckets of the sum are handed out while the backward pass of the last shard runs.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn compute(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        tracer: &mut Tracer,
        finished: &Sender<Finished>,
    ) -> Result<(), TrainError> {
        // The receiver ends early only if another rank has a fault.
        let hand_out = |what: Finished| drop(finished.send(what));
        let mut sum = TreeSum::new(self.shards, Threads::All);
        let mut reports = vec![];
        let mut started: Option<Started> = None;
        for (number, shard) in self.own.iter().enumerate() {
            let next = self.start(model, objective, (shard, number + 1 == self.own.len()), tracer)?;
            if let Some(before) = started.replace(next) {
                reports.push(self.collect(model, before, &mut sum)?);
            }
        }
        let Some(Started { shard, images, plan, pending }) = started else {
            hand_out(Finished::Reports(reports));
            (0..self.buckets.values().len()).for_each(|bucket| hand_out(Finished::Bucket(bucket, vec![])));
            return Ok(());
        };
        let (gradients, mut weighted) = (self.gradients(), None);
        pending.take_parts(&mut model.session, plan, (port::GRADIENTS, &gradients), &mut |result| match result {
            Final::Outputs(outputs) => {
                let (report, found) = self.weighted(&Outputs::of_pairs(outputs), images);
                weighted = Some(found);
                reports.push(report);
                hand_out(Finished::Reports(std::mem::take(&mut reports)));
            }
            Final::Part(bucket, gradients) => {
                let Some(weighted) = &weighted else { return };
                let values = self.buckets.values()[bucket].clone();
                let mut nodes = sum.at(values.clone());
                nodes.add(shard..shard + 1, self.vector(values, weighted, gradients));
                hand_out(Finished::Bucket(bucket, nodes.into_nodes()));
            }
        })
    }

    /// Starts a shard from the running statistics before the batch. The gradients of the last shard are taken in parts.
    fn start(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        ((shard, images), last): (&(usize, Range<usize>), bool),
        tracer: &mut Tracer,
    ) -> Result<Started, TrainError> {
        let key = (images.len(), Phase::Shard.where_head_alone(self.head_alone));
        let plan = model.training_plan(objective, key, PlanOptions::default())?;
        objective.feed(&mut model.session, plan, &self.batch.part(images.clone()), images.len())?;
        self.masks.of_shard(*shard).write(&mut model.session, plan)?;
        model.session.write_group(Group::Statistics, self.statistics)?;
        let gradients = last.then(|| self.gradients());
        let parts = gradients.as_ref().map(|gradients| (port::GRADIENTS, gradients.as_slice()));
        let pending = tracer.run_step(&mut model.session, plan, parts)?;
        Ok(Started { shard: *shard, images: images.len(), plan, pending })
    }

    /// Waits for a shard and adds its weighted gradients and changes of the running statistics to the sum.
    fn collect(&self, model: &mut LoadedModel, started: Started, sum: &mut TreeSum<'_>) -> Result<Report, TrainError> {
        let Started { shard, images, plan, pending } = started;
        let values = pending.take(&mut model.session, plan)?;
        let mut outputs = Outputs::new(&model.session, plan, values);
        let (report, weighted) = self.weighted(&outputs, images);
        let all = 0..self.buckets.vector();
        sum.add(shard..shard + 1, self.vector(all, &weighted, outputs.take(port::GRADIENTS)));
        Ok(report)
    }

    /// The gradients of each bucket.
    fn gradients(&self) -> Vec<Range<usize>> {
        let inside = |at: usize| at.min(self.parameters);
        self.buckets.values().iter().map(|bucket| inside(bucket.start)..inside(bucket.end)).collect()
    }

    /// The report of a shard, and the weight and changes of its vector.
    fn weighted(&self, outputs: &Outputs, images: usize) -> (Report, Weighted) {
        let StepResults { loss, totals, .. } = StepResults::of(outputs);
        let images = images as f32;
        let after = outputs.get(port::STATISTICS).iter();
        let moves = after.zip(self.statistics).map(|(after, before)| images * (after - before)).collect();
        let report = [f64::from(loss), totals.loss, totals.weight, totals.right, totals.counted];
        (report, Weighted { weight: totals.weight as f32, moves })
    }

    /// The vector of a shard at positions `at`: the weighted `gradients`, then changes of the running statistics.
    fn vector(&self, at: Range<usize>, weighted: &Weighted, mut gradients: Vec<f32>) -> Vec<f32> {
        let inside = |at: usize| at.saturating_sub(self.parameters);
        gradients.par_iter_mut().for_each(|gradient| *gradient *= weighted.weight);
        gradients.extend(&weighted.moves[inside(at.start)..inside(at.end)]);
        gradients
    }
}
