//! Checks that engines rely on. In a plan that passes, a call reads and writes only its bindings.

use super::{Buffer, Plan, PlannedCall, Slice};
use crate::kernel::{Access, Const};

/// A call that no engine can run.
#[derive(Debug)]
pub(crate) struct Unfit {
    pub kernel: &'static str,
    pub reason: String,
}

impl Plan {
    /// Checks that within a call no written slice overlaps another slice, that all slices lie in their buffers, and
    /// that constants are finite.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        self.calls.iter().try_for_each(|planned| {
            let problem = self.bounds(planned).or_else(|| overlap(planned)).or_else(|| constants(planned));
            let reason = |problem| format!("{}{}: {problem}", planned.op, crate::graph::at(&planned.scope));
            problem.map_or(Ok(()), |p| Err(Unfit { kernel: planned.call.kernel, reason: reason(p) }))
        })
    }

    fn bounds(&self, planned: &PlannedCall) -> Option<String> {
        let len = |buffer| match buffer {
            Buffer::Slot(i) => self.slots.get(i).copied(),
            Buffer::Fixed(i) => self.fixed.get(i).copied(),
            Buffer::State(group) => Some(self.states.group_len[group as usize]),
        };
        let fits = |s: &Slice| s.offset.checked_add(s.len).is_some_and(|end| Some(end) <= len(s.buffer));
        let outside = planned.call.bindings.iter().position(|(slice, _)| !fits(slice))?;
        Some(format!("its binding {outside} reaches beyond the buffer that it lies in"))
    }
}

/// A buffer may not be bound both read-only and writable in one dispatch, even at disjoint offsets.
fn overlap(planned: &PlannedCall) -> Option<String> {
    let bindings = planned.call.bindings.iter().enumerate();
    let pairs = bindings.clone().flat_map(|a| bindings.clone().skip(a.0 + 1).map(move |b| (a, b)));
    let clashes = pairs.into_iter().find(|&((_, (a, a_access)), (_, (b, b_access)))| {
        let [a_reads, b_reads] = [a_access, b_access].map(|access| *access == Access::Read);
        a.buffer == b.buffer && (a_reads != b_reads || !a_reads && a.overlaps(b))
    });
    clashes.map(|((i, _), (j, _))| {
        format!("its bindings {i} and {j} share memory that it writes: give it distinct tensors")
    })
}

/// Constants must be finite: WGSL has no literal for infinity or NaN.
fn constants(planned: &PlannedCall) -> Option<String> {
    planned.call.consts().0.iter().find_map(|(name, value)| match value {
        Const::F(v) if !(*v as f32).is_finite() => {
            Some(format!("its constant {name} is {v}, which is not a finite f32"))
        }
        _ => None,
    })
}
