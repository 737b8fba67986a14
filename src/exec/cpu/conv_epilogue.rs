//! The epilogue of a convolution: bias, addend and ReLU, before its sums are stored.

use crate::exec::twin::{Args, Real};
use crate::kernel::ConvEpilogue;

/// `relu?(sum [+ bias] [+ addend])`
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a, T> {
    pub bias: Option<&'a [T]>,
    addend: Option<&'a [T]>,
    relu: bool,
}

impl<'a, T: Real> Epilogue<'a, T> {
    /// The epilogue of a call, with its bias and addend at the bindings 2 and 3.
    pub fn new(a: &Args<'a, T>, of: ConvEpilogue) -> Self {
        Epilogue { bias: of.bias.then(|| a.input(2)), addend: of.addend.then(|| a.input(3)), relu: of.relu }
    }

    /// The epilogue in f32, where `T` is f32.
    pub fn floats(self) -> Option<Epilogue<'a, f32>> {
        let empty: &[T] = &[];
        let [bias, addend] = T::floats([self.bias.unwrap_or(empty), self.addend.unwrap_or(empty)])?;
        Some(Epilogue { bias: self.bias.and(Some(bias)), addend: self.addend.and(Some(addend)), relu: self.relu })
    }

    /// Addend and ReLU, for sums that started from the bias.
    pub fn without_bias(self) -> Self {
        Epilogue { bias: None, ..self }
    }

    /// Whether sums start from bias or addend instead of 0.
    pub fn starts(&self) -> bool {
        self.bias.is_some() || self.addend.is_some()
    }

    /// Writes the start of a line's sums. The line lies at `at` of the output, at channel `column`.
    pub fn start(&self, line: &mut [T], at: usize, column: usize) {
        line.fill(T::zero());
        self.add(line, at, column);
    }

    fn add(&self, line: &mut [T], at: usize, column: usize) {
        for from in [self.bias.map(|bias| &bias[column..]), self.addend.map(|addend| &addend[at..])] {
            line.iter_mut().zip(from.into_iter().flatten()).for_each(|(y, &v)| *y += v);
        }
    }

    /// ReLU, for sums that started from [`Self::start`].
    pub fn end(&self, line: &mut [T]) {
        if self.relu {
            line.iter_mut().for_each(|y| *y = if *y < T::zero() { T::zero() } else { *y });
        }
    }

    /// Bias, addend and ReLU, for sums that started from 0.
    pub fn apply(&self, line: &mut [T], at: usize, column: usize) {
        self.add(line, at, column);
        self.end(line);
    }

    /// Whether [`Self::apply`] changes a number.
    pub fn applies(&self) -> bool {
        self.starts() || self.relu
    }
}
