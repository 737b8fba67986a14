//! The first step of a run, for the doctor.

use super::TrainError;
use super::model::LoadedModel;
use super::objective::Objective;
use super::orders::StepOrder;
use super::stages::StepInputs;
use super::trainer::Trainer;
use crate::data::Batch;
use crate::precision::Precision;

/// The first step of a run.
pub(crate) struct FirstStep {
    /// The task's graphs and scores.
    pub objective: Box<dyn Objective>,
    /// The network with its states.
    pub model: LoadedModel,
    /// The first batch of training images.
    pub batch: Batch,
    /// Values that change from step to step.
    pub inputs: StepInputs,
    /// Width of activations and their gradients.
    pub precision: Precision,
}

impl FirstStep {
    /// The first step of a run, at a learning rate of 0.001. If several batches make a step, its batch counts as the
    /// last of them.
    ///
    /// # Errors
    /// When its images cannot be read.
    pub(crate) fn of(trainer: Trainer) -> Result<Self, TrainError> {
        let Trainer { objective, settings, model, loaders, rates, .. } = trainer;
        let batch = loaders.train.epoch(1)?.next().transpose()?.unwrap_or_default();
        let step = StepOrder { index: 0, lr: 1e-3, step: 1, more: settings.accumulate > 1, last: true };
        let inputs = rates.inputs(&settings, &step);
        Ok(FirstStep { objective, model, batch, inputs, precision: settings.precision })
    }
}
