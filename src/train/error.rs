//! Errors of training and evaluation.

use std::error::Error;

use super::settings::ConfigError;
use crate::data::DataError;
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::files::FileError;
use crate::interop::pretrained::PretrainedError;
use crate::interop::safetensors::SafetensorsError;
use crate::interop::torchvision::CheckpointError;
use crate::precision::Precision;
use crate::ranks::RankError;
use crate::run::RunError;
use crate::run::pictures::PictureError;

/// Why training or an evaluation stopped.
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
    /// The run folder, a checkpoint or a picture.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Published weights are missing.
    #[error(transparent)]
    Pretrained(#[from] PretrainedError),
    /// Ranks that cannot train together.
    #[error(transparent)]
    Ranks(#[from] RankError),
    /// An error that a task reports.
    #[error(transparent)]
    Task(Box<dyn Error + Send + Sync>),
    /// The loss, or a value on which it depends, is not finite.
    #[error(
        "the {what} is {loss} at step {step} of epoch {epoch} (learning rate {lr:?}): the first value that is not finite is \
         in {layer}; {kept}. {}", remedy(*precision)
    )]
    NotFinite {
        /// The quantity that is not finite.
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
        /// Where the weights of the last epoch with finite losses are.
        kept: String,
        /// Precision of the run.
        precision: Precision,
    },
    /// An evaluation was ended before its last image.
    #[error("interrupted")]
    Interrupted,
    /// Balanced draws of samples without classes.
    #[error("sampler: the samples of this task have no classes over which draws could be balanced; use `all`")]
    NoClasses,
    /// A setting needs the stages of an encoder.
    #[error(
        "{setting}: the network {network} has no encoder with stages; use a ResNet, or a network with a ResNet as its encoder"
    )]
    NoStages {
        /// The setting's key.
        setting: &'static str,
        /// The network.
        network: &'static str,
    },
    /// Nothing, or everything, would be frozen.
    #[error("freeze = {patterns}: {reason}")]
    Freeze {
        /// The pattern.
        patterns: String,
        /// The fault.
        reason: String,
    },
}

/// Remedies that may keep values finite.
fn remedy(precision: Precision) -> &'static str {
    match precision {
        Precision::F16 => {
            "Numbers above 65504 do not fit into 16 bits: train in 32 bits, lower the learning rate, clip the gradients to a \
             norm of 1, or normalize the data"
        }
        Precision::F32 => "Lower the learning rate, clip the gradients to a norm of 1, or normalize the data",
    }
}

macro_rules! through_run_error {
    ($($error:ty),*) => {
        $(impl From<$error> for TrainError {
            fn from(e: $error) -> Self {
                TrainError::Run(e.into())
            }
        })*
    };
}

through_run_error!(FileError, SafetensorsError, CheckpointError, PictureError);
