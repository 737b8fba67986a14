//! The engine that runs a plan's twins, one call after the other, in f32 or f64.

use std::collections::{HashMap, VecDeque};

use super::aligned::Aligned;
use crate::exec::engine::{copy, last_use};
use crate::exec::registry::{self, KernelError};
use crate::exec::twin::{Args, Binding, Real, Twin};
use crate::exec::{Engine, ExecError, MAKING_STATES, MAX_TICKETS, Rows, Ticket};
use crate::graph::{Group, StateLayout};
use crate::kernel::{Access, KernelCall};
use crate::memory;
use crate::plan::{Buffer, Plan, PlannedCall, Slice};
use crate::shape::Element;

/// Runs plans on the CPU with element type `T`.
pub struct CpuEngine<T> {
    states: HashMap<Group, Aligned<T>>,
    slots: Vec<Aligned<T>>,
    plans: Vec<Loaded<T>>,
    tickets: VecDeque<(u64, Vec<Vec<T>>)>,
    next_ticket: u64,
    /// The run that starts when its results are taken.
    deferred: Option<Deferred>,
}

/// A run of [`Engine::run_each`].
struct Deferred {
    ticket: Ticket,
    plan: usize,
    fetch: Vec<Slice>,
}

struct Loaded<T> {
    calls: Vec<(Twin, KernelCall<Slice>)>,
    fixed: Vec<Aligned<T>>,
}

impl<T: Real> Default for CpuEngine<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> CpuEngine<T> {
    /// An engine without plans.
    pub fn new() -> Self {
        CpuEngine {
            states: HashMap::new(),
            slots: vec![],
            plans: vec![],
            tickets: VecDeque::new(),
            next_ticket: 0,
            deferred: None,
        }
    }

    fn loaded(&self, plan: usize) -> Result<&Loaded<T>, ExecError> {
        self.plans.get(plan).ok_or_else(|| port_error(format!("plan {plan}"), "it was not loaded".into()))
    }

    /// A range of a plan's buffers. A range of a state needs no loaded plan.
    fn range(&mut self, plan: usize, slice: Slice) -> Result<&mut [T], ExecError> {
        let buffer = match slice.buffer {
            Buffer::Slot(i) => self.slots.get_mut(i),
            Buffer::Fixed(i) => self.plans.get_mut(plan).and_then(|plan| plan.fixed.get_mut(i)),
            Buffer::State(group) => self.states.get_mut(&group),
        };
        let missing = || port_error(format!("{slice:?}"), format!("plan {plan} has no such memory"));
        let end = slice.offset.checked_add(slice.len).ok_or_else(missing)?;
        buffer.and_then(|buffer| buffer.get_mut(slice.offset..end)).ok_or_else(missing)
    }

    fn copy_out(&mut self, plan: usize, from: Slice) -> Result<Vec<T>, ExecError> {
        let from = self.range(plan, from)?;
        let mut values = vec![T::default(); from.len()];
        copy(&mut values, from);
        Ok(values)
    }

    /// Fills all pool memory with NaN, so that a test finds a kernel that reads unwritten memory.
    pub fn poison(&mut self) {
        for slot in &mut self.slots {
            slot.fill(T::nan());
        }
    }

    /// Length of a group of states.
    fn held(&self, group: Group) -> usize {
        self.states.get(&group).map_or(0, |state| state.len())
    }

    fn call(&mut self, plan: usize, index: usize) {
        let (twin, call) = self.plans[plan].calls[index].clone();
        let buffers = call
            .bindings
            .iter()
            .map(|(slice, access)| {
                let range = self.range(plan, *slice).expect("checked when the plan was loaded, and no buffer shrinks");
                let (pointer, len) = (range.as_mut_ptr(), range.len());
                // SAFETY: the range lies in a vector that is not resized while the call runs. `load` ran `Plan::check`:
                // within a call no written slice overlaps any other.
                unsafe {
                    match access {
                        Access::Read => Binding::Read(std::slice::from_raw_parts(pointer, len)),
                        _ => Binding::Write(Some(std::slice::from_raw_parts_mut(pointer, len))),
                    }
                }
            })
            .collect();
        twin.run(Args::new(&call, buffers));
    }
}

/// Runs the twin of a call on one vector for each binding; written ones hold the results.
///
/// # Errors
/// When the kernel is not registered.
pub(in crate::exec) fn run_twin<T: Real>(call: &KernelCall<Slice>, operands: &mut [Vec<T>]) -> Result<(), KernelError> {
    let bound = operands.iter_mut().zip(&call.bindings).map(|(operand, (_, access))| match access {
        Access::Read => Binding::Read(operand.as_slice()),
        _ => Binding::Write(Some(operand.as_mut_slice())),
    });
    let buffers = bound.collect();
    registry::of(call)?.twin.run(Args::new(call, buffers));
    Ok(())
}

/// Refuses buffers that exceed the free memory before it allocates any: `vec!` would end the process.
fn require_memory<T>(during: &str, lens: impl Iterator<Item = usize>) -> Result<(), ExecError> {
    let numbers = lens.fold(0, usize::saturating_add);
    let bytes = numbers.saturating_mul(size_of::<T>()) as u64;
    match Vec::<T>::new().try_reserve_exact(numbers) {
        Ok(()) if memory::has(bytes) => Ok(()),
        _ => Err(ExecError::OutOfMemory { during: during.into(), bytes }),
    }
}

fn port_error(what: String, problem: String) -> ExecError {
    ExecError::Port { what, problem }
}

impl<T: Real> Engine for CpuEngine<T> {
    type Scalar = T;

    fn name(&self) -> String {
        let threads = rayon::current_num_threads();
        let unit = if threads == 1 { "thread" } else { "threads" };
        format!("CPU ({threads} {unit}, {})", std::any::type_name::<T>())
    }

