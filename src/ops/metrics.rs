//! Argmax per row and the confusion matrix, computed on the device so that no logits are read back.

use super::onnx::last;
use super::{expect_inputs, expect_labels, row_consts, segments};
use crate::graph::{Graph, GraphError, Lowering, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType, padded};

/// Index of the largest channel of each row, the first in a tie.
#[derive(Clone, Copy, Debug)]
pub struct Argmax;

/// Number of rows for each pair of label and prediction.
#[derive(Clone, Copy, Debug)]
pub struct Confusion {
    /// Number of classes.
    pub classes: usize,
}

/// Appends the index of the largest channel of each row of x [.., C], the first among equals: a flat run of integers.
///
/// Gradient: none.
///
/// # Errors
/// For a weight whose input channels are padded in memory.
pub fn argmax(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    g.add1(Argmax, &[x])
}

/// Appends the counts [classes, classes] of (label, prediction) over all rows. Rows whose label or prediction is not a
/// class are left out. Counts are exact up to 2^24. Both inputs have the layout of the labels of
/// [`super::softmax_cross_entropy`].
///
/// Gradient: none.
///
/// # Errors
/// When there is not one label per prediction.
pub fn confusion(g: &mut Graph, labels: Value, predictions: Value, classes: usize) -> Result<Value, GraphError> {
    g.add1(Confusion { classes }, &[labels, predictions])
}

impl Op for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        Ok(vec![TensorType::flat(x.shape.rows())])
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        /// ONNX's element type of f32.
        const FLOAT: i64 = 1;
        let mut nodes = vec![OnnxNode::new("ArgMax", [OnnxInput::Value(0)]).int("axis", 1).int("keepdims", 0)];
        nodes.push(OnnxNode::new("Cast", [last(&nodes)]).int("to", FLOAT));
        nodes.push(OnnxNode::new("Reshape", [last(&nodes), OnnxInput::Ints(vec![-1])]));
        Ok(nodes)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        // Items in the padding at the end write 0.
        let work = Work::Items(padded(x.shape.rows()));
        l.call("argmax", row_consts(x), bindings, work, x.shape.elements());
    }
}

impl Op for Confusion {
    fn name(&self) -> &'static str {
        "confusion"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [labels, predictions] = expect_inputs(inputs)?;
        let rows = labels.shape.elements();
        expect_labels("the labels", labels, rows)?;
        expect_labels("the predictions", predictions, rows)?;
        if self.classes == 0 || self.classes > 1024 {
            return Err(format!("{} classes: 1 to 1024 can be counted", self.classes));
        }
        Ok(vec![TensorType::channels([self.classes, self.classes])])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (rows, c4) = (l.inputs[0].shape.elements(), padded(self.classes) / LANES);
        // There are few sums over many rows, so the segments give the parallelism.
        let (parts, rows_each) = segments(rows, rows, self.classes * c4);
        let partials = l.scratch(parts * self.classes * c4 * LANES);
        let consts = Consts::new().u("ROWS", rows).u("C", self.classes).u("C4", c4).u("SEGMENT_ROWS", rows_each);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(partials, Access::Write)]);
        let items = parts * self.classes * c4;
        l.call("confusion", consts, bindings, Work::Items(items), rows * self.classes * c4);
        super::partial_sums::sum_partials(l, partials, self.classes * c4, parts, Operand::Output(0));
    }
}
