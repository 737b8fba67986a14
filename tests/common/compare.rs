//! How far a result may be from what it should be.

use shadegrad::kernel::{KernelCall, Work};
use shadegrad::plan::{Plan, PlannedCall, Slice};

use super::Values;

/// Arithmetic operations behind one element of a plan's results: the sum over its calls of those that one output of
/// the call takes.
pub fn operations(plan: &Plan) -> f64 {
    let of = |call: &KernelCall<Slice>| match call.work {
        Work::Items(n) => call.flops as f64 / n.max(1) as f64,
        // A workgroup is as many results wide.
        Work::Groups(n) => call.flops as f64 / (n.max(1) * call.consts.usize("VECTORS")) as f64,
        Work::Gemm { k, .. } => k as f64,
    };
    plan.calls.iter().map(|c| of(&c.call)).sum()
}

/// What the arithmetic of an engine promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// Correct rounding with this distance from 1 to the next number; library functions within an ulp or two.
    Ieee(f64),
    /// What WGSL demands of f32, <https://www.w3.org/TR/WGSL/#floating-point-accuracy>: +, -, * correctly rounded;
    /// x / y within 2.5 ulp, inverseSqrt within 2 and so sqrt within 4.5 of them; exp(x) within 3 + 2 |x| ulp;
    /// log within 3 ulp or 2^-21; tanh within 1e-5, since it may be made of exp.
    Wgsl,
}

impl Accuracy {
    /// Distance from 1 to the next number.
    pub fn epsilon(self) -> f64 {
        match self {
            Accuracy::Ieee(epsilon) => epsilon,
            Accuracy::Wgsl => f32::EPSILON.into(),
        }
    }

    /// Error of a call's library functions, relative to its largest result, beyond that of correct rounding.
    fn functions(self, call: &PlannedCall) -> f64 {
        let (call, ulp) = (&call.call, self.epsilon());
        if self != Accuracy::Wgsl {
            return 0.0;
        }
        // Arguments of the tests' sigmoids and softmaxes are normal numbers and their differences: below 10.
        let exp = (3.0 + 2.0 * 10.0) * ulp;
        match call.kernel {
            "unary" if call.consts.usize("OP") == 3 => 1e-5,
            "unary" if call.consts.usize("OP") == 2 => exp + 2.5 * ulp,
            "softmax_cross_entropy" => exp + f64::exp2(-21.0),
            "softmax_cross_entropy_grad" => exp + 2.5 * ulp,
            "norm_finalize" | "norm_fixed" | "adam" | "clip_scale" => (2.5 + 4.5) * ulp,
            _ => 0.0,
        }
    }
}

/// Error that an engine may leave, relative to the largest element of a tensor: that of its rounding and that of the
/// functions that it calls on the way.
pub fn allowed(plan: &Plan, accuracy: Accuracy) -> f64 {
    rounding(plan, accuracy.epsilon()) + plan.calls.iter().map(|call| accuracy.functions(call)).sum::<f64>()
}

/// Error that rounding may leave, relative to the largest element of a tensor.
///
/// Each operation errs by up to ε/2 of its result. Added up without regard to sign, K of them give the worst case
/// K·ε/2·S, with S the largest intermediate; since the signs are as good as random, the sum grows as a random walk,
/// sqrt(K)·ε·S/2. In a sum whose terms have either sign the intermediates stay below a few times the largest result.
/// 8 is the room for that, for functions that are not rounded correctly, and for the tails of the walk.
pub fn rounding(plan: &Plan, epsilon: f64) -> f64 {
    8.0 * epsilon * (operations(plan) + 4.0).sqrt()
}

/// Largest magnitude.
pub fn scale(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

/// Collects what is wrong, so that a failing test shows all of it.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn add(&mut self, text: String) {
        self.0.push(text);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Every element of `got` must be within `tolerance` times the largest magnitude of `expected`.
    pub fn close(&mut self, what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
        self.close_to_scale(what, got, expected, tolerance, scale(expected));
    }

    /// The same with a scale of its own, for tensors that are small by cancellation.
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

    /// All values of `expected` must be there and close.
    pub fn all_close(&mut self, what: &str, got: &Values, expected: &Values, tolerance: f64) {
        for (name, values) in expected {
            match got.get(name) {
                Some(found) => self.close(&format!("{what}: {name}"), found, values, tolerance),
                None => self.add(format!("{what}: there is no {name}")),
            }
        }
    }

    /// Fails the test if anything was wrong.
    #[track_caller]
    pub fn none(self) {
        assert!(self.0.is_empty(), "{} differences:\n{}", self.0.len(), self.0.join("\n"));
    }
}
