//! Twins of the kernels of loss scaling.

use crate::exec::twin::{Args, Real};

/// See `shaders/loss_scale.wgsl`.
pub fn loss_scale<T: Real>(mut a: Args<'_, T>) {
    let (start, state) = (a.consts.int("START"), a.input(0)[0]);
    let out = a.output(1);
    out.fill(T::zero());
    out[0] = T::of(2.0).powi(start as i32 + state.to_i32().unwrap_or(0));
}

/// See `shaders/loss_scale_update.wgsl`.
pub fn loss_scale_update<T: Real>(mut a: Args<'_, T>) {
    let [low, high, interval] = ["LOW", "HIGH", "GROWTH_INTERVAL"].map(|name| T::of(a.consts.float(name)));
    let (state, norm) = (a.output(0), a.input(1)[0]);
    if !norm.is_finite() {
        (state[0], state[1]) = ((state[0] - T::one()).max(low), T::zero());
        state[2] += T::one();
    } else if state[1] + T::one() >= interval {
        (state[0], state[1]) = ((state[0] + T::one()).min(high), T::zero());
    } else {
        state[1] += T::one();
    }
}
