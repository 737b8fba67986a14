//! Every call of a plan as a device runs it, held against the twin of its kernel in f64 on the same numbers.
//!
//! The plan keeps all values ([`PlanOptions::reuse`](crate::plan::PlanOptions) off), so that after one run of it the operands and
//! results of every call are still there. A call's twin gets what the device's calls before it have left, not what their twins
//! have: a wrong kernel is seen by itself, and nothing that only follows from it.

use std::collections::HashMap;
use std::fmt;

use half::f16;

use super::accuracy::{Accuracy, operations, rounding};
use super::cpu::{Real, run_twin};
use super::shader::together;
use super::{Engine, ExecError};
use crate::graph::Group;
use crate::kernel::{Access, Const, KernelCall};
use crate::plan::{Buffer, Plan, Slice};
use crate::shape::Element;

/// What a sum may lose beyond the formula of its rounding, in terms of what the twin in f32 loses: where terms cancel, the
/// result is small and the rounding of its terms is not. The order of the terms is a device's own, hence the room.
const AS_F32: f64 = 8.0;

/// One rounding to 11 bits, with room for what is rounded being another number already.
const HALF: f64 = 1.0 / 1024.0;

/// Share of the results in which a ReLU's mask, computed anew from x, may come out the other way than in f64: y is within a
/// rounding of 0 for about one in 10⁷, whose gradient is then another one altogether. A reduction has few results, and one of
/// them may have met it.
const MASKED_OTHERWISE: f64 = 1e-5;
const MASKED_AT_LEAST: usize = 2;

/// How a call came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Position in [`Plan::calls`].
    pub call: usize,
    /// Largest difference from the twin, in terms of the one that is allowed; infinite where one of the two is no number.
    pub error: f64,
    /// Whether the results are right.
    pub verdict: Verdict,
}

/// Whether a call's results are right.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// They are.
    Right,
    /// They are not.
    Wrong(Wrong),
    /// It was given something that is no number, of which devices may make what they like.
    Unknown,
}

/// Results that are not what they should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// Which of the call's buffers.
    pub binding: usize,
    /// How many of its numbers.
    pub count: usize,
    /// Numbers in it, padding included.
    pub of: usize,
    /// Place of the worst.
    pub element: usize,
    /// What the device has there.
    pub got: f64,
    /// What the twin has.
    pub expected: f64,
    /// How far they may lie apart.
    pub allowed: f64,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { binding, count, of, element, got, expected, allowed } = self;
        write!(
            f,
            "{count} of {of} numbers of binding {binding} are wrong; number {element} is {got:e} instead of {expected:e} \
             (within {allowed:.1e})"
        )
    }
}

/// The contents of buffers, as words of 32 bits.
struct Memory(HashMap<Buffer, Vec<f32>>);

impl Memory {
    /// All that a plan's calls reach.
    fn read<E: Engine<Scalar = f32> + ?Sized>(engine: &mut E, plan: &Plan, id: usize) -> Result<Self, ExecError> {
        let slots = plan.slots.iter().enumerate().map(|(i, &len)| (Buffer::Slot(i), len));
        let fixed = plan.fixed.iter().enumerate().map(|(i, &len)| (Buffer::Fixed(i), len));
        let states = Group::ALL.map(|group| (Buffer::State(group), plan.states.group_len[group as usize]));
        let all = slots.chain(fixed).chain(states).filter(|(_, len)| *len > 0);
        let read = |(buffer, len)| Ok((buffer, engine.read(id, Slice { buffer, offset: 0, len })?));
        Ok(Memory(all.map(read).collect::<Result<_, ExecError>>()?))
    }

    fn words(&self, slice: Slice) -> &[f32] {
        &self.0[&slice.buffer][slice.offset..][..slice.len]
    }

    fn numbers(&self, slice: Slice, element: Element) -> Vec<f64> {
        let words = self.words(slice);
        match element {
            Element::F32 => words.iter().copied().map(f64::from).collect(),
            Element::F16 => words.iter().copied().flat_map(halves).map(f64::from).collect(),
        }
    }

