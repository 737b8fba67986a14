//! Assigns memory to every value:
//!
//! | value | memory |
//! |---|---|
//! | state | its group's buffer |
//! | input, packed gradients | a separate buffer |
//! | all others | a slot of the pool, which values with disjoint lifetimes share |
//!
//! A slot is a whole buffer, not a range of an arena: wgpu forbids one buffer bound both read-only and writable in a
//! dispatch. The largest value goes first, each into the first slot that is free for its lifetime (greedy by size,
//! Pisarchyk & Lee 2020).

use std::collections::HashMap;

use super::lower::Lowered;
use crate::graph::{Graph, Group, Operand, Source, StateLayout, Storage, Value};
use crate::kernel::Access;

/// A buffer that a plan uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Buffer {
    /// Slot of the session's pool.
    Slot(usize),
    /// One of the plan's own buffers.
    Fixed(usize),
    /// A group of states.
    State(Group),
}

/// A range of a buffer, in words of 32 bits: one float, or two of 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// Buffer.
    pub buffer: Buffer,
    /// First word.
    pub offset: usize,
    /// Number of words.
    pub len: usize,
}

impl Slice {
    /// Whether two slices share a word.
    pub fn overlaps(&self, other: &Slice) -> bool {
        self.buffer == other.buffer && self.offset < other.offset + other.len && other.offset < self.offset + self.len
    }
}

/// Memory that a plan needs, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Parameters, moments, statistics.
    pub states: usize,
    /// Inputs and packed gradients.
    pub fixed: usize,
    /// Pool slots, for activations, their gradients and temporaries.
    pub pool: usize,
    /// Size of the pool without sharing: the sum of its tensors.
    pub pool_unshared: usize,
}

/// The owner of a value's memory: the value itself, or the one that it aliases or is packed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Root {
    Value(Value),
    Scratch(usize, usize),
}

/// The assignment of a plan.
pub(super) struct Memory {
    place: HashMap<Value, (Root, usize)>,
    root: HashMap<Root, Slice>,
    pub slots: Vec<usize>,
    pub fixed: Vec<usize>,
    pub states: StateLayout,
    unshared: usize,
}

/// Lifetime of a pool value, in calls.
struct Life {
    root: Root,
    len: usize,
    first: usize,
    last: usize,
}

/// Assigns memory to the values of the nodes `order`; with `reuse`, values with disjoint lifetimes share a slot.
pub(super) fn assign(graph: &Graph, order: &[usize], lowered: &[Lowered], reuse: bool) -> Memory {
    let states = graph.states().layout();
    let mut memory =
        Memory { place: places(graph, order), root: HashMap::new(), slots: vec![], fixed: vec![], states, unshared: 0 };
    memory.place_fixed(graph, order);
    let mut lives = memory.lifetimes(graph, order, lowered);
    lives.sort_by_key(|life| (std::cmp::Reverse(life.len), life.first));
    let mut busy: Vec<Vec<(usize, usize)>> = Vec::new();
    for life in lives {
        memory.unshared += life.len;
        let free = |spans: &Vec<(usize, usize)>| spans.iter().all(|&(a, b)| life.last < a || b < life.first);
        let slot = busy.iter().position(|spans| reuse && free(spans)).unwrap_or_else(|| {
            busy.push(vec![]);
            memory.slots.push(life.len);
            busy.len() - 1
        });
        busy[slot].push((life.first, life.last));
        memory.root.insert(life.root, Slice { buffer: Buffer::Slot(slot), offset: 0, len: life.len });
    }
    memory
}

/// For every value the owner of its memory and the offset in it. Panics for a value that is packed twice. No graph has
/// such a value, because gradients are distinct nodes.
fn places(graph: &Graph, order: &[usize]) -> HashMap<Value, (Root, usize)> {
    let mut parent: HashMap<Value, (Value, usize)> = HashMap::new();
    for &n in order {
        let node = &graph.nodes()[n];
        match node.op.storage() {
            Storage::Own => {}
            Storage::Alias(i) => {
                parent.insert(node.outputs[0], (node.inputs[i], 0));
            }
            Storage::Parts(offsets) => {
                for (&v, offset) in node.inputs.iter().zip(offsets) {
                    // The owner of an alias is produced in place.
                    let mut owner = v;
                    while let Some(&(up, 0)) = parent.get(&owner) {
                        owner = up;
                    }
                    let clash = parent.insert(owner, (node.outputs[0], offset));
                    assert!(clash.is_none(), "a value is packed twice");
                }
            }
        }
    }
    let mut place = HashMap::new();
    let values = order.iter().flat_map(|&n| graph.nodes()[n].inputs.iter().chain(&graph.nodes()[n].outputs));
    for &v in values.chain(graph.outputs().iter().map(|(_, v)| v)) {
        let (mut at, mut offset) = (v, 0);
        while let Some(&(up, more)) = parent.get(&at) {
            (at, offset) = (up, offset + more);
        }
        place.insert(v, (Root::Value(at), offset));
    }
    place
}

