//! How the weights of convolutions and linear layers start.

use crate::graph::{GraphError, Init};

/// How a weight starts. `fan_in` is the number of inputs that a result depends on, `fan_out` the number of results that
/// an input affects.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum WeightInit {
    /// Uniform in `±1 / sqrt(fan_in)`: PyTorch's default for convolutions and linear layers.
    #[default]
    Uniform,
    /// Normal with `std = sqrt(2 / fan_out)` (He et al. 2015), as in torchvision's ResNet: for layers before a ReLU.
    He,
    /// Uniform in `±sqrt(6 / (fan_in + fan_out))` (Glorot & Bengio 2010): for layers before tanh or a sigmoid.
    Xavier,
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
    /// One value everywhere; 0 for the last layer of a residual branch.
    Constant(f32),
    /// Bilinear interpolation (Long et al. 2015): for a transposed convolution with as many input as output channels.
    Bilinear,
}

/// Sizes of a weight that decide how it starts.
pub(super) struct Fans {
    /// KH, KW.
    pub kernel_size: [usize; 2],
    /// The last two axes of the weight in memory order.
    pub channels: [usize; 2],
    /// Channels that count for `fan_in`.
    pub inputs: usize,
    /// Channels that count for `fan_out`.
    pub outputs: usize,
}

impl Fans {
    fn product(&self, channels: usize) -> f32 {
        let [kh, kw] = self.kernel_size;
        // The graph refuses sizes that overflow.
        kh.saturating_mul(kw).saturating_mul(channels) as f32
    }

    /// `1 / sqrt(fan_in)`, which bounds biases too.
    pub fn bound(&self) -> f32 {
        1.0 / self.product(self.inputs).sqrt()
    }
}

impl WeightInit {
    /// The start of a weight.
    ///
    /// # Errors
    /// When [`WeightInit::Bilinear`] is used with unequal numbers of channels.
    pub(super) fn start(self, fans: &Fans) -> Result<Init, GraphError> {
        let fan_out = fans.product(fans.outputs);
        let [a, b] = fans.channels;
        match self {
            WeightInit::Uniform => Ok(Init::Uniform { bound: fans.bound() }),
            WeightInit::He => Ok(Init::Normal { std: (2.0 / fan_out).sqrt() }),
            WeightInit::Xavier => Ok(Init::Uniform { bound: (6.0 / (fans.product(fans.inputs) + fan_out)).sqrt() }),
            WeightInit::Normal(std) => Ok(Init::Normal { std }),
            WeightInit::Constant(value) => Ok(Init::Constant(value)),
            WeightInit::Bilinear if a == b => Ok(Init::Bilinear { kernel_size: fans.kernel_size, channels: a }),
            WeightInit::Bilinear => {
                let [kh, kw] = fans.kernel_size;
                Err(GraphError::Shape {
                    op: "bilinear start of a weight",
                    at: String::new(),
                    shapes: format!("[{kh}×{kw}×{a}×{b}]"),
                    rule: "interpolation keeps the number of channels, without groups".into(),
                })
            }
        }
    }
}
