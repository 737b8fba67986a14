//! Optimizer updates over the flat buffer of all parameters, in one dispatch each. The learning rate and the bias
//! corrections change from step to step: they are the input [`Hyper`].

use super::{expect_first, expect_inputs};
use crate::graph::{Graph, GraphError, Group, Init, Lowering, Op, Operand, STATE_ALIGN, Value};
use crate::hyper::{Hyper, SpanRate};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// SGD as in PyTorch: `g += λ·p; v = μ·v + g; p −= lr · (nesterov ? g + μ·v : v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdOptions {
    /// μ
    pub momentum: f32,
    /// Nesterov's variant.
    pub nesterov: bool,
    /// λ
    pub weight_decay: f32,
    /// Decay biases and the scales of norms too, as PyTorch does.
    pub decay_all: bool,
}

impl Default for SgdOptions {
    /// Momentum 0.9, no decay.
    fn default() -> Self {
        SgdOptions { momentum: 0.9, nesterov: false, weight_decay: 0.0, decay_all: true }
    }
}

/// Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) with `decoupled`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamOptions {
    /// Decay rates of the moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
    /// λ
    pub weight_decay: f32,
    /// AdamW: the decay does not pass through the moments.
    pub decoupled: bool,
    /// Decay biases and the scales of norms too.
    pub decay_all: bool,
}

impl Default for AdamOptions {
    /// Adam with the paper's settings and no decay.
    fn default() -> Self {
        AdamOptions { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: false, decay_all: true }
    }
}

/// The SGD update. Inputs: parameters, gradients, momentum (all flat), hyper `[8]`, clip `[4]`, guard, rates (see
/// [`sgd_step`]).
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    options: SgdOptions,
    decay_end: usize,
    clip: bool,
    /// Rows of `rates`; 0 for one rate for all parameters.
    spans: usize,
}

/// The Adam update. Inputs: parameters, gradients, both moments (all flat), hyper `[8]`, clip `[4]`, guard, rates (see
/// [`sgd_step`]).
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    options: AdamOptions,
    decay_end: usize,
    clip: bool,
    /// Rows of `rates`; 0 for one rate for all parameters.
    spans: usize,
}

/// Clipping by the global norm. Input: the flat gradients. Output `[4]`: norm, factor `min(1, max_norm / (norm +
/// 1e-6))`. With loss scaling the scale is a second input; the norm is then that of the unscaled gradients, and the
/// factor includes 1 / scale.
#[derive(Clone, Copy, Debug)]
pub struct ClipScale {
    /// Largest norm that is not clipped; infinite without clipping.
    pub max_norm: f32,
}

/// Appends the factor that brings the norm of all gradients to at most `max_norm`. `scale` is the factor of a scaled loss.
///
/// Gradient: none.
///
/// # Errors
/// When `max_norm` is NaN or below 0.
pub fn clip_scale(g: &mut Graph, grads: Value, scale: Option<Value>, max_norm: f32) -> Result<Value, GraphError> {
    let inputs: Vec<Value> = std::iter::once(grads).chain(scale).collect();
    g.add1(ClipScale { max_norm }, &inputs)
}

/// A state of the length of all parameters.
pub(super) fn moment(g: &mut Graph, name: &str) -> Result<Value, GraphError> {
    let len = g.states().layout().group_len[Group::Parameters as usize];
    g.state(name, TensorType::flat(len), Group::Moments, Init::Constant(0.0), false)
}

/// Appends an SGD step. `guard[0]` is the loss, or the norm of scaled gradients: the parameters do not change when it is
/// not finite. `rates` holds a [`SpanRate`] per row, where parts of the network have different rates.
///
/// Gradient: none.
///
/// # Errors
/// When a state of the optimizer's name has another shape, or `hyper` is not of the type [`Hyper::ty`], or `rates` not of the type
/// [`SpanRate::ty`].
pub fn sgd_step(
    g: &mut Graph,
    grads: Value,
    hyper: Value,
    clip: Option<Value>,
    guard: Value,
    rates: Option<Value>,
    options: SgdOptions,
) -> Result<(), GraphError> {
    let momentum = moment(g, "optimizer.momentum")?;
    let parameters = g.group(Group::Parameters);
    let (decay_end, spans) = (g.states().layout().decay_end, spans(g, rates)?);
    let op = Sgd { options, decay_end, clip: clip.is_some(), spans };
    let inputs = [parameters, grads, momentum, hyper, clip.unwrap_or(hyper), guard, rates.unwrap_or(hyper)];
    g.add(op, &inputs).map(drop)
}

/// Appends an Adam or AdamW step. `guard[0]` is the loss, or the norm of scaled gradients: the parameters do not change when
/// it is not finite. `rates` holds a [`SpanRate`] per row, where parts of the network have different rates.
///
/// Gradient: none.
///
/// # Errors
/// When a state of the optimizer's name has another shape, or `hyper` is not of the type [`Hyper::ty`], or `rates` not of the type
/// [`SpanRate::ty`].
pub fn adam_step(
    g: &mut Graph,
    grads: Value,
    hyper: Value,
    clip: Option<Value>,
    guard: Value,
    rates: Option<Value>,
    options: AdamOptions,
) -> Result<(), GraphError> {
    let (m, v) = (moment(g, "optimizer.exp_avg")?, moment(g, "optimizer.exp_avg_sq")?);
    let parameters = g.group(Group::Parameters);
    let (decay_end, spans) = (g.states().layout().decay_end, spans(g, rates)?);
    let op = Adam { options, decay_end, clip: clip.is_some(), spans };
    let inputs = [parameters, grads, m, v, hyper, clip.unwrap_or(hyper), guard, rates.unwrap_or(hyper)];
    g.add(op, &inputs).map(drop)
}

