//! [`OnnxBuilder`]: collects names, constants and nodes of a model.

use std::collections::{HashMap, HashSet};

use super::proto::{self, FLOAT, INT64};
use super::{OnnxError, OnnxModel};
use crate::graph::{ONNX_OPSET, OnnxAttribute, OnnxInput, OnnxNode};

/// Version of the file format: the first that allows operator set [`ONNX_OPSET`].
const IR_VERSION: i64 = 8;

/// Size of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Any size, equal for all axes of this name. The program that runs the model chooses it.
    Named(&'static str),
    /// Fixed.
    Fixed(usize),
}

/// Builds a model node by node. Every value has a unique name, and a node is named after its result.
#[derive(Clone, Debug, Default)]
pub struct OnnxBuilder {
    graph: proto::GraphProto,
    taken: HashSet<String>,
    /// The output name of each value that has become an output.
    renamed: HashMap<String, String>,
}

impl OnnxBuilder {
    /// An empty model.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input of f32 and returns its value. `about` describes it for people.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn input(&mut self, name: &str, dims: &[Dim], about: &str) -> Result<String, OnnxError> {
        self.claim(name)?;
        self.graph.input.push(value_info(name, dims, about));
        Ok(name.into())
    }

    /// Appends nodes of a layer and returns the result of the last one. [`OnnxInput::Value`]`(i)` reads `inputs[i]`.
    ///
    /// # Errors
    /// When a node reads an input that does not exist.
    pub fn nodes(&mut self, layer: &str, nodes: &[OnnxNode], inputs: &[&str]) -> Result<String, OnnxError> {
        self.nodes_of(layer, nodes, &mut |_, input| match input {
            OnnxInput::Value(i) => inputs.get(*i).map(|&name| name.to_owned()).ok_or_else(|| missing(layer)),
            _ => Err(missing(layer)),
        })
    }

    /// Makes a value an output of f32. `about` describes it for people.
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
            // The value is an input, or already an output under another name.
            let input = vec![self.renamed.get(value).cloned().unwrap_or_else(|| value.into())];
            let output = vec![name.into()];
            let (name, op_type) = (name.into(), "Identity".into());
            self.graph.node.push(proto::NodeProto { input, output, name, op_type, attribute: vec![] });
        }
        self.graph.output.push(value_info(name, dims, about));
        Ok(())
    }

    /// Finishes the model. `about` describes inputs and outputs for people. `metadata` holds keys and texts for
    /// programs.
    pub fn finish(
        mut self,
        name: &str,
        about: &str,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> OnnxModel {
        self.graph.name = name.into();
        OnnxModel(proto::ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            doc_string: about.into(),
            graph: Some(self.graph),
            opset_import: vec![proto::OperatorSetProto { domain: Some(String::new()), version: ONNX_OPSET }],
            metadata_props: metadata.into_iter().map(|(key, value)| proto::EntryProto { key, value }).collect(),
        })
    }
}

/// Methods for `walk`.
impl OnnxBuilder {
    /// [`OnnxBuilder::nodes`] with a function that gives the value of each input of the op.
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
            self.graph.node.push(proto::NodeProto { input, output, name: name.clone(), op_type, attribute });
            results.push(name);
        }
        results.pop().ok_or_else(|| missing(layer))
    }

    /// Adds a constant and returns its value.
    pub(super) fn floats(&mut self, name: &str, values: &[f32], dims: &[usize]) -> String {
        self.constant(name, FLOAT, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn ints(&mut self, name: &str, values: &[i64]) -> String {
        self.constant(name, INT64, &[values.len()], values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn constant(&mut self, name: &str, data_type: i32, dims: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.unique(name);
        let dims = dims.iter().map(|&d| d as i64).collect();
        self.graph.initializer.push(proto::TensorProto { dims, data_type, name: name.clone(), raw_data });
        name
    }

    /// This name, with a number appended if it is taken.
    fn unique(&mut self, name: &str) -> String {
        let numbered = |n: usize| if n == 1 { name.to_owned() } else { format!("{name}_{n}") };
        let mut n = 1;
        while !self.taken.insert(numbered(n)) {
            n += 1;
        }
        numbered(n)
    }

    /// Reserves a name chosen by the caller.
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
    let reason = "it has no nodes, or one of them reads an input that does not exist".into();
    OnnxError::Value { name: layer.into(), reason }
}

fn attribute(name: &str, value: &OnnxAttribute) -> proto::AttributeProto {
    let named = proto::AttributeProto { name: name.into(), ..proto::AttributeProto::default() };
    match value {
        OnnxAttribute::Float(v) => proto::AttributeProto { f: Some(*v), kind: 1, ..named },
        OnnxAttribute::Int(v) => proto::AttributeProto { i: Some(*v), kind: 2, ..named },
        OnnxAttribute::Text(v) => proto::AttributeProto { s: Some(v.as_bytes().to_vec()), kind: 3, ..named },
        OnnxAttribute::Ints(v) => proto::AttributeProto { ints: v.clone(), kind: 7, ..named },
    }
}

fn value_info(name: &str, dims: &[Dim], about: &str) -> proto::ValueInfoProto {
    let dim = dims.iter().map(|dim| match dim {
        Dim::Named(name) => proto::DimensionProto { value: None, param: Some((*name).into()) },
        Dim::Fixed(size) => proto::DimensionProto { value: Some(*size as i64), param: None },
    });
    let shape = Some(proto::ShapeProto { dim: dim.collect() });
    let ty = Some(proto::TypeProto { tensor_type: Some(proto::TensorTypeProto { elem_type: FLOAT, shape }) });
    proto::ValueInfoProto { name: name.into(), ty, doc_string: about.into() }
}
