//! Whether a device's results are close enough to the twin's.
//!
//! | allowed difference | why |
//! |---|---|
//! | rounding of a sum, relative to the largest result | [`rounding`] |
//! | WGSL's error of library functions | [`Accuracy::functions`] |
//! | [`CANCELLED`] times the effect of half an ulp in each operand | terms cancel, their rounding does not |
//! | one rounding to f16 | the result is stored in 16 bits |

use std::fmt;

use crate::exec::accuracy::{Accuracy, operations, rounding};
use crate::exec::registry::{self, Partials, Segments};
use crate::exec::shader::merged_partials;
use crate::kernel::{Access, KernelCall, NormGeometry};
use crate::plan::Slice;
use crate::shape::{Element, LANES, halves, whole};

/// Factor on the effect that half an ulp in each operand has on a result. Where terms cancel, the result is small and the
/// rounding of its terms is not.
const CANCELLED: f64 = 8.0;

/// Relative error of one rounding to 11 bits, and a little more: the rounded number is itself rounded already.
const HALF: f64 = 1.2 / 2048.0;
/// Above this, half a step below the largest number, f16 may overflow.
const HALF_OVERFLOWS: f64 = 65_488.0;

/// Number of results, out of `results`, that may jump with an ulp of the operands where masks and maxima are
/// recomputed. For about one pixel in 10⁷, y is within a rounding of 0. The gradient of that pixel then jumps, and
/// every sum with it.
fn jumping(results: usize) -> usize {
    results / 100_000 + if results < 8 { 0 } else { 2 }
}

/// Results that differ from the twin's by more than rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrong {
    /// Binding of the call.
    pub binding: usize,
    /// Wrong numbers.
    pub count: usize,
    /// All numbers of the binding, padding included.
    pub of: usize,
    /// Index of the worst.
    pub element: usize,
    /// The device's number there.
    pub got: f64,
    /// The twin's number.
    pub expected: f64,
    /// The allowed difference.
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

/// A binding that a call writes, and the meaning of its numbers.
struct Written<'a> {
    call: &'a KernelCall<Slice>,
    binding: usize,
    /// Partial results of segments, if it holds them.
    segments: Option<Segments>,
    /// Whether the segments are merged to one pair of numbers for each channel.
    merged: bool,
    /// Whether the kernel recomputes the mask of a ReLU from rounded numbers.
    recomputes_mask: bool,
}

/// The largest difference of a device's numbers from the twin's, divided by the allowed one, and the wrong numbers.
pub(super) fn compare(
    call: &KernelCall<Slice>,
    binding: usize,
    [got, exact, nudged]: [&Vec<f64>; 3],
) -> (f64, Option<Wrong>) {
    let mut result = Written::new(call, binding);
    match merged_partials(call, binding) {
        // The device's partial results cover other pixels than the twin's.
        Some(merge) => {
            result.merged = true;
            let merge = |values: &[f64]| numbers(&merge(&stored(values, Element::F32)), Element::F32);
            result.judge([&merge(got), &merge(exact), &merge(nudged)])
        }
        None => result.judge([got, exact, nudged]),
    }
}

impl<'a> Written<'a> {
    fn new(call: &'a KernelCall<Slice>, binding: usize) -> Self {
        let mut result = Written { call, binding, segments: None, merged: false, recomputes_mask: false };
        let Ok(kernel) = registry::find(call.kernel) else { return result };
        let last = binding + 1 == call.bindings.len();
        result.segments = match kernel.partials {
            Partials::Statistics(segments) if last && merged_partials(call, binding).is_some() => Some(segments),
            _ => kernel.segments,
        };
        // A convolution's result has no mask, only its statistics do.
        let masked = matches!(kernel.partials, Partials::None) || result.segments.is_some();
        let consts = call.consts();
        let recomputes = consts.is_set("RELU") && !consts.is_set("RESIDUAL");
        result.recomputes_mask = kernel.recomputes_mask && masked && recomputes;
        result
    }

    /// The kind of number `i` of `of`. Each kind is judged against its own scale.
    fn kind(&self, i: usize, of: usize) -> usize {
        match self.segments {
            // Pairs of numbers.
            Some(_) if self.merged => i % 2,
            // Loss, weight, counts; a norm and the factor for it.
            _ if of == LANES => i,
            // Pairs of vectors.
            Some(_) => i / LANES % 2,
            None => 0,
        }
    }

