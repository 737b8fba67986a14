//! Every call of a plan as a device runs it, held against the twin of its kernel in f64 on the same numbers.
//!
//! The plan keeps all values ([`PlanOptions::reuse`](crate::plan::PlanOptions) off), so that after one run of it the operands and
//! results of every call are still there. A call's twin gets what the device's calls before it have left, not what their twins
//! have: a wrong kernel is seen by itself, and nothing that only follows from it.

use std::collections::HashMap;
use std::fmt;

use super::accuracy::{Accuracy, operations, rounding};
use super::cpu::run_twin;
use super::shader::together;
use super::{Engine, ExecError};
use crate::graph::Group;
use crate::kernel::{Access, Const, KernelCall};
use crate::plan::{Buffer, Plan, Slice};
use crate::shape::{Element, LANES, halves, whole};

/// What a result may be off beyond the formula of its rounding, in terms of what another last bit in each operand does to it:
/// where terms cancel, the result is small and the rounding of its terms is not.
const CANCELLED: f64 = 8.0;

/// One rounding to 11 bits and a little more, for what is rounded is another number already.
const HALF: f64 = 1.2 / 2048.0;
/// Above this 16 bits may have no room: half a step below the largest number.
const HALF_OVERFLOWS: f64 = 65_488.0;

/// NaN in 32 bits and in both halves.
const POISON: u32 = 0x7fff_7fff;

/// How many of so many results may jump with a last bit of the operands, where masks and maxima are chosen anew: y is within a
/// rounding of 0 for about one pixel in 10⁷, whose gradient is then another one altogether, and so is a sum that it is part of.
fn jumping(results: usize) -> usize {
    results / 100_000 + if results < 8 { 0 } else { 2 }
}

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
    /// It was given something that is infinite or no number, of which devices may make what they like.
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
    /// Before a run: what the pool holds is not asked for, since it is poison.
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

    /// What a call is bound to.
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

/// Words of memory as numbers.
fn numbers(words: &[f32], element: Element) -> Vec<f64> {
    match element {
        Element::F32 => words.iter().copied().map(f64::from).collect(),
        Element::F16 => words.iter().copied().flat_map(halves).map(f64::from).collect(),
    }
}

/// Numbers as words of memory.
fn stored(numbers: &[f64], element: Element) -> Vec<f32> {
    let narrow = |v: f64| v as f32;
    match element {
        Element::F32 => numbers.iter().copied().map(narrow).collect(),
        Element::F16 => numbers.chunks_exact(2).map(|pair| whole([pair[0], pair[1]].map(narrow))).collect(),
    }
}

