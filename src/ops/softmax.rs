//! Softmax over the channels of each row, and its logarithm: `p_c = e^x_c / Σ_k e^x_k`, with the largest x of the row
//! subtracted first, so that no power overflows.

use super::{expect_inputs, first, row_consts};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::TensorType;

/// Softmax of each row of x [.., C], or its logarithm.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    /// The result is `log p`.
    pub log: bool,
}

/// Gradient of [`Softmax`] from dy and its result.
#[derive(Clone, Copy, Debug)]
struct SoftmaxGrad(Softmax);

/// Appends the softmax over the last axis of x [.., C].
///
/// Gradient: for x.
///
/// # Errors
/// For a weight whose input channels are padded in memory.
pub fn softmax(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    g.add1(Softmax { log: false }, &[x])
}

/// Appends the logarithm of the softmax over the last axis of x [.., C], exact for probabilities that f32 would round to 0.
///
/// Gradient: for x.
///
/// # Errors
/// For a weight whose input channels are padded in memory.
pub fn log_softmax(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    g.add1(Softmax { log: true }, &[x])
}

impl Softmax {
    fn consts(self, t: &TensorType) -> Consts {
        row_consts(t).b("LOG", self.log)
    }
}

/// Rows in memory.
fn rows(t: &TensorType) -> usize {
    t.len() / t.stride()
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        Ok(vec![x.clone()])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        Ok(vec![Some(g.add1(SoftmaxGrad(*self), &[first(upstream)?, node.outputs[0]])?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        if !matches!(inputs[0].shape.rank(), 2 | 4) {
            return Err("x must have the axes [N,H,W,C] or [N,C]".into());
        }
        let operator = if self.log { "LogSoftmax" } else { "Softmax" };
        Ok(vec![OnnxNode::new(operator, [OnnxInput::Value(0)]).int("axis", 1)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        // Small probabilities need more digits than f16 has.
        operand == Operand::Input(0)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("softmax", self.consts(x), bindings, Work::Items(rows(x)), 4 * x.shape.elements());
    }
}

impl Op for SoftmaxGrad {
    fn name(&self) -> &'static str {
        "softmax_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [dy, y] = expect_inputs(inputs)?;
        if dy == y { Ok(vec![dy.clone()]) } else { Err("both inputs must have the same shape".into()) }
    }

    fn takes_half(&self, operand: Operand) -> bool {
        operand == Operand::Output(0)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let y = l.inputs[1];
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("softmax_grad", self.0.consts(y), bindings, Work::Items(rows(y)), 5 * y.shape.elements());
    }
}
