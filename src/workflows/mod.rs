//! What runs over tasks: sweeps, comparisons, evaluation, export, previews, benchmarks, the demo and the doctor.

pub mod bench;
pub mod compare;
pub mod demo;
pub mod doctor;
pub mod evaluation;
pub mod export;
pub mod limits;
pub mod preview;
pub mod sweep;
