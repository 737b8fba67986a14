//! States and plans on one engine, by name and logical shape.

mod parts;
mod tensors;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

pub use parts::{Final, Parts};

use super::verify::{Verified, verify};
use super::{Engine, ExecError, Rows, Ticket};
use crate::graph::{self, Domain, Graph, Group, StateTable, Value};
use crate::plan::{Buffer, Plan, PlanOptions, Port, Slice};
use crate::shape::{LANES, Layout, TensorType};

/// A plan of a [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId {
    session: u64,
    index: usize,
}

/// An input of a plan's graph.
struct Input {
    name: String,
    ty: TensorType,
    /// Rule for its numbers.
    domains: Vec<Domain>,
    /// Whether the plan reads it and nothing has been written yet.
    awaited: bool,
}

/// Number of the next session. A plan carries it, so that other sessions refuse the plan.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// One training run on one engine: the states, and the plans over them.
pub struct Session<E: Engine + ?Sized> {
    states: StateTable,
    plans: Vec<Plan>,
    /// All inputs of each plan's graph, with those that its plan does not use.
    inputs: Vec<Vec<Input>>,
    /// The plan of each result that the engine keeps.
    running: VecDeque<(Ticket, PlanId)>,
    number: u64,
    engine: Box<E>,
}

impl<E: Engine + ?Sized> Session<E> {
    /// A session for the states of `graph`, set to their start values for `seed`.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(engine: Box<E>, graph: &Graph, seed: u64) -> Result<Self, ExecError> {
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let (plans, inputs, running) = (vec![], vec![], VecDeque::new());
        let mut session = Session { states: graph.states().clone(), plans, inputs, running, number, engine };
        session.engine.states(&session.states.layout())?;
        for (_, spec) in session.states.clone().iter().filter(|(_, s)| s.group != Group::Moments) {
            let values = spec.init.values(seed, &spec.name, spec.ty.shape.elements());
            session.write_state(&spec.name, &values.into_iter().map(Into::into).collect::<Vec<_>>())?;
        }
        Ok(session)
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }
    /// The states.
    pub fn states(&self) -> &StateTable {
        &self.states
    }
    /// A loaded plan.
    ///
    /// # Panics
    /// When the plan belongs to another session.
    pub fn plan(&self, id: PlanId) -> &Plan {
        self.index(id).map(|index| &self.plans[index]).expect("a plan of this session")
    }

    /// Position of a plan; an error for one of another session.
    fn index(&self, id: PlanId) -> Result<usize, ExecError> {
        let other = || port_error(&format!("plan {}", id.index), "it was loaded by another session");
        (id.session == self.number).then_some(id.index).ok_or_else(other)
    }

    /// Plans a graph that shares this session's states and prepares it.
    ///
    /// # Errors
    /// When the graph has states that the session lacks or two inputs of one name, when an op would write a tensor that
    /// it also reads, when memory runs out, or when a kernel is refused.
    pub fn load(&mut self, graph: &Graph, options: PlanOptions) -> Result<PlanId, ExecError> {
        if graph.states() != &self.states {
            let missing = graph.states().iter().find(|(_, s)| self.states.find(&s.name).is_none());
            let name = missing.map_or("the states", |(_, s)| s.name.as_str());
            return Err(port_error(name, "the graph has other states than the session"));
        }
        let names: Vec<_> = graph.inputs().map(|(name, _)| name).collect();
        if let Some(name) = names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name)) {
            return Err(port_error(name, "the graph has two inputs of this name; give each input its own"));
        }
        for (name, v) in graph.inputs() {
            graph::check_type(graph.ty(v)).map_err(|rule| port_error(name, &rule))?;
        }
        let plan = Plan::new(graph, options);
        let input = |(name, v): (&str, Value)| {
            let ty = graph.ty(v).clone();
            let awaited = ty.shape.elements() > 0 && plan.input(name).is_some();
            Input { name: name.into(), ty, domains: graph.domains(v), awaited }
        };
        let inputs = graph.inputs().map(input).collect();
        plan.check()?;
        let id = self.engine.load(&plan)?;
        self.plans.push(plan);
        self.inputs.push(inputs);
        debug_assert_eq!(id + 1, self.plans.len());
        Ok(PlanId { session: self.number, index: id })
    }

    /// Writes an input; `data` is in logical order (N H W C).
    ///
    /// # Errors
    /// When there is no such input, the length is wrong, or a label is not a class ([`ExecError::Label`]).
    pub fn write(&mut self, plan: PlanId, input: &str, data: &[E::Scalar]) -> Result<(), ExecError> {
        let index = self.index(plan)?;
        let known = &mut self.inputs[index];
        let Some(position) = known.iter().position(|known| known.name == input) else {
            let names: Vec<_> = known.iter().map(|input| input.name.as_str()).collect();
            return Err(port_error(input, &format!("there is no such input, but {}", names.join(", "))));
        };
        let known = &mut known[position];
        check_len(input, &known.ty, data.len())?;
        for domain in &known.domains {
            if let Some((index, value)) = domain.outside(data) {
                let (input, value) = (input.into(), value as f32);
                return Err(ExecError::Label { input, index, value, expected: domain.to_string() });
            }
        }
        // The plan drops an input that no node reads.
        let Some(port) = self.plans[index].input(input) else { return Ok(()) };
        match rows(&port.ty, data) {
            Some(rows) => self.engine.write_rows(index, port.slice, &rows)?,
            None => self.engine.write(index, port.slice, &port.ty.pack(data))?,
        }
        known.awaited = false;
        Ok(())
    }

    /// Every input that a plan reads must have been written.
    fn expect_written(&self, index: usize) -> Result<(), ExecError> {
        match self.inputs[index].iter().find(|input| input.awaited) {
            Some(input) => Err(ExecError::NotWritten { input: input.name.clone() }),
            None => Ok(()),
        }
    }

    /// Runs a plan and starts to fetch all its outputs.
    ///
    /// # Errors
    /// When an input was never written ([`ExecError::NotWritten`]), the device is lost, or the plan is another
    /// session's.
    pub fn run(&mut self, plan: PlanId) -> Result<Ticket, ExecError> {
        let index = self.index(plan)?;
        self.expect_written(index)?;
        let slices: Vec<Slice> = self.plans[index].outputs.iter().map(|p| p.slice).collect();
        let ticket = self.engine.run(index, &slices)?;
        self.running.push_back((ticket, plan));
        if self.running.len() > super::MAX_TICKETS {
            self.running.pop_front();
        }
        Ok(ticket)
    }

    /// Waits for a run's outputs, in the order of the graph's outputs, in logical order.
    ///
    /// # Errors
    /// When the device is lost, or the run belongs to another plan.
    pub fn take(&mut self, plan: PlanId, ticket: Ticket) -> Result<Vec<Vec<E::Scalar>>, ExecError> {
        let index = self.index(plan)?;
        if self.running.iter().any(|&(of, by)| of == ticket && by != plan) {
            return Err(port_error(&format!("ticket {}", ticket.0), "it is of a run of another plan"));
        }
        self.running.retain(|(of, _)| *of != ticket);
        let raw = self.engine.take(ticket)?;
        Ok(self.plans[index].outputs.iter().zip(raw).map(|(port, data)| port.ty.unpacked(data)).collect())
    }

    /// Runs a plan and waits for its outputs.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run_now(&mut self, plan: PlanId) -> Result<Vec<Vec<E::Scalar>>, ExecError> {
        let ticket = self.run(plan)?;
        self.take(plan, ticket)
    }

    /// Runs a plan and returns the seconds of each call of [`Plan::calls`]; `None` for a device without timestamps.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn profile(&mut self, plan: PlanId) -> Result<Option<Vec<f64>>, ExecError> {
        let index = self.index(plan)?;
        self.expect_written(index)?;
        self.engine.profile(index)
    }

    /// Reads all outputs of a plan that has run, in the order of the graph's outputs. Read them before another plan runs: plans
    /// share memory, so it may overwrite them.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn outputs(&mut self, plan: PlanId) -> Result<Vec<Vec<E::Scalar>>, ExecError> {
        let ports = self.plans[self.index(plan)?].outputs.clone();
        ports.iter().map(|port| self.read(plan, port)).collect()
    }

    /// Reads a tensor of a plan, such as one of [`Plan::values`], before another plan runs (see [`Session::outputs`]).
    ///
    /// # Errors
    /// When the device is lost, or has no such tensor.
    pub fn read(&mut self, plan: PlanId, port: &Port) -> Result<Vec<E::Scalar>, ExecError> {
        let (index, held) = (self.index(plan)?, port.ty.words());
        if port.slice.len != held {
            return Err(port_error(
                &port.name,
                &format!("it takes {held} words of memory, but its slice has {}", port.slice.len),
            ));
        }
        Ok(port.ty.unpacked(self.engine.read(index, port.slice)?))
    }

    /// Runs a plan whose inputs are written, and compares each of its calls with the f64 twin of its kernel, on the operands that
    /// the device has computed. The plan must keep all values (`reuse: false`).
    ///
    /// # Errors
    /// When the device is lost, or the plan does not keep its values.
    pub fn verify(&mut self, plan: PlanId) -> Result<Vec<Verified>, ExecError>
    where
        E: Engine<Scalar = f32>,
    {
        let index = self.index(plan)?;
        if self.plans[index].values.is_empty() {
            return Err(port_error(&format!("plan {index}"), "it keeps no values: load it without reuse"));
        }
        verify(self.engine.as_mut(), &self.plans[index], index)
    }

    fn state_slice(&self, name: &str) -> Result<(Port, usize), ExecError> {
        let id = self.states.find(name).ok_or_else(|| port_error(name, "there is no such state"))?;
        let spec = self.states.spec(id);
        let slice =
            Slice { buffer: Buffer::State(spec.group), offset: self.states.layout().offsets[id.0], len: spec.ty.len() };
        Ok((Port { name: name.into(), ty: spec.ty.clone(), slice }, id.0))
    }

    /// Reads all states of a group in memory order, with their padding.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn read_group(&mut self, group: Group) -> Result<Vec<E::Scalar>, ExecError> {
        self.engine.read(0, self.group_slice(group))
    }

    /// Writes all states of a group, as [`Session::read_group`] gives them.
    ///
    /// # Errors
    /// When the length is wrong.
    pub fn write_group(&mut self, group: Group, data: &[E::Scalar]) -> Result<(), ExecError> {
        let slice = self.group_slice(group);
        match data.len() == slice.len {
            true => self.engine.write(0, slice, data),
            false => Err(port_error("a group of states", &format!("{} numbers for {}", data.len(), slice.len))),
        }
    }

    fn group_slice(&self, group: Group) -> Slice {
        let len = self.states.layout().group_len[group as usize];
        Slice { buffer: Buffer::State(group), offset: 0, len }
    }

    /// Writes a state, in logical order: weights KH KW I O.
    ///
    /// # Errors
    /// When there is no such state or the length is wrong.
    pub fn write_state(&mut self, name: &str, data: &[E::Scalar]) -> Result<(), ExecError> {
        let (port, _) = self.state_slice(name)?;
        check_len(name, &port.ty, data.len())?;
        let packed: Vec<E::Scalar> = port.ty.pack(data);
        self.engine.write(0, port.slice, &packed)
    }

    /// Reads a state, in logical order: weights KH KW I O.
    ///
    /// # Errors
    /// When there is no such state.
    pub fn read_state(&mut self, name: &str) -> Result<Vec<E::Scalar>, ExecError> {
        let (port, _) = self.state_slice(name)?;
        Ok(port.ty.unpacked(self.engine.read(0, port.slice)?))
    }
}

fn port_error(what: &str, problem: &str) -> ExecError {
    ExecError::Port { what: what.into(), problem: problem.into() }
}

/// The numbers of a tensor as rows, if only its last axis is padded.
fn rows<'a, T>(ty: &TensorType, values: &'a [T]) -> Option<Rows<'a, T>> {
    let (len, stride) = match ty.layout {
        Layout::Channels => (ty.shape.channels(), ty.stride()),
        Layout::Flat if values.len().is_multiple_of(LANES) => (LANES, LANES),
        Layout::Flat => (values.len(), ty.len()),
        Layout::Kernel => return None,
    };
    (len > 0).then_some(Rows { values, len, stride })
}

fn check_len(name: &str, ty: &TensorType, len: usize) -> Result<(), ExecError> {
    let wanted = ty.shape.elements();
    if len == wanted {
        return Ok(());
    }
    Err(port_error(name, &format!("{len} numbers for a tensor of {wanted} {}", ty.shape)))
}
