//! Errors of [`Training`](super::Training) and [`Predictor`](super::Predictor).

use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::torchvision::CheckpointError;
use crate::label;

/// Label of samples or pixels that the loss ignores. With more classes than this number it is an ordinary class.
pub const IGNORED: u32 = label::IGNORED_BYTE as u32;

/// An error of [`Training`](super::Training) or [`Predictor`](super::Predictor).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Network or loss do not fit the images.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The device failed or refused.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A file of weights cannot be read or written, or is of another network.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A batch cannot be read.
    #[cfg(feature = "data")]
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// A part of a batch has the wrong length.
    #[error("the batch has {given} {what} for {samples} samples, but {expected} are needed: {shape} each")]
    Length {
        /// `numbers of images`, `labels` or `targets`.
        what: &'static str,
        /// Number that the batch has.
        given: usize,
        /// Samples of the batch.
        samples: usize,
        /// Number that it must have.
        expected: usize,
        /// Shape of one sample's part.
        shape: String,
    },
    /// A label that names no class.
    #[error(
        "sample {sample} of the batch has the label {label}, but the classes are 0 to {}, and {} is ignored",
        classes - 1,
        IGNORED
    )]
    Label {
        /// Position in the batch.
        sample: usize,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A pattern of [`TrainingOptions::freeze`](super::TrainingOptions::freeze) that matches nothing, or everything.
    #[error("cannot freeze `{pattern}`: {reason}")]
    Freeze {
        /// The pattern.
        pattern: String,
        /// The fault, and the existing layers.
        reason: String,
    },
    /// Gradients to apply that are not those of the parameters.
    #[error("the gradient of `{parameter}` {problem}")]
    Gradient {
        /// Name of the parameter.
        parameter: String,
        /// The fault.
        problem: String,
    },
    /// An evaluation without a sample.
    #[error("there is nothing to evaluate: no batch has a sample")]
    Empty,
}
