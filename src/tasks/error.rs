//! What a task can refuse, besides what ends training.

use std::path::PathBuf;

use crate::data::DataError;
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::run::RunError;
use crate::train::TrainError;
use crate::train::settings::ConfigError;

/// Why a task could not read its data, evaluate, predict or export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Training, an evaluation, data, a device.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An ONNX model.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// There is no task of this name.
    #[error("there is no task `{name}`: expected {}", one_of(known))]
    Unknown {
        /// The name.
        name: String,
        /// Names of the tasks.
        known: Vec<&'static str>,
    },
    /// The task does not do this.
    #[error("the task `{task}` does not {verb}")]
    Unsupported {
        /// The task.
        task: String,
        /// What was asked of it.
        verb: &'static str,
    },
    /// A model of another task.
    #[error("this model was trained to {task}, not to {wanted}")]
    OtherTask {
        /// Its task.
        task: String,
        /// What was asked of it.
        wanted: &'static str,
    },
    /// A checkpoint whose description is not one of the task's.
    #[error("the checkpoint's metadata has no usable `{key}`: expected {expected}")]
    BadCard {
        /// The entry.
        key: &'static str,
        /// What the task needs.
        expected: &'static str,
    },
    /// Images smaller than the network allows.
    #[error("--image-size {size}: the network needs at least {least} pixels")]
    ImageTooSmall {
        /// Asked for.
        size: usize,
        /// Needed.
        least: usize,
    },
    /// The task takes squares.
    #[error("--image-size {height}x{width}: the task takes square images; give one number")]
    NotSquare {
        /// Asked for.
        height: usize,
        /// Asked for.
        width: usize,
    },
    /// The data's classes are not the checkpoint's.
    #[error(
        "the data has the classes {data:?}, but the checkpoint was trained on {model:?}: give data with the same classes"
    )]
    OtherClasses {
        /// Classes of the data.
        data: Vec<String>,
        /// Classes of the checkpoint.
        model: Vec<String>,
    },
    /// A part that the data set does not have.
    #[error("{data} has no test part; its parts are train and val (--split)")]
    NoTestPart {
        /// The data set.
        data: String,
    },
    /// A run's own data set is not where it was.
    #[error(
        "{} was trained on {}, which is not there{}: name the data set with --data",
        checkpoint.display(), data.display(),
        if data.is_relative() { ", seen from this folder (training may have been started in another one)" } else { "" }
    )]
    DataMoved {
        /// The data set, as training was given it.
        data: PathBuf,
        /// The run's checkpoint.
        checkpoint: PathBuf,
    },
    /// Anything else that a task reports.
    #[error(transparent)]
    Own(Box<dyn std::error::Error + Send + Sync>),
}

/// `a, b or c`.
fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

macro_rules! through_train_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for TaskError {
            fn from(e: $error) -> Self {
                TaskError::Train(e.into())
            }
        })*
    };
}

through_train_error!(ConfigError, DataError, ExecError, GraphError, RunError, crate::run::pictures::PictureError);

/// An error of a task that ends training, which knows tasks by their traits alone.
impl From<TaskError> for TrainError {
    fn from(e: TaskError) -> Self {
        match e {
            TaskError::Train(e) => e,
            e => TrainError::Task(Box::new(e)),
        }
    }
}
