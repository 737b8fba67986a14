//! The values that change between training steps. They are an input of the plan, so no step recompiles anything. One
//! struct serves the host, the twins and the shaders (`shaders/shared/hyper.wgsl`).

use crate::shape::TensorType;

/// The values of one step, in the order of the input `hyper`.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Hyper<T = f32> {
    /// Learning rate.
    pub lr: T,
    /// Adam's bias correction of the first moment at step t: `1 / (1 − β1^t)`.
    pub first_correction: T,
    /// Adam's bias correction of the root of the second moment: `1 / sqrt(1 − β2^t)`.
    pub second_correction: T,
    /// Decay of the moving average of the parameters ([`crate::ops::moving_average`]).
    pub average_decay: T,
    /// 0 for the first batch whose gradients are accumulated, 1 for the others ([`crate::ops::accumulate`]).
    pub keep: T,
}

impl Hyper {
    /// Length of the input, in floats; floats after the fields are 0.
    pub const LEN: usize = 8;

    /// Names of the fields, in order.
    pub const FIELDS: [&str; 5] = ["lr", "first_correction", "second_correction", "average_decay", "keep"];

    /// The learning rate and Adam's bias corrections at optimizer step `step`, counted from 1. Without moments, `betas`
    /// are 0.
    pub fn new(lr: f64, betas: [f64; 2], step: u64) -> Hyper {
        let [first, second] = betas.map(|beta| 1.0 - beta.powf(step as f64));
        Hyper {
            lr: lr as f32,
            first_correction: (1.0 / first) as f32,
            second_correction: (1.0 / second.sqrt()) as f32,
            ..Hyper::default()
        }
    }

    /// Type of the input.
    pub fn ty() -> TensorType {
        TensorType::channels([Hyper::LEN])
    }

    /// The values as [`crate::exec::Session::write`] takes them.
    pub fn values(self) -> [f32; Hyper::LEN] {
        let Hyper { lr, first_correction, second_correction, average_decay, keep } = self;
        [lr, first_correction, second_correction, average_decay, keep, 0.0, 0.0, 0.0]
    }
}

impl<T: Copy> Hyper<T> {
    /// The values in an input of at least as many floats as there are fields.
    pub(crate) fn of(input: &[T]) -> Hyper<T> {
        let &[lr, first_correction, second_correction, average_decay, keep, ..] = input else {
            panic!("`hyper` has {} numbers, which its op has checked", input.len());
        };
        Hyper { lr, first_correction, second_correction, average_decay, keep }
    }
}

/// The learning rate of a span of neighboring parameters: a row of the input `rates`. A graph has this second input if
/// parts of a network have different rates. Spans follow each other from the first parameter to the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpanRate {
    /// End of the span in the flat buffer of all parameters, in blocks of [`STATE_ALIGN`](crate::graph::STATE_ALIGN) floats.
    pub end: usize,
    /// Learning rate and bias corrections; `None` for parameters that this step does not train: they and their moments stay.
    pub trained: Option<Hyper>,
}

impl SpanRate {
    /// Floats of a row: end, rate, first correction, second correction. A first correction of 0 stands for `None`.
    pub const LEN: usize = 4;

    /// The row. Ends are exact up to 2^24 blocks, which are 10^9 parameters.
    pub fn row(self) -> [f32; SpanRate::LEN] {
        let hyper = self.trained.unwrap_or_default();
        [self.end as f32, hyper.lr, hyper.first_correction, hyper.second_correction]
    }

    /// Type of the input for a number of spans.
    pub fn ty(spans: usize) -> TensorType {
        TensorType::channels([spans, SpanRate::LEN])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shaders_have_the_same_fields() {
        let text = include_str!("../shaders/shared/hyper.wgsl");
        let (_, body) = text.split_once("struct Hyper {").expect("the struct");
        let (body, _) = body.split_once('}').expect("its end");
        let fields: Vec<_> = body.split(',').filter_map(|field| field.trim().strip_suffix(": f32")).collect();
        assert_eq!(fields[..Hyper::FIELDS.len()], Hyper::FIELDS);
        assert_eq!(fields.len(), Hyper::LEN, "with what fills the input up");
        let numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0];
        assert_eq!(Hyper::of(&numbers).values(), numbers);
    }
}
