//! Names of inputs and outputs.

use crate::graph::{Graph, Value};
use crate::shape::TensorType;

/// Input `[N,H,W,C]`.
pub const IMAGES: &str = "images";
/// Input: class numbers, one for each row of the logits.
pub const LABELS: &str = "labels";
/// Input: what changes from step to step, see [`Hyper`](crate::ops::Hyper).
pub const HYPER: &str = "hyper";
/// Input: a [`SpanRate`](crate::ops::SpanRate) per row, if stages of the network have different learning rates.
pub const RATES: &str = "rates";
/// Output `[1]`.
pub const LOSS: &str = "loss";
/// Output `[4]`: sum of the loss, sum of the weights, correct rows, counted rows.
pub const TOTALS: &str = "totals";
/// Output `[4]`: the norm of all gradients first.
pub const GRADIENT_NORM: &str = "gradient_norm";
/// Output `[4]`: the norm of all parameters before the step first.
pub const WEIGHT_NORM: &str = "weight_norm";
/// Output of a shard's graph, input of an update's graph: the gradients of all parameters, flat.
pub const GRADIENTS: &str = "gradients";
/// Output of a shard's graph: the running statistics after it, flat.
pub const STATISTICS: &str = "statistics";
/// Input: numbers to predict, of the shape of the output, or probabilities of classes `[N,C]`.
pub const TARGETS: &str = "targets";
/// Input `[C]`: weight of each class in the loss.
#[cfg(feature = "tasks")]
pub const CLASS_WEIGHTS: &str = "class_weights";

/// The input of this name, made at its first use.
pub(super) fn input(g: &mut Graph, name: &str, ty: TensorType) -> Value {
    let known = g.inputs().find(|(known, _)| *known == name).map(|(_, value)| value);
    known.unwrap_or_else(|| g.input(name, ty))
}
