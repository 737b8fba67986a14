//! The graphs of a training run: one for a whole training step, one for evaluation, over shared states.

use crate::autodiff;
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, Group, StateTable, Value};
use crate::ops::{self, AdamOptions, CrossEntropyOptions, Hyper, SgdOptions};
use crate::precision::Precision;
use crate::shape::TensorType;

/// How parameters are updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// SGD with momentum.
    Sgd(SgdOptions),
    /// Adam or AdamW.
    Adam(AdamOptions),
}

impl Optimizer {
    /// β1 and β2 for the bias corrections; without moments they are 0.
    pub fn betas(&self) -> [f64; 2] {
        match self {
            Optimizer::Sgd(_) => [0.0; 2],
            Optimizer::Adam(o) => o.betas,
        }
    }
}

/// What becomes of the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The rule.
    pub optimizer: Optimizer,
    /// Largest norm of all gradients.
    pub clip: Option<f32>,
    /// Gradients of several batches make one step.
    pub accumulate: bool,
    /// Keep a moving average of the parameters.
    pub average: bool,
    /// Give the norms of gradients and parameters.
    pub norms: bool,
    /// Width of activations and their gradients; with 16 bits the loss is scaled.
    pub precision: Precision,
}

impl Update {
    /// The rule alone, in 32 bits.
    pub fn plain(optimizer: Optimizer, clip: Option<f32>) -> Update {
        Update { optimizer, clip, accumulate: false, average: false, norms: false, precision: Precision::F32 }
    }
}

/// What a training graph does with the gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// They are added to those of the batches before.
    Accumulate,
    /// Together with those of the batches before, they change the parameters.
    Update,
}

/// Names of the ports of the graphs below.
pub mod port {
    /// Input `[N,H,W,C]`.
    pub const IMAGES: &str = "images";
    /// Input `[N]`, class numbers; see `IGNORED`.
    pub const LABELS: &str = "labels";
    /// Input: what changes from step to step, see [`Hyper`].
    pub const HYPER: &str = "hyper";
    /// Output `[1]`.
    pub const LOSS: &str = "loss";
    /// Output `[4]`: loss sum, weight sum, rightly predicted, counted.
    pub const TOTALS: &str = "totals";
    /// Output `[4]`, the norm first: of all gradients.
    pub const GRADIENT_NORM: &str = "gradient_norm";
    /// Output `[4]`, the norm first: of all parameters before the step.
    pub const WEIGHT_NORM: &str = "weight_norm";
    /// Input `[N,H,W,C]`: colours to predict; `[N,C]`: probabilities of classes.
    pub const TARGETS: &str = "targets";
    /// Input `[C]`: weight of each class in the loss.
    pub const CLASS_WEIGHTS: &str = "class_weights";
    /// Output `[C,C]` of an evaluation: pixels by truth and prediction.
    pub const COUNTS: &str = "counts";
    /// Output of an evaluation: a class number for each pixel, or colours.
    pub const PREDICTIONS: &str = "predictions";
    /// Output [N, classes] of the evaluation.
    pub const LOGITS: &str = "logits";
}

/// Label of the rows that fill up a last, smaller evaluation batch: they count for nothing.
pub const IGNORED: i32 = -1;

/// Appends everything behind the loss: gradients of all parameters, clipping, the update.
///
/// # Errors
/// When a parameter does not reach the loss, or an op on the way has no gradient.
pub fn append_update(g: &mut Graph, loss: Value, optimizer: Optimizer, clip: Option<f32>) -> Result<(), GraphError> {
    append_training(g, [loss, loss], &Update::plain(optimizer, clip), Phase::Update)
}

/// As [`append_update`], with all that an update can be; the second value are the totals of the loss.
///
/// # Errors
/// When a parameter does not reach the loss, or an op on the way has no gradient.
pub fn append_training(
    g: &mut Graph,
    [loss, totals]: [Value; 2],
    update: &Update,
    phase: Phase,
) -> Result<(), GraphError> {
    let parameters = g.parameters();
    let scale = (update.precision == Precision::F16).then(|| ops::loss_scale(g)).transpose()?;
    let grads = match scale {
        Some(scale) => autodiff::gradients_from(g, &[(loss, scale)], &parameters)?,
        None => autodiff::gradients(g, loss, &parameters)?,
    };
    let mut packed = ops::pack_parameters(g, &grads)?;
    let hyper = g.input(port::HYPER, Hyper::ty());
    if update.accumulate {
        match ops::accumulate(g, packed, totals, hyper, phase == Phase::Update)? {
            Some(mean) => packed = mean,
            None => return Ok(()),
        }
    }
    if update.norms {
        let weights = g.group(Group::Parameters);
        for (name, flat, scale) in [(port::GRADIENT_NORM, packed, scale), (port::WEIGHT_NORM, weights, None)] {
            let norm = ops::clip_scale(g, flat, scale, f32::MAX)?;
            g.output(name, norm);
        }
    }
    let max_norm = update.clip.or(scale.map(|_| f32::MAX));
    let factor = max_norm.map(|max_norm| ops::clip_scale(g, packed, scale, max_norm)).transpose()?;
    // Scaled gradients can overflow where the loss does not; their norm tells, and a loss that is not finite shows in it.
    let guard = if scale.is_some() { factor.unwrap_or(loss) } else { loss };
    match update.optimizer {
        Optimizer::Sgd(options) => ops::sgd_step(g, packed, hyper, factor, guard, options)?,
        Optimizer::Adam(options) => ops::adam_step(g, packed, hyper, factor, guard, options)?,
    }
    if let (Some(_), Some(norm)) = (scale, factor) {
        ops::update_loss_scale(g, norm)?;
    }
    if update.average { ops::moving_average(g, hyper) } else { Ok(()) }
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
