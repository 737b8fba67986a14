//! Errors of a graph.

use super::Group;

/// A fault that is found while a graph is built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// Shapes do not fit an op.
    #[error("{op}{at}: {rule} (shapes: {shapes})")]
    Shape {
        /// Op name.
        op: &'static str,
        /// ` in SCOPE`, or empty.
        at: String,
        /// Shapes of the inputs.
        shapes: String,
        /// The rule broken.
        rule: String,
    },
    /// A state of this name exists with other properties.
    #[error("the state `{name}` has {known}, but {asked} was requested")]
    State {
        /// Name.
        name: String,
        /// The known state's property that differs.
        known: String,
        /// The requested property.
        asked: String,
    },
    /// A state was added after its group was packed or read as a whole.
    #[error(
        "the state `{name}` cannot be added to the group {group:?}, which was packed or read as a whole already: add all \
         states of the group first"
    )]
    Complete {
        /// Name.
        name: String,
        /// Its group.
        group: Group,
    },
    /// An input belongs to another graph.
    #[error("{op}{at}: an input is a value of another graph")]
    OtherGraph {
        /// Op name.
        op: &'static str,
        /// ` in SCOPE`, or empty.
        at: String,
    },
    /// An op without results is used as a value.
    #[error("the op `{op}` has no result")]
    NoResult {
        /// Op name.
        op: &'static str,
    },
    /// The op cannot be differentiated.
    #[error("the op `{op}` has no gradient, but the loss depends on a parameter through it")]
    NoGradient {
        /// Op name.
        op: &'static str,
    },
    /// A gradient would read a state after its update.
    #[error(
        "the gradient of `{op}`{at} reads the state `{name}`, which `{by}` has updated by then: take gradients before \
         states are updated"
    )]
    Overwritten {
        /// Op name.
        op: &'static str,
        /// ` in SCOPE`, or empty.
        at: String,
        /// Name of the state.
        name: String,
        /// The op that updates it.
        by: &'static str,
    },
    /// The loss does not depend on a parameter.
    #[error("the loss does not depend on the parameter `{name}`: use it in the network, or freeze it")]
    Unused {
        /// Parameter name.
        name: String,
    },
    /// A training step of a model that was opened for evaluation.
    #[error("this model was made for evaluation only: it has no optimizer")]
    EvaluationOnly,
    /// BatchNorm would be trained on one value per channel.
    #[error(
        "{layer}: BatchNorm needs 2 values of each channel or more for a variance, but a batch of 1 image with a map of 1×1 \
         pixel has 1: raise the batch size or the image size"
    )]
    OneValue {
        /// The layer.
        layer: String,
    },
    /// The loss is not a single number.
    #[error("gradients need a loss of one element, but it has the shape {shape}")]
    NotScalar {
        /// Its shape.
        shape: String,
    },
}
