//! Tolerances, and the comparison with expected values.

pub use shadegrad::internals::exec::accuracy::{Accuracy, rounding};

use shadegrad::exec::Plan;
use shadegrad::internals::exec::accuracy;

use super::Values;

/// Arithmetic operations that contribute to one element of a plan's results: the sum over its calls of the operations
/// per element.
pub fn operations(plan: &Plan) -> f64 {
    plan.calls.iter().map(|planned| accuracy::operations(&planned.call)).sum()
}

/// Largest error of an engine relative to the largest element of a tensor: rounding, and the error of the functions
/// that it calls.
pub fn allowed(plan: &Plan, accuracy: Accuracy) -> f64 {
    let functions = plan.calls.iter().map(|planned| accuracy.functions(&planned.call)).sum::<f64>();
    rounding(operations(plan), accuracy.epsilon()) + functions
}

/// Largest magnitude.
pub fn scale(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// Collects failures, so that a failing test shows all of them.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    /// Adds a difference. With `SHADEGRAD_TEST_KERNELS` the first one ends the test.
    pub fn add(&mut self, text: String) {
        assert!(std::env::var_os("SHADEGRAD_TEST_KERNELS").is_none(), "{text}");
        self.0.push(text);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Requires every element of `got` to be within `tolerance` times the largest magnitude of `expected`.
    pub fn close(&mut self, what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
        self.close_to_scale(what, got, expected, tolerance, scale(expected));
    }

    /// [`Failures::close`] with an explicit scale, for tensors that are small by cancellation.
    pub fn close_to_scale(&mut self, what: &str, got: &[f64], expected: &[f64], tolerance: f64, scale: f64) {
        if got.len() != expected.len() {
            return self.add(format!("{what}: {} elements instead of {}", got.len(), expected.len()));
        }
        let error = |i: usize| (got[i] - expected[i]).abs();
        let wrong = |i: &usize| error(*i).is_nan() || error(*i) > tolerance * scale;
        let bad: Vec<usize> = (0..got.len()).filter(wrong).collect();
        let worst = bad.iter().copied().max_by(|&a, &b| {
            // A NaN counts as the worst.
            error(a).partial_cmp(&error(b)).unwrap_or(error(a).is_nan().cmp(&error(b).is_nan()))
        });
        if let Some(i) = worst {
            self.add(format!(
                "{what}: {} of {} elements differ; element {i} is {:e} instead of {:e}, {:.1e} of the scale {scale:.2e}, \
                 allowed {tolerance:.1e}",
                bad.len(),
                got.len(),
                got[i],
                expected[i],
                error(i) / scale,
            ));
        }
    }

    /// Requires all values of `expected` to exist in `got` and to be close.
    pub fn all_close(&mut self, what: &str, got: &Values, expected: &Values, tolerance: f64) {
        for (name, values) in expected {
            match got.get(name) {
                Some(found) => self.close(&format!("{what}: {name}"), found, values, tolerance),
                None => self.add(format!("{what}: there is no {name}")),
            }
        }
    }

    /// Fails the test if there are failures.
    #[track_caller]
    pub fn none(self) {
        assert!(self.0.is_empty(), "{} differences:\n{}", self.0.len(), self.0.join("\n"));
    }
}
