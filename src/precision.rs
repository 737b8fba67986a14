//! Mixed precision (Micikevicius et al. 2018): chooses the values of a training step that are stored in 16 bits.
//!
//! | 16 bits | 32 bits |
//! |---|---|
//! | activations and their gradients, if every op that writes or reads one accepts it | parameters, their gradients, statistics, moments, losses, all sums |
//!
//! 16 bits halve memory and traffic, and allow matrix units. Small gradients would lose digits in f16, so the loss is
//! scaled, see [`crate::ops::loss_scale`].

use std::collections::HashSet;

use crate::choices;
use crate::graph::{Graph, Operand, Storage, Value};
use crate::shape::{Element, Layout};

choices! {
    /// Width of activations and their gradients in training.
    pub enum Precision default F32 {
        /// 32 bits everywhere.
        F32 = "f32",
        /// 16 bits for activations and their gradients, with a scaled loss, on devices that have f16; 32 bits for all else.
        F16 = "f16",
    }
}

/// Stores values in 16 bits if all their ops accept it, and returns their number. Call it after [`crate::fuse::fuse`].
pub fn halve(graph: &mut Graph) -> usize {
    // Vectors are losses and values per channel, which stay in 32 bits.
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
    // The caller reads outputs as f32.
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

/// Values that share memory must have one element type.
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
