//! An ONNX graph in the making: names, constants, nodes.

use std::collections::{HashMap, HashSet};

use super::proto::{self, FLOAT, INT64};
use super::{OnnxError, OnnxModel, walk};
use crate::exec::{AnyEngine, Session};
use crate::graph::{Graph, ONNX_OPSET, OnnxAttribute, OnnxInput, OnnxNode};

/// Version of the file format: the first with the operator set that ops speak.
const IR_VERSION: i64 = 8;

/// Size of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Chosen by the user of the model, as all axes of this name.
    Named(&'static str),
    /// Fixed.
    Fixed(usize),
}

/// Builds a model node by node. Values have names, which are unique; nodes are named as their results.
#[derive(Clone, Debug, Default)]
pub struct OnnxBuilder {
    graph: proto::Graph,
    taken: HashSet<String>,
    /// Values that have become outputs, under the names of outputs.
    renamed: HashMap<String, String>,
}

impl OnnxBuilder {
    /// A model without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of 32-bit floats and gives its value. `about` says to people what it holds.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn input(&mut self, name: &str, dims: &[Dim], about: &str) -> Result<String, OnnxError> {
        self.claim(name)?;
        self.graph.input.push(value_info(name, dims, about));
        Ok(name.into())
    }

    /// Appends nodes of a layer, whose [`OnnxInput::Value`] are `inputs`, and gives the last one's result.
    ///
    /// # Errors
    /// When a node reads what is not there.
    pub fn nodes(&mut self, layer: &str, nodes: &[OnnxNode], inputs: &[&str]) -> Result<String, OnnxError> {
        self.nodes_of(layer, nodes, &mut |_, input| match input {
            OnnxInput::Value(i) => inputs.get(*i).map(|&name| name.to_owned()).ok_or_else(|| missing(layer)),
            _ => Err(missing(layer)),
        })
    }

    /// Appends what the named outputs of a graph for inference depend on, and gives their values. `inputs` are pairs of an
    /// input of the graph and the value that takes its place; inputs that are not named become inputs of the model.
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
        walk::append(self, graph, session, inputs, outputs)
    }

    /// Makes a value an output of 32-bit floats. `about` says to people what it holds.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn output(&mut self, name: &str, value: &str, dims: &[Dim], about: &str) -> Result<(), OnnxError> {
        self.claim(name)?;
        let made = self.graph.node.iter().any(|node| node.output.iter().any(|v| v == value));
        if made {
            let all = self.graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
            all.filter(|v| *v == value).for_each(|v| *v = name.into());
            self.renamed.insert(value.into(), name.into());
        } else {
            // An input as it came, or an output under a second name.
            let input = vec![self.renamed.get(value).cloned().unwrap_or_else(|| value.into())];
            let output = vec![name.into()];
            let (name, op_type) = (name.into(), "Identity".into());
            self.graph.node.push(proto::Node { input, output, name, op_type, attribute: vec![] });
        }
        self.graph.output.push(value_info(name, dims, about));
        Ok(())
    }

    /// The model. `about` says to people what goes in and comes out; `metadata` are pairs of key and text for programs.
    pub fn finish(
        mut self,
        name: &str,
        about: &str,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> OnnxModel {
        self.graph.name = name.into();
        OnnxModel(proto::Model {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: about.into(),
            graph: Some(self.graph),
            opset_import: vec![proto::OperatorSet { domain: Some(String::new()), version: ONNX_OPSET }],
            metadata_props: metadata.into_iter().map(|(key, value)| proto::Entry { key, value }).collect(),
        })
    }
}

/// For the walk over a graph.
impl OnnxBuilder {
    /// As [`OnnxBuilder::nodes`], with `resolve` for what they read of the op that they are of.
    pub(super) fn nodes_of(
        &mut self,
        layer: &str,
        nodes: &[OnnxNode],
        resolve: &mut dyn FnMut(&mut Self, &OnnxInput) -> Result<String, OnnxError>,
    ) -> Result<String, OnnxError> {
        let mut results: Vec<String> = vec![];
        for node in nodes {
            let name = self.unique(&scoped(layer, node.operator));
            let mut input = vec![];
            for given in &node.inputs {
                input.push(match given {
                    OnnxInput::Node(i) => results.get(*i).cloned().ok_or_else(|| missing(layer))?,
                    OnnxInput::Floats(values, dims) => self.floats(&scoped(layer, "constant"), values, dims),
                    OnnxInput::Ints(values) => self.ints(&scoped(layer, "constant"), values),
                    OnnxInput::Absent => String::new(),
                    of_op => resolve(self, of_op)?,
                });
            }
            let attribute = node.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
            let (op_type, output) = (node.operator.into(), vec![name.clone()]);
            self.graph.node.push(proto::Node { input, output, name: name.clone(), op_type, attribute });
            results.push(name);
        }
        results.pop().ok_or_else(|| missing(layer))
    }

    /// Adds constant numbers and gives their value.
    pub(super) fn floats(&mut self, name: &str, values: &[f32], dims: &[usize]) -> String {
        self.constant(name, FLOAT, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn ints(&mut self, name: &str, values: &[i64]) -> String {
        self.constant(name, INT64, &[values.len()], values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.unique(name);
        let dims = dims.iter().map(|&d| d as i64).collect();
        self.graph.initializer.push(proto::Tensor { dims, data_type, name: name.clone(), raw_data });
        name
    }

    /// A name like this that nothing has.
    fn unique(&mut self, name: &str) -> String {
        let numbered = |n: usize| if n == 1 { name.to_owned() } else { format!("{name}_{n}") };
        let mut n = 1;
        while !self.taken.insert(numbered(n)) {
            n += 1;
        }
        numbered(n)
    }

    /// A name that the user has chosen.
    fn claim(&mut self, name: &str) -> Result<(), OnnxError> {
        if !name.is_empty() && self.taken.insert(name.into()) {
            return Ok(());
        }
        Err(OnnxError::Value { name: name.into(), reason: "this name is empty or taken: choose another".into() })
    }
}

fn scoped(layer: &str, name: &str) -> String {
    if layer.is_empty() { name.into() } else { format!("{layer}/{name}") }
}

fn missing(layer: &str) -> OnnxError {
    OnnxError::Value { name: layer.into(), reason: "its nodes read what is not there, or there are none".into() }
}

fn attribute(name: &str, value: &OnnxAttribute) -> proto::Attribute {
    let named = proto::Attribute { name: name.into(), ..proto::Attribute::default() };
    match value {
        OnnxAttribute::Float(v) => proto::Attribute { f: Some(*v), kind: 1, ..named },
        OnnxAttribute::Int(v) => proto::Attribute { i: Some(*v), kind: 2, ..named },
        OnnxAttribute::Text(v) => proto::Attribute { s: Some(v.as_bytes().to_vec()), kind: 3, ..named },
        OnnxAttribute::Ints(v) => proto::Attribute { ints: v.clone(), kind: 7, ..named },
    }
}

fn value_info(name: &str, dims: &[Dim], about: &str) -> proto::ValueInfo {
    let dim = dims.iter().map(|dim| match dim {
        Dim::Named(name) => proto::Dim { value: None, param: Some((*name).into()) },
        Dim::Fixed(size) => proto::Dim { value: Some(*size as i64), param: None },
    });
    let shape = Some(proto::Shape { dim: dim.collect() });
    let ty = Some(proto::Type { tensor_type: Some(proto::TensorType { elem_type: FLOAT, shape }) });
    proto::ValueInfo { name: name.into(), ty, doc_string: about.into() }
}
