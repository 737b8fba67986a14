//! Why a workflow stopped.

use crate::report::ReportError;
use crate::run::RunError;
use crate::tasks::TaskError;
use crate::text::one_of;
use crate::train::TrainError;

use super::sweep::SweepError;

/// Why models cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Incomparable {
    /// There is no model.
    #[error("expected at least one run")]
    NoModel,
    /// Models of different tasks.
    #[error("one was trained for the task `{first}`, the other for `{other}`")]
    Tasks {
        /// Task of the first.
        first: String,
        /// Task of the other.
        other: String,
    },
    /// A task without comparison.
    #[error("runs of {} can be compared, and these are of the task `{task}`", one_of(comparing))]
    NoComparison {
        /// Their task.
        task: &'static str,
        /// Tasks with a comparison.
        comparing: Vec<&'static str>,
    },
    /// Models of different classes.
    #[error("their classes differ: {first:?} and {other:?}")]
    Classes {
        /// Classes of the first.
        first: Vec<String>,
        /// Classes of the other.
        other: Vec<String>,
    },
    /// Image sizes that show different parts of a picture.
    #[error(
        "their image sizes {first:?} and {other:?} differ in proportions, so they show different parts of a picture"
    )]
    Sizes {
        /// Height and width of the first, in pixels.
        first: [usize; 2],
        /// Height and width of the other, in pixels.
        other: [usize; 2],
    },
    /// Data read in two ways.
    #[error("their data was read with other columns, another root of images or another threshold of masks")]
    Hints,
    /// Models trained on different data, if no data is named.
    #[error("one was trained on {first}, the other on {other}; name the data to compare them on")]
    Data {
        /// Data of the first.
        first: String,
        /// Data of the other.
        other: String,
    },
    /// Models that held out different images of one data set.
    #[error(
        "{data} has no parts, and one run held out images by seed {}, val_split {}, the other by seed {}, val_split {}, so \
         each was trained on validation images of the other: name data with a val/ part, or compare runs of one seed and \
         val_split", first.0, first.1, other.0, other.1
    )]
    Split {
        /// The data.
        data: String,
        /// Seed and share of the first.
        first: (u64, f64),
        /// Seed and share of the other.
        other: (u64, f64),
    },
    /// Images that can be read for only one of them.
    #[error("{first} images can be read for one, {other} for the other")]
    Images {
        /// Images for the first.
        first: usize,
        /// Images for the other.
        other: usize,
    },
}

/// Why a workflow stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowError {
    /// A task, training, a run folder, a device.
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
        /// The difference.
        reason: Incomparable,
    },
    /// Something that does not fit into memory.
    #[error("{what} needs {} MB of memory, but {} MB are free: choose smaller images", bytes / 1_000_000, available / 1_000_000)]
    NoMemory {
        /// The thing that needs the memory.
        what: &'static str,
        /// Bytes that it takes.
        bytes: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// A setting that the task does not have.
    #[error("the task `{task}` has no setting `{key}`; remove it")]
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
