//! Soft Dice loss (Milletari et al. 2016) of a segmentation, from logits:
//! `l = 1 − 1/C Σ_c (2 Σ p_c t_c + ε) / (Σ p_c + Σ t_c + ε)`.
//! p is the softmax, t the one-hot labels. The inner sums are over all rows that are not ignored.
//!
//! It compares regions, not pixels, so a small class weighs as much as a large one.

use super::{expect_inputs, expect_labels, first, none, row_consts, segments};
use crate::graph::{Domain, Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Options of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiceOptions {
    /// ε, so that a class without pixels does not divide by 0.
    pub smooth: f32,
    /// Rows with this label do not count.
    pub ignore_index: Option<i32>,
}

impl Default for DiceOptions {
    fn default() -> Self {
        DiceOptions { smooth: 1.0, ignore_index: None }
    }
}

/// The loss. Inputs: logits [.., C], labels (one per row). Outputs: loss `[1]`; for each class the sums of p·t, p and t
/// (vectors of 4 classes; all of p·t, then all of p, then all of t).
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub DiceOptions);

/// Gradient for the logits from upstream, sums, logits and labels.
#[derive(Clone, Copy, Debug)]
struct DiceGrad(DiceOptions);

/// Appends the loss. Labels have the same layout as in [`super::softmax_cross_entropy`].
///
/// Gradient: for the logits.
///
/// # Errors
/// When there is not one label per row of logits.
pub fn dice_loss(g: &mut Graph, logits: Value, labels: Value, options: DiceOptions) -> Result<Value, GraphError> {
    Ok(g.add(Dice(options), &[logits, labels])?[0])
}

impl DiceOptions {
    fn consts(&self, logits: &TensorType) -> Consts {
        row_consts(logits)
            .f("SMOOTH", f64::from(self.smooth))
            .b("HAS_IGNORE", self.ignore_index.is_some())
            .f("IGNORE", f64::from(self.ignore_index.unwrap_or(-1)))
    }
}

impl Op for Dice {
    fn name(&self) -> &'static str {
        "dice_loss"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [logits, labels] = expect_inputs(inputs)?;
        expect_labels("the labels", labels, logits.shape.rows())?;
        if !(self.0.smooth >= 0.0 && self.0.smooth.is_finite()) {
            return Err(format!("smooth = {} must be 0 or more", self.0.smooth));
        }
        Ok(vec![TensorType::channels([1]), TensorType::channels([3, logits.shape.channels()])])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let inputs = [first(upstream)?, node.outputs[1], node.inputs[0], node.inputs[1]];
        let mut grads = none(2);
        grads[0] = Some(g.add1(DiceGrad(self.0), &inputs)?);
        Ok(grads)
    }

    fn domain(&self, input: usize, inputs: &[&TensorType]) -> Option<Domain> {
        let labels = Domain::Labels { classes: inputs[0].shape.channels(), ignored: self.0.ignore_index };
        (input == 1).then_some(labels)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[0];
        let (rows, len4) = (logits.shape.rows(), 3 * logits.stride() / LANES);
        let (parts, rows_each) = segments(rows, rows, len4);
        let partials = l.scratch(parts * len4 * LANES);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let consts = self.0.consts(logits).u("SEGMENT_ROWS", rows_each);
        let bindings = reads.into_iter().chain([(partials, Access::Write)]);
        l.call("dice_sums", consts, bindings, Work::Items(parts), 8 * logits.shape.elements());
        super::partial_sums::sum_partials(l, partials, len4, parts, Operand::Output(1));
        let bindings = [(Operand::Output(1), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("dice_finalize", self.0.consts(logits), bindings, Work::Items(1), 4 * logits.shape.channels());
    }
}

impl Op for DiceGrad {
    fn name(&self) -> &'static str {
        "dice_loss_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[2].clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[2];
        let reads = [0, 1, 2, 3].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        let work = Work::Items(logits.shape.rows());
        l.call("dice_grad", self.0.consts(logits), bindings, work, 12 * logits.shape.elements());
    }
}