impl Memory {
    /// Places states, inputs and packed buffers.
    fn place_fixed(&mut self, graph: &Graph, order: &[usize]) {
        let packed = |v: Value| match graph.source(v) {
            Source::Node(n, 0) => matches!(graph.nodes()[*n].op.storage(), Storage::Parts(_)),
            _ => false,
        };
        let mut roots: Vec<Value> = order
            .iter()
            .flat_map(|&n| graph.nodes()[n].inputs.iter().chain(&graph.nodes()[n].outputs))
            .copied()
            .collect();
        roots.extend(graph.outputs().iter().map(|(_, v)| *v));
        roots.sort();
        roots.dedup();
        for v in roots {
            let len = graph.ty(v).words();
            let slice = match graph.source(v) {
                Source::State(id) => {
                    let group = graph.states().spec(*id).group;
                    Slice { buffer: Buffer::State(group), offset: self.states.offsets[id.0], len }
                }
                Source::Group(group) => Slice { buffer: Buffer::State(*group), offset: 0, len },
                Source::Input(_) => self.new_fixed(len),
                Source::Node(..) if packed(v) => self.new_fixed(len),
                Source::Node(..) => continue,
            };
            self.root.insert(Root::Value(v), slice);
        }
    }

    fn new_fixed(&mut self, len: usize) -> Slice {
        self.fixed.push(len);
        Slice { buffer: Buffer::Fixed(self.fixed.len() - 1), offset: 0, len }
    }

    /// First and last call of every value and temporary of the pool.
    fn lifetimes(&self, graph: &Graph, order: &[usize], lowered: &[Lowered]) -> Vec<Life> {
        let mut lives: Vec<Life> = Vec::new();
        let mut index: HashMap<Root, usize> = HashMap::new();
        let mut time = 0;
        for (at, (&n, lowering)) in order.iter().zip(lowered).enumerate() {
            let node = &graph.nodes()[n];
            for call in &lowering.calls {
                for (operand, access) in &call.bindings {
                    let (root, len) = match *operand {
                        Operand::Input(i) => self.pool_root(graph, node.inputs[i]),
                        Operand::Output(i) => self.pool_root(graph, node.outputs[i]),
                        Operand::Scratch(i) => (Root::Scratch(at, i), lowering.scratch[i]),
                    };
                    if self.root.contains_key(&root) {
                        continue;
                    }
                    let life = *index.entry(root).or_insert_with(|| {
                        debug_assert!(*access != Access::Read, "{} reads what nothing wrote", call.kernel);
                        lives.push(Life { root, len, first: time, last: time });
                        lives.len() - 1
                    });
                    lives[life].last = time;
                }
                time += 1;
            }
        }
        for (_, v) in graph.outputs() {
            if let Some(&life) = index.get(&self.pool_root(graph, *v).0) {
                lives[life].last = usize::MAX;
            }
        }
        lives
    }

    fn pool_root(&self, graph: &Graph, v: Value) -> (Root, usize) {
        let root = self.place[&v].0;
        match root {
            Root::Value(owner) => (root, graph.ty(owner).words()),
            Root::Scratch(..) => (root, 0),
        }
    }

    /// Whether the value is part of the plan.
    pub fn known(&self, v: Value) -> bool {
        self.place.contains_key(&v)
    }

    /// Position of a value.
    pub fn of(&self, graph: &Graph, v: Value) -> Slice {
        let (root, offset) = self.place[&v];
        let base = self.root[&root];
        Slice { buffer: base.buffer, offset: base.offset + offset, len: graph.ty(v).words() }
    }

    /// Position of an operand of node `n`, the `at`-th of the plan.
    pub fn slice(&self, graph: &Graph, n: usize, at: usize, operand: Operand) -> Slice {
        match operand {
            Operand::Input(i) => self.of(graph, graph.nodes()[n].inputs[i]),
            Operand::Output(i) => self.of(graph, graph.nodes()[n].outputs[i]),
            Operand::Scratch(i) => self.root[&Root::Scratch(at, i)],
        }
    }

    pub fn summary(&self, _: &Graph, _: &[usize]) -> MemoryUse {
        MemoryUse {
            states: 4 * self.states.group_len.iter().sum::<usize>(),
            fixed: 4 * self.fixed.iter().sum::<usize>(),
            pool: 4 * self.slots.iter().sum::<usize>(),
            pool_unshared: 4 * self.unshared,
        }
    }
}
