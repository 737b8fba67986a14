//! Binary cross entropy of logits, per element, for labels that do not exclude each other (several per picture). With
//! logit x, target y in [0, 1], smoothing ε, t = (1 − ε)·y + ε/2 and w the positive weight of the element's class:
//! `l = −(w·t·log σ(x) + (1 − t)·log(1 − σ(x)))`.
//!
//! Focal loss (Lin et al. 2017; torchvision's `sigmoid_focal_loss`) multiplies each log p by (1 − p)^γ.
//!
//! It is computed as `w·t·softplus(−x) + (1 − t)·softplus(x)`, which neither overflows nor cancels for any logit
//! (PyTorch's `binary_cross_entropy_with_logits`).

use super::{Reduction, expect_first, expect_vector, loss_parts, row_consts, vectors};
use crate::graph::{Domain, Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Options of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BinaryCrossEntropyOptions {
    /// ε in [0, 1): targets 0 and 1 become ε/2 and 1 − ε/2.
    pub label_smoothing: f32,
    /// Elements with this target do not count.
    pub ignore_target: Option<i32>,
    /// Mean over the elements that count (0 when none does), or sum. Positive weights do not change the divisor.
    pub reduction: Reduction,
    /// γ of focal loss (Lin et al. 2017), which multiplies each log p by (1 − p)^γ; 0 for none.
    pub focal_gamma: f32,
}

/// The loss. Inputs: logits [.., C], targets of the same type, optional positive weights `[C]`. Outputs: loss `[1]`;
/// totals `[4]`: loss sum, elements counted, elements predicted rightly (x > 0 where y > ½), elements counted.
#[derive(Clone, Copy, Debug)]
pub struct BinaryCrossEntropy {
    /// Options.
    pub options: BinaryCrossEntropyOptions,
    /// Whether positive weights are given.
    pub weighted: bool,
}

/// Gradient for the logits: inputs upstream `[1]`, totals `[4]`, then those of the loss.
#[derive(Clone, Copy, Debug)]
struct BinaryCrossEntropyGrad(BinaryCrossEntropy);

/// Appends the loss; returns it and the totals of [`BinaryCrossEntropy`]. `positive_weights` `[C]` multiply the part of
/// the loss where a class is present. A weight of (pictures without the class) / (pictures with it) balances the two
/// parts.
///
/// Gradient: for the logits. Targets and weights get none.
///
/// # Errors
/// When logits and targets differ in type, there is not one weight per class, or the smoothing is not in [0, 1).
pub fn binary_cross_entropy(
    g: &mut Graph,
    logits: Value,
    targets: Value,
    positive_weights: Option<Value>,
    options: BinaryCrossEntropyOptions,
) -> Result<[Value; 2], GraphError> {
    let inputs: Vec<Value> = [logits, targets].into_iter().chain(positive_weights).collect();
    let made = g.add(BinaryCrossEntropy { options, weighted: positive_weights.is_some() }, &inputs)?;
    Ok([made[0], made[1]])
}

/// Most partial sums: enough to fill a device.
const MAX_PARTS: usize = 8192;

impl BinaryCrossEntropy {
    fn consts(&self, logits: &TensorType) -> Consts {
        row_consts(logits)
            .f("LABEL_SMOOTHING", f64::from(self.options.label_smoothing))
            .b("HAS_IGNORE", self.options.ignore_target.is_some())
            .f("IGNORE", f64::from(self.options.ignore_target.unwrap_or(-1)))
            .b("MEAN", self.options.reduction == Reduction::Mean)
            .b("WEIGHTED", self.weighted)
            .b("FOCAL", self.options.focal_gamma > 0.0)
            .f("FOCAL_GAMMA", f64::from(self.options.focal_gamma))
    }
}

impl Op for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let &[logits, targets] = expect_first(inputs)?;
        loss_parts::expect_count(inputs, self.weighted)?;
        if logits != targets {
            return Err("there must be one target per logit, in the shape of the logits".into());
        }
        if self.weighted {
            expect_vector("the positive weights", inputs[2], logits)?;
        }
        loss_parts::expect_smoothing(self.options.label_smoothing)?;
        super::expect_focal_gamma(self.options.focal_gamma)?;
        Ok(vec![TensorType::channels([1]), TensorType::channels([4])])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        loss_parts::gradient(g, node, upstream, BinaryCrossEntropyGrad(*self))
    }

    fn domain(&self, input: usize, _: &[&TensorType]) -> Option<Domain> {
        (input == 1).then_some(Domain::Targets { ignored: self.options.ignore_target })
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[0];
        let parts = vectors(logits).min(MAX_PARTS);
        let partials = l.scratch(parts * LANES);
        let reads =
            [Operand::Input(0), Operand::Input(1), loss_parts::weights(self.weighted, 0)].map(|o| (o, Access::Read));
        let consts = self.consts(logits).u("PARTS", parts).u("TOTAL4", vectors(logits));
        let bindings = reads.into_iter().chain([(partials, Access::Write)]);
        l.call("binary_cross_entropy", consts, bindings, Work::Items(parts), 9 * logits.shape.elements());
        loss_parts::finish(l, partials, parts, self.options.reduction);
    }
}

impl Op for BinaryCrossEntropyGrad {
    fn name(&self) -> &'static str {
        "binary_cross_entropy_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[2].clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[2];
        let (consts, work) = (self.0.consts(logits), (Work::Items(vectors(logits)), 9 * logits.shape.elements()));
        loss_parts::lower_gradient(l, ("binary_cross_entropy_grad", consts), self.0.weighted, work);
    }
}
