//! Lowers a node to kernel calls.

use crate::graph::{Graph, Lowering, Operand};
use crate::kernel::KernelCall;

/// A node's kernel calls and temporaries.
pub(super) struct Lowered {
    pub calls: Vec<KernelCall<Operand>>,
    /// Words of 32 bits of each temporary.
    pub scratch: Vec<usize>,
}

/// The calls of node `n`.
pub(super) fn lower(graph: &Graph, n: usize) -> Lowered {
    let node = &graph.nodes()[n];
    let mut lowering = Lowering {
        inputs: node.inputs.iter().map(|&v| graph.ty(v)).collect(),
        outputs: node.outputs.iter().map(|&v| graph.ty(v)).collect(),
        scratch: vec![],
        scratch_elements: vec![],
        calls: vec![],
    };
    node.op.lower(&mut lowering);
    Lowered { calls: lowering.calls, scratch: lowering.scratch }
}
