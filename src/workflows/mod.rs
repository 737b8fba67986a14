//! What runs over tasks: sweeps, comparisons, evaluation, prediction, export, previews, benchmarks, the demo and the doctor.
//! All of them know a task by its trait alone.

pub mod bench;
pub mod compare;
pub mod demo;
pub mod doctor;
mod error;
pub mod evaluation;
pub mod export;
pub mod limits;
pub mod predict;
pub mod preview;
pub mod sweep;

pub use error::WorkflowError;
