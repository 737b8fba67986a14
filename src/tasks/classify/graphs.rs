//! The graphs of classification with any network: a whole training step and an evaluation, over shared states.

use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::IGNORED;
use crate::ops::{self, CrossEntropyOptions};
use crate::shape::TensorType;
use crate::train::step::{Optimizer, append_update, port};

/// A network for classification: a function that appends it to a graph, from images to logits.
pub type Network<'a> = &'a dyn Fn(&mut Graph, Value, crate::nn::Mode) -> Result<Value, GraphError>;

/// Options of a training graph besides the network.
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
    /// The kernels that are fused.
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

/// Appends a training step up to the loss: inputs, network, outputs. Returns loss and totals.
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

/// An evaluation with running statistics. Rows with the label [`IGNORED`] count for nothing and do not influence others, so a
/// last, smaller batch that is filled up with them is exact.
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
