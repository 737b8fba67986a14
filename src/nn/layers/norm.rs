//! Normalizations with a learned scale γ (`weight`, 1 at first) and shift β (`bias`, 0 at first).

use super::Mode;
use crate::graph::{Graph, GraphError, Group, Init, Value};
use crate::ops::{self, BatchNormOptions};
use crate::shape::TensorType;

/// BatchNorm of each channel over N H W (Ioffe & Szegedy 2015).
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm2d {
    /// ε, added to the variance.
    pub eps: f32,
    /// How the running statistics follow the batches.
    pub options: BatchNormOptions,
}

impl Default for BatchNorm2d {
    /// PyTorch's: ε = 1e-5, momentum 0.1.
    fn default() -> Self {
        BatchNorm2d { eps: 1e-5, options: BatchNormOptions::default() }
    }
}

impl BatchNorm2d {
    /// PyTorch's defaults: ε = 1e-5, momentum 0.1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets ε.
    pub fn eps(self, eps: f32) -> Self {
        BatchNorm2d { eps, ..self }
    }

    /// Sets the momentum: `running = (1 − momentum) · running + momentum · batch`.
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.options.momentum = momentum;
        self
    }

    /// Appends it under `name` (`weight`, `bias`, `running_mean`, `running_var`, each `[C]`): `[N,H,W,C]` to the same.
    /// If the graph's states fix its statistics
    /// ([`StateTable::fixing_statistics`](crate::graph::StateTable::fixing_statistics)), [`Mode::Train`] normalizes as
    /// [`Mode::Eval`] does.
    ///
    /// # Errors
    /// When a state of that name has another shape, or x has only one value per channel in [`Mode::Train`].
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value, mode: Mode) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [gamma, beta] = scale_and_shift(g, "batch_norm", x)?;
            let ty = g.ty(gamma).clone();
            let mean = g.state("running_mean", ty.clone(), Group::Statistics, Init::Constant(0.0), false)?;
            let var = g.state("running_var", ty, Group::Statistics, Init::Constant(1.0), false)?;
            let fixed = g.states().fixes_statistics(&g.layer());
            let training = (mode == Mode::Train && !fixed).then_some(self.options);
            ops::batch_norm(g, [x, gamma, beta, mean, var], self.eps, training)
        })
    }
}

/// GroupNorm of groups of channels of each sample (Wu & He 2018). It needs no running statistics, so it is the norm for
/// batches of one image.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    /// Number of groups; divides the channels.
    pub groups: usize,
    /// ε, added to the variance.
    pub eps: f32,
}

impl GroupNorm {
    /// GroupNorm with this number of groups and PyTorch's ε = 1e-5.
    pub fn new(groups: usize) -> Self {
        GroupNorm { groups, eps: 1e-5 }
    }

    /// Sets ε.
    pub fn eps(self, eps: f32) -> Self {
        GroupNorm { eps, ..self }
    }

    /// Appends it under `name` (`weight`, `bias`, each `[C]`): `[N,H,W,C]` to the same.
    ///
    /// # Errors
    /// When the channels are not a multiple of the groups.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [gamma, beta] = scale_and_shift(g, "group_norm", x)?;
            ops::group_norm(g, [x, gamma, beta], ops::GroupNormOptions { groups: self.groups, eps: self.eps })
        })
    }
}

/// LayerNorm over the channels of each pixel (Ba et al. 2016), as in ConvNeXt: PyTorch's `LayerNorm(C)` on N H W C.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// ε, added to the variance.
    pub eps: f32,
}

impl Default for LayerNorm {
    /// PyTorch's ε = 1e-5.
    fn default() -> Self {
        LayerNorm { eps: 1e-5 }
    }
}

impl LayerNorm {
    /// PyTorch's ε = 1e-5.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets ε.
    pub fn eps(self, eps: f32) -> Self {
        LayerNorm { eps }
    }

    /// Appends it under `name` (`weight`, `bias`, each `[C]`): `[N,H,W,C]` or `[N,C]` to the same.
    ///
    /// # Errors
    /// When x has other axes.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [gamma, beta] = scale_and_shift(g, "layer_norm", x)?;
            let [n, h, w, c] = g.nhwc(x)?;
            let shape = g.ty(x).shape.clone();
            // Each pixel is a sample whose channels are one group.
            let pixels = ops::reshape(g, x, [n * h * w, 1, 1, c])?;
            let y = ops::group_norm(g, [pixels, gamma, beta], ops::GroupNormOptions { groups: 1, eps: self.eps })?;
            ops::reshape(g, y, shape)
        })
    }
}

/// The states γ and β of the channels of x.
fn scale_and_shift(g: &mut Graph, op: &'static str, x: Value) -> Result<[Value; 2], GraphError> {
    let ty = TensorType::channels([g.known(op, x)?.shape.channels()]);
    let gamma = g.state("weight", ty.clone(), Group::Parameters, Init::Constant(1.0), false)?;
    let beta = g.state("bias", ty, Group::Parameters, Init::Constant(0.0), false)?;
    Ok([gamma, beta])
}
