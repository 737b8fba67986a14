//! Reverse-mode differentiation: walks the graph backwards, asks each op for the nodes that make its gradient, and sums
//! where a value is used more than once. It knows no op by name.

use crate::graph::{Graph, GraphError, NodeView, Value};
use crate::ops;

/// Appends nodes that compute the gradient of `loss` with respect to each value of `wrt`.
///
/// # Errors
/// When the loss is not a single number, when it does not depend on one of `wrt`, or when an op on the way has no
/// gradient.
pub fn gradients(graph: &mut Graph, loss: Value, wrt: &[Value]) -> Result<Vec<Value>, GraphError> {
    if graph.ty(loss).shape.elements() != 1 {
        return Err(GraphError::NotScalar { shape: graph.ty(loss).shape.to_string() });
    }
    let depends = dependent_values(graph, wrt);
    let mut grads: Vec<Option<Value>> = vec![None; graph.value_count()];
    grads[loss.index()] = Some(ops::fill(graph, graph.ty(loss).clone(), 1.0)?);
    for index in (0..graph.nodes().len()).rev() {
        let node = graph.nodes()[index].clone();
        if !node.inputs.iter().any(|v| depends[v.index()]) {
            continue;
        }
        let upstream: Vec<_> = node.outputs.iter().map(|v| grads.get(v.index()).copied().flatten()).collect();
        if upstream.iter().all(Option::is_none) {
            continue;
        }
        let view = NodeView { inputs: &node.inputs, outputs: &node.outputs };
        graph.in_scope(&node.scope, |g| -> Result<(), GraphError> {
            let contributions = node.op.gradient(g, view, &upstream)?;
            for (&input, contribution) in node.inputs.iter().zip(contributions) {
                let (Some(new), true) = (contribution, depends[input.index()]) else { continue };
                let slot = &mut grads[input.index()];
                *slot = Some(match *slot {
                    Some(old) => ops::add(g, old, new)?,
                    None => new,
                });
            }
            Ok(())
        })?;
    }
    let name = |g: &Graph, v: Value| match g.source(v) {
        crate::graph::Source::State(id) => g.states().spec(*id).name.clone(),
        other => format!("{other:?}"),
    };
    wrt.iter().map(|&v| grads[v.index()].ok_or_else(|| GraphError::Unused { name: name(graph, v) })).collect()
}

/// For each value: does it depend on one of `roots`?
fn dependent_values(graph: &Graph, roots: &[Value]) -> Vec<bool> {
    let mut depends = vec![false; graph.value_count()];
    for root in roots {
        depends[root.index()] = true;
    }
    for node in graph.nodes() {
        if node.inputs.iter().any(|v| depends[v.index()]) {
            for v in &node.outputs {
                depends[v.index()] = true;
            }
        }
    }
    depends
}
