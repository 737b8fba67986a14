//! What a training step does after the loss: gradients, clipping, the optimizer, the moving average.

use super::port;
use crate::autodiff;
use crate::graph::{Graph, GraphError, Group, Value};
use crate::ops::{self, AdamOptions, Hyper, SgdOptions};
use crate::precision::Precision;

/// Rule by which gradients change parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// SGD with momentum.
    Sgd(SgdOptions),
    /// Adam or AdamW.
    Adam(AdamOptions),
}

impl Optimizer {
    /// β1 and β2 of the bias corrections; 0 without moments.
    pub fn betas(&self) -> [f64; 2] {
        match self {
            Optimizer::Sgd(_) => [0.0; 2],
            Optimizer::Adam(options) => options.betas,
        }
    }
}

/// What is done with the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The rule.
    pub optimizer: Optimizer,
    /// Largest L2 norm of all gradients together.
    pub clip: Option<f32>,
    /// Gradients of several batches make one step.
    pub accumulate: bool,
    /// Keep a moving average of the parameters.
    pub average: bool,
    /// Output the norms of gradients and parameters.
    pub norms: bool,
    /// Width of activations and their gradients; with 16 bits the loss is scaled.
    pub precision: Precision,
}

impl Update {
    /// The rule and clipping alone, in 32 bits.
    pub fn plain(optimizer: Optimizer, clip: Option<f32>) -> Update {
        Update { optimizer, clip, accumulate: false, average: false, norms: false, precision: Precision::F32 }
    }
}

/// What a training graph does with the gradients of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It adds them to those of the batches before.
    Accumulate,
    /// With those of the batches before, it changes the parameters.
    Update,
}

/// Appends the gradients of all parameters, clipping and the update.
///
/// # Errors
/// When a parameter does not reach the loss, or an op on the way has no gradient.
pub fn append_update(g: &mut Graph, loss: Value, optimizer: Optimizer, clip: Option<f32>) -> Result<(), GraphError> {
    append_training(g, [loss, loss], &Update::plain(optimizer, clip), Phase::Update)
}

/// Appends the gradients of all parameters and the whole of an [`Update`]; the second value are the totals of the loss.
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
    if update.accumulate {
        let hyper = hyper(g);
        match ops::accumulate(g, packed, totals, hyper, phase == Phase::Update)? {
            Some(mean) => packed = mean,
            None => return Ok(()),
        }
    }
    append_update_of(g, Gradients { packed, scale, guard: Some(loss) }, update)
}

/// Gradients that an update takes.
pub(super) struct Gradients {
    /// All of them, flat.
    pub packed: Value,
    /// What the loss was multiplied by.
    pub scale: Option<Value>,
    /// No parameter changes where its first number is not finite; without one, where the norm of the gradients is not.
    pub guard: Option<Value>,
}

/// Appends what follows the gradients.
pub(super) fn append_update_of(g: &mut Graph, gradients: Gradients, update: &Update) -> Result<(), GraphError> {
    let Gradients { packed, scale, guard } = gradients;
    let hyper = hyper(g);
    if update.norms {
        let weights = g.group(Group::Parameters);
        for (name, flat, scale) in [(port::GRADIENT_NORM, packed, scale), (port::WEIGHT_NORM, weights, None)] {
            let norm = ops::clip_scale(g, flat, scale, f32::MAX)?;
            g.output(name, norm);
        }
    }
    // Scaled gradients can overflow where the loss does not. Their norm shows it, and a loss that is not finite too.
    let guard = guard.filter(|_| scale.is_none());
    let max_norm = update.clip.or(guard.is_none().then_some(f32::MAX));
    let factor = max_norm.map(|max_norm| ops::clip_scale(g, packed, scale, max_norm)).transpose()?;
    let guard = guard.or(factor).unwrap_or(packed);
    match update.optimizer {
        Optimizer::Sgd(options) => ops::sgd_step(g, packed, hyper, factor, guard, options)?,
        Optimizer::Adam(options) => ops::adam_step(g, packed, hyper, factor, guard, options)?,
    }
    if let (Some(_), Some(norm)) = (scale, factor) {
        ops::update_loss_scale(g, norm)?;
    }
    if update.average { ops::moving_average(g, hyper) } else { Ok(()) }
}

/// The input [`port::HYPER`].
fn hyper(g: &mut Graph) -> Value {
    port::input(g, port::HYPER, Hyper::ty())
}
