//! The values of messages in 32 or 16 bits.
//!
//! A message in 16 bits holds blocks of [`BLOCK`] values. Each block has a scale, a power of two that brings its largest value to
//! between 2^14 and 2^15, since gradients are often below the range of 16 bits. The rounding error of a value is added
//! to the same value of the next message (error feedback: Seide et al. 2014, "1-bit stochastic gradient descent";
//! Karimireddy et al. 2019).

use std::borrow::Cow;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::choices;

choices! {
    /// Width of the values of messages among ranks.
    pub enum Wire {
        /// 32 bits: nothing is lost.
        F32 = "f32",
        /// 16 bits: half the bytes, with error feedback.
        F16 = "f16",
    }
}

/// Values of a block.
const BLOCK: usize = 1024;
/// Exponent to which the largest value of a block is scaled; 16 bits hold up to 2^16.
const TOP: i32 = 14;

/// Bytes of a message of `n` values.
pub(super) fn bytes(n: usize, wire: Wire) -> usize {
    match wire {
        Wire::F32 => 4 * n,
        Wire::F16 => 2 * n + 4 * n.div_ceil(BLOCK),
    }
}

/// The messages of one rank, and their rounding errors so far.
#[derive(Clone, Debug)]
pub struct Messages {
    wire: Wire,
    /// Rounding error of each value; empty before the first message in 16 bits.
    lost: Vec<f32>,
}

impl Messages {
    /// Messages without rounding errors so far.
    pub fn new(wire: Wire) -> Self {
        Messages { wire, lost: vec![] }
    }

    /// The width of most messages.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// The width of the next messages of vectors of `len` values. An `exact` sum has 32 bits.
    pub(super) fn begin(&mut self, len: usize, exact: bool) -> Wire {
        if self.wire == Wire::F16 {
            self.lost.resize(len, 0.0);
        }
        if exact { Wire::F32 } else { self.wire }
    }

    /// Ends a sum. After an exact one, the rounding errors of a rank without a shard are dropped.
    pub(super) fn end(&mut self, wire: Wire) {
        if wire == Wire::F32 {
            self.lost.fill(0.0);
        }
    }

    /// A message of the values from position `at` of the vector.
    pub(super) fn write<'a>(&mut self, values: &'a [f32], at: usize, wire: Wire) -> Cow<'a, [u8]> {
        let lost = self.lost.get_mut(at..at + values.len()).unwrap_or_default();
        match wire {
            Wire::F16 => Cow::Owned(halved(values, lost)),
            Wire::F32 if lost.is_empty() => Cow::Borrowed(bytemuck::cast_slice(values)),
            Wire::F32 => {
                let whole = values.iter().zip(lost).map(|(value, lost)| value + std::mem::take(lost));
                Cow::Owned(whole.flat_map(f32::to_ne_bytes).collect())
            }
        }
    }
}

/// A message that arrives.
pub(super) struct Incoming {
    wire: Wire,
    /// The values of a message in 32 bits; zeros until a message in 16 bits is read.
    values: Vec<f32>,
    /// A message in 16 bits.
    packed: Vec<u8>,
}

impl Incoming {
    /// A message of `n` values.
    pub(super) fn new(n: usize, wire: Wire) -> Self {
        let packed = if wire == Wire::F16 { vec![0; bytes(n, wire)] } else { vec![] };
        Incoming { wire, values: vec![0.0; n], packed }
    }

    /// The buffer for its bytes.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        if self.wire == Wire::F16 { &mut self.packed } else { bytemuck::cast_slice_mut(&mut self.values) }
    }

    /// Its values, after its bytes have arrived.
    pub(super) fn into_values(mut self) -> Vec<f32> {
        if self.wire == Wire::F16 {
            read(&self.packed, &mut self.values, self.wire);
        }
        self.values
    }
}

/// Values in 16 bits, after adding the rounding errors of earlier messages.
fn halved(values: &[f32], lost: &mut [f32]) -> Vec<u8> {
    let mut message = Vec::with_capacity(bytes(values.len(), Wire::F16));
    let (mut scaled, mut half) = ([0f32; BLOCK], [f16::ZERO; BLOCK]);
    for (values, lost) in values.chunks(BLOCK).zip(lost.chunks_mut(BLOCK)) {
        lost.iter_mut().zip(values).for_each(|(lost, value)| *lost += value);
        let largest = lost.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let scale = scale_of(largest);
        let (scaled, half) = (&mut scaled[..values.len()], &mut half[..values.len()]);
        scaled.iter_mut().zip(&*lost).for_each(|(scaled, value)| *scaled = value * scale);
        half.convert_from_f32_slice(scaled);
        half.convert_to_f32_slice(scaled);
        for (lost, rounded) in lost.iter_mut().zip(scaled) {
            let rest = *lost - *rounded / scale;
            // A value that is not finite is sent as it is.
            *lost = if rest.is_finite() { rest } else { 0.0 };
        }
        message.extend(scale.to_ne_bytes());
        message.extend(bytemuck::cast_slice::<u16, u8>(half.reinterpret_cast()));
    }
    message
}

