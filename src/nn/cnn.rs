//! A small network to read, to change and to train on a CPU: three convolutions, each with BatchNorm, ReLU and max
//! pooling, then the mean over the map and a linear layer. It follows the pattern of LeNet (LeCun et al. 1998) with
//! today's layers.
//!
//! | layers | result for 64×64 pixels | parameters |
//! |---|---|---|
//! | `conv1` 3×3, `bn1`, ReLU, max pool 2×2 | `[N,32,32,32]` | 864 + 64 |
//! | `conv2` 3×3, `bn2`, ReLU, max pool 2×2 | `[N,16,16,64]` | 18432 + 128 |
//! | `conv3` 3×3, `bn3`, ReLU, max pool 2×2 | `[N,8,8,128]` | 73728 + 256 |
//! | global average, `fc` | `[N,classes]` | 129 for each class |

use super::layers::conv_before_norm;
use super::network::{Architecture, Network, Stages};
use super::{BatchNorm2d, Linear, Mode, Model};
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::shape::Window;

/// Channels of the three convolutions.
const CHANNELS: [usize; 3] = [32, 64, 128];

/// Its stages, from the first convolution on.
const STAGES: Stages = &[&["conv1", "bn1"], &["conv2", "bn2"], &["conv3", "bn3"]];

/// Its line of the list of architectures.
pub const ARCHITECTURE: Architecture = Architecture {
    name: "cnn",
    help: "Classification with three convolutions, to learn from",
    settings: &[],
    head: "fc.bias",
    encoder: &["conv*", "bn*"],
    stages: STAGES,
    encoder_name: None,
    step: "16x64x64",
    step_outputs: 10,
    published_outputs: 10,
    build: |classes, settings| Network::read::<Cnn>(classes, settings).map(Network::from),
    fits: |_, _| true,
};

/// Three convolutions and a linear layer.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Cnn {
    /// Number of classes.
    pub classes: usize,
}

impl Cnn {
    /// Smallest image side, in pixels: three max pools halve it to one pixel.
    pub const MIN_IMAGE_SIZE: usize = 8;

    /// The network for a number of classes.
    pub const fn new(classes: usize) -> Self {
        Cnn { classes }
    }
}

impl Model for Cnn {
    type Output = Value;

    /// Appends the network: x `[N,H,W,C]` to logits `[N,classes]`.
    fn apply(&self, g: &mut Graph, mut x: Value, mode: Mode) -> Result<Value, GraphError> {
        for (number, channels) in (1..).zip(CHANNELS) {
            x = conv_before_norm(channels, 3).apply(g, &format!("conv{number}"), x)?;
            x = BatchNorm2d::new().apply(g, &format!("bn{number}"), x, mode)?;
            x = g.scope(&format!("relu{number}"), |g| ops::relu(g, x))?;
            x = g.scope(&format!("pool{number}"), |g| ops::max_pool(g, x, Window::square(2).stride(2)))?;
        }
        let mean = ops::global_avg_pool(g, x)?;
        let flat = ops::flatten(g, mean)?;
        Linear::new(self.classes).apply(g, "fc", flat)
    }
}

impl From<Cnn> for Network {
    fn from(layers: Cnn) -> Self {
        Network::new(ARCHITECTURE, layers.classes, layers)
    }
}