    /// What a call is bound to.
    fn operands(&self, call: &KernelCall<Slice>) -> Vec<Vec<f64>> {
        let bound = call.bindings.iter().zip(&call.elements);
        bound.map(|((slice, _), &element)| self.numbers(*slice, element)).collect()
    }

    fn write(&mut self, slice: Slice, words: &[f32]) {
        if let Some(buffer) = self.0.get_mut(&slice.buffer) {
            buffer[slice.offset..][..slice.len].copy_from_slice(words);
        }
    }
}

/// The two numbers of 16 bits in a word of 32.
pub(super) fn halves(word: f32) -> [f32; 2] {
    let bits = word.to_bits();
    [bits as u16, (bits >> 16) as u16].map(|bits| f16::from_bits(bits).to_f32())
}

/// Numbers as they are stored.
fn stored(numbers: &[f64], element: Element) -> Vec<f32> {
    let half = |v: f64| u32::from(f16::from_f64(v).to_bits());
    match element {
        Element::F32 => numbers.iter().map(|&v| v as f32).collect(),
        Element::F16 => {
            numbers.chunks_exact(2).map(|pair| f32::from_bits(half(pair[0]) | half(pair[1]) << 16)).collect()
        }
    }
}

/// Runs a plan whose inputs are written, and gives how each of its calls came out. Memory that nothing has written is NaN.
///
/// # Errors
/// When the device is lost.
pub(super) fn verify<E: Engine<Scalar = f32> + ?Sized>(
    engine: &mut E,
    plan: &Plan,
    id: usize,
) -> Result<Vec<Verified>, ExecError> {
    for (slot, &len) in plan.slots.iter().enumerate() {
        engine.write(id, Slice { buffer: Buffer::Slot(slot), offset: 0, len }, &vec![f32::NAN; len])?;
    }
    let mut memory = Memory::read(engine, plan, id)?;
    let ticket = engine.run(id, &[])?;
    engine.take(ticket)?;
    let after = Memory::read(engine, plan, id)?;
    let last = last_writes(plan);
    let mut found = vec![];
    for (index, planned) in plan.calls.iter().enumerate() {
        let call = &planned.call;
        let operands = memory.operands(call);
        let known = !reads_nan(call, &operands);
        let [exact, rough] = twins(call, operands);
        let verdict = if known { Verdict::Right } else { Verdict::Unknown };
        let mut verified = Verified { call: index, error: 0.0, verdict };
        for (binding, &(slice, access)) in call.bindings.iter().enumerate() {
            if access == Access::Read {
                continue;
            }
            if !last[index][binding] {
                // It is gone by the end of the run.
                memory.write(slice, &stored(&exact[binding], call.elements[binding]));
                continue;
            }
            if known {
                let got = after.numbers(slice, call.elements[binding]);
                let (error, wrong) = compare(call, binding, [&got, &exact[binding], &rough[binding]]);
                // The buffer that is worst is told of.
                if let Some(wrong) = wrong.filter(|_| error > verified.error) {
                    verified.verdict = Verdict::Wrong(wrong);
                }
                verified.error = verified.error.max(error);
            }
            memory.write(slice, after.words(slice));
        }
        found.push(verified);
    }
    Ok(found)
}

/// For each binding of each call: is it written, and by no later call?
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

/// Whether there is a NaN in what a call only reads.
fn reads_nan(call: &KernelCall<Slice>, operands: &[Vec<f64>]) -> bool {
    let bound = call.bindings.iter().zip(operands);
    bound.filter(|((_, access), _)| *access == Access::Read).any(|(_, numbers)| numbers.iter().any(|v| v.is_nan()))
}

