//! The common parts of losses. A loss has the outputs loss `[1]` and totals `[4]`. Its gradient node has the inputs
//! upstream `[1]`, totals `[4]`, then the inputs of the loss. The gradient is that of the loss's first input.

use super::partial_sums::sum_partials;
use super::{first, none};
use crate::graph::{Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::TensorType;

/// Reduction of the losses of all rows to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reduction {
    /// Weighted mean over the rows that are not ignored; 0 if all are ignored.
    #[default]
    Mean,
    /// Sum.
    Sum,
}

/// Requires logits and targets, and weights if the loss is `weighted`.
pub(super) fn expect_count(inputs: &[&TensorType], weighted: bool) -> Result<(), String> {
    let wanted = 2 + usize::from(weighted);
    if inputs.len() == wanted { Ok(()) } else { Err(format!("needs {wanted} inputs, got {}", inputs.len())) }
}

/// Requires a smoothing of at least 0 and below 1.
pub(super) fn expect_smoothing(label_smoothing: f32) -> Result<(), String> {
    match (0.0..1.0).contains(&label_smoothing) {
        true => Ok(()),
        false => Err(format!("label smoothing {label_smoothing} is not in [0, 1)")),
    }
}

/// The operand of the weights, which follow the targets. Without weights the logits, input `logits`, are bound once more.
pub(super) fn weights(weighted: bool, logits: usize) -> Operand {
    Operand::Input(if weighted { logits + 2 } else { logits })
}

/// Emits the sum of the partial sums as totals, and the loss from the totals: mean or sum.
pub(super) fn finish(l: &mut Lowering<'_>, partials: Operand, parts: usize, reduction: Reduction) {
    sum_partials(l, partials, 1, parts, Operand::Output(1));
    let bindings = [(Operand::Output(1), Access::Read), (Operand::Output(0), Access::Write)];
    let consts = Consts::new().b("MEAN", reduction == Reduction::Mean);
    l.call("loss_finalize", consts, bindings, Work::Items(1), 1);
}

/// Appends the gradient `op` of a loss.
pub(super) fn gradient(
    g: &mut Graph,
    node: NodeView<'_>,
    upstream: &[Option<Value>],
    op: impl Op,
) -> Result<Vec<Option<Value>>, GraphError> {
    let mut inputs = vec![first(upstream)?, node.outputs[1]];
    inputs.extend(node.inputs);
    let mut grads = none(node.inputs.len());
    grads[0] = Some(g.add1(op, &inputs)?);
    Ok(grads)
}

/// Emits the gradient of a loss that may be `weighted`.
pub(super) fn lower_gradient(
    l: &mut Lowering<'_>,
    (kernel, consts): (&'static str, Consts),
    weighted: bool,
    (work, flops): (Work, usize),
) {
    let reads = [Operand::Input(0), Operand::Input(1), Operand::Input(2), Operand::Input(3), weights(weighted, 2)];
    let bindings = reads.into_iter().map(|o| (o, Access::Read)).chain([(Operand::Output(0), Access::Write)]);
    l.call(kernel, consts, bindings, work, flops);
}
