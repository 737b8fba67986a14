//! The nodes of a network that compute, in order: shape, receptive field, parameters and work of each.

use std::collections::HashMap;

use crate::graph::{Graph, GraphError, Group, Source, Storage, receptive_fields};
use crate::nn::{Mode, Network};
use crate::plan::{Plan, PlanOptions};
use crate::shape::TensorType;

/// A node of a network that computes, for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRow {
    /// The layer that it belongs to, such as `layer1.0.conv1`; its op if it belongs to none.
    pub name: String,
    /// Its op, such as `conv2d`.
    pub op: &'static str,
    /// Nodes whose results it reads, by their index in the list; `None` for the image.
    pub inputs: Vec<Option<usize>>,
    /// Sizes of its result.
    pub shape: Vec<usize>,
    /// Height and width in pixels of the part of the image that a pixel of the result depends on. Padding counts as image.
    pub field: [f64; 2],
    /// Number of its parameters.
    pub parameters: usize,
    /// Floating-point operations.
    pub flops: u64,
}

/// The nodes of a network for images of `[height, width, channels]`, as an evaluation computes them without fused kernels.
///
/// # Errors
/// When the network does not fit the images.
pub fn nodes(network: &Network, [height, width, channels]: [usize; 3]) -> Result<Vec<NodeRow>, GraphError> {
    let mut g = Graph::new();
    let x = g.input("images", TensorType::channels([1, height, width, channels]));
    let y = network.apply(&mut g, x, Mode::Eval)?;
    g.output("y", y);
    let fields = receptive_fields(&g, x);
    let mut flops: HashMap<usize, u64> = HashMap::new();
    for planned in Plan::new(&g, PlanOptions::default()).calls {
        *flops.entry(planned.node).or_default() += planned.call.flops;
    }
    let mut place = HashMap::from([(x, None)]);
    let mut rows = vec![];
    for (number, node) in g.nodes().iter().enumerate() {
        let Some(&result) = node.outputs.first() else { continue };
        let read = node.inputs.iter().filter_map(|v| place.get(v).copied());
        let inputs: Vec<Option<usize>> = read.collect();
        let Some(field) = fields[result.index()] else { continue };
        // The same numbers under another shape.
        if let Storage::Alias(input) = node.op.storage() {
            let same = place.get(&node.inputs[input]).copied().flatten();
            place.extend(node.outputs.iter().map(|&v| (v, same)));
            continue;
        }
        let of_parameters = node.inputs.iter().filter(|&&v| match g.source(v) {
            Source::State(id) => g.states().spec(*id).group == Group::Parameters,
            _ => false,
        });
        place.extend(node.outputs.iter().map(|&v| (v, Some(rows.len()))));
        rows.push(NodeRow {
            name: if node.scope.is_empty() { node.op.name().to_owned() } else { node.scope.clone() },
            op: node.op.name(),
            inputs,
            shape: g.dims(result).to_vec(),
            field,
            parameters: of_parameters.map(|&v| g.ty(v).shape.elements()).sum(),
            flops: flops.get(&number).copied().unwrap_or(0),
        });
    }
    Ok(rows)
}
