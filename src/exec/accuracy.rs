//! How far the result of a kernel may be from what it should be.

use crate::kernel::{KernelCall, Work};

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
    pub fn functions<B>(self, call: &KernelCall<B>) -> f64 {
        let ulp = self.epsilon();
        if self != Accuracy::Wgsl {
            return 0.0;
        }
        // Of arguments below 10, as those of sigmoids and softmaxes are: below -10 exp leaves less than this of 1.
        let exp = (3.0 + 2.0 * 10.0) * ulp;
        match call.kernel {
            "unary" if call.consts.usize("OP") == 3 => 1e-5,
            "unary" if call.consts.usize("OP") == 2 => exp + 2.5 * ulp,
            "unary" if call.consts.usize("OP") == 6 => exp,
            "unary" if call.consts.usize("OP") == 7 => f64::exp2(-21.0),
            "unary" if call.consts.usize("OP") == 8 => 4.5 * ulp,
            // exp2(p log2 x)
            "unary" | "unary_grad" if call.consts.usize("OP") == 10 => {
                exp + call.consts.float("ALPHA").abs().max(1.0) * f64::exp2(-21.0)
            }
            "unary_grad" if matches!(call.consts.usize("OP"), 7 | 8) => 2.5 * ulp,
            "binary" if call.consts.usize("OP") == 3 => 2.5 * ulp,
            "softmax" | "softmax_grad" => exp + f64::exp2(-21.0),
            "softmax_cross_entropy" | "binary_cross_entropy" => exp + f64::exp2(-21.0),
            "softmax_cross_entropy_grad" | "binary_cross_entropy_grad" => exp + 2.5 * ulp,
            "norm_finalize" | "norm_fixed" | "adam" | "clip_scale" => (2.5 + 4.5) * ulp,
            _ => 0.0,
        }
    }
}

/// Arithmetic operations behind one number of a call's results.
pub fn operations<B>(call: &KernelCall<B>) -> f64 {
    match call.work {
        Work::Items(n) => call.flops as f64 / n.max(1) as f64,
        // A workgroup is as many results wide.
        Work::Groups(n) => call.flops as f64 / (n.max(1) * call.consts.usize("VECTORS")) as f64,
        Work::Gemm { k, .. } => k as f64,
    }
}

/// Error that the rounding of so many operations may leave, relative to the largest number of a tensor.
///
/// Each operation errs by up to ε/2 of its result. Added up without regard to sign, K of them give the worst case
/// K·ε/2·S, with S the largest intermediate; since the signs are as good as random, the sum grows as a random walk,
/// sqrt(K)·ε·S/2. In a sum whose terms have either sign the intermediates stay below a few times the largest result.
/// 8 is the room for that, for functions that are not rounded correctly, and for the tails of the walk.
pub fn rounding(operations: f64, epsilon: f64) -> f64 {
    8.0 * epsilon * (operations + 4.0).sqrt()
}
