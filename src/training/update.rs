//! The end of a training step, after the loss: gradients, clipping, the optimizer, the moving average.

use super::port;
use super::spans::{spans, stage_of};
use crate::autodiff;
#[cfg(feature = "tasks")]
use crate::graph::StateTable;
use crate::graph::{Graph, GraphError, Group, Source, Value};
use crate::nn::Stages;
use crate::ops::{self, AdamOptions, Hyper, SgdOptions, SpanRate};
use crate::precision::Precision;
#[cfg(feature = "tasks")]
use crate::shape::TensorType;

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

/// Use of the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The rule.
    pub optimizer: Optimizer,
    /// Largest L2 norm of all gradients together.
    pub clip: Option<f32>,
    /// Whether gradients of several batches make one step.
    pub accumulate: bool,
    /// Whether to keep a moving average of the parameters.
    pub average: bool,
    /// Whether to output the norms of gradients and parameters.
    pub norms: bool,
    /// Width of activations and their gradients; with 16 bits the loss is scaled.
    pub precision: Precision,
    /// Stages that have different learning rates, which the input [`port::RATES`] holds; empty for one rate.
    pub stages: Stages,
}

impl Update {
    /// The rule and clipping alone, in 32 bits.
    #[cfg(feature = "tasks")]
    pub fn plain(optimizer: Optimizer, clip: Option<f32>) -> Update {
        let (accumulate, average, norms, precision, stages) = (false, false, false, Precision::F32, &[]);
        Update { optimizer, clip, accumulate, average, norms, precision, stages }
    }
}

/// How a training graph uses the gradients of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "tasks"), expect(dead_code, reason = "the loop over tasks makes the other phases"))]
pub enum Phase {
    /// Adds them to those of earlier batches.
    Accumulate,
    /// Updates the parameters with them and those of earlier batches.
    Update,
    /// As [`Phase::Accumulate`], with gradients of the head alone; those of the stages are 0.
    HeadAccumulate,
    /// As [`Phase::Update`], with gradients of the head alone; those of the stages are 0.
    HeadUpdate,
    /// The gradients are the output [`port::GRADIENTS`], and the running statistics [`port::STATISTICS`]: the batch is a shard of
    /// a larger one, whose update [`update_graph`] makes.
    Shard,
    /// As [`Phase::Shard`], with gradients of the head alone; those of the stages are 0.
    HeadShard,
}

impl Phase {
    /// The phase of a batch that is the last of its step, or not.
    #[cfg(feature = "tasks")]
    pub fn of_batch(is_last: bool) -> Phase {
        if is_last { Phase::Update } else { Phase::Accumulate }
    }

    /// The same phase, with gradients of the head alone if `head_alone`.
    #[cfg(feature = "tasks")]
    pub fn where_head_alone(self, head_alone: bool) -> Phase {
        match self {
            phase if !head_alone => phase,
            Phase::Accumulate | Phase::HeadAccumulate => Phase::HeadAccumulate,
            Phase::Update | Phase::HeadUpdate => Phase::HeadUpdate,
            Phase::Shard | Phase::HeadShard => Phase::HeadShard,
        }
    }

    /// Whether the parameters change.
    pub fn updates(self) -> bool {
        matches!(self, Phase::Update | Phase::HeadUpdate)
    }

    /// Whether only the head has gradients.
    pub fn is_of_head(self) -> bool {
        matches!(self, Phase::HeadAccumulate | Phase::HeadUpdate | Phase::HeadShard)
    }

    /// Whether the gradients are an output.
    fn is_shard(self) -> bool {
        matches!(self, Phase::Shard | Phase::HeadShard)
    }
}

/// Appends the gradients of all parameters, clipping and the update.
///
/// # Errors
/// When a parameter does not reach the loss, or an op on the way has no gradient.
#[cfg(feature = "tasks")]
pub fn append_update(g: &mut Graph, loss: Value, optimizer: Optimizer, clip: Option<f32>) -> Result<(), GraphError> {
    append_training(g, [loss, loss], &Update::plain(optimizer, clip), Phase::Update)
}

