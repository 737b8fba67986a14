//! Training: settings, graphs of a step, the common loop, tasks, metrics, the run directory and the pictures made of it.

pub mod bench;
pub mod card;
pub mod classify;
pub mod colorize;
pub mod compare;
pub mod config;
pub mod demo;
mod diagnose;
pub mod doctor;
mod error;
pub mod evaluation;
pub mod facts;
pub mod half;
pub mod history;
pub mod image_metrics;
mod launch;
pub mod limits;
pub mod lr_finder;
pub mod metrics;
pub mod mistakes;
pub mod model;
pub mod pictures;
pub mod preview;
pub mod report;
pub mod resume;
pub mod run_dir;
pub mod schedule;
pub mod segment;
pub mod segmentation_metrics;
pub mod step;
pub mod sweep;
pub mod task;
pub mod tensorboard;
mod trace;
pub mod trainer;

pub use error::TrainError;
