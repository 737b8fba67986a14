//! The static graph: an append-only list of nodes over values, with named inputs, outputs and states. Gradients are
//! ordinary nodes (see [`crate::autodiff`]). Nodes run in the order in which they were added. An update of a state
//! affects the nodes after it, and the next step.

mod check;
mod domain;
mod error;
mod onnx;
mod op;
mod reach;
mod state;

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use check::check_type;
use check::{check_kernels, check_state};
pub use domain::Domain;
pub use error::GraphError;
pub use onnx::{ONNX_OPSET, OnnxAttribute, OnnxInput, OnnxNode};
pub use op::{Lowering, NodeView, Op, Operand, Storage};
pub use reach::{Reach, receptive_fields};
pub use state::{Group, Init, STATE_ALIGN, StateId, StateLayout, StateSpec, StateTable, names};

use crate::shape::{Element, TensorType};

/// A tensor of a graph. It is also valid in later clones of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    index: u32,
    graph: u32,
}

impl Value {
    /// Position among the graph's values.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Number of graphs made so far. It numbers graphs, so that a value of another graph is recognized.
static GRAPHS: AtomicU32 = AtomicU32::new(0);

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Written by the caller before the step.
    Input(String),
    /// One state.
    State(StateId),
    /// A whole group of states, flat.
    Group(Group),
    /// An output of a node.
    Node(usize, usize),
}

/// One application of an operation.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operation.
    pub op: Arc<dyn Op>,
    /// Inputs.
    pub inputs: Vec<Value>,
    /// Outputs.
    pub outputs: Vec<Value>,
    /// The layer that it belongs to, such as `layer1.0.conv1`.
    pub scope: String,
}

impl Node {
    /// The operation, if it is a `T`.
    pub(crate) fn op_as<T: Op>(&self) -> Option<&T> {
        let any: &dyn Any = self.op.as_ref();
        any.downcast_ref()
    }
}

/// A static computation.
#[derive(Clone, Debug)]
pub struct Graph {
    number: u32,
    nodes: Vec<Node>,
    values: Vec<(TensorType, Source)>,
    states: StateTable,
    outputs: Vec<(String, Value)>,
    scope: Vec<String>,
    /// Groups that accept no further states, because nodes rely on their layout.
    complete: Vec<Group>,
}

impl Default for Graph {
    fn default() -> Self {
        Self::with_states(StateTable::default())
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }
    /// An empty graph that shares the states of another, such as the evaluation graph of a trained network.
    pub fn with_states(states: StateTable) -> Self {
        let number = GRAPHS.fetch_add(1, Ordering::Relaxed);
        let (nodes, values, outputs, scope, complete) = (vec![], vec![], vec![], vec![], vec![]);
        Graph { number, nodes, values, states, outputs, scope, complete }
    }

