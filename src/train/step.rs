//! The graphs of a training run: one for a whole training step, one for evaluation, over shared states.

use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::IGNORED;
use crate::ops::{self, CrossEntropyOptions};
use crate::shape::TensorType;
pub use crate::training::update::{Optimizer, Phase, Update, append_training, append_update};

/// Names of inputs and outputs.
pub mod port {
    pub use crate::training::update::port::*;

    /// Output `[C,C]` of an evaluation: pixels by truth and prediction.
    pub const COUNTS: &str = "counts";
    /// Output of an evaluation: a class number for each pixel, or colors.
    pub const PREDICTIONS: &str = "predictions";
    /// Output `[N,classes]` of an evaluation.
    pub const LOGITS: &str = "logits";
}

/// A network for classification: appends itself to a graph, from images to logits.
pub type Network<'a> = &'a dyn Fn(&mut Graph, Value, crate::nn::Mode) -> Result<Value, GraphError>;

/// What the training graph is made of besides the network.
#[derive(Clone, Copy, Debug)]
pub struct StepOptions {
    /// N, H, W, C of the images.
    pub images: [usize; 4],
    /// The loss.
    pub loss: CrossEntropyOptions,
    /// The update.
    pub optimizer: Optimizer,
    /// Largest norm of all gradients.
    pub clip: Option<f32>,
    /// Rewrites.
    pub fuse: FuseOptions,
}

/// A whole training step for classification, sharing `states` with other graphs.
///
/// # Errors
/// When the network does not fit the images.
pub fn training_graph(states: StateTable, network: Network<'_>, o: StepOptions) -> Result<Graph, GraphError> {
    let mut g = Graph::with_states(states);
    let [loss, _] = append_loss(&mut g, network, o.images, o.loss)?;
    append_update(&mut g, loss, o.optimizer, o.clip)?;
    fuse(&mut g, o.fuse);
    Ok(g)
}

/// Appends all of a training step for classification up to the loss: inputs, network, outputs; gives loss and totals.
///
/// # Errors
/// When the network does not fit the images.
pub fn append_loss(
    g: &mut Graph,
    network: Network<'_>,
    images: [usize; 4],
    options: CrossEntropyOptions,
) -> Result<[Value; 2], GraphError> {
    let x = g.input(port::IMAGES, TensorType::channels(images));
    let logits = network(g, x, crate::nn::Mode::Train)?;
    let labels = match options.soft_labels {
        true => g.input(port::TARGETS, g.ty(logits).clone()),
        false => g.input(port::LABELS, TensorType::flat(images[0])),
    };
    let [loss, totals] = ops::softmax_cross_entropy(g, logits, labels, None, options)?;
    g.output(port::LOSS, loss);
    g.output(port::TOTALS, totals);
    Ok([loss, totals])
}

/// Evaluation with running statistics: rows labelled [`IGNORED`] count for nothing, and rows do not influence each
/// other, so a last, smaller batch is exact when it is filled up with them.
///
/// # Errors
/// When the network does not fit the images.
pub fn evaluation_graph(
    states: StateTable,
    network: Network<'_>,
    images: [usize; 4],
    fuse_options: FuseOptions,
) -> Result<Graph, GraphError> {
    let mut g = Graph::with_states(states);
    let x = g.input(port::IMAGES, TensorType::channels(images));
    let labels = g.input(port::LABELS, TensorType::flat(images[0]));
    let logits = network(&mut g, x, crate::nn::Mode::Eval)?;
    let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
    let [_, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, None, options)?;
    g.output(port::LOGITS, logits);
    g.output(port::TOTALS, totals);
    fuse(&mut g, fuse_options);
    Ok(g)
}