/// Runs a plan whose inputs are written, and gives how each of its calls came out. Memory of the pool that nothing has written
/// is NaN.
///
/// # Errors
/// When the device is lost.
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
        let nudged = known.then(|| twin(call, nudged(&operands)));
        let exact = twin(call, operands);
        let mut verified = Verified { call: index, error: 0.0, verdict: Verdict::Right };
        for (binding, &(slice, access)) in call.bindings.iter().enumerate() {
            if access == Access::Read {
                continue;
            }
            if !last[index][binding] {
                // It is gone by the end of the run.
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
    /// One more of the call's buffers; the one that is worst is told of.
    fn add(&mut self, (error, wrong): (f64, Option<Wrong>)) {
        if let Some(wrong) = wrong.filter(|_| error > self.error) {
            self.verdict = Verdict::Wrong(wrong);
        }
        self.error = self.error.max(error);
    }
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

/// Whether all that a call only reads is finite.
fn finite(call: &KernelCall<Slice>, operands: &[Vec<f64>]) -> bool {
    let bound = call.bindings.iter().zip(operands);
    bound.filter(|((_, access), _)| *access == Access::Read).all(|(_, numbers)| numbers.iter().all(|v| v.is_finite()))
}

fn twin(call: &KernelCall<Slice>, mut operands: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    run_twin(call, &mut operands);
    operands
}

/// The operands, each half of a last bit of f32 away, to either side. Whole numbers stay: classes, taps, counts.
fn nudged(operands: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let nudge = |(i, &v): (usize, &f64)| {
        let up = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
        let step = f64::from(f32::EPSILON) / if up { 2.0 } else { -2.0 };
        if v.fract() == 0.0 { v } else { v * (1.0 + step) }
    };
    operands.iter().map(|numbers| numbers.iter().enumerate().map(nudge).collect()).collect()
}

/// The largest difference of what a device has from what it should have, in terms of the allowed one, and what is wrong.
fn compare(call: &KernelCall<Slice>, binding: usize, [got, exact, nudged]: [&Vec<f64>; 3]) -> (f64, Option<Wrong>) {
    match together(call, binding) {
        // Parts of sums and statistics, of pixels as the device's tiles have them.
        Some(of_all) => {
            let of_all = |values: &[f64]| numbers(&of_all(&stored(values, Element::F32)), Element::F32);
            judge(call, binding, [&of_all(got), &of_all(exact), &of_all(nudged)])
        }
        None => judge(call, binding, [got, exact, nudged]),
    }
}

/// What a number of a result is one of: each kind has a size of its own.
fn kind(call: &KernelCall<Slice>, (i, of): (usize, usize)) -> usize {
    match call.kernel {
        // Loss, weight, counts; a norm and the factor for it.
        _ if of == LANES => i,
        // Mean and squared deviations of four channels, or two sums.
        "norm_stats" | "norm_grad_reduce" => i / LANES % 2,
        _ => 0,
    }
}

fn judge(call: &KernelCall<Slice>, binding: usize, [got, exact, nudged]: [&[f64]; 3]) -> (f64, Option<Wrong>) {
    let statistic = matches!(call.kernel, "conv_fwd" | "conv_dgrad") && together(call, binding).is_some();
    let kind = |i: usize| if statistic { i % 2 } else { kind(call, (i, exact.len())) };
    let spread = deviation(call, statistic, exact, kind);
    let of_kind =
        |k: usize| allowed_of_kind(call, (exact, nudged), (if k == 0 { spread } else { 0.0 }, |i| kind(i) == k));
    let kinds: Vec<f64> = (0..LANES).map(of_kind).collect();
    let largest = exact.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
    let halved = call.bindings.iter().zip(&call.elements).any(|((_, a), e)| *a != Access::Read && *e == Element::F16);
    let allowed = |i: usize| match call.elements[binding] {
        Element::F16 => kinds[kind(i)] + exact[i].abs() * HALF + f64::exp2(-24.0),
        // It may be one of what is stored, in 16 bits, or of what was before.
        Element::F32 if halved && statistic => kinds[kind(i)] + largest * HALF,
        Element::F32 => kinds[kind(i)],
    };
    let off = |i: usize| {
        let (got, expected) = (got[i], exact[i]);
        let overflown = call.elements[binding] == Element::F16 && expected.abs() > HALF_OVERFLOWS;
        match (got - expected).abs() / allowed(i) {
            _ if got == expected || (got.is_nan() && expected.is_nan()) => 0.0,
            _ if overflown && got.is_infinite() && got.signum() == expected.signum() => 0.0,
            off if off.is_nan() => f64::INFINITY,
            off => off,
        }
    };
    let errors: Vec<f64> = (0..got.len()).map(off).collect();
    let wrong: Vec<usize> = (0..errors.len()).filter(|&i| errors[i] > 1.0).collect();
    // A gradient that is there or not is no larger than others.
    let jumped = |&i: &usize| (got[i] - exact[i]).abs() <= 2.0 * largest;
    if masks_anew(call, binding) && wrong.len() <= jumping(got.len()) && wrong.iter().all(jumped) {
        return (errors.into_iter().filter(|error| *error <= 1.0).fold(0.0, f64::max), None);
    }
    let larger = |worst: usize, i: usize| if errors[i] > errors[worst] { i } else { worst };
    let element = (0..errors.len()).reduce(larger).unwrap_or(0);
    let error = errors.get(element).copied().unwrap_or(0.0);
    let told = || {
        let (got, expected, of) = (got[element], exact[element], got.len());
        Wrong { binding, count: wrong.len(), of, element, got, expected, allowed: allowed(element) }
    };
    (error, (!wrong.is_empty()).then(told))
}

/// What means are the means of differs by as much, and so do the numbers that are rounded on the way to them.
fn deviation(call: &KernelCall<Slice>, statistic: bool, exact: &[f64], kind: impl Fn(usize) -> usize) -> f64 {
    let rows = match call.kernel {
        "norm_stats" => call.consts.usize("SEGMENT_ROWS") as f64,
        // Those of a convolution are merged already, into variances.
        "conv_fwd" if statistic => 1.0,
        _ => return 0.0,
    };
    let squares = (0..exact.len()).filter(|&i| kind(i) == 1).map(|i| exact[i]).fold(0.0, f64::max);
    (squares / rows).sqrt()
}

/// How far the numbers of one kind may be off, but for the rounding to 16 bits.
fn allowed_of_kind(
    call: &KernelCall<Slice>,
    (exact, nudged): (&[f64], &[f64]),
    (least, of_kind): (f64, impl Fn(usize) -> bool),
) -> f64 {
    let places: Vec<usize> = (0..exact.len()).filter(|&i| of_kind(i)).collect();
    let scale = places.iter().map(|&i| exact[i].abs()).filter(|v| v.is_finite()).fold(least, f64::max);
    let mut moved: Vec<f64> = places.iter().map(|&i| (exact[i] - nudged[i]).abs()).filter(|v| v.is_finite()).collect();
    // But for those that jump.
    let at = jumping(moved.len());
    let moved = if at < moved.len() { *moved.select_nth_unstable_by(at, |a, b| b.total_cmp(a)).1 } else { 0.0 };
    let relative = rounding(operations(call), Accuracy::Wgsl.epsilon()) + Accuracy::Wgsl.functions(call);
    // A device may take the smallest numbers for 0.
    relative * scale + CANCELLED * moved + f64::from(f32::MIN_POSITIVE)
}

/// Whether the mask of a ReLU before what this is the gradient of is computed anew, from numbers that are rounded otherwise in
/// f64. Of a convolution's gradient that is so in the sums that it leaves.
fn masks_anew(call: &KernelCall<Slice>, binding: usize) -> bool {
    let flag = |name: &str| call.consts.0.iter().any(|(known, value)| *known == name && *value == Const::B(true));
    let masked = call.kernel != "conv_dgrad" || binding + 1 == call.bindings.len();
    masked && call.kernel.contains("grad") && flag("RELU") && !flag("RESIDUAL")
}
