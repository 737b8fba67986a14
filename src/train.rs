//! Training: the loop over epochs and steps, its settings, the graphs of a step, the learning-rate schedule.

mod changed;
mod diagnose;
mod error;
pub mod first_step;
pub mod half;
mod loaders;
mod log;
pub mod lr_finder;
pub mod model;
pub mod objective;
pub mod observer;
pub mod open;
pub mod outputs;
pub mod results;
pub mod schedule;
pub mod settings;
pub mod step;
pub mod step_spec;
pub mod supervised;
mod trace;
pub mod trainer;

pub use error::TrainError;
pub use model::Model;
pub use objective::{Evaluation, Objective};
pub use observer::{Observer, Outcome, StepProgress};
pub use outputs::Outputs;
pub use results::Results;
pub use trainer::Trainer;
