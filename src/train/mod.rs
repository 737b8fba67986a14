//! Training: the loop over epochs and steps, its settings, the graphs of a step, the learning-rate schedule.

pub mod config;
mod diagnose;
mod error;
pub mod half;
pub(crate) mod launch;
pub mod lr_finder;
pub mod model;
pub mod observer;
pub mod resume;
pub mod schedule;
pub mod step;
pub mod task;
mod trace;
pub mod trainer;

pub use error::TrainError;