    fn states(&mut self, layout: &StateLayout) -> Result<(), ExecError> {
        let lens = Group::ALL.map(|group| layout.group_len[group as usize]);
        let grown = Group::ALL.into_iter().zip(lens).filter(|&(group, len)| len > self.held(group));
        require_memory::<T>(MAKING_STATES, grown.map(|(_, len)| len))?;
        for group in Group::ALL {
            let state = self.states.entry(group).or_insert_with(|| Aligned::zeros(0));
            state.grow(layout.group_len[group as usize]);
        }
        Ok(())
    }

    fn load(&mut self, plan: &Plan) -> Result<usize, ExecError> {
        if let Some(call) = plan.calls.iter().map(|c| &c.call).find(|call| call.elements.contains(&Element::F16)) {
            let reason = "its operands are f16, and the CPU engine computes in f32".into();
            return Err(ExecError::Kernel { kernel: call.kernel.into(), reason });
        }
        plan.check()?;
        let twin = |planned: &PlannedCall| Ok((registry::of(&planned.call)?.twin, planned.call.clone()));
        let calls = plan.calls.iter().map(twin).collect::<Result<_, KernelError>>()?;
        let short = |group: &Group| self.held(*group) < plan.states.group_len[*group as usize];
        if let Some(group) = Group::ALL.into_iter().find(short) {
            return Err(port_error(format!("{group:?}"), "the plan has more states than the engine was given".into()));
        }
        require_memory::<T>("making the buffers of a plan", plan.slots.iter().chain(&plan.fixed).copied())?;
        for (i, &len) in plan.slots.iter().enumerate() {
            match self.slots.get_mut(i) {
                // Slots hold nothing between runs.
                Some(slot) if slot.len() < len => *slot = Aligned::zeros(len),
                Some(_) => {}
                None => self.slots.push(Aligned::zeros(len)),
            }
        }
        self.plans.push(Loaded { calls, fixed: plan.fixed.iter().map(|&len| Aligned::zeros(len)).collect() });
        Ok(self.plans.len() - 1)
    }

    fn write(&mut self, plan: usize, to: Slice, data: &[T]) -> Result<(), ExecError> {
        let memory = self.range(plan, to)?;
        if data.len() != memory.len() {
            return Err(port_error(format!("{:?}", to.buffer), format!("{} numbers for {}", data.len(), to.len)));
        }
        copy(memory, data);
        Ok(())
    }

    fn write_rows(&mut self, plan: usize, to: Slice, rows: &Rows<'_, T>) -> Result<(), ExecError> {
        let memory = self.range(plan, to)?;
        if rows.memory_len() != memory.len() {
            let problem = format!("{} numbers in rows of {} for {}", rows.values.len(), rows.len, to.len);
            return Err(port_error(format!("{:?}", to.buffer), problem));
        }
        rows.pack_into(memory);
        Ok(())
    }

    fn profile(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError> {
        let calls = self.loaded(plan)?.calls.len();
        let mut time = |index| {
            let start = std::time::Instant::now();
            self.call(plan, index);
            start.elapsed().as_secs_f64()
        };
        Ok(Some((0..calls).map(&mut time).collect()))
    }

    fn run(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        for index in 0..self.loaded(plan)?.calls.len() {
            self.call(plan, index);
        }
        let data = fetch.iter().map(|&slice| self.copy_out(plan, slice)).collect::<Result<_, _>>()?;
        self.next_ticket += 1;
        self.tickets.push_back((self.next_ticket, data));
        if self.tickets.len() > MAX_TICKETS {
            self.tickets.pop_front();
        }
        Ok(Ticket(self.next_ticket))
    }

    fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<T>>, ExecError> {
        let found = self.tickets.iter().position(|(id, _)| *id == ticket.0);
        let taken = found.and_then(|i| self.tickets.remove(i));
        let missing = || "it was taken before, or dropped because later results were not taken".into();
        taken.map(|(_, data)| data).ok_or_else(|| port_error(format!("ticket {}", ticket.0), missing()))
    }

    fn run_each(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        self.loaded(plan)?;
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.deferred = Some(Deferred { ticket, plan, fetch: fetch.to_vec() });
        Ok(ticket)
    }

    fn take_each(&mut self, ticket: Ticket, each: &mut dyn FnMut(usize, Vec<T>)) -> Result<(), ExecError> {
        let Some(Deferred { plan, fetch, .. }) = self.deferred.take_if(|run| run.ticket == ticket) else {
            return Err(port_error(
                format!("ticket {}", ticket.0),
                "it was taken before, or a later run replaced it".into(),
            ));
        };
        let calls = &self.loaded(plan)?.calls;
        let used = || calls.iter().map(|(_, call)| call.bindings.iter().map(|(slice, _)| *slice));
        let finals: Vec<usize> = fetch.iter().map(|slice| last_use(used(), slice)).collect();
        let calls = calls.len();
        for done in 0..=calls {
            if done > 0 {
                self.call(plan, done - 1);
            }
            for (number, _) in finals.iter().enumerate().filter(|(_, last)| **last == done) {
                each(number, self.copy_out(plan, fetch[number])?);
            }
        }
        Ok(())
    }

    fn read(&mut self, plan: usize, from: Slice) -> Result<Vec<T>, ExecError> {
        self.copy_out(plan, from)
    }

    fn memory(&self) -> u64 {
        let own = self.plans.iter().flat_map(|p| &p.fixed);
        let floats: usize = self.states.values().chain(&self.slots).chain(own).map(|buffer| buffer.len()).sum();
        (floats * size_of::<T>()) as u64
    }
}
