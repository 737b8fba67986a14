//! The tasks: what each learns, from which data, and how that is scored and shown. [`list`] has the list, and says how to add
//! a task.

pub mod classify;
pub mod colorize;
pub mod data;
mod error;
pub mod export;
pub mod list;
pub mod multilabel;
pub mod predict;
pub mod samples;
pub mod segment;
mod task;

pub use error::TaskError;
pub use list::{cards, register, task, tasks};
pub use task::Task;
