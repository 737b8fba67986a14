//! Training: the loop over epochs and steps, its settings, the graphs of a step, and the learning-rate schedule.

mod changed;
mod diagnose;
mod error;
mod files;
pub(crate) mod first_step;
pub(crate) mod half;
mod health;
mod loaders;
mod log;
pub(crate) mod lr_finder;
pub(crate) mod model;
pub(crate) mod objective;
pub(crate) mod observer;
pub(crate) mod open;
pub(crate) mod outputs;
pub(crate) mod results;
pub(crate) mod schedule;
pub mod settings;
pub(crate) mod stages;
pub(crate) mod start;
pub mod step;
pub(crate) mod step_spec;
pub(crate) mod supervised;
mod trace;
pub(crate) mod trainer;

pub use error::TrainError;
pub use lr_finder::{LrCurve, LrRange};
pub(crate) use model::LoadedModel;
pub use objective::{Evaluation, Objective};
pub use observer::{Fetching, Observer, Outcome, StepProgress};
pub use open::TrainingData;
pub use outputs::Outputs;
pub use results::Results;
pub use schedule::{Schedule, ScheduleOptions};
pub use supervised::{AppendLoss, Supervised};
pub use trainer::Trainer;
