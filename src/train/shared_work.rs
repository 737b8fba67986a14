//! The work that ranks share: the shards of batches, and the images of evaluations. A run in one process has one rank.

use std::ops::Range;
use std::sync::Arc;

use super::TrainError;
use super::loaders::Loaders;
use super::model::LoadedModel;
use super::objective::{Evaluation, Objective};
use super::orders::{self, Order};
use super::replicas;
use super::settings::TrainSettings;
use super::sharded::{Reduced, Sharded, ShardedBatch};
use super::shared_evaluation::SharedEvaluation;
use super::shares::choose;
use super::stages::StepInputs;
use super::trace::Tracer;
use crate::graph::StateTable;
use crate::ranks::{RankError, Ranks};
use crate::run::facts::RankFacts;

/// The ranks of a run, and the work that they share.
pub(super) struct SharedWork {
    /// The processes that train it. Ranks other than 0 follow, and write nothing.
    ranks: Arc<dyn Ranks>,
    /// Steps of batches that are cut into shards, if they are cut.
    sharded: Option<Sharded>,
    /// Evaluations, if several ranks share them.
    evaluation: Option<SharedEvaluation>,
    /// Shares and devices of the ranks, if there are several.
    facts: Option<RankFacts>,
}

impl SharedWork {
    /// The work of a run before [`SharedWork::divide`].
    pub fn of(settings: &TrainSettings, objective: &dyn Objective, ranks: Arc<dyn Ranks>) -> Self {
        SharedWork { sharded: Sharded::of(settings, objective, &ranks), evaluation: None, facts: None, ranks }
    }

    /// Divides the shards of a batch and the images of an evaluation among the ranks. All ranks call it. Returns a line about the
    /// shares, unless they are equal.
    ///
    /// # Errors
    /// When given shares do not fit the ranks, the device is lost, or a rank does not answer.
    pub fn divide(
        &mut self,
        settings: &TrainSettings,
        (model, objective): (&mut LoadedModel, &dyn Objective),
        loaders: &mut Loaders,
    ) -> Result<Option<String>, TrainError> {
        let lens = [&loaders.train, &loaders.val].map(|loader| loader.source().len());
        let device = model.session.engine().name();
        let chosen = choose(&*self.ranks, settings, &device, || match &self.sharded {
            Some(sharded) => {
                let images = (&**loaders.train.source(), settings.batch_size.min(lens[0]));
                sharded.time(model, objective, images)
            }
            None => Ok(0.0),
        })?;
        if let Some(sharded) = self.sharded.as_mut().filter(|_| self.ranks.size() > 1) {
            loaders.train.read_part(Some(sharded.share(chosen.shares.clone())));
            let own = loaders.validation(settings)?;
            let batch = settings.batch_size.min(lens[1]);
            self.evaluation = Some(SharedEvaluation::new(self.ranks.clone(), chosen.shares, own, batch));
        }
        self.facts = chosen.facts;
        Ok(chosen.line)
    }

    /// The ranks.
    pub fn ranks(&self) -> &dyn Ranks {
        &*self.ranks
    }

    /// Whether this is rank 0.
    pub fn leads(&self) -> bool {
        self.ranks.rank() == 0
    }

    /// Shares and devices of the ranks, if there are several.
    pub fn facts(&self) -> Option<&RankFacts> {
        self.facts.as_ref()
    }

    /// Steps of batches that are cut into shards, if they are cut.
    pub fn sharded(&self) -> Option<&Sharded> {
        self.sharded.as_ref()
    }

    /// Whether several ranks share evaluations.
    pub fn shares_evaluations(&self) -> bool {
        self.evaluation.is_some()
    }

    /// Sends an order of rank 0 to the other ranks.
    ///
    /// # Errors
    /// When a rank does not answer.
    pub fn order(&self, order: Order) -> Result<(), RankError> {
        orders::order(&*self.ranks, order)
    }

    /// Orders all ranks to compare their weights, and compares those of rank 0.
    ///
    /// # Errors
    /// As [`replicas::compare`].
    pub fn compare(&self, model: &mut LoadedModel, (epoch, step): (usize, u64)) -> Result<(), TrainError> {
        self.order(Order::Compare { epoch: epoch as u64, step })?;
        replicas::compare(&*self.ranks, model, (epoch, step))
    }

    /// Runs this rank's shards of a batch, and the update. Does nothing if batches are not cut.
    ///
    /// # Errors
    /// When the device is lost, or a rank does not answer.
    pub fn step(
        &mut self,
        (model, objective): (&mut LoadedModel, &dyn Objective),
        batch: &ShardedBatch<'_>,
        inputs: &StepInputs,
        tracer: &mut Tracer,
    ) -> Result<Reduced, TrainError> {
        let Some(sharded) = &mut self.sharded else { return Ok(Reduced::default()) };
        sharded.step(model, objective, batch, inputs, tracer)
    }

    /// Computes this rank's part of an evaluation. Rank 0 has the result, if ranks share evaluations.
    ///
    /// # Errors
    /// When an image cannot be read, the device is lost, or a rank does not answer.
    pub fn evaluate(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
    ) -> Result<Option<Box<dyn Evaluation>>, TrainError> {
        let Some(shared) = &self.evaluation else { return Ok(None) };
        shared.run(model, objective)
    }

    /// The images of each shard of a batch of `images`, if batches are cut.
    pub fn shards(&self, images: usize) -> Option<Vec<Range<usize>>> {
        self.sharded.as_ref().map(|sharded| sharded.shards(images))
    }

    /// Device of each rank, the shards that it computes of a batch of `shards` shards, and the bytes that it sends; empty if there
    /// is only one rank.
    pub fn of_ranks(&self, states: &StateTable, shards: usize) -> Vec<(String, (usize, usize))> {
        let Some((sharded, facts)) = self.sharded.as_ref().zip(self.facts.as_ref()) else { return vec![] };
        facts.devices.iter().cloned().zip(sharded.work(states, shards)).collect()
    }

    /// The share of rank 0 in the images of an evaluation.
    pub fn first_share(&self) -> f64 {
        let shares = self.facts.as_ref().map(|facts| facts.shares.as_slice());
        shares.map_or(1.0, |shares| shares[0] as f64 / shares.iter().sum::<usize>() as f64)
    }
}