    /// The nodes in the order in which they run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// The states known to the graph.
    pub fn states(&self) -> &StateTable {
        &self.states
    }
    /// Type of a value.
    ///
    /// # Panics
    /// When the value belongs to another graph.
    pub fn ty(&self, v: Value) -> &TensorType {
        &self.of(v).0
    }
    /// Type and source of a value; panics for a value of another graph.
    fn of(&self, v: Value) -> &(TensorType, Source) {
        assert!(self.has(v), "{v:?} is a value of another graph than {}", self.number);
        &self.values[v.index()]
    }
    /// Type of a value, or an error for a value of another graph.
    pub(crate) fn known(&self, op: &'static str, v: Value) -> Result<&TensorType, GraphError> {
        if self.has(v) { Ok(self.ty(v)) } else { Err(GraphError::OtherGraph { op, at: at(&self.layer()) }) }
    }
    /// Whether a value belongs to this graph or to one that it was cloned from. Clones of one graph share a number, so
    /// their values are not distinguished.
    pub fn has(&self, v: Value) -> bool {
        v.graph == self.number && v.index() < self.values.len()
    }
    /// Logical dimensions of a value.
    ///
    /// # Panics
    /// When the value belongs to another graph.
    pub fn dims(&self, v: Value) -> &[usize] {
        &self.ty(v).shape.0
    }
    /// The origin of a value.
    ///
    /// # Panics
    /// When the value belongs to another graph.
    pub fn source(&self, v: Value) -> &Source {
        &self.of(v).1
    }
    /// The value that owns the memory of `v`: `v` itself, or the value of which it is a reshape.
    pub(crate) fn owner(&self, v: Value) -> Value {
        let mut owner = v;
        while let Source::Node(n, 0) = *self.source(owner)
            && let Storage::Alias(i) = self.nodes[n].op.storage()
        {
            owner = self.nodes[n].inputs[i];
        }
        owner
    }
    /// The allowed values of an input, as declared by the nodes that read it.
    pub fn domains(&self, input: Value) -> Vec<Domain> {
        let of = |node: &Node| -> Vec<Domain> {
            let types: Vec<_> = node.inputs.iter().map(|&v| self.ty(v)).collect();
            let reads = node.inputs.iter().enumerate().filter(|(_, v)| self.owner(**v) == input);
            reads.filter_map(|(i, _)| node.op.domain(i, &types)).collect()
        };
        self.nodes.iter().flat_map(of).collect()
    }
    /// The group in whose buffer a value lies, if it is a state.
    pub(crate) fn group_of(&self, v: Value) -> Option<Group> {
        match self.source(self.owner(v)) {
            Source::State(id) => Some(self.states.spec(*id).group),
            Source::Group(group) => Some(*group),
            Source::Input(_) | Source::Node(..) => None,
        }
    }
    /// Whether two values that own their memory share any of it.
    pub(crate) fn overlap(&self, a: Value, b: Value) -> bool {
        match (self.source(a), self.source(b)) {
            (Source::State(id), Source::Group(group)) | (Source::Group(group), Source::State(id)) => {
                self.states.spec(*id).group == *group
            }
            (a_source, b_source) => a == b || matches!(a_source, Source::Group(_)) && a_source == b_source,
        }
    }
    /// Number of values.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }
    /// Named results.
    pub fn outputs(&self) -> &[(String, Value)] {
        &self.outputs
    }
    /// Named inputs, in the order in which they were added.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Value)> {
        self.values.iter().enumerate().filter_map(|(i, (_, source))| match source {
            Source::Input(name) => Some((name.as_str(), self.value(i))),
            _ => None,
        })
    }

    fn value(&self, index: usize) -> Value {
        Value { index: index as u32, graph: self.number }
    }

    fn push_value(&mut self, ty: TensorType, source: Source) -> Value {
        self.values.push((ty, source));
        self.value(self.values.len() - 1)
    }

    /// Adds an input that the caller writes before each step. Its type is checked when a node uses it.
    pub fn input(&mut self, name: &str, ty: TensorType) -> Value {
        self.push_value(ty, Source::Input(name.into()))
    }

    /// Names a value whose contents the caller reads after a step.
    ///
    /// # Panics
    /// When the value belongs to another graph.
    pub fn output(&mut self, name: &str, value: Value) {
        self.of(value);
        self.outputs.push((name.into(), value));
    }

    /// A state, created at its first use. Its full name is the current scope followed by `name`.
    ///
    /// # Errors
    /// When the type is invalid; when the state exists with another shape, group, start or decay; when the state is new
    /// and its group accepts no further states (see [`Graph::group`]).
    pub fn state(
        &mut self,
        name: &str,
        ty: TensorType,
        group: Group,
        init: Init,
        decay: bool,
    ) -> Result<Value, GraphError> {
        let name = self.scoped(name);
        if let Err(rule) = check_state(&ty) {
            let (at, shapes) = (at(&name), ty.shape.to_string());
            return Err(GraphError::Shape { op: "state", at, shapes, rule });
        }
        let spec = StateSpec { name: name.clone(), ty: ty.clone(), group, init, decay };
        let group = self.states.group_of(&spec);
        if self.states.find(&name).is_none() && self.complete.contains(&group) {
            return Err(GraphError::Complete { name, group });
        }
        let id = self.states.add(spec).map_err(|[known, asked]| GraphError::State { name, known, asked })?;
        Ok(self.state_value(id, ty))
    }

    /// All parameters so far, in the order in which they were made: the values for which a training step needs
    /// gradients.
    pub fn parameters(&mut self) -> Vec<Value> {
        let parameters: Vec<_> = self.states.of(Group::Parameters).map(|(id, s)| (id, s.ty.clone())).collect();
        parameters.into_iter().map(|(id, ty)| self.state_value(id, ty)).collect()
    }

    fn state_value(&mut self, id: StateId, ty: TensorType) -> Value {
        let known = self.values.iter().position(|(_, s)| *s == Source::State(id));
        match known {
            Some(index) => self.value(index),
            None => self.push_value(ty, Source::State(id)),
        }
    }

    /// A whole group of states as one flat value. The group accepts no further states afterwards.
    pub fn group(&mut self, group: Group) -> Value {
        let len = self.completed(group).group_len[group as usize];
        self.push_value(TensorType::flat(len), Source::Group(group))
    }

    /// The final layout of a group. A further state would move the states without decay, so the group accepts no state
    /// afterwards.
    pub(crate) fn completed(&mut self, group: Group) -> StateLayout {
        self.complete.push(group);
        self.states.layout()
    }

    /// `name` under the current scope.
    fn scoped(&self, name: &str) -> String {
        self.scope.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".")
    }

    /// Name of the layer that is being appended.
    pub(crate) fn layer(&self) -> String {
        self.scope.join(".")
    }

    /// Runs `build` with `name` added to the scope: states and nodes of `build` are named `name.…`.
    pub fn scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Graph) -> T) -> T {
        self.scope.push(name.into());
        let result = build(self);
        self.scope.pop();
        result
    }

    /// Runs `build` with the whole scope replaced: the gradient of a node belongs to the node's layer.
    pub(crate) fn in_scope<T>(&mut self, name: &str, build: impl FnOnce(&mut Graph) -> T) -> T {
        let outer = std::mem::replace(&mut self.scope, vec![name.into()]);
        let result = build(self);
        self.scope = outer;
        result
    }

    /// Appends an operation.
    ///
    /// # Errors
    /// When the shapes do not fit (the message names the op, the layer, the shapes and the rule), or when an input
    /// belongs to another graph.
    pub fn add(&mut self, op: impl Op, inputs: &[Value]) -> Result<Vec<Value>, GraphError> {
        let types = inputs.iter().map(|&v| self.known(op.name(), v)).collect::<Result<Vec<_>, _>>()?;
        let outputs = checked_outputs(&op, &types).map_err(|rule| GraphError::Shape {
            op: op.name(),
            at: at(&self.scope.join(".")),
            shapes: types.iter().map(|t| t.shape.to_string()).collect::<Vec<_>>().join(", "),
            rule,
        })?;
        let node = self.nodes.len();
        let outputs: Vec<Value> =
            outputs.into_iter().enumerate().map(|(k, ty)| self.push_value(ty, Source::Node(node, k))).collect();
        let scope = self.scope.join(".");
        self.nodes.push(Node { op: Arc::new(op), inputs: inputs.to_vec(), outputs: outputs.clone(), scope });
        Ok(outputs)
    }

    /// Appends an operation with one output.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn add1(&mut self, op: impl Op, inputs: &[Value]) -> Result<Value, GraphError> {
        let name = op.name();
        self.add(op, inputs)?.first().copied().ok_or(GraphError::NoResult { op: name })
    }

    /// Changes the element type of a value. Only [`crate::precision`] calls it, after all users have accepted the type.
    pub(crate) fn set_element(&mut self, v: Value, element: Element) {
        self.values[v.index()].0.element = element;
    }

    /// Adds a value that a rewrite will make a further result of a node.
    pub(crate) fn further_result(&mut self, ty: TensorType) -> Value {
        self.push_value(ty, Source::Node(0, 0))
    }

    /// Replaces the list of nodes, for rewrites. Exactly one node must produce each value that is still used.
    pub(crate) fn replace_nodes(&mut self, nodes: Vec<Node>) {
        self.nodes = nodes;
        for (index, node) in self.nodes.iter().enumerate() {
            for (k, v) in node.outputs.iter().enumerate() {
                self.values[v.index()].1 = Source::Node(index, k);
            }
        }
    }
}

/// ` in LAYER` for errors, or nothing without a layer.
pub(crate) fn at(scope: &str) -> String {
    if scope.is_empty() { String::new() } else { format!(" in {scope}") }
}

/// Output types of an op, with all types checked.
fn checked_outputs(op: &impl Op, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
    inputs.iter().try_for_each(|t| check_type(t))?;
    check_kernels(op, inputs)?;
    let outputs = op.outputs(inputs)?;
    outputs.iter().try_for_each(|t| check_type(t).map_err(|rule| format!("the result {rule}")))?;
    Ok(outputs)
}
