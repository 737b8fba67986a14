//! Converts a graph to ONNX nodes: finds the nodes on which the outputs depend, asks each op for its ONNX form, and
//! names its inputs. Layouts change in two places only: in the axes of inputs and outputs, and in the order of values
//! in weights.

use std::collections::{HashMap, HashSet};

use super::{Dim, OnnxBuilder, OnnxError};
use crate::exec::{AnyEngine, Session};
use crate::graph::{Graph, Node, OnnxInput, OnnxNode, Source, Value, at};
use crate::interop::torchvision::{to_torch, torch_shape};
use crate::shape::{Layout, TensorType};

/// Axis of the images of a batch.
const BATCH: Dim = Dim::Named("N");

/// ONNX axes of an activation or vector; `None` for any other tensor.
fn dims(ty: &TensorType) -> Option<Vec<Dim>> {
    match (ty.layout, &ty.shape.0[..]) {
        (Layout::Channels, &[_, h, w, c]) => Some(vec![BATCH, Dim::Fixed(c), Dim::Fixed(h), Dim::Fixed(w)]),
        (Layout::Channels, &[_, c]) => Some(vec![BATCH, Dim::Fixed(c)]),
        (Layout::Channels, &[c]) => Some(vec![Dim::Fixed(c)]),
        // One value per pixel, over all images.
        (Layout::Flat, &[_]) => Some(vec![Dim::Named("rows")]),
        _ => None,
    }
}

fn no_dims(name: &str, ty: &TensorType) -> OnnxError {
    let reason = format!("it has the shape {} ({:?}), not [N,H,W,C], [N,C] or [C]", ty.shape, ty.layout);
    OnnxError::Value { name: name.into(), reason }
}

fn output(graph: &Graph, name: &str) -> Result<Value, OnnxError> {
    let found = graph.outputs().iter().find(|(known, _)| known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = graph.outputs().iter().map(|(name, _)| name.as_str()).collect();
        let reason = format!("the graph has no such output; it has {}", known.join(", "));
        OnnxError::Value { name: name.into(), reason }
    })
}

/// Axes of an output.
pub(super) fn output_dims(graph: &Graph, name: &str) -> Result<Vec<Dim>, OnnxError> {
    let ty = graph.ty(output(graph, name)?);
    dims(ty).ok_or_else(|| no_dims(name, ty))
}

fn refused(node: &Node, reason: String) -> OnnxError {
    OnnxError::Op { op: node.op.name(), at: at(&node.scope), reason }
}

impl OnnxBuilder {
    /// Appends the nodes on which the named outputs of an inference graph depend, and returns the values of these
    /// outputs. `inputs` pairs inputs of the graph with values that replace them. All other inputs become inputs of the model.
    ///
    /// # Errors
    /// As [`super::export`].
    pub fn graph(
        &mut self,
        graph: &Graph,
        session: &mut Session<AnyEngine>,
        inputs: &[(&str, &str)],
        outputs: &[&str],
    ) -> Result<Vec<String>, OnnxError> {
        append(self, graph, session, inputs, outputs)
    }
}

/// See [`OnnxBuilder::graph`].
fn append(
    builder: &mut OnnxBuilder,
    graph: &Graph,
    session: &mut Session<AnyEngine>,
    inputs: &[(&str, &str)],
    outputs: &[&str],
) -> Result<Vec<String>, OnnxError> {
    let wanted = outputs.iter().map(|name| output(graph, name)).collect::<Result<Vec<_>, _>>()?;
    let mut walk = Walk { graph, session, inputs, names: HashMap::new(), channels: HashMap::new() };
    for (node, made) in needed(graph, &wanted)? {
        let mut resolve = |b: &mut OnnxBuilder, input: &OnnxInput| walk.resolve(b, node, input);
        let result = builder.nodes_of(&node.scope, &made, &mut resolve)?;
        walk.names.insert(node.outputs[0], result);
    }
    wanted.iter().zip(outputs).map(|(&value, name)| walk.value(builder, name, value)).collect()
}

/// The nodes on which `wanted` depend, in order, each with its ONNX form.
fn needed<'g>(graph: &'g Graph, wanted: &[Value]) -> Result<Vec<(&'g Node, Vec<OnnxNode>)>, OnnxError> {
    let mut live: HashSet<Value> = wanted.iter().copied().collect();
    let mut kept = vec![];
    for node in graph.nodes().iter().rev() {
        let changes = |&i: &usize| {
            let state = graph.owner(node.inputs[i]);
            live.iter().any(|&v| graph.overlap(state, graph.owner(v)))
        };
        let updated = node.op.updates().iter().any(changes);
        match node.outputs.iter().position(|v| live.contains(v)) {
            None if updated => {
                let reason = "it updates a state that later nodes read: export a graph for inference".into();
                return Err(refused(node, reason));
            }
            None => continue,
            Some(0) if node.outputs.iter().skip(1).all(|v| !live.contains(v)) => {}
            Some(_) => return Err(refused(node, "only the first result of an op can be used in ONNX".into())),
        }
        let types: Vec<_> = node.inputs.iter().map(|&v| graph.ty(v)).collect();
        let made = node.op.onnx(&types).map_err(|reason| refused(node, reason))?;
        let read = made.iter().flat_map(|n| &n.inputs).filter_map(OnnxInput::of_op);
        live.extend(read.map(|i| node.inputs[i]));
        kept.push((node, made));
    }
    kept.reverse();
    Ok(kept)
}