    fn judge(&self, [got, exact, nudged]: [&[f64]; 3]) -> (f64, Option<Wrong>) {
        let kind = |i: usize| self.kind(i, exact.len());
        let spread = self.deviation(exact);
        let of_kind = |k: usize| self.allowed_of_kind(exact, nudged, k, if k == 0 { spread } else { 0.0 });
        let kinds: Vec<f64> = (0..LANES).map(of_kind).collect();
        let largest = exact.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
        let in_16_bits = self.call.elements[self.binding] == Element::F16;
        let written = self.call.bindings.iter().zip(&self.call.elements).filter(|((_, a), _)| *a != Access::Read);
        let of_halves = self.merged && self.segments.is_some() && written.into_iter().any(|(_, e)| *e == Element::F16);
        let allowed = |i: usize| match () {
            _ if in_16_bits => kinds[kind(i)] + exact[i].abs() * HALF + f64::exp2(-24.0),
            // Statistics of the stored results, in 16 bits, or of the sums before they were rounded.
            _ if of_halves => kinds[kind(i)] + largest * HALF,
            _ => kinds[kind(i)],
        };
        let off = |i: usize| {
            let (got, expected) = (got[i], exact[i]);
            let overflown = in_16_bits && expected.abs() > HALF_OVERFLOWS;
            match (got - expected).abs() / allowed(i) {
                _ if got == expected || (got.is_nan() && expected.is_nan()) => 0.0,
                _ if overflown && got.is_infinite() && got.signum() == expected.signum() => 0.0,
                off if off.is_nan() => f64::INFINITY,
                off => off,
            }
        };
        let errors: Vec<f64> = (0..got.len()).map(off).collect();
        let wrong: Vec<usize> = (0..errors.len()).filter(|&i| errors[i] > 1.0).collect();
        // A gradient that jumps is no larger than others.
        let jumped = |&i: &usize| (got[i] - exact[i]).abs() <= 2.0 * largest;
        if self.recomputes_mask && wrong.len() <= jumping(got.len()) && wrong.iter().all(jumped) {
            return (errors.into_iter().filter(|error| *error <= 1.0).fold(0.0, f64::max), None);
        }
        let larger = |worst: usize, i: usize| if errors[i] > errors[worst] { i } else { worst };
        let element = (0..errors.len()).reduce(larger).unwrap_or(0);
        let error = errors.get(element).copied().unwrap_or(0.0);
        let report = || {
            let (got, expected, of) = (got[element], exact[element], got.len());
            Wrong { binding: self.binding, count: wrong.len(), of, element, got, expected, allowed: allowed(element) }
        };
        (error, (!wrong.is_empty()).then(report))
    }

    /// Standard deviation of the numbers whose means a result holds. Where the means are near 0, the rounding of the
    /// numbers and of the means is relative to it.
    fn deviation(&self, exact: &[f64]) -> f64 {
        if self.segments != Some(Segments::Moments) {
            return 0.0;
        }
        // Merged moments are variances, others sums of squared deviations.
        let rows = match self.call.geometry::<NormGeometry>() {
            Some(norm) if !self.merged => norm.segment_rows as f64,
            _ => 1.0,
        };
        let of_squares = (0..exact.len()).filter(|&i| self.kind(i, exact.len()) == 1);
        (of_squares.map(|i| exact[i]).fold(0.0, f64::max) / rows).sqrt()
    }

    /// The allowed difference for numbers of one kind, without the rounding to 16 bits. `least` is the least scale.
    fn allowed_of_kind(&self, exact: &[f64], nudged: &[f64], kind: usize, least: f64) -> f64 {
        let places: Vec<usize> = (0..exact.len()).filter(|&i| self.kind(i, exact.len()) == kind).collect();
        let scale = places.iter().map(|&i| exact[i].abs()).filter(|v| v.is_finite()).fold(least, f64::max);
        let moved = places.iter().map(|&i| (exact[i] - nudged[i]).abs()).filter(|v| v.is_finite());
        let mut moved: Vec<f64> = moved.collect();
        // The largest effect, without those results that jump.
        let at = jumping(moved.len());
        let moved = if at < moved.len() { *moved.select_nth_unstable_by(at, |a, b| b.total_cmp(a)).1 } else { 0.0 };
        let relative = rounding(operations(self.call), Accuracy::Wgsl.epsilon()) + Accuracy::Wgsl.functions(self.call);
        // A device may flush subnormal numbers to 0.
        relative * scale + CANCELLED * moved + f64::from(f32::MIN_POSITIVE)
    }
}

/// Words of memory as numbers.
pub(super) fn numbers(words: &[f32], element: Element) -> Vec<f64> {
    match element {
        Element::F32 => words.iter().copied().map(f64::from).collect(),
        Element::F16 => words.iter().copied().flat_map(halves).map(f64::from).collect(),
    }
}

/// Numbers as words of memory.
pub(super) fn stored(numbers: &[f64], element: Element) -> Vec<f32> {
    let narrow = |v: f64| v as f32;
    match element {
        Element::F32 => numbers.iter().copied().map(narrow).collect(),
        Element::F16 => numbers.chunks_exact(2).map(|pair| whole([pair[0], pair[1]].map(narrow))).collect(),
    }
}
