//! A plan as text, one line per kernel call.

use std::fmt;

use super::{Buffer, Plan, PlannedCall};
use crate::kernel::Access;

/// Bytes with a unit.
fn bytes(n: usize) -> String {
    match n {
        0..=9_999 => format!("{n} B"),
        10_000..=9_999_999 => format!("{:.1} kB", n as f64 / 1e3),
        _ => format!("{:.1} MB", n as f64 / 1e6),
    }
}

fn slot(buffer: Buffer) -> String {
    match buffer {
        Buffer::Slot(i) => format!("slot {i}"),
        Buffer::Fixed(i) => format!("own {i}"),
        Buffer::State(group) => format!("{group:?}").to_lowercase(),
    }
}

fn line(f: &mut fmt::Formatter<'_>, index: usize, p: &PlannedCall) -> fmt::Result {
    let written = p.call.bindings.iter().filter(|(_, a)| *a != Access::Read);
    let slots: Vec<_> = written.map(|(s, _)| slot(s.buffer)).collect();
    writeln!(
        f,
        "{index:4}  {:<26} {:<28} {:<34} {:>10.2} MFLOP {:>10}  → {}",
        p.call.kernel,
        if p.scope.is_empty() { p.op } else { &p.scope },
        p.shapes,
        p.call.flops as f64 / 1e6,
        bytes(p.call.bytes() as usize),
        slots.join(", "),
    )
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, planned) in self.calls.iter().enumerate() {
            line(f, index, planned)?;
        }
        let m = self.memory;
        let share = 100.0 * m.pool as f64 / m.pool_unshared.max(1) as f64;
        let (work, moved) = (self.flops() as f64 / 1e9, self.bytes() as f64 / 1e9);
        writeln!(
            f,
            "\n{} kernel calls, {work:.3} GFLOP and {moved:.3} GB read and written per step",
            self.calls.len()
        )?;
        writeln!(f, "states (parameters, moments, statistics): {}", bytes(m.states))?;
        writeln!(f, "inputs and gradients of parameters:       {}", bytes(m.fixed))?;
        writeln!(
            f,
            "activations and temporaries:              {} in {} slots, {share:.0} % of the {} of all such tensors",
            bytes(m.pool),
            self.slots.len(),
            bytes(m.pool_unshared)
        )?;
        write!(f, "peak:                                     {}", bytes(m.states + m.fixed + m.pool))
    }
}
