//! Mirror images.

use super::{expect_inputs, first, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Mirrors activations left to right.
#[derive(Clone, Copy, Debug)]
pub struct Flip;

/// Appends the mirror images of x `[N,H,W,C]`, left to right: PyTorch's `flip` along the width.
///
/// Gradient: for x.
///
/// # Errors
/// When x has other axes.
pub fn flip(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    g.add1(Flip, &[x])
}

impl Op for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        match x.shape.nhwc().filter(|_| x.shape.rank() == 4) {
            Some(_) => Ok(vec![x.clone()]),
            None => Err("x must have the axes [N,H,W,C]".into()),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        _: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        Ok(vec![Some(g.add1(Flip, &[first(upstream)?])?)])
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        // Backwards along the width, to before its start.
        let bounds = [vec![-1], vec![i64::MIN], vec![3], vec![-1]].map(OnnxInput::Ints);
        Ok(vec![OnnxNode::new("Slice", [vec![OnnxInput::Value(0)], bounds.to_vec()].concat())])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let [.., w, _] = x.shape.nhwc().expect("checked when the node was added");
        let consts = Consts::new().u("W", w).u("C4", x.stride() / LANES);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("flip", consts, bindings, Work::Items(vectors(x)), 0);
    }
}
