//! Search for the first layer or parameter that is not finite, after a loss that is not finite.

use super::TrainError;
use super::masks::Masks;
use super::model::LoadedModel;
use super::objective::Objective;
use super::stages::StepInputs;
use super::step::Phase;
use crate::data::{Batch, Loader};
use crate::exec::PlanId;
use crate::graph::Group;
use crate::ops::{self, LOSS_SCALE};
use crate::plan::PlanOptions;
use crate::precision::Precision;
use crate::run::RunDir;

/// Position of a run when a number was not finite.
pub(super) struct Failure<'a> {
    pub run: &'a RunDir,
    pub precision: Precision,
    pub lr: f64,
    /// Step of the epoch, from 1.
    pub step: usize,
    /// Epoch, from 1.
    pub epoch: usize,
}

/// Every value is kept, so that each can be read.
const KEEP: PlanOptions = PlanOptions { reuse: false };

/// Runs a training step again with every value kept, and names the first layer that is not finite. The optimizer does not
/// change the weights when the loss is not finite, so the values are those of the failed step.
pub(super) fn layer_in_training(
    model: &mut LoadedModel,
    objective: &dyn Objective,
    batch: &Batch,
    masks: Masks,
) -> String {
    first_not_finite(model, |model| {
        let plan = model.training_plan(objective, (batch.len(), Phase::Update), KEEP)?;
        model.feed(objective, plan, batch, &StepInputs::none(masks))?;
        model.session.run_now(plan)?;
        Ok(plan)
    })
}

/// Runs the evaluation of a loader's first batch with every value kept, and names the first layer that is not finite.
pub(super) fn layer_in_validation(model: &mut LoadedModel, objective: &dyn Objective, loader: &Loader) -> String {
    let batch = loader.epoch(0).ok().and_then(|mut batches| batches.next()).transpose();
    first_not_finite(model, |model| {
        let batch = batch?.unwrap_or_default();
        let (n, plan) = model.evaluation_plan(objective, batch.len(), KEEP)?;
        objective.feed(&mut model.session, plan, &batch, n)?;
        model.session.run_now(plan)?;
        Ok(plan)
    })
}

/// The first layer that is not finite among the values of `run`, which keeps every value.
fn first_not_finite(
    model: &mut LoadedModel,
    run: impl FnOnce(&mut LoadedModel) -> Result<PlanId, TrainError>,
) -> String {
    let found = run(model).and_then(|plan| model.first_not_finite(plan));
    found.unwrap_or_else(|e| Some(format!("(not found: {e})"))).unwrap_or_else(|| "the loss itself".into())
}

/// A state that is not finite although the losses are: the last update, a running variance, or in 16 bits the gradients at
/// every scale of the loss. Such weights must not replace good ones.
///
/// # Errors
/// When the device is lost.
pub(super) fn bad_state(
    model: &mut LoadedModel,
    precision: Precision,
) -> Result<Option<(&'static str, String)>, TrainError> {
    for group in [Group::Parameters, Group::Statistics] {
        if let Some(state) = model.state_not_finite(group)? {
            return Ok(Some(("update", state)));
        }
    }
    if precision == Precision::F16 && ops::loss_scale_is_lowest(&model.session.read_state(LOSS_SCALE)?) {
        return Ok(Some(("gradient", "the gradients, at every scale of the loss".into())));
    }
    Ok(None)
}

impl Failure<'_> {
    /// The error that `what` is not finite, with its value and the first layer that is not finite.
    pub(super) fn error(&self, what: &'static str, loss: f32, layer: String) -> TrainError {
        let kept = match self.run.checkpoint() {
            Some(_) => {
                format!("the weights of the last epoch with finite losses are in {}", self.run.last_path().display())
            }
            None => "no checkpoint had been written yet".into(),
        };
        let Failure { precision, lr, step, epoch, .. } = *self;
        TrainError::NotFinite { what, loss, step, epoch, lr, layer, kept, precision }
    }
}
