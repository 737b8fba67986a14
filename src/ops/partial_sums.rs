//! Sums of partial sums, in stages and in a fixed order.

use crate::graph::{Lowering, Operand};
use crate::kernel::{Access, Consts, Work};
use crate::shape::LANES;

/// Emits `out[i] = Σ_p partials[p·len4 + i]` over `parts`, in vectors. Long sums go in stages of about 64, so that no
/// thread adds for long.
pub(super) fn sum_partials(l: &mut Lowering<'_>, partials: Operand, len4: usize, parts: usize, out: Operand) {
    let (mut from, mut parts) = (partials, parts);
    loop {
        let kept = if parts > 64 { parts.div_ceil(64) } else { 1 };
        let to = if kept == 1 { out } else { l.scratch(kept * len4 * 4) };
        let consts = Consts::new().size("LEN4", kept * len4).size("TOTAL4", parts * len4);
        let bindings = [(from, Access::Read), (to, Access::Write)];
        l.call("sum_partials", consts, bindings, Work::Items(kept * len4), parts * len4 * 4);
        if kept == 1 {
            return;
        }
        (from, parts) = (to, kept);
    }
}

/// Neighboring axes that are summed at once: x is [outer, middle, inner] in vectors, of which the middle is summed.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub outer: usize,
    pub middle: usize,
    pub inner: usize,
    /// Whether the channels are among these axes, so that the lanes of each sum are added up too.
    pub fold: bool,
}

impl Run {
    /// Emits the sum of `from` to `to`: by one invocation per result where there are many results, else in parts.
    pub fn lower(self, l: &mut Lowering<'_>, from: Operand, to: Operand) {
        const ENOUGH_ITEMS: usize = 8192;
        let results = self.outer * self.inner;
        let parts = self.middle.div_ceil(16).min(ENOUGH_ITEMS.div_ceil(results.max(1))).max(1);
        let target = if parts > 1 { l.scratch(parts * results * LANES) } else { to };
        let consts = Consts::new().u("OUTER", self.outer).u("MIDDLE", self.middle).u("INNER", self.inner);
        let consts = consts.u("PARTS", parts).b("FOLD", self.fold);
        let bindings = [(from, Access::Read), (target, Access::Write)];
        l.call("sum", consts, bindings, Work::Items(parts * results), results * self.middle * LANES);
        if parts > 1 {
            sum_partials(l, target, results, parts, to);
        }
    }
}
