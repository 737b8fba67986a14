//! Everything that can end a run.

use std::path::PathBuf;

use crate::data::DataError;
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::interop::safetensors::SafetensorsError;
use crate::interop::torchvision::CheckpointError;
use crate::report::ReportError;
use crate::run::card::TaskKind;
use crate::run::pictures::PictureError;
use crate::run::run_dir::RunDirError;
use crate::tasks::colorize::metrics::CompareError;
use crate::train::config::ConfigError;
use crate::workflows::sweep::SweepError;

/// Why training, evaluation or prediction stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network does not fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The run directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Pictures that cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// An ONNX model.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A checkpoint that was not written by this program.
    #[error(
        "{}: its metadata has no usable `{key}`, so it is not a checkpoint of `shadegrad train`; \
         such files are best.safetensors and last.safetensors in a run directory", path.display()
    )]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
        /// The entry that is missing or wrong.
        key: String,
    },
    /// Images smaller than the network allows.
    #[error("--image-size {size}: ResNet18 needs at least {least} pixels")]
    ImageTooSmall {
        /// Asked for.
        size: usize,
        /// Needed.
        least: usize,
    },
    /// Classification takes squares.
    #[error("--image-size {height}x{width}: classification takes square images; give one number")]
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
    /// A sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A report.
    #[error(transparent)]
    Report(#[from] ReportError),
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
        /// The data set, as training was told.
        data: PathBuf,
        /// The run's checkpoint.
        checkpoint: PathBuf,
    },
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
    /// The loss is not a number any more.
    #[error(
        "the {what} is {loss} at step {step} of epoch {epoch} (learning rate {lr:?}): the first value that is not finite is \
         in {layer}; {kept}. {advice}, or normalize the data (--normalize dataset)"
    )]
    NotFinite {
        /// Which loss.
        what: &'static str,
        /// The loss.
        loss: f32,
        /// Step in the epoch, from 1.
        step: usize,
        /// Epoch, from 1.
        epoch: usize,
        /// Learning rate.
        lr: f64,
        /// First layer in the order of computation.
        layer: String,
        /// What became of the last good weights.
        kept: String,
        /// What may help.
        advice: &'static str,
    },
    /// A run that cannot go on.
    #[error("{} cannot be resumed: {reason}", path.display())]
    CannotResume {
        /// What was read.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nothing, or everything, would be frozen.
    #[error("--freeze {patterns}: {reason}")]
    Freeze {
        /// As given.
        patterns: String,
        /// What is wrong.
        reason: String,
    },
    /// A model of another task.
    #[error("this model was trained to {}, not to {}", task.name(), wanted.name())]
    OtherTask {
        /// Its task.
        task: TaskKind,
        /// What was asked of it.
        wanted: TaskKind,
    },
}

impl From<SafetensorsError> for TrainError {
    fn from(e: SafetensorsError) -> Self {
        TrainError::Checkpoint(e.into())
    }
}
