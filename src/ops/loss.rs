//! Softmax cross entropy per row (image or pixel), with label smoothing, class weights and an ignored label, as in
//! PyTorch. p = softmax(logits), y is the label, w are the class weights, ε is the smoothing over C classes.
//!
//! | variant | loss of a row | the mean divides by |
//! |---|---|---|
//! | label | `(1 − ε)·w_y·(−log p_y) + ε/C · Σ_c w_c·(−log p_c)` | `Σ w_y` |
//! | probabilities q instead of a label | `Σ_c ((1 − ε)·q_c + ε/C)·w_c·(−log p_c)` | the number of rows |
//! | focal loss (Lin et al. 2017) | `(1 − p_y)^γ·w_y·(−log p_y)` | `Σ w_y` |

use super::{Reduction, expect_first, expect_labels, expect_vector, loss_parts, row_consts};
use crate::graph::{Domain, Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Options of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct CrossEntropyOptions {
    /// ε in [0, 1).
    pub label_smoothing: f32,
    /// Rows with this label do not count.
    pub ignore_index: Option<i32>,
    /// Mean or sum.
    pub reduction: Reduction,
    /// The logits are log-probabilities and are not normalized: negative log likelihood.
    pub log_probabilities: bool,
    /// The labels are probabilities of all classes, with the shape of the logits; none can be ignored.
    pub soft_labels: bool,
    /// γ of focal loss (Lin et al. 2017), which multiplies the loss of a row by (1 − p_y)^γ; 0 for none. It needs labels, without
    /// smoothing, and logits.
    pub focal_gamma: f32,
}

/// The loss. Inputs: logits [.., C], labels (one per row, whole numbers, or see `soft_labels`), optional class weights
/// `[C]`. Outputs: loss `[1]`; totals `[4]`: loss sum, weight sum, rows predicted correctly, rows counted.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCrossEntropy {
    /// Options.
    pub options: CrossEntropyOptions,
    /// Whether class weights are given.
    pub weighted: bool,
}

/// Gradient for the logits: inputs upstream [1], totals [4], then those of the loss.
#[derive(Clone, Copy, Debug)]
struct SoftmaxCrossEntropyGrad(SoftmaxCrossEntropy);

/// Appends the loss; returns it and the totals. Labels lie side by side in memory: `TensorType::flat(rows)`, or a
/// vector `[rows]`. A label that is neither a class nor ignored has no weight; it adds only label smoothing's part of
/// the loss.
///
/// Gradient: for the logits. Labels and weights get none.
///
/// # Errors
/// When there is not one label per row of logits (soft labels: one per logit), or one weight per class.
pub fn softmax_cross_entropy(
    g: &mut Graph,
    logits: Value,
    labels: Value,
    class_weights: Option<Value>,
    options: CrossEntropyOptions,
) -> Result<[Value; 2], GraphError> {
    let inputs: Vec<Value> = [logits, labels].into_iter().chain(class_weights).collect();
    let made = g.add(SoftmaxCrossEntropy { options, weighted: class_weights.is_some() }, &inputs)?;
    Ok([made[0], made[1]])
}

impl SoftmaxCrossEntropy {
    fn consts(&self, logits: &TensorType) -> Consts {
        row_consts(logits)
            .f("LABEL_SMOOTHING", f64::from(self.options.label_smoothing))
            .b("HAS_IGNORE", self.options.ignore_index.is_some())
            .f("IGNORE", f64::from(self.options.ignore_index.unwrap_or(-1)))
            .b("MEAN", self.options.reduction == Reduction::Mean)
            .b("WEIGHTED", self.weighted)
            .b("FOCAL", self.options.focal_gamma > 0.0)
            .f("FOCAL_GAMMA", f64::from(self.options.focal_gamma))
            .b("LOG_PROBABILITIES", self.options.log_probabilities)
            .b("SOFT_LABELS", self.options.soft_labels)
    }
}

impl Op for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let &[logits, labels] = expect_first(inputs)?;
        loss_parts::expect_count(inputs, self.weighted)?;
        if self.options.soft_labels {
            if labels.shape != logits.shape || labels.len() != logits.len() {
                return Err("soft labels must have the shape of the logits".into());
            }
            if self.options.ignore_index.is_some() {
                return Err("there is no label to ignore among soft labels".into());
            }
        } else {
            expect_labels("the labels", labels, logits.shape.rows())?;
        }
        if self.weighted {
            expect_vector("the class weights", inputs[2], logits)?;
        }
        let o = &self.options;
        if o.focal_gamma > 0.0 && (o.label_smoothing > 0.0 || o.soft_labels || o.log_probabilities) {
            return Err("focal loss needs labels without smoothing, and logits".into());
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
        loss_parts::gradient(g, node, upstream, SoftmaxCrossEntropyGrad(*self))
    }

    fn domain(&self, input: usize, inputs: &[&TensorType]) -> Option<Domain> {
        let classes = inputs[0].shape.channels();
        let labels = Domain::Labels { classes, ignored: self.options.ignore_index };
        (input == 1 && !self.options.soft_labels).then_some(labels)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[0];
        let rows = logits.shape.rows();
        let per_row = l.scratch(rows * LANES);
        let reads =
            [Operand::Input(0), Operand::Input(1), loss_parts::weights(self.weighted, 0)].map(|o| (o, Access::Read));
        let bindings = reads.into_iter().chain([(per_row, Access::Write)]);
        l.call("softmax_cross_entropy", self.consts(logits), bindings, Work::Items(rows), 5 * logits.shape.elements());
        loss_parts::finish(l, per_row, rows, self.options.reduction);
    }
}

impl Op for SoftmaxCrossEntropyGrad {
    fn name(&self) -> &'static str {
        "softmax_cross_entropy_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[2].clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let logits = l.inputs[2];
        let (consts, work) = (self.0.consts(logits), (Work::Items(logits.shape.rows()), 6 * logits.shape.elements()));
        loss_parts::lower_gradient(l, ("softmax_cross_entropy_grad", consts), self.0.weighted, work);
    }
}