/// Number of rows of `rates`.
fn spans(g: &Graph, rates: Option<Value>) -> Result<usize, GraphError> {
    let Some(rates) = rates else { return Ok(0) };
    Ok(g.known("optimizer", rates)?.shape.rows())
}

/// Checks that the flat buffers of an update have one length. Hyper, clip, guard and rates follow them.
fn check_flat<const N: usize>(inputs: &[&TensorType], clip: bool, spans: usize) -> Result<Vec<TensorType>, String> {
    let inputs = expect_inputs::<N>(inputs)?;
    let (flat, [hyper, factor, guard, rates]) = inputs.split_last_chunk().expect("N is larger");
    if flat.iter().any(|t| t.len() != flat[0].len()) {
        return Err("parameters, gradients and moments must have the same length".into());
    }
    expect_hyper(hyper)?;
    if clip && factor.shape.elements() != 4 {
        return Err("the clip factor must come from clip_scale".into());
    }
    if spans > 0 && **rates != SpanRate::ty(spans) {
        return Err(format!("rates must have {} numbers per row", SpanRate::LEN));
    }
    if guard.is_empty() { Err("the guard must have a number".into()) } else { Ok(vec![]) }
}

/// Checks the length of `hyper`.
pub(super) fn expect_hyper(hyper: &TensorType) -> Result<(), String> {
    let given = hyper.shape.elements();
    match given == Hyper::LEN {
        true => Ok(()),
        false => Err(format!("hyper must have {} numbers, got {given}", Hyper::LEN)),
    }
}

fn decay_end(all: bool, decay_end: usize, len: usize) -> usize {
    (if all { len } else { decay_end }) / LANES
}

impl Op for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_flat::<7>(inputs, self.clip, self.spans)
    }

    fn updates(&self) -> &'static [usize] {
        &[0, 2]
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (o, len) = (self.options, l.inputs[0].len());
        let consts = Consts::new()
            .u("LEN4", len / LANES)
            .u("DECAY_END4", decay_end(o.decay_all, self.decay_end, len))
            .f("MOMENTUM", f64::from(o.momentum))
            .f("WEIGHT_DECAY", f64::from(o.weight_decay))
            .b("NESTEROV", o.nesterov)
            .b("CLIP", self.clip)
            .u("SPANS", self.spans)
            .u("BLOCK4", STATE_ALIGN / LANES);
        let update = |i| matches!(i, 0 | 2);
        let bindings = (0..7).map(|i| (Operand::Input(i), if update(i) { Access::Update } else { Access::Read }));
        l.call("sgd", consts, bindings, Work::Items(len / LANES), 6 * len);
    }
}

impl Op for Adam {
    fn name(&self) -> &'static str {
        if self.options.decoupled { "adamw" } else { "adam" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_flat::<8>(inputs, self.clip, self.spans)
    }

    fn updates(&self) -> &'static [usize] {
        &[0, 2, 3]
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (o, len) = (self.options, l.inputs[0].len());
        let consts = Consts::new()
            .u("LEN4", len / LANES)
            .u("DECAY_END4", decay_end(o.decay_all, self.decay_end, len))
            .f("RATE1", 1.0 - o.betas[0])
            .f("BETA2", o.betas[1])
            .f("RATE2", 1.0 - o.betas[1])
            .f("EPS", f64::from(o.eps))
            .f("WEIGHT_DECAY", f64::from(o.weight_decay))
            .b("DECOUPLED", o.decoupled)
            .b("CLIP", self.clip)
            .u("SPANS", self.spans)
            .u("BLOCK4", STATE_ALIGN / LANES);
        let update = |i| matches!(i, 0 | 2 | 3);
        let bindings = (0..8).map(|i| (Operand::Input(i), if update(i) { Access::Update } else { Access::Read }));
        l.call("adam", consts, bindings, Work::Items(len / LANES), 12 * len);
    }
}

/// Vectors that one thread squares and adds.
const SQUARES_PER_THREAD: usize = 64;

impl Op for ClipScale {
    fn name(&self) -> &'static str {
        "clip_scale"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let &[_] = expect_first(inputs)?;
        if inputs.len() > 2 || inputs[1..].iter().any(|scale| scale.is_empty()) {
            return Err("needs the gradients, and the loss scale if there is one".into());
        }
        if self.max_norm.is_nan() || self.max_norm < 0.0 {
            return Err(format!("max_norm = {} must be 0 or more", self.max_norm));
        }
        Ok(vec![TensorType::channels([4])])
    }

    fn takes_padded_kernel(&self, input: usize) -> bool {
        input == 0
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let len4 = l.inputs[0].len() / LANES;
        let parts = len4.div_ceil(SQUARES_PER_THREAD).max(1);
        let (partials, total) = (l.scratch(parts * LANES), l.scratch(LANES));
        let consts = Consts::new().u("LEN4", len4).u("PARTS", parts);
        let bindings = [(Operand::Input(0), Access::Read), (partials, Access::Write)];
        l.call("sum_squares", consts, bindings, Work::Items(parts), 8 * len4);
        super::partial_sums::sum_partials(l, partials, 1, parts, total);
        let scaled = l.inputs.len() > 1;
        let consts = Consts::new().f("MAX_NORM", f64::from(self.max_norm.min(f32::MAX))).b("SCALED", scaled);
        let scale = if scaled { Operand::Input(1) } else { total };
        let bindings = [(total, Access::Read), (scale, Access::Read), (Operand::Output(0), Access::Write)];
        l.call("clip_scale", consts, bindings, Work::Items(1), 4);
    }
}
