//! Layers with parameters. Each is a description; `apply` appends its ops to a graph, and creates its states at first
//! use under the graph's current scope.

use crate::graph::{Graph, GraphError, Group, Init, Value};
use crate::ops::{self, BatchNormOptions, ConvSpec};
use crate::shape::{TensorType, Window};

/// What a graph is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// BatchNorm uses and tracks the statistics of the batch; dropout drops.
    Train,
    /// BatchNorm uses its running statistics; dropout passes.
    Eval,
}

/// How the weight of a convolution starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WeightInit {
    /// He et al. 2015 with the fan of the output, as torchvision's ResNet has it: normal, `std = sqrt(2 / (KH·KW·O))`.
    #[default]
    He,
    /// Uniform in `±1 / sqrt(fan)`, as PyTorch's layers start: right for a last layer, whose outputs should start small.
    Uniform,
    /// Bilinear interpolation, for a transposed convolution that keeps the number of channels.
    Bilinear,
}

/// Convolution of N H W C with a learned kernel.
#[derive(Clone, Copy, Debug)]
pub struct Conv2dLayer {
    /// Output channels.
    pub channels: usize,
    /// Kernel size, stride, padding, dilation, groups.
    pub spec: ConvSpec,
    /// Add a learned bias.
    pub bias: bool,
    /// Start of the weight.
    pub init: WeightInit,
}

impl Conv2dLayer {
    /// A square convolution without bias.
    pub fn square(channels: usize, kernel_size: usize, stride: usize, padding: usize) -> Self {
        let spec = Window::square(kernel_size).stride(stride).padding(padding).into();
        Conv2dLayer { channels, spec, bias: false, init: WeightInit::He }
    }

    /// A 1×1 convolution with bias that starts as PyTorch's do: the last layer of a network.
    pub fn head(channels: usize) -> Self {
        Conv2dLayer { bias: true, init: WeightInit::Uniform, ..Self::square(channels, 1, 1, 0) }
    }

    /// Appends it under `name` (`name.weight`, `name.bias`).
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [kh, kw] = self.spec.window.kernel_size;
            let inputs = g.known("conv2d", x)?.shape.channels() / self.spec.groups.max(1);
            let bound = bound([kh, kw, inputs]);
            let init = start(self.init, [kh, kw], [inputs, self.channels], bound)?;
            let ty = TensorType::kernel([kh, kw, inputs, self.channels]);
            let w = g.state("weight", ty, Group::Parameters, init, true)?;
            let y = ops::conv2d(g, x, w, self.spec)?;
            if self.bias { add_bias(g, y, bound) } else { Ok(y) }
        })
    }
}

/// 1 / sqrt(fan), whose sizes are checked with the weight.
fn bound(fan: [usize; 3]) -> f32 {
    1.0 / (product(fan) as f32).sqrt()
}

fn product([kh, kw, channels]: [usize; 3]) -> usize {
    kh.saturating_mul(kw).saturating_mul(channels)
}

/// How a weight [KH, KW, …] of these channels starts.
fn start(init: WeightInit, [kh, kw]: [usize; 2], [a, b]: [usize; 2], bound: f32) -> Result<Init, GraphError> {
    match init {
        WeightInit::He => Ok(Init::Normal { std: (2.0 / product([kh, kw, b]) as f32).sqrt() }),
        WeightInit::Uniform => Ok(Init::Uniform { bound }),
        WeightInit::Bilinear if a == b => Ok(Init::Bilinear { kernel_size: [kh, kw], channels: a }),
        WeightInit::Bilinear => Err(GraphError::Shape {
            op: "bilinear start of a weight",
            at: String::new(),
            shapes: format!("[{kh}×{kw}×{a}×{b}]"),
            rule: "interpolation keeps the number of channels, without groups".into(),
        }),
    }
}

/// Appends a learned bias, uniform in ±bound.
fn add_bias(g: &mut Graph, y: Value, bound: f32) -> Result<Value, GraphError> {
    let ty = TensorType::channels([g.ty(y).shape.channels()]);
    let b = g.state("bias", ty, Group::Parameters, Init::Uniform { bound }, false)?;
    ops::add_bias(g, y, b)
}

