//! Training: settings, the run directory, metrics and the pictures made of them.

pub mod config;
pub mod metrics;
pub mod pictures;
pub mod run_dir;
mod settings;
pub mod step;
