//! Reverse-mode differentiation. It walks the graph backwards, asks each op for the nodes that compute its gradient,
//! and adds the gradients of a value that is used more than once. It knows no op by name.

use crate::graph::{self, Graph, GraphError, Node, NodeView, Source, Value};
use crate::ops;

/// Appends nodes that compute the gradient of `loss` with respect to each value of `wrt`.
///
/// # Errors
/// When the loss is not a single number or does not depend on one of `wrt`; when an op between them has no gradient;
/// when the gradient of an op reads a state that the graph updates in between.
pub fn gradients(graph: &mut Graph, loss: Value, wrt: &[Value]) -> Result<Vec<Value>, GraphError> {
    if graph.known("gradient", loss)?.shape.elements() != 1 {
        return Err(GraphError::NotScalar { shape: graph.ty(loss).shape.to_string() });
    }
    let one = ops::fill(graph, graph.ty(loss).clone(), 1.0)?;
    gradients_from(graph, &[(loss, one)], wrt)
}

/// Appends nodes that compute the gradient of `Σ value · upstream` over the pairs (value, upstream) of `seeds` with
/// respect to each value of `wrt`.
///
/// # Errors
/// When a value and its upstream gradient differ in type, when no value depends on one of `wrt`, and as [`gradients`].
pub fn gradients_from(graph: &mut Graph, seeds: &[(Value, Value)], wrt: &[Value]) -> Result<Vec<Value>, GraphError> {
    for &v in seeds.iter().flat_map(|(value, upstream)| [value, upstream]).chain(wrt) {
        graph.known("gradient", v)?;
    }
    let depends = dependent_values(graph, wrt);
    let updates = updates(graph);
    let mut grads: Vec<Option<Value>> = vec![None; graph.value_count()];
    for &(value, upstream) in seeds {
        if graph.ty(value) != graph.ty(upstream) {
            return Err(GraphError::Shape {
                op: "gradient",
                at: String::new(),
                shapes: format!("{}, {}", graph.ty(value).shape, graph.ty(upstream).shape),
                rule: "a value and its upstream gradient must have the same shape and layout".into(),
            });
        }
        add_to(graph, &mut grads[value.index()], upstream)?;
    }
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
            let first = g.nodes().len();
            let contributions = node.op.gradient(g, view, &upstream)?;
            check_states(g, index, first, &updates)?;
            for (&input, contribution) in node.inputs.iter().zip(contributions) {
                let (Some(new), true) = (contribution, depends[input.index()]) else { continue };
                add_to(g, &mut grads[input.index()], new)?;
            }
            Ok(())
        })?;
    }
    wrt.iter().map(|&v| grads[v.index()].ok_or_else(|| GraphError::Unused { name: name(graph, v) })).collect()
}

fn name(g: &Graph, v: Value) -> String {
    match g.source(v) {
        Source::State(id) => g.states().spec(*id).name.clone(),
        other => format!("{other:?}"),
    }
}

/// All updates in place, as pairs of the node and the owner of the memory.
fn updates(graph: &Graph) -> Vec<(usize, Value)> {
    let of = |(n, node): (usize, &Node)| -> Vec<_> {
        node.op.updates().iter().map(|&i| (n, graph.owner(node.inputs[i]))).collect()
    };
    graph.nodes().iter().enumerate().flat_map(of).collect()
}

/// Checks the gradient of the node at `index`, which consists of the nodes from `first` on. They run after all others,
/// so no state that they read may be updated in between.
fn check_states(graph: &Graph, index: usize, first: usize, updates: &[(usize, Value)]) -> Result<(), GraphError> {
    for v in graph.nodes()[first..].iter().flat_map(|node| &node.inputs).map(|&v| graph.owner(v)) {
        if let Some(&(by, _)) = updates.iter().find(|&&(at, state)| at >= index && graph.overlap(state, v)) {
            let node = &graph.nodes()[index];
            return Err(GraphError::Overwritten {
                op: node.op.name(),
                at: graph::at(&node.scope),
                name: name(graph, v),
                by: graph.nodes()[by].op.name(),
            });
        }
    }
    Ok(())
}

/// Adds `new` to the gradient collected so far.
fn add_to(graph: &mut Graph, sum: &mut Option<Value>, new: Value) -> Result<(), GraphError> {
    *sum = Some(match *sum {
        Some(old) => ops::add(graph, old, new)?,
        None => new,
    });
    Ok(())
}

/// For each value, whether it depends on one of `roots`.
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
