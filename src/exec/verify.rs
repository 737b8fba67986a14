//! Every call of a plan as a device runs it, compared with the f64 twin of its kernel on the same numbers.
//!
//! The plan keeps all values ([`PlanOptions::reuse`](crate::plan::PlanOptions) off), so that after one run the operands and
//! results of every call are still in memory. A twin gets the operands that the device has computed. So a wrong kernel is
//! reported alone, without the calls that only follow from it.

mod judge;

use std::collections::HashMap;

use super::cpu::run_twin;
use super::registry::KernelError;
use super::{Engine, ExecError};
use crate::graph::Group;
use crate::kernel::{Access, KernelCall};
use crate::plan::{Buffer, Plan, Slice};
pub use judge::Wrong;
use judge::{compare, numbers, stored};

/// NaN in 32 bits and in both halves.
const POISON: u32 = 0x7fff_7fff;

/// The result of checking one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Position in [`Plan::calls`].
    pub call: usize,
    /// Largest difference from the twin, divided by the allowed one; infinite where only one of the two is NaN.
    pub error: f64,
    /// Whether the results are right.
    pub verdict: Verdict,
}

/// Whether a call's results are right.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// All differences are within their bounds.
    Right,
    /// Some numbers differ by more.
    Wrong(Wrong),
    /// An operand is infinite or NaN, for which WGSL defines no result.
    Unknown,
}

/// The contents of buffers, as words of 32 bits.
struct Memory(HashMap<Buffer, Vec<f32>>);

impl Memory {
    /// The buffers before a run. The pool is filled with poison.
    fn before<E: Engine<Scalar = f32> + ?Sized>(engine: &mut E, plan: &Plan, id: usize) -> Result<Self, ExecError> {
        let slots = plan.slots.iter().enumerate().map(|(i, &len)| (Buffer::Slot(i), len));
        let fixed = plan.fixed.iter().enumerate().map(|(i, &len)| (Buffer::Fixed(i), len));
        let states = Group::ALL.map(|group| (Buffer::State(group), plan.states.group_len[group as usize]));
        let mut memory = HashMap::new();
        for (buffer, len) in slots {
            let poison = vec![f32::from_bits(POISON); len];
            engine.write(id, Slice { buffer, offset: 0, len }, &poison)?;
            memory.insert(buffer, poison);
        }
        for (buffer, len) in fixed.chain(states).filter(|(_, len)| *len > 0) {
            memory.insert(buffer, engine.read(id, Slice { buffer, offset: 0, len })?);
        }
        Ok(Memory(memory))
    }

    /// The numbers of a call's bindings.
    fn operands(&self, call: &KernelCall<Slice>) -> Vec<Vec<f64>> {
        let bound = call.bindings.iter().zip(&call.elements);
        bound
            .map(|((slice, _), &element)| numbers(&self.0[&slice.buffer][slice.offset..][..slice.len], element))
            .collect()
    }

    fn write(&mut self, slice: Slice, words: &[f32]) {
        if let Some(buffer) = self.0.get_mut(&slice.buffer) {
            buffer[slice.offset..][..slice.len].copy_from_slice(words);
        }
    }
}

/// Runs a plan whose inputs are written, and checks each of its calls. Memory of the pool that no call has written is NaN.
///
/// # Errors
/// When the device is lost, or a kernel is not registered.
pub(super) fn verify<E: Engine<Scalar = f32> + ?Sized>(
    engine: &mut E,
    plan: &Plan,
    id: usize,
) -> Result<Vec<Verified>, ExecError> {
    let mut memory = Memory::before(engine, plan, id)?;
    let ticket = engine.run(id, &[])?;
    engine.take(ticket)?;
    let last = last_writes(plan);
    let mut found = vec![];
    for (index, planned) in plan.calls.iter().enumerate() {
        let call = &planned.call;
        let operands = memory.operands(call);
        let known = finite(call, &operands);
        let nudged = known.then(|| twin(call, nudged(&operands))).transpose()?;
        let exact = twin(call, operands)?;
        let mut verified = Verified { call: index, error: 0.0, verdict: Verdict::Right };
        for (binding, &(slice, access)) in call.bindings.iter().enumerate() {
            if access == Access::Read {
                continue;
            }
            if !last[index][binding] {
                // A later call has overwritten it.
                memory.write(slice, &stored(&exact[binding], call.elements[binding]));
                continue;
            }
            let words = engine.read(id, slice)?;
            memory.write(slice, &words);
            match &nudged {
                Some(nudged) => {
                    let got = numbers(&words, call.elements[binding]);
                    verified.add(compare(call, binding, [&got, &exact[binding], &nudged[binding]]));
                }
                None => verified.verdict = Verdict::Unknown,
            }
        }
        found.push(verified);
    }
    Ok(found)
}

impl Verified {
    /// Adds the result for another binding of the call. The worst binding is reported.
    fn add(&mut self, (error, wrong): (f64, Option<Wrong>)) {
        if let Some(wrong) = wrong.filter(|_| error > self.error) {
            self.verdict = Verdict::Wrong(wrong);
        }
        self.error = self.error.max(error);
    }
}

/// For each binding of each call: whether the call writes it and no later call does.
fn last_writes(plan: &Plan) -> Vec<Vec<bool>> {
    let mut later: HashMap<Buffer, Vec<(usize, usize)>> = HashMap::new();
    let mut last: Vec<Vec<bool>> = plan.calls.iter().map(|planned| vec![false; planned.call.bindings.len()]).collect();
    for (of_call, planned) in last.iter_mut().zip(&plan.calls).rev() {
        let written = planned.call.bindings.iter().enumerate().filter(|(_, (_, access))| *access != Access::Read);
        let written: Vec<(usize, Slice)> = written.map(|(i, (slice, _))| (i, *slice)).collect();
        for &(i, slice) in &written {
            let ranges = later.entry(slice.buffer).or_default();
            of_call[i] = ranges.iter().all(|&(start, end)| slice.offset + slice.len <= start || end <= slice.offset);
        }
        for (_, slice) in written {
            later.entry(slice.buffer).or_default().push((slice.offset, slice.offset + slice.len));
        }
    }
    last
}

/// Whether all operands that a call only reads are finite.
fn finite(call: &KernelCall<Slice>, operands: &[Vec<f64>]) -> bool {
    let bound = call.bindings.iter().zip(operands);
    bound.filter(|((_, access), _)| *access == Access::Read).all(|(_, numbers)| numbers.iter().all(|v| v.is_finite()))
}

fn twin(call: &KernelCall<Slice>, mut operands: Vec<Vec<f64>>) -> Result<Vec<Vec<f64>>, KernelError> {
    run_twin(call, &mut operands)?;
    Ok(operands)
}

/// The operands, each moved by half an ulp of f32 up or down. Whole numbers stay: classes, taps, counts.
fn nudged(operands: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let nudge = |(i, &v): (usize, &f64)| {
        let up = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
        let step = f64::from(f32::EPSILON) / if up { 2.0 } else { -2.0 };
        if v.fract() == 0.0 { v } else { v * (1.0 + step) }
    };
    operands.iter().map(|numbers| numbers.iter().enumerate().map(nudge).collect()).collect()
}
