//! What a graph refuses.

use super::Group;

/// What can be wrong with a graph; found while it is built.
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
    /// A state of this name exists otherwise.
    #[error("the state `{name}` has {known} but is asked for with {asked}")]
    State {
        /// Name.
        name: String,
        /// What differs, in the table.
        known: String,
        /// The same as asked for.
        asked: String,
    },
    /// A state that comes too late to be part of its group.
    #[error(
        "the group {group:?} is complete, since it was packed or read as a whole before the state `{name}` was added: \
         add all of its states first"
    )]
    Complete {
        /// Name.
        name: String,
        /// Its group.
        group: Group,
    },
    /// A value that was made by another graph.
    #[error("{op}{at}: an input is a value of another graph")]
    OtherGraph {
        /// Op name.
        op: &'static str,
        /// ` in SCOPE`, or empty.
        at: String,
    },
    /// An op that is used as a value has none.
    #[error("the op `{op}` has no result")]
    NoResult {
        /// Op name.
        op: &'static str,
    },
    /// The op cannot be differentiated.
    #[error("the op `{op}` has no gradient, but a parameter's gradient would have to pass through it")]
    NoGradient {
        /// Op name.
        op: &'static str,
    },
    /// A gradient that would read a state too late.
    #[error(
        "the gradient of `{op}`{at} reads the state `{name}`, which `{by}` has changed by then: take gradients before \
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
    /// A parameter that the loss does not depend on.
    #[error("the loss does not depend on the parameter `{name}`: use it in the network, or freeze it")]
    Unused {
        /// Parameter name.
        name: String,
    },
    /// A training step was asked of a model made for evaluation.
    #[error("this model was made for evaluation only: it has no optimizer")]
    EvaluationOnly,
    /// BatchNorm would be trained on one value of each channel.
    #[error(
        "{layer}: BatchNorm cannot be trained on one value of each channel (a batch of 1 image, and a map of 1×1 pixel), \
         which has no variance: raise --batch-size or --image-size"
    )]
    OneValue {
        /// The layer.
        layer: String,
    },
    /// Gradients start at a single number.
    #[error("gradients need a loss of one element, but it has the shape {shape}")]
    NotScalar {
        /// Its shape.
        shape: String,
    },
}
