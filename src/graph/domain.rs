//! The domain of an input's numbers, if an op restricts them: labels must be classes. The host checks it when the input
//! is written, for every engine and without a kernel.

use std::fmt;

/// Numbers that an op takes at an input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Domain {
    /// Class numbers: whole, from 0 to below `classes`, or the label that is ignored.
    Labels {
        /// Number of classes.
        classes: usize,
        /// The label of rows that do not count.
        ignored: Option<i32>,
    },
    /// Probabilities from 0 to 1, or the target that is ignored.
    Targets {
        /// The target of elements that do not count.
        ignored: Option<i32>,
    },
}

impl Domain {
    /// The first number that is not in the domain, and its index.
    pub fn outside<T: Copy + Into<f64>>(self, numbers: &[T]) -> Option<(usize, f64)> {
        // In blocks, which are compared without a branch.
        const BLOCK: usize = 256;
        let is_in = self.membership();
        let block =
            numbers.chunks(BLOCK).position(|block| !block.iter().fold(true, |all, &v| all & is_in(v.into())))?;
        let index = block * BLOCK + numbers[block * BLOCK..].iter().position(|&v| !is_in(v.into()))?;
        Some((index, numbers[index].into()))
    }

    fn membership(self) -> impl Fn(f64) -> bool {
        let (whole, last, ignored) = match self {
            Domain::Labels { classes, ignored } => (true, classes as f64 - 1.0, ignored),
            Domain::Targets { ignored } => (false, 1.0, ignored),
        };
        // NaN equals nothing.
        let ignored = ignored.map_or(f64::NAN, f64::from);
        // Adding and subtracting this number rounds to a whole number, without a call.
        const ROUND: f64 = (1u64 << 52) as f64;
        let step = if whole { ROUND } else { 0.0 };
        move |v: f64| (v >= 0.0) & (v <= last) & ((v + step) - step == v) | (v == ignored)
    }
}

impl fmt::Display for Domain {
    /// The domain in words, such as `a class from 0 to 9, or -1 to be ignored`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ignored = match *self {
            Domain::Labels { classes, ignored } => {
                write!(f, "a class from 0 to {}", classes.saturating_sub(1))?;
                ignored
            }
            Domain::Targets { ignored } => {
                write!(f, "a number from 0 to 1")?;
                ignored
            }
        };
        ignored.map_or(Ok(()), |ignored| write!(f, ", or {ignored} to be ignored"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_class_is_found() {
        let labels = Domain::Labels { classes: 3, ignored: Some(-1) };
        let mut numbers = vec![2.0f32; 1000];
        (numbers[1], numbers[2]) = (-1.0, 0.0);
        assert_eq!(labels.outside(&numbers), None);
        for wrong in [3.0, -2.0, 0.5, f32::INFINITY, 4e9] {
            numbers[777] = wrong;
            assert_eq!(labels.outside(&numbers), Some((777, f64::from(wrong))));
        }
        numbers[777] = f32::NAN;
        assert_eq!(labels.outside(&numbers).map(|(i, _)| i), Some(777));
        assert_eq!(Domain::Labels { classes: 3, ignored: None }.outside(&[-1.0f64]), Some((0, -1.0)));
        let targets = Domain::Targets { ignored: Some(-1) };
        assert_eq!(targets.outside(&[0.0f32, 0.5, 1.0, -1.0]), None);
        assert_eq!(targets.outside(&[1.5f32]), Some((0, 1.5)));
        assert_eq!(labels.to_string(), "a class from 0 to 2, or -1 to be ignored");
    }
}
