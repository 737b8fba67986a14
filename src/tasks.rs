//! The tasks, each with its data, loss, scores and pictures. `tasks/list.rs` lists them, and describes how to add a
//! task.

pub mod classify;
pub mod colorize;
pub(crate) mod data;
mod error;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod hub;
mod image_model;
mod labeled_images;
pub(crate) mod list;
pub mod multilabel;
mod paired;
pub(crate) mod predict;
pub(crate) mod prediction;
pub(crate) mod samples;
pub mod segment;
mod task;

pub use data::{Chosen, Compared, DataSource, ImageSet, Part, typed};
pub use error::TaskError;
pub use explain::{Explain, ExplainError, Method};
pub use export::{OnnxNetwork, OnnxOutput};
pub use hub::HubTask;
pub use image_model::ImageModel;
pub use list::{cards, register, task, tasks};
pub use predict::Predictor;
pub use prediction::Prediction;
pub use samples::{ReadSample, Sample, Samples};
pub use task::{Example, Task};