/// What the twins in f64 and in f32 make of a call's operands, in f64.
fn twins(call: &KernelCall<Slice>, exact: Vec<Vec<f64>>) -> [Vec<Vec<f64>>; 2] {
    let rough: Vec<Vec<f32>> = exact.iter().map(|numbers| numbers.iter().map(|&v| v as f32).collect()).collect();
    let wide = |v: f32| f64::from(v);
    let rough = run(call, rough).into_iter().map(|numbers| numbers.into_iter().map(wide).collect()).collect();
    [run(call, exact), rough]
}

fn run<T: Real>(call: &KernelCall<Slice>, mut operands: Vec<Vec<T>>) -> Vec<Vec<T>> {
    run_twin(call, &mut operands);
    operands
}

/// The largest difference of what a device has from what it should have, in terms of the allowed one, and what is wrong.
fn compare(call: &KernelCall<Slice>, binding: usize, [got, exact, rough]: [&Vec<f64>; 3]) -> (f64, Option<Wrong>) {
    if let Some(of_all) = together(call, binding) {
        // Parts of sums and statistics, of pixels as the device's tiles have them.
        let of_all = |values: &[f64]| -> Vec<f64> {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            of_all(&values).into_iter().map(f64::from).collect()
        };
        return judge(call, binding, [&of_all(got), &of_all(exact), &of_all(rough)]);
    }
    judge(call, binding, [got, exact, rough])
}

fn judge(call: &KernelCall<Slice>, binding: usize, [got, exact, rough]: [&[f64]; 3]) -> (f64, Option<Wrong>) {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.filter(|v| v.is_finite()).fold(0.0, f64::max);
    let scale = largest(&mut exact.iter().map(|v| v.abs()));
    let lost = largest(&mut exact.iter().zip(rough).map(|(e, r)| (e - r).abs()));
    let relative = rounding(operations(call), Accuracy::Wgsl.epsilon()) + Accuracy::Wgsl.functions(call);
    // A device may take the smallest numbers for 0.
    let of_all = relative * scale + AS_F32 * lost + f64::from(f32::MIN_POSITIVE);
    let mut written = call.bindings.iter().zip(&call.elements).filter(|((_, access), _)| *access != Access::Read);
    let beside_halves = written.any(|(_, element)| *element == Element::F16);
    let allowed = |expected: f64| match call.elements[binding] {
        Element::F16 => of_all + expected.abs() * HALF + f64::exp2(-24.0),
        // A statistic of numbers that are stored in 16 bits may be one of what is stored.
        Element::F32 if beside_halves => of_all + scale * HALF,
        Element::F32 => of_all,
    };
    let off = |(&got, &expected): (&f64, &f64)| match (got - expected).abs() / allowed(expected) {
        _ if got == expected || (got.is_nan() && expected.is_nan()) => 0.0,
        off if off.is_nan() => f64::INFINITY,
        off => off,
    };
    let errors: Vec<f64> = got.iter().zip(exact).map(off).collect();
    let count = errors.iter().filter(|error| **error > 1.0).count();
    let forgiven = if masks_anew(call) { MASKED_AT_LEAST + (MASKED_OTHERWISE * got.len() as f64) as usize } else { 0 };
    if count <= forgiven {
        return (errors.into_iter().filter(|error| *error <= 1.0).fold(0.0, f64::max), None);
    }
    let (element, error) = errors
        .iter()
        .copied()
        .enumerate()
        .fold((0, 0.0), |worst, (i, error)| if error > worst.1 { (i, error) } else { worst });
    let (got, expected, of) = (got[element], exact[element], got.len());
    (error, Some(Wrong { binding, count, of, element, got, expected, allowed: allowed(expected) }))
}

/// Whether the mask of a ReLU before what this is the gradient of is computed anew, from numbers that are rounded otherwise in f64.
fn masks_anew(call: &KernelCall<Slice>) -> bool {
    let flag = |name: &str| call.consts.0.iter().any(|(known, value)| *known == name && *value == Const::B(true));
    call.kernel.contains("grad") && flag("RELU") && !flag("RESIDUAL")
}