/// The power of two that brings a value to between 2^[`TOP`] and twice that.
fn scale_of(largest: f32) -> f32 {
    if largest == 0.0 || !largest.is_finite() {
        return 1.0;
    }
    let exponent = (largest.to_bits() >> 23) as i32 - 127;
    let shift = (TOP - exponent).clamp(-126, 126);
    f32::from_bits(((shift + 127) as u32) << 23)
}

/// Reads a message into values.
pub(super) fn read(message: &[u8], into: &mut [f32], wire: Wire) {
    if wire == Wire::F32 {
        let (words, _) = message.as_chunks();
        return into.iter_mut().zip(words).for_each(|(value, word)| *value = f32::from_ne_bytes(*word));
    }
    let mut half = [f16::ZERO; BLOCK];
    for (into, block) in into.chunks_mut(BLOCK).zip(message.chunks(4 + 2 * BLOCK)) {
        let Some((scale, words)) = block.split_first_chunk() else { return };
        let (scale, half) = (f32::from_ne_bytes(*scale), &mut half[..into.len()]);
        let (words, _) = words.as_chunks();
        half.iter_mut().zip(words).for_each(|(half, word)| *half = f16::from_ne_bytes(*word));
        half.convert_to_f32_slice(into);
        into.iter_mut().for_each(|value| *value /= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_loses_is_added_to_the_next_message() {
        // Thirds from 1e-12 to 1e12 in blocks of all sizes: 16 bits without a scale hold neither the small nor the
        // large ones.
        let values: Vec<f32> = (0..3000).map(|i| (i % 7 - 3) as f32 / 3.0 * 10f32.powi(i / 125 - 12)).collect();
        let mut messages = Messages::new(Wire::F16);
        let wire = messages.begin(values.len(), false);
        let (mut sent, mut read_back) = (vec![0f64; values.len()], vec![0f32; values.len()]);
        let mut once = vec![];
        for times in 1..=50 {
            let message = messages.write(&values, 0, wire);
            assert_eq!(message.len(), bytes(values.len(), wire));
            read(&message, &mut read_back, wire);
            sent.iter_mut().zip(&read_back).for_each(|(sent, value)| *sent += f64::from(*value));
            if times == 1 {
                once = read_back.clone();
            }
        }
        let mut differs = 0;
        for (block, values) in values.chunks(BLOCK).enumerate() {
            let largest = values.iter().fold(0f64, |largest, value| largest.max(f64::from(value.abs())));
            for (i, value) in values.iter().enumerate() {
                let (at, exact) = (block * BLOCK + i, 50.0 * f64::from(*value));
                // Half a unit in the last of 11 places of the largest value, and the rounding of 50 sums in 32 bits.
                let bound = largest * (2f64.powi(-12) + 2f64.powi(-22));
                assert!((sent[at] - exact).abs() <= bound, "{value}: {} instead of {exact}", sent[at]);
                // Without feedback the same error is made 50 times.
                differs += usize::from((50.0 * f64::from(once[at]) - exact).abs() > bound);
            }
        }
        assert!(differs > 100, "{differs} values need the feedback");
    }

    #[test]
    fn an_exact_message_has_all_that_was_lost() {
        let mut messages = Messages::new(Wire::F16);
        let value = [1.0 + 2f32.powi(-13)];
        let mut total = 0.0;
        for exact in [false, false, true] {
            let wire = messages.begin(1, exact);
            let mut back = [0.0];
            read(&messages.write(&value, 0, wire), &mut back, wire);
            messages.end(wire);
            total += f64::from(back[0]);
        }
        assert_eq!(total, 3.0 * f64::from(value[0]));
        assert_eq!(messages.lost, [0.0]);
    }

    #[test]
    fn values_that_are_not_finite_arrive() {
        let mut messages = Messages::new(Wire::F16);
        let wire = messages.begin(3, false);
        let mut back = [0.0; 3];
        read(&messages.write(&[f32::INFINITY, f32::NAN, 1.0], 0, wire), &mut back, wire);
        assert!(back[0] == f32::INFINITY && back[1].is_nan(), "{back:?}");
        assert!(messages.lost.iter().all(|lost| lost.is_finite()));
    }
}