/// Appends the gradients of all parameters and the whole of an [`Update`]. The second value holds the totals of the
/// loss.
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
    let is_trained = |g: &Graph, v: Value| !phase.is_of_head() || is_of_head(g, v, update.stages);
    let trained: Vec<Value> = parameters.iter().copied().filter(|&v| is_trained(g, v)).collect();
    let grads = match scale {
        Some(scale) => autodiff::gradients_from(g, &[(loss, scale)], &trained)?,
        None => autodiff::gradients(g, loss, &trained)?,
    };
    let grads = with_zeros(g, &parameters, &trained, grads)?;
    let packed = ops::pack_parameters(g, &grads)?;
    if phase.is_shard() {
        g.output(port::GRADIENTS, packed);
        if g.states().of(Group::Statistics).next().is_some() {
            let statistics = g.group(Group::Statistics);
            g.output(port::STATISTICS, statistics);
        }
        return Ok(());
    }
    append_rest(g, Gradients { packed, scale, guard: Some(loss) }, totals, update, phase)
}

/// A graph of an update alone. The gradients of a batch and its totals are the inputs [`port::GRADIENTS`] and [`port::TOTALS`].
/// `states` are those of a training graph with this update.
///
/// # Errors
/// When the states are those of another update.
#[cfg(feature = "tasks")]
pub fn update_graph(states: StateTable, update: &Update, phase: Phase) -> Result<Graph, GraphError> {
    let mut g = Graph::with_states(states);
    let len = g.completed(Group::Parameters).group_len[Group::Parameters as usize];
    let packed = g.input(port::GRADIENTS, TensorType::flat(len));
    let totals = g.input(port::TOTALS, TensorType::channels([4]));
    let scale = (update.precision == Precision::F16).then(|| ops::loss_scale(&mut g)).transpose()?;
    append_rest(&mut g, Gradients { packed, scale, guard: None }, totals, update, phase)?;
    Ok(g)
}

/// Appends accumulation and, in a phase that updates, the update.
fn append_rest(
    g: &mut Graph,
    mut gradients: Gradients,
    totals: Value,
    update: &Update,
    phase: Phase,
) -> Result<(), GraphError> {
    if update.accumulate {
        let hyper = hyper(g);
        match ops::accumulate(g, gradients.packed, totals, hyper, phase.updates())? {
            Some(mean) => gradients.packed = mean,
            None => return Ok(()),
        }
    }
    append_update_of(g, gradients, update)
}

/// Whether a parameter belongs to no stage.
fn is_of_head(g: &Graph, v: Value, stages: Stages) -> bool {
    match g.source(v) {
        Source::State(id) => stage_of(stages, &g.states().spec(*id).name) == stages.len(),
        _ => true,
    }
}

/// A gradient for each parameter: 0 for those that are not trained.
fn with_zeros(
    g: &mut Graph,
    parameters: &[Value],
    trained: &[Value],
    grads: Vec<Value>,
) -> Result<Vec<Value>, GraphError> {
    let mut grads = grads.into_iter();
    let mut of = |v: &Value| match trained.contains(v).then(|| grads.next()).flatten() {
        Some(grad) => Ok(grad),
        None => ops::fill(g, g.ty(*v).clone(), 0.0),
    };
    parameters.iter().map(&mut of).collect()
}

/// Gradients that an update takes.
pub(super) struct Gradients {
    /// All of them, flat.
    pub packed: Value,
    /// Factor of the loss.
    pub scale: Option<Value>,
    /// No parameter changes if its first number is not finite; without a guard, if the norm of the gradients is not
    /// finite.
    pub guard: Option<Value>,
}

/// Appends the ops after the gradients: clipping, the optimizer, the moving average.
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
    // Scaled gradients can overflow although the loss does not. Their norm shows this, and a loss that is not finite
    // too.
    let guard = guard.filter(|_| scale.is_none());
    let max_norm = update.clip.or(guard.is_none().then_some(f32::MAX));
    let factor = max_norm.map(|max_norm| ops::clip_scale(g, packed, scale, max_norm)).transpose()?;
    let guard = guard.or(factor).unwrap_or(packed);
    let spans = if update.stages.is_empty() { 0 } else { spans(g.states(), update.stages).len() };
    let rates = (spans > 0).then(|| port::input(g, port::RATES, SpanRate::ty(spans)));
    match update.optimizer {
        Optimizer::Sgd(options) => ops::sgd_step(g, packed, hyper, factor, guard, rates, options)?,
        Optimizer::Adam(options) => ops::adam_step(g, packed, hyper, factor, guard, rates, options)?,
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