struct Walk<'a> {
    graph: &'a Graph,
    session: &'a mut Session<AnyEngine>,
    /// Inputs of the graph, each with its replacement.
    inputs: &'a [(&'a str, &'a str)],
    /// Names of the values made so far.
    names: HashMap<Value, String>,
    /// Vectors in the shape [C, 1, 1].
    channels: HashMap<Value, String>,
}

impl Walk<'_> {
    /// The value that an op reads.
    fn resolve(&mut self, b: &mut OnnxBuilder, node: &Node, input: &OnnxInput) -> Result<String, OnnxError> {
        let value = input.of_op().map(|i| node.inputs[i]).ok_or_else(|| refused(node, "it reads nothing".into()))?;
        let kernel = matches!(input, OnnxInput::Kernel(_));
        let state = matches!(self.graph.source(value), Source::State(_));
        match (self.graph.ty(value).layout, kernel) {
            (Layout::Kernel, true) if state => {}
            (_, true) => return Err(refused(node, "its weight is an input or is computed: it must be a state".into())),
            (Layout::Kernel, false) => return Err(refused(node, "it computes with a weight".into())),
            _ => {}
        }
        match input {
            OnnxInput::PerChannel(_) => self.per_channel(b, node, value),
            _ => self.value(b, node.op.name(), value),
        }
    }

    /// The name of a value; its first use adds it to the model.
    fn value(&mut self, b: &mut OnnxBuilder, reader: &str, value: Value) -> Result<String, OnnxError> {
        if let Some(name) = self.names.get(&value) {
            return Ok(name.clone());
        }
        let ty = self.graph.ty(value);
        let name = match self.graph.source(value) {
            Source::Input(name) => match self.inputs.iter().find(|(known, _)| known == name) {
                Some((_, given)) => (*given).to_owned(),
                None => b.input(name, &dims(ty).ok_or_else(|| no_dims(name, ty))?, "")?,
            },
            Source::State(id) => self.state(b, self.graph.states().spec(*id).name.as_str(), None)?,
            Source::Group(_) | Source::Node(..) => {
                return Err(OnnxError::Value {
                    name: reader.into(),
                    reason: "it reads a whole group of states".into(),
                });
            }
        };
        self.names.insert(value, name.clone());
        Ok(name)
    }

    /// A vector over channels in the shape [C,1,1], so that it broadcasts over a map.
    fn per_channel(&mut self, b: &mut OnnxBuilder, node: &Node, value: Value) -> Result<String, OnnxError> {
        if let Some(name) = self.channels.get(&value) {
            return Ok(name.clone());
        }
        let name = match self.graph.source(value) {
            Source::State(id) => self.state(b, &self.graph.states().spec(*id).name, Some([1, 1]))?,
            _ => {
                let vector = self.value(b, node.op.name(), value)?;
                let shape = OnnxInput::Ints(vec![-1, 1, 1]);
                b.nodes(&node.scope, &[OnnxNode::new("Reshape", [OnnxInput::Value(0), shape])], &[&vector])?
            }
        };
        self.channels.insert(value, name.clone());
        Ok(name)
    }

    /// A state as a constant, with `further` axes after its own.
    fn state(&mut self, b: &mut OnnxBuilder, name: &str, further: Option<[usize; 2]>) -> Result<String, OnnxError> {
        let id = self
            .graph
            .states()
            .find(name)
            .ok_or_else(|| OnnxError::Value { name: name.into(), reason: "the graph has no such state".into() })?;
        let spec = self.graph.states().spec(id);
        // A state with a batch axis would fit one number of images only.
        if spec.ty.layout != Layout::Kernel && spec.ty.shape.rank() != 1 {
            let reason = format!("a state of the shape {} is neither a weight nor a vector", spec.ty.shape);
            return Err(OnnxError::Value { name: name.into(), reason });
        }
        let values = to_torch(spec, &self.session.read_state(name)?);
        let dims: Vec<usize> = torch_shape(spec).into_iter().chain(further.into_iter().flatten()).collect();
        Ok(b.floats(name, &values, &dims))
    }
}
