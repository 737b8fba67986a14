//! Convolution and transposed convolution.

use super::init::Fans;
use super::{WeightInit, add_bias};
use crate::graph::{Graph, GraphError, Group, Value};
use crate::ops::{self, ConvSpec};
use crate::shape::{Pair, TensorType, Window};

/// Convolution of `[N,H,W,I]` with a learned kernel `[KH,KW,I/groups,O]`.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Output channels O.
    pub channels: usize,
    /// Kernel size, stride, padding, dilation, groups.
    pub spec: ConvSpec,
    /// Whether a learned bias `[O]` is added.
    pub bias: bool,
    /// Start of the weight.
    pub init: WeightInit,
}

impl Conv2d {
    /// A convolution with PyTorch's defaults: stride 1, no padding, one group, with bias. Sizes are one number or
    /// `[rows, columns]`.
    pub fn new(channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Conv2d { channels, spec: window(kernel_size).into(), bias: true, init: WeightInit::default() }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.spec.window.stride = stride.into().0;
        self
    }

    /// Sets the padding: rows of zeros above and below, and columns left and right.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.spec.window.padding = padding.into().into();
        self
    }

    /// Sets the dilation: the distance between the taps of the kernel.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.spec.window.dilation = dilation.into().0;
        self
    }

    /// Sets the number of groups: each reads its share of the input channels and makes its share of the outputs.
    pub fn groups(mut self, groups: usize) -> Self {
        self.spec.groups = groups;
        self
    }

    /// Sets whether a learned bias is added. Before a BatchNorm it has no effect.
    pub fn bias(self, bias: bool) -> Self {
        Conv2d { bias, ..self }
    }

    /// Sets the start of the weight.
    pub fn init(self, init: WeightInit) -> Self {
        Conv2d { init, ..self }
    }

    /// Appends it under `name` (`name.weight`, `name.bias`): `[N,H,W,I]` to `[N,OH,OW,O]`.
    ///
    /// # Errors
    /// When the window does not fit the image, or the channels are not a multiple of the groups.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [kh, kw] = self.spec.window.kernel_size;
            let inputs = g.known("conv2d", x)?.shape.channels() / self.spec.groups.max(1);
            let channels = [inputs, self.channels];
            let fans = Fans { kernel_size: [kh, kw], channels, inputs, outputs: self.channels };
            let ty = TensorType::kernel([kh, kw, inputs, self.channels]);
            let w = g.state("weight", ty, Group::Parameters, self.init.start(&fans)?, true)?;
            let y = ops::conv2d(g, x, w, self.spec)?;
            if self.bias { add_bias(g, y, fans.bound()) } else { Ok(y) }
        })
    }
}

/// Transposed convolution of `[N,H,W,I]` with a learned kernel `[KH,KW,O/groups,I]`.
#[derive(Clone, Copy, Debug)]
pub struct ConvTranspose2d {
    /// Output channels O.
    pub channels: usize,
    /// Kernel size, stride, padding, dilation, groups.
    pub spec: ConvSpec,
    /// Rows and columns added at the end of the result.
    pub output_padding: [usize; 2],
    /// Add a learned bias `[O]`.
    pub bias: bool,
    /// Start of the weight.
    pub init: WeightInit,
}

impl ConvTranspose2d {
    /// A transposed convolution with PyTorch's defaults: stride 1, no padding, one group, with bias. Sizes are one number or
    /// `[rows, columns]`.
    pub fn new(channels: usize, kernel_size: impl Into<Pair>) -> Self {
        let spec = window(kernel_size).into();
        ConvTranspose2d { channels, spec, output_padding: [0; 2], bias: true, init: WeightInit::default() }
    }

    /// A transposed convolution that starts as bilinear enlargement by `factor` (Long et al. 2015), without bias. Its
    /// kernel is `2·factor` wide, and one less if `factor` is odd, so that it has a middle.
    pub fn bilinear(channels: usize, factor: usize) -> Self {
        let kernel_size = factor.saturating_mul(2) - factor % 2;
        let enlarged = Self::new(channels, kernel_size).stride(factor).padding(factor / 2);
        enlarged.bias(false).init(WeightInit::Bilinear)
    }

    /// Sets the stride: the factor by which the image grows.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.spec.window.stride = stride.into().0;
        self
    }

    /// Sets the padding: rows and columns that are cut off at each side of the result.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.spec.window.padding = padding.into().into();
        self
    }

    /// Sets the output padding: rows and columns that are added at the end of the result.
    pub fn output_padding(self, output_padding: impl Into<Pair>) -> Self {
        ConvTranspose2d { output_padding: output_padding.into().0, ..self }
    }

    /// Sets the dilation: the distance between the taps of the kernel.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.spec.window.dilation = dilation.into().0;
        self
    }

    /// Sets the number of groups: each reads its share of the input channels and makes its share of the outputs.
    pub fn groups(mut self, groups: usize) -> Self {
        self.spec.groups = groups;
        self
    }

    /// Sets whether a learned bias is added.
    pub fn bias(self, bias: bool) -> Self {
        ConvTranspose2d { bias, ..self }
    }

    /// Sets the start of the weight.
    pub fn init(self, init: WeightInit) -> Self {
        ConvTranspose2d { init, ..self }
    }

    /// Appends it under `name` (`name.weight`, `name.bias`): `[N,H,W,I]` to `[N,OH,OW,O]` with
    /// `OH = (H − 1)·stride − 2·padding + dilation·(KH − 1) + 1 + output_padding`.
    ///
    /// # Errors
    /// When the result has no pixel, or the channels are not a multiple of the groups.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let [kh, kw] = self.spec.window.kernel_size;
            let inputs = g.known("a layer", x)?.shape.channels();
            let outputs = self.channels / self.spec.groups.max(1);
            // PyTorch takes the second axis of its weight as the fan, which is that of the outputs here.
            let fans = Fans { kernel_size: [kh, kw], channels: [outputs, inputs], inputs: outputs, outputs: inputs };
            let ty = TensorType::kernel([kh, kw, outputs, inputs]);
            let w = g.state("weight", ty, Group::Parameters, self.init.start(&fans)?, true)?;
            let y = ops::conv_transpose2d(g, x, w, self.spec, self.output_padding)?;
            if self.bias { add_bias(g, y, fans.bound()) } else { Ok(y) }
        })
    }
}

/// A window of stride 1 without padding.
fn window(kernel_size: impl Into<Pair>) -> Window {
    Window { kernel_size: kernel_size.into().0, ..Window::square(1) }
}
