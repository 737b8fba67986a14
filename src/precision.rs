//! Which values of a training step are stored in 16 bits: activations and their gradients, wherever every op that makes
//! or reads one says that it can. Parameters, their gradients, statistics, moments, losses and all sums stay in 32 bits
//! (mixed precision, Micikevicius et al. 2018). Halves memory and its traffic, and lets matrix products use the units
//! that GPUs have for 16-bit operands.
//!
//! Gradients are small where f16 has few digits left, so the loss is multiplied by a factor that follows what fits: see
//! [`crate::ops::loss_scale`].

use std::collections::HashSet;

use crate::choices;
use crate::graph::{Graph, Operand, Storage, Value};
use crate::shape::{Element, Layout};

choices! {
    /// Width of activations and their gradients in training.
    pub enum Precision default F32 {
        /// 32 bits everywhere.
        F32 = "f32",
        /// 16 bits for activations and their gradients, on devices that can; 32 for all else.
        F16 = "f16",
    }
}

/// Stores in 16 bits what can be. Call it after [`crate::fuse::fuse`]; gives the number of values.
pub fn halve(graph: &mut Graph) -> usize {
    // Not losses and values per channel, which are vectors.
    let activation = |v: &Value| graph.ty(*v).layout == Layout::Channels && graph.ty(*v).shape.rank() > 1;
    let mut half: HashSet<Value> = produced(graph).filter(activation).collect();
    for node in graph.nodes() {
        let inputs = node.inputs.iter().enumerate().map(|(i, v)| (Operand::Input(i), v));
        let outputs = node.outputs.iter().enumerate().map(|(i, v)| (Operand::Output(i), v));
        for (operand, v) in inputs.chain(outputs) {
            if !node.op.takes_half(operand) {
                half.remove(v);
            }
        }
    }
    // The caller reads floats.
    for (_, v) in graph.outputs() {
        half.remove(v);
    }
    same_under_another_shape(graph, &mut half);
    for &v in &half {
        graph.set_element(v, Element::F16);
    }
    half.len()
}

fn produced(graph: &Graph) -> impl Iterator<Item = Value> {
    graph.nodes().iter().flat_map(|node| node.outputs.iter().copied())
}

/// What shares memory must be of one kind.
fn same_under_another_shape(graph: &Graph, half: &mut HashSet<Value>) {
    loop {
        let before = half.len();
        for node in graph.nodes() {
            if let Storage::Alias(i) = node.op.storage() {
                let pair = [node.inputs[i], node.outputs[0]];
                if !pair.iter().all(|v| half.contains(v)) {
                    half.retain(|v| !pair.contains(v));
                }
            }
        }
        if half.len() == before {
            return;
        }
    }
}
