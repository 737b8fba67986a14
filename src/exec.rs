//! Engines run plans: [`gpu`] through wgpu, [`CpuEngine`] through the Rust twin of every shader. A [`Session`] keeps the
//! states and the plans of one training run on one engine.

pub(crate) mod accuracy;
pub(crate) mod cpu;
mod engine;
mod error;
pub mod gpu;
mod open;
pub mod registry;
mod session;
pub(crate) mod shader;
mod twin;
mod verify;
mod winograd;

pub use crate::plan::{Buffer, MemoryUse, Plan, PlanOptions, PlannedCall, Port, Slice};
pub use cpu::CpuEngine;
pub use engine::{AnyEngine, Engine, MAX_TICKETS, Rows, Ticket};
pub use error::ExecError;
pub(crate) use error::MAKING_STATES;
pub use open::open;
pub use session::{Final, Parts, PlanId, Session};
pub use verify::{Verdict, Verified, Wrong};
