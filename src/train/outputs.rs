//! Outputs of a plan by name, and the results of a training step.

use super::step::port;
use crate::exec::{AnyEngine, PlanId, Session};
use crate::run::resume::Sums;

/// Outputs of a plan, by name.
#[derive(Clone, Debug, Default)]
pub struct Outputs(Vec<(String, Vec<f32>)>);

impl Outputs {
    /// Names the outputs of a plan, given in the order of its ports.
    pub fn new(session: &Session<AnyEngine>, plan: PlanId, values: Vec<Vec<f32>>) -> Self {
        let names = session.plan(plan).outputs.iter().map(|port| port.name.clone());
        Outputs(names.zip(values).collect())
    }

    /// Outputs by name.
    pub(super) fn of_pairs(pairs: Vec<(String, Vec<f32>)>) -> Self {
        Outputs(pairs)
    }

    /// All outputs, by name.
    pub(super) fn pairs(&self) -> &[(String, Vec<f32>)] {
        &self.0
    }

    /// The values of an output; empty if the plan has no output of this name.
    pub fn get(&self, name: &str) -> &[f32] {
        self.0.iter().find(|(known, _)| known == name).map_or(&[], |(_, values)| values)
    }

    /// Moves the values out of an output, which is empty afterwards.
    pub(super) fn take(&mut self, name: &str) -> Vec<f32> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, values)| std::mem::take(values)).unwrap_or_default()
    }

    /// The first value of an output.
    pub fn first(&self, name: &str) -> Option<f32> {
        self.get(name).first().copied()
    }
}

/// Sums over a batch, as the loss op writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Sum of the losses.
    pub loss: f64,
    /// Sum of the weights: the batch's mean loss is `loss / weight`.
    pub weight: f64,
    /// Right predictions.
    pub right: f64,
    /// Predictions that count.
    pub counted: f64,
}

impl Totals {
    /// The totals of a graph with the output [`port::TOTALS`].
    pub fn of(outputs: &Outputs) -> Self {
        let value = |at: usize| f64::from(outputs.get(port::TOTALS).get(at).copied().unwrap_or(0.0));
        Totals { loss: value(0), weight: value(1), right: value(2), counted: value(3) }
    }
}

/// Results of a training step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepResults {
    /// Mean loss of the batch.
    pub loss: f32,
    /// Sums over the batch.
    pub totals: Totals,
    /// Norm of all gradients, if the step has that output.
    pub gradient_norm: Option<f32>,
    /// Norm of all parameters before the step.
    pub weight_norm: Option<f32>,
}

impl StepResults {
    /// The results of a training graph's outputs.
    pub fn of(outputs: &Outputs) -> Self {
        StepResults {
            loss: outputs.first(port::LOSS).unwrap_or(f32::NAN),
            totals: Totals::of(outputs),
            gradient_norm: outputs.first(port::GRADIENT_NORM),
            weight_norm: outputs.first(port::WEIGHT_NORM),
        }
    }

    /// Adds the step to an epoch's sums. A batch counts in the epoch's mean loss with the sum of its weights.
    pub fn add_to(&self, sums: &mut Sums, images: usize) {
        sums.loss += f64::from(self.loss) * self.totals.weight;
        sums.weight += self.totals.weight;
        sums.right += self.totals.right;
        sums.counted += self.totals.counted;
        sums.images += images as f64;
    }
}
