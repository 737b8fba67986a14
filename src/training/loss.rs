//! Losses: what a training minimizes.

use super::targets::Targets;
use crate::graph::{Graph, GraphError, Value};
use crate::label::IGNORED;
use crate::nn::Mode;
use crate::ops::{self, CrossEntropyOptions, DiceOptions};

/// A loss: appends ops that turn the output of a network into a number to minimize. Every function and closure
/// `Fn(&mut Graph, OUTPUT, &mut Targets) -> Result<LOSS, GraphError>` is a loss. `LOSS` is a [`Value`] of one element, a loss with its
/// totals as [`ops::softmax_cross_entropy`] returns them, or [`Losses`]:
///
/// ```
/// # use shadegrad::graph::{Graph, GraphError, Value};
/// # use shadegrad::ops;
/// # use shadegrad::training::{Loss, Losses, Targets};
/// fn loss(g: &mut Graph, logits: Value, targets: &mut Targets) -> Result<Losses, GraphError> {
///     let labels = targets.labels(g, logits)?;
///     let cross_entropy = ops::softmax_cross_entropy(g, logits, labels, None, Default::default())?;
///     let dice = ops::dice_loss(g, logits, labels, Default::default())?;
///     Ok(Losses::new().term("cross_entropy", 1.0, cross_entropy[0]).term("dice", 0.5, dice))
/// }
/// # fn check(_: impl Loss<Value>) {}
/// # check(loss);
/// ```
pub trait Loss<O> {
    /// Appends the loss of `output`.
    ///
    /// # Errors
    /// When the output has another shape than the loss takes.
    fn apply(&self, g: &mut Graph, output: O, targets: &mut Targets) -> Result<Losses, GraphError>;
}

impl<F, O, L> Loss<O> for F
where
    F: Fn(&mut Graph, O, &mut Targets) -> Result<L, GraphError>,
    L: Into<Losses>,
{
    fn apply(&self, g: &mut Graph, output: O, targets: &mut Targets) -> Result<Losses, GraphError> {
        self(g, output, targets).map(Into::into)
    }
}

/// Weighted terms of a loss, each of one element, and further measured numbers of a step.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    pub(super) terms: Vec<(String, f32, Value)>,
    pub(super) metrics: Vec<(String, Value)>,
    pub(super) totals: Option<Value>,
}

impl Losses {
    /// No terms yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `weight · value` added to the loss. Results show each term without its weight, by its name.
    pub fn term(mut self, name: &str, weight: f32, value: Value) -> Self {
        self.terms.push((name.into(), weight, value));
        self
    }

    /// With a measured number of one element that is not part of the loss.
    pub fn metric(mut self, name: &str, value: Value) -> Self {
        self.metrics.push((name.into(), value));
        self
    }

    /// With the totals `[4]` that an op of [`crate::ops`] gives with its loss: sum of the loss, sum of the weights, correct
    /// rows, counted rows. They make the loss of an evaluation exact if samples differ in weight, and give its
    /// accuracy.
    pub fn totals(self, totals: Value) -> Self {
        Losses { totals: Some(totals), ..self }
    }

    /// Appends `Σ weight · term`.
    pub(super) fn sum(&self, g: &mut Graph) -> Result<Value, GraphError> {
        let mut sum: Option<Value> = None;
        for &(_, weight, value) in &self.terms {
            let term = if weight == 1.0 { value } else { ops::scale(g, value, weight)? };
            sum = Some(match sum {
                Some(sum) => ops::add(g, sum, term)?,
                None => term,
            });
        }
        sum.ok_or_else(|| GraphError::Shape {
            op: "loss",
            at: String::new(),
            shapes: "none".into(),
            rule: "a loss needs at least one term".into(),
        })
    }
}

impl From<Value> for Losses {
    fn from(loss: Value) -> Self {
        Losses::new().term("loss", 1.0, loss)
    }
}

impl From<[Value; 2]> for Losses {
    /// A loss and its totals.
    fn from([loss, totals]: [Value; 2]) -> Self {
        Losses::from(loss).totals(totals)
    }
}

/// Softmax cross entropy of logits `[N,C]` with a class for each image, or `[N,H,W,C]` with a class for each pixel. The label
/// [`IGNORED`](super::IGNORED) counts for nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    label_smoothing: f32,
    class_weights: Option<Vec<f32>>,
    probabilities: bool,
}

impl CrossEntropy {
    /// Without label smoothing; all classes weigh the same.
    pub fn new() -> Self {
        Self::default()
    }

    /// With label smoothing ε in `[0, 1)` in training (Szegedy et al. 2016).
    pub fn label_smoothing(self, epsilon: f32) -> Self {
        CrossEntropy { label_smoothing: epsilon, ..self }
    }

    /// With a weight for each class, `[C]`.
    pub fn class_weights(self, weights: Vec<f32>) -> Self {
        CrossEntropy { class_weights: Some(weights), ..self }
    }

    /// With the probabilities of all classes in [`Batch::targets`](super::Batch::targets) instead of labels in training: for
    /// samples that are mixed. Evaluation takes labels.
    pub fn probabilities(self) -> Self {
        CrossEntropy { probabilities: true, ..self }
    }
}

impl Loss<Value> for CrossEntropy {
    fn apply(&self, g: &mut Graph, logits: Value, targets: &mut Targets) -> Result<Losses, GraphError> {
        let training = targets.mode() == Mode::Train;
        let soft_labels = self.probabilities && training;
        let labels = if soft_labels { targets.targets(g, logits)? } else { targets.labels(g, logits)? };
        let weights = self.class_weights.as_deref();
        let weights = weights.map(|weights| targets.constant(g, "class_weights", [weights.len()], weights));
        let options = CrossEntropyOptions {
            label_smoothing: if training { self.label_smoothing } else { 0.0 },
            ignore_index: (!soft_labels).then_some(IGNORED),
            soft_labels,
            ..Default::default()
        };
        ops::softmax_cross_entropy(g, logits, labels, weights, options).map(Into::into)
    }
}

/// Mean of the error of each element against [`Batch::targets`](super::Batch::targets).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regression(pub ops::Regression);

impl Loss<Value> for Regression {
    fn apply(&self, g: &mut Graph, output: Value, targets: &mut Targets) -> Result<Losses, GraphError> {
        let target = targets.targets(g, output)?;
        ops::regression_loss(g, output, target, self.0).map(Into::into)
    }
}

/// Soft Dice loss of logits `[N,H,W,C]` with a class for each pixel (Milletari et al. 2016). The label
/// [`IGNORED`](super::IGNORED) counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dice {
    /// Added to numerator and denominator, so that a class without pixels does not divide by 0.
    pub smooth: f32,
}

impl Default for Dice {
    /// Smoothed by 1.
    fn default() -> Self {
        Dice { smooth: 1.0 }
    }
}

impl Loss<Value> for Dice {
    fn apply(&self, g: &mut Graph, logits: Value, targets: &mut Targets) -> Result<Losses, GraphError> {
        let labels = targets.labels(g, logits)?;
        let options = DiceOptions { smooth: self.smooth, ignore_index: Some(IGNORED) };
        ops::dice_loss(g, logits, labels, options).map(Into::into)
    }
}
