//! Why a workflow stopped.

use crate::report::ReportError;
use crate::run::RunError;
use crate::tasks::TaskError;
use crate::train::TrainError;

use super::sweep::SweepError;

/// Why a workflow stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// A task, training, a run directory, a device.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Models that cannot be compared.
    #[error("{first} and {other} cannot be compared: {reason}")]
    NotComparable {
        /// A run.
        first: String,
        /// Another.
        other: String,
        /// What differs.
        reason: String,
    },
    /// Something that does not fit into memory.
    #[error("{what} takes {} MB of memory and {} MB are free: take smaller images", bytes / 1_000_000, available / 1_000_000)]
    NoMemory {
        /// What takes it.
        what: &'static str,
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// A setting that the task does not have.
    #[error("--{key}: the task `{task}` has no such setting; remove it")]
    NoSetting {
        /// The setting.
        key: &'static str,
        /// The task.
        task: &'static str,
    },
}

macro_rules! through_task_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for WorkflowError {
            fn from(e: $error) -> Self {
                WorkflowError::Task(e.into())
            }
        })*
    };
}

through_task_error!(
    TrainError,
    RunError,
    crate::data::DataError,
    crate::exec::ExecError,
    crate::graph::GraphError,
    crate::interop::onnx::OnnxError,
    crate::run::pictures::PictureError,
    crate::train::settings::ConfigError,
);

impl From<crate::interop::files::FileError> for WorkflowError {
    fn from(e: crate::interop::files::FileError) -> Self {
        RunError::from(e).into()
    }
}
