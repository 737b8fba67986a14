//! Dropout (Srivastava et al. 2014) from counter-based random numbers: the mask is a function of seed, step, layer and
//! element. Nothing is stored, and the backward pass computes the same mask again.

use std::any::Any;
use std::collections::HashSet;

use super::{expect_inputs, first, row_consts, vectors};
use crate::graph::{Graph, GraphError, Lowering, Node, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Work};
use crate::shape::TensorType;

/// Zeroes elements with probability `p` and scales the others by 1 / (1 − p). Inputs: x, the step's seed `[4]` (four
/// 16-bit numbers: seed low, seed high, step low, step high).
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability of a zero, in [0, 1).
    pub p: f32,
    /// Number of the mask, different for each dropout.
    pub stream: u32,
}

/// Appends dropout. `seed` is `[4]`, see [`Dropout`]. The mask depends on the layer's name and on the number of
/// dropouts before it in the layer, not on the rest of the graph.
///
/// Gradient: for x, with the same mask.
///
/// # Errors
/// When p is not in [0, 1), or the seed has another shape.
pub fn dropout(g: &mut Graph, x: Value, seed: Value, p: f32) -> Result<Value, GraphError> {
    let stream = stream(g);
    g.add1(Dropout { p, stream }, &[x, seed])
}

/// The first unused stream of the current layer. A gradient belongs to the same layer, but takes the stream of its
/// dropout.
fn stream(g: &Graph) -> u32 {
    let layer = g.layer();
    let of = |node: &Node| (node.op.as_ref() as &dyn Any).downcast_ref::<Dropout>().map(|op| op.stream);
    let used: HashSet<u32> = g.nodes().iter().filter(|node| node.scope == layer).filter_map(of).collect();
    let named = |place: usize| hash(format!("{layer}/{place}").as_bytes());
    (0..).map(named).find(|stream| !used.contains(stream)).unwrap_or(0)
}

/// FNV-1a of 32 bits (Fowler, Noll, Vo).
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |h: u32, &b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x, seed] = expect_inputs(inputs)?;
        if !(0.0..1.0).contains(&self.p) {
            return Err(format!("the probability {} is not in [0, 1)", self.p));
        }
        if seed.shape.0 != [4] {
            return Err("the seed must have the shape [4]".into());
        }
        Ok(vec![x.clone()])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        Ok(vec![Some(g.add1(*self, &[first(upstream)?, node.inputs[1]])?), None])
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        // For inference ONNX's Dropout is the identity and has no seed.
        Ok(vec![OnnxNode::new("Dropout", [OnnxInput::Value(0), OnnxInput::scalar(self.p)])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn takes_padded_kernel(&self, input: usize) -> bool {
        input == 0
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let consts = row_consts(x).f("P", f64::from(self.p)).u("STREAM", self.stream as usize);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("dropout", consts, bindings, Work::Items(vectors(x)), x.shape.elements());
    }
}
