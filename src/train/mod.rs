//! Training: settings, graphs of a step, the loop, metrics, the run directory and the pictures made of it.

pub mod classifier;
pub mod classify;
pub mod config;
mod error;
pub mod image_metrics;
pub mod metrics;
pub mod pictures;
pub mod run_dir;
pub mod segmentation_metrics;
mod settings;
pub mod step;

pub use error::TrainError;
