//! Errors of tasks.

use std::path::PathBuf;

use crate::data::DataError;
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::run::RunError;
use crate::text::{meant, one_of};
use crate::train::TrainError;
use crate::train::settings::ConfigError;

/// Why a task could not read its data, evaluate, predict or export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Training, evaluation, data or device.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An ONNX model.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// There is no task of this name.
    #[error("there is no task `{name}`: expected {}{}", one_of(known), meant(name, known.iter().copied()))]
    Unknown {
        /// The name.
        name: String,
        /// Names of the tasks.
        known: Vec<&'static str>,
    },
    /// The task does not support a verb.
    #[error("the task `{task}` does not {verb}")]
    Unsupported {
        /// The task.
        task: String,
        /// The verb, such as `predict`.
        verb: &'static str,
    },
    /// A model of another task.
    #[error("the model is of the task `{task}`, not of `{wanted}`")]
    OtherTask {
        /// Its task.
        task: String,
        /// The expected task, such as `classify`.
        wanted: &'static str,
    },
    /// A checkpoint without an entry that the task needs.
    #[error("the checkpoint's metadata has no usable `{key}`: expected {expected}")]
    BadCard {
        /// The entry.
        key: &'static str,
        /// The task's requirement.
        expected: &'static str,
    },
    /// Images smaller than the network allows.
    #[error("image_size = {size}: the network needs at least {least} pixels")]
    ImageTooSmall {
        /// Requested side, in pixels.
        size: usize,
        /// Smallest side, in pixels.
        least: usize,
    },
    /// A rectangle, for a task of square images.
    #[error("image_size = {height}x{width}: expected one number, because the task takes square images")]
    NotSquare {
        /// Requested height, in pixels.
        height: usize,
        /// Requested width, in pixels.
        width: usize,
    },
    /// The data's classes are not the checkpoint's.
    #[error(
        "the data has the classes {data:?}, but the checkpoint was trained on {model:?}: {}",
        same_classes(data, model)
    )]
    OtherClasses {
        /// Classes of the data.
        data: Vec<String>,
        /// Classes of the checkpoint.
        model: Vec<String>,
    },
    /// A part that the data set does not have.
    #[error("{data} has no test part; its parts are train and val")]
    NoTestPart {
        /// The data set.
        data: String,
    },
    /// The data set of a run is missing.
    #[error(
        "{} was trained on {}, which is not there{}: name the folder of the data set",
        checkpoint.display(), data.display(),
        if data.is_relative() { ", seen from this folder (training may have been started in another one)" } else { "" }
    )]
    DataMoved {
        /// Path of the data set in the settings of the run.
        data: PathBuf,
        /// The run's checkpoint.
        checkpoint: PathBuf,
    },
    /// Another error of a task.
    #[error(transparent)]
    Own(Box<dyn std::error::Error + Send + Sync>),
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

/// Training knows only the traits of tasks, so it boxes their errors.
impl From<TaskError> for TrainError {
    fn from(e: TaskError) -> Self {
        match e {
            TaskError::Train(e) => e,
            e => TrainError::Task(Box::new(e)),
        }
    }
}

/// The remedy for other classes than those of a checkpoint.
fn same_classes(data: &[String], model: &[String]) -> &'static str {
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
    let are_values = data.iter().all(|name| name.starts_with("class ") || name.starts_with("value "));
    match data.len() == model.len() {
        true if lower(data) == lower(model) => "the names differ in case alone; rename them",
        true if are_values => {
            "the data gives values, not names; name them in a classes.toml beside the data, or give the threshold of the run's masks"
        }
        _ => "give data with the same classes",
    }
}
