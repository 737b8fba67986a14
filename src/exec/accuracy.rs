//! Bounds on the error of a kernel's results.

use super::registry::{self, Function};
use crate::kernel::{KernelCall, Work};

/// Accuracy of an engine's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// Correctly rounded operations with this ε; library functions within an ulp or two.
    Ieee(f64),
    /// The bounds of WGSL for f32, <https://www.w3.org/TR/WGSL/#floating-point-accuracy>.
    ///
    /// | operation | error |
    /// |---|---|
    /// | +, −, × | correctly rounded |
    /// | x / y | 2.5 ulp |
    /// | inverseSqrt | 2 ulp, hence sqrt 4.5 ulp |
    /// | exp(x) | 3 + 2·abs(x) ulp |
    /// | log | 3 ulp or 2⁻²¹ |
    /// | tanh | 10⁻⁵, since it may be computed from exp |
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

    /// Error of a call's library functions beyond correct rounding, relative to its largest result.
    pub fn functions<B>(self, call: &KernelCall<B>) -> f64 {
        let ulp = self.epsilon();
        let error = |function: &Function| match function {
            // For the arguments of sigmoids and softmaxes, 10 is the worst case: for larger x the tiny exp(-x) bounds
            // the error.
            Function::Exp => (3.0 + 2.0 * 10.0) * ulp,
            Function::Log => f64::exp2(-21.0),
            Function::Tanh => 1e-5,
            Function::Divide => 2.5 * ulp,
            Function::Sqrt => 4.5 * ulp,
            Function::LogTimes(factor) => factor.abs().max(1.0) * f64::exp2(-21.0),
        };
        match registry::find(call.kernel) {
            Ok(kernel) if self == Accuracy::Wgsl => (kernel.functions)(call.consts()).iter().map(error).sum(),
            _ => 0.0,
        }
    }
}

/// Arithmetic operations that one number of a call's results depends on.
pub fn operations<B>(call: &KernelCall<B>) -> f64 {
    match call.work {
        Work::Items(n) => call.flops as f64 / n.max(1) as f64,
        // A workgroup computes VECTORS results side by side.
        Work::Groups(n) => call.flops as f64 / (n.max(1) * call.consts().usize("VECTORS")) as f64,
        Work::Gemm { k, .. } => k as f64,
    }
}

/// Bound on the rounding error of a sum of `operations` terms, relative to the largest number of a tensor.
///
/// Each operation errs by up to ε/2 of its result. In the worst case K operations err by K·ε/2·S, with S the largest
/// intermediate. The signs are as good as random, so the error grows as a random walk, sqrt(K)·ε·S/2. In a sum whose terms
/// have either sign the intermediates stay below a few times the largest result. The factor 8 covers that, functions that
/// are not correctly rounded, and the tails of the walk.
pub fn rounding(operations: f64, epsilon: f64) -> f64 {
    8.0 * epsilon * (operations + 4.0).sqrt()
}