/// Transposed convolution of N H W C with a learned kernel.
#[derive(Clone, Copy, Debug)]
pub struct ConvTranspose2dLayer {
    /// Output channels.
    pub channels: usize,
    /// Kernel size, stride, padding, dilation, groups.
    pub spec: ConvSpec,
    /// Rows and columns added at the end.
    pub output_padding: [usize; 2],
    /// Add a learned bias.
    pub bias: bool,
    /// Start of the weight.
    pub init: WeightInit,
}

impl ConvTranspose2dLayer {
    /// Enlargement by `factor` without overlap: kernel size and stride are the same. With bias.
    pub fn enlarge(channels: usize, factor: usize) -> Self {
        let spec = Window::square(factor).stride(factor).into();
        ConvTranspose2dLayer { channels, spec, output_padding: [0; 2], bias: true, init: WeightInit::Uniform }
    }

    /// Enlargement by `factor` that starts as bilinear interpolation: kernel size `2·factor`, one less where it is odd, so
    /// that the kernel has a middle; no bias.
    pub fn bilinear(channels: usize, factor: usize) -> Self {
        let kernel_size = factor.saturating_mul(2) - factor % 2;
        let spec = Window::square(kernel_size).stride(factor).padding(factor / 2).into();
        ConvTranspose2dLayer { channels, spec, output_padding: [0; 2], bias: false, init: WeightInit::Bilinear }
    }

    /// Appends it under `name` (`name.weight`, `name.bias`).
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [kh, kw] = self.spec.window.kernel_size;
            let inputs = g.known("a layer", x)?.shape.channels();
            let outputs = self.channels / self.spec.groups.max(1);
            // PyTorch takes the weight's second axis as the fan, which is that of the outputs here.
            let bound = bound([kh, kw, outputs]);
            let init = start(self.init, [kh, kw], [outputs, inputs], bound)?;
            let ty = TensorType::kernel([kh, kw, outputs, inputs]);
            let w = g.state("weight", ty, Group::Parameters, init, true)?;
            let y = ops::conv_transpose2d(g, x, w, self.spec, self.output_padding)?;
            if self.bias { add_bias(g, y, bound) } else { Ok(y) }
        })
    }
}

/// BatchNorm over N H W (Ioffe & Szegedy 2015).
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm2d {
    /// Added to the variance.
    pub eps: f32,
    /// How the running statistics follow.
    pub options: BatchNormOptions,
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        BatchNorm2d { eps: 1e-5, options: BatchNormOptions::default() }
    }
}

impl BatchNorm2d {
    /// Appends it under `name` (`weight`, `bias`, `running_mean`, `running_var`).
    ///
    /// # Errors
    /// When a state of that name has another shape.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value, mode: Mode) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let ty = TensorType::channels([g.known("batch_norm", x)?.shape.channels()]);
            let mut state = |name, group, value| g.state(name, ty.clone(), group, Init::Constant(value), false);
            let gamma = state("weight", Group::Parameters, 1.0)?;
            let beta = state("bias", Group::Parameters, 0.0)?;
            let mean = state("running_mean", Group::Statistics, 0.0)?;
            let var = state("running_var", Group::Statistics, 1.0)?;
            let training = (mode == Mode::Train).then_some(self.options);
            ops::batch_norm(g, [x, gamma, beta, mean, var], self.eps, training)
        })
    }
}

/// `y = x · w + b` for x [N, I].
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Output features.
    pub features: usize,
}

impl Linear {
    /// Appends it under `name`; weight and bias start uniform in ±1/sqrt(I), as in PyTorch.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let inputs = g.known("a layer", x)?.shape.channels();
            let init = Init::Uniform { bound: 1.0 / (inputs as f32).sqrt() };
            let ty = TensorType::kernel([inputs, self.features]);
            let w = g.state("weight", ty, Group::Parameters, init, true)?;
            let b = g.state("bias", TensorType::channels([self.features]), Group::Parameters, init, false)?;
            let y = ops::linear(g, x, w)?;
            ops::add_bias(g, y, b)
        })
    }
}
