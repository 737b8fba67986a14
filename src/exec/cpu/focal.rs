//! The factors of focal loss, for the twins of both cross entropies. See `shaders/shared/focal.wgsl`.

use crate::exec::twin::{Args, Real};

/// γ of a focal loss.
#[derive(Clone, Copy)]
pub(super) struct Focal<T>(T);

impl<T: Real> Focal<T> {
    /// The focal loss of a call; `None` for plain cross entropy.
    pub fn of(a: &Args<'_, T>) -> Option<Self> {
        a.flag("FOCAL").then(|| Focal(T::of(a.consts.float("FOCAL_GAMMA"))))
    }

    /// (1 − p)^γ, given −log p.
    pub fn focus(self, nll: T) -> T {
        missed(nll).powf(self.0)
    }

    /// Factor of the gradient of −log p for the logits.
    pub fn focus_grad(self, nll: T) -> T {
        let q = missed(nll);
        let ratio = if nll < T::of(1e-8) { T::one() } else { nll / q };
        self.focus(nll) * (T::one() + self.0 * (T::one() - q) * ratio)
    }
}

/// 1 − p.
fn missed<T: Real>(nll: T) -> T {
    let q = -(-nll).exp_m1();
    // A loss is at least 0 up to rounding. Not `max`, which drops a NaN.
    if q < T::zero() { T::zero() } else { q }
}
