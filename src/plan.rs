//! The plan: kernel calls in order over a fixed set of buffers. It is plain data, made without a device, and prints as
//! a table.

mod check;
mod lower;
mod print;
mod slots;

use std::collections::HashMap;

pub(crate) use check::Unfit;
pub use slots::{Buffer, MemoryUse, Slice};

use crate::graph::{Graph, Source, StateLayout, Storage, Value};
use crate::kernel::{Access, KernelCall};
use crate::shape::TensorType;
use lower::lower;

/// Options of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Whether values with disjoint lifetimes share memory. If not, every value can be read after a run, to trace a
    /// non-finite value to its layer.
    pub reuse: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions { reuse: true }
    }
}

impl KernelCall<Slice> {
    /// Bytes that the call reads and writes. A slice updated in place counts twice. A slice bound twice counts once,
    /// because its second binding stands for an operand that the call does not use.
    pub fn bytes(&self) -> u64 {
        let first = |i: usize| self.bindings[..i].iter().all(|(known, _)| *known != self.bindings[i].0);
        let moved = self.bindings.iter().enumerate().filter(|(i, _)| first(*i));
        moved.map(|(_, (slice, access))| (if *access == Access::Update { 8 } else { 4 }) * slice.len as u64).sum()
    }
}

/// A kernel call with its op and layer.
#[derive(Clone, Debug)]
pub struct PlannedCall {
    /// The call.
    pub call: KernelCall<Slice>,
    /// Number of its node in the graph.
    pub node: usize,
    /// Its op.
    pub op: &'static str,
    /// Its layer.
    pub scope: String,
    /// Shapes of the op's first input and output, as text.
    pub shapes: String,
}

/// A tensor that the caller writes or reads.
#[derive(Clone, Debug)]
pub struct Port {
    /// Name in the graph.
    pub name: String,
    /// Shape and layout.
    pub ty: TensorType,
    /// Position in memory.
    pub slice: Slice,
}

/// All that an engine needs to run a graph.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls in order.
    pub calls: Vec<PlannedCall>,
    /// Lengths of the pool buffers, in words of 32 bits. Plans of a session share the pool.
    pub slots: Vec<usize>,
    /// Lengths of the plan's private buffers, which start as zeros.
    pub fixed: Vec<usize>,
    /// Layout of the states.
    pub states: StateLayout,
    /// Inputs.
    pub inputs: Vec<Port>,
    /// Results, valid until the next run.
    pub outputs: Vec<Port>,
    /// With `reuse` off: all node results in order, named by their layer.
    pub values: Vec<Port>,
    /// Memory that the plan needs.
    pub memory: MemoryUse,
}

impl Plan {
    /// Makes the plan of a graph. It drops nodes on which no output and no state depends, lowers the others, and
    /// assigns memory.
    pub fn new(graph: &Graph, options: PlanOptions) -> Plan {
        let order = live_nodes(graph);
        let lowered: Vec<_> = order.iter().map(|&n| lower(graph, n)).collect();
        let memory = slots::assign(graph, &order, &lowered, options.reuse);
        let mut calls = Vec::new();
        for (index, (&n, lowering)) in order.iter().zip(lowered).enumerate() {
            let node = &graph.nodes()[n];
            for call in lowering.calls {
                calls.push(PlannedCall {
                    call: call.map(|operand| memory.slice(graph, n, index, operand)),
                    node: n,
                    op: node.op.name(),
                    scope: node.scope.clone(),
                    shapes: shapes(graph, n),
                });
            }
        }
        let port =
            |name: &str, v: Value| Port { name: name.into(), ty: graph.ty(v).clone(), slice: memory.of(graph, v) };
        let used = |v: Value| memory.known(v);
        let inputs = graph.inputs().filter(|(_, v)| used(*v)).map(|(name, v)| port(name, v)).collect();
        let values = if options.reuse { vec![] } else { retained(graph, &order, port) };
        Plan {
            calls,
            slots: memory.slots.clone(),
            fixed: memory.fixed.clone(),
            states: memory.states.clone(),
            inputs,
            outputs: graph.outputs().iter().map(|(name, v)| port(name, *v)).collect(),
            values,
            memory: memory.summary(graph, &order),
        }
    }

    /// Total floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.calls.iter().map(|c| c.call.flops).sum()
    }

    /// Bytes that its calls read and write.
    pub fn bytes(&self) -> u64 {
        self.calls.iter().map(|c| c.call.bytes()).sum()
    }

    /// Finds an input by name.
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|p| p.name == name)
    }
    /// Finds an output by name.
    pub fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|p| p.name == name)
    }
}

/// Nodes on which an output or a state update depends, in order.
fn live_nodes(graph: &Graph) -> Vec<usize> {
    let mut wanted = vec![false; graph.value_count()];
    for (_, v) in graph.outputs() {
        wanted[v.index()] = true;
    }
    let mut live = Vec::new();
    for (n, node) in graph.nodes().iter().enumerate().rev() {
        if !node.op.updates().is_empty() || node.outputs.iter().any(|v| wanted[v.index()]) {
            live.push(n);
            for v in &node.inputs {
                wanted[v.index()] = true;
            }
        }
    }
    live.reverse();
    live
}

fn shapes(graph: &Graph, n: usize) -> String {
    let node = &graph.nodes()[n];
    let input = node.inputs.first().map(|&v| graph.ty(v).shape.to_string()).unwrap_or_default();
    match node.outputs.first() {
        Some(&out) => format!("{input} → {}", graph.ty(out).shape),
        None => input,
    }
}

fn retained(graph: &Graph, order: &[usize], port: impl Fn(&str, Value) -> Port) -> Vec<Port> {
    let mut seen = HashMap::new();
    let mut values = Vec::new();
    for &n in order {
        let node = &graph.nodes()[n];
        if node.op.storage() != Storage::Own {
            continue;
        }
        for &v in &node.outputs {
            if seen.insert(v, ()).is_none() && matches!(graph.source(v), Source::Node(..)) {
                let name = format!("{} ({})", if node.scope.is_empty() { "loss" } else { &node.scope }, node.op.name());
                values.push(port(&name, v));
            }
        }
    }
    values
}
