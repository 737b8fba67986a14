//! The plans of a run, made before its first step.

use super::TrainError;
use super::model::LoadedModel;
use super::objective::Objective;
use super::settings::TrainSettings;
use super::sharded::Sharded;
use super::step::Phase;
use crate::graph::GraphError;
use crate::plan::PlanOptions;

/// Whether a last batch gives some BatchNorm one value a channel, so that its plan is refused.
fn without_one_value<T>(plan: Result<T, TrainError>) -> Result<bool, TrainError> {
    match plan {
        Err(TrainError::Graph(GraphError::OneValue { .. })) => Ok(true),
        plan => plan.map(|_| false),
    }
}

/// Prepares all plans of a run over these numbers of training and validation images. Returns true if the last, smaller
/// training batch is dropped: a single image, of which some BatchNorm would see one value a channel.
///
/// # Errors
/// When memory runs out or a kernel is refused.
pub(super) fn load_plans(
    model: &mut LoadedModel,
    objective: &dyn Objective,
    (settings, sharded): (&TrainSettings, Option<&Sharded>),
    [train, val]: [usize; 2],
) -> Result<bool, TrainError> {
    let (options, batch_size) = (PlanOptions::default(), settings.batch_size.min(train));
    if let Some(sharded) = sharded {
        evaluation_plan(model, objective, settings.batch_size.min(val))?;
        sharded.load_plans(model, objective, (batch_size, settings))?;
        return match train % batch_size {
            0 => Ok(false),
            last => without_one_value(sharded.load_plans(model, objective, (last, settings))),
        };
    }
    for head_alone in [false, true].into_iter().take(if settings.head_epochs > 0.0 { 2 } else { 1 }) {
        for last in [true, false].into_iter().take(settings.accumulate.min(2)) {
            model.training_plan(
                objective,
                (batch_size, Phase::of_batch(last).where_head_alone(head_alone)),
                options,
            )?;
        }
    }
    evaluation_plan(model, objective, settings.batch_size.min(val))?;
    match train % batch_size {
        0 => Ok(false),
        last => without_one_value(model.training_plan(objective, (last, Phase::Update), options)),
    }
}

/// Prepares the evaluation plan for a batch of `n`, unless each picture has its own size.
fn evaluation_plan(model: &mut LoadedModel, objective: &dyn Objective, n: usize) -> Result<(), TrainError> {
    if !objective.card().sees_own_pixels() {
        model.evaluation_plan(objective, n, PlanOptions::default())?;
    }
    Ok(())
}
