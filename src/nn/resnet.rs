//! ResNet of 18, 34, 50, 101 and 152 layers (He et al. 2015, "Deep Residual Learning for Image Recognition"), with torchvision's
//! tensor names.

use super::layers::conv_before_norm;
use super::network::{Architecture, Network, Settings, Stages};
use super::{BatchNorm2d, Conv2d, Linear, Mode, Model};
use crate::choices;
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::setting::{Setting, SettingValue};
use crate::shape::Window;

choices! {
    /// First layers.
    pub enum Stem default ImageNet {
        /// 7×7 convolution with stride 2, then 3×3 max pooling with stride 2, as published.
        ImageNet = "imagenet",
        /// 3×3 convolution with stride 1 and no pooling, for small images (section 4.2 of the paper).
        Cifar = "cifar",
    }
}

choices! {
    /// Numbers of layers (table 1 of the paper), by the name of the network.
    pub enum ResNetDepth default L18 {
        /// ResNet with [2, 2, 2, 2] basic blocks.
        L18 = "resnet18",
        /// ResNet with [3, 4, 6, 3] basic blocks.
        L34 = "resnet34",
        /// ResNet with [3, 4, 6, 3] bottleneck blocks.
        L50 = "resnet50",
        /// ResNet with [3, 4, 23, 3] bottleneck blocks.
        L101 = "resnet101",
        /// ResNet with [3, 8, 36, 3] bottleneck blocks.
        L152 = "resnet152",
    }
}

impl ResNetDepth {
    /// Blocks of each stage.
    pub const fn blocks(self) -> [usize; 4] {
        match self {
            ResNetDepth::L18 => [2, 2, 2, 2],
            ResNetDepth::L34 | ResNetDepth::L50 => [3, 4, 6, 3],
            ResNetDepth::L101 => [3, 4, 23, 3],
            ResNetDepth::L152 => [3, 8, 36, 3],
        }
    }

    /// Whether its blocks are bottlenecks: 1×1, 3×3 and 1×1 convolutions, the last with 4 times the channels.
    pub const fn has_bottlenecks(self) -> bool {
        !matches!(self, ResNetDepth::L18 | ResNetDepth::L34)
    }

    /// Output channels of each stage: 64, 128, 256, 512, or 4 times as many with bottlenecks.
    pub const fn channels(self) -> [usize; 4] {
        if self.has_bottlenecks() { [256, 512, 1024, 2048] } else { [64, 128, 256, 512] }
    }
}

/// Names of the encoder's tensors, in every network that has one.
pub(super) const ENCODER: [&str; 3] = ["conv1.*", "bn1.*", "layer*"];

/// The encoder's stages, in every network that has one.
pub(super) const STAGES: Stages = &[&["conv1", "bn1"], &["layer1"], &["layer2"], &["layer3"], &["layer4"]];

/// The lines of these networks in the list of architectures.
pub const ARCHITECTURES: [Architecture; 5] = [
    line(ResNetDepth::L18, |outputs, settings| read(ResNetDepth::L18, outputs, settings)),
    line(ResNetDepth::L34, |outputs, settings| read(ResNetDepth::L34, outputs, settings)),
    line(ResNetDepth::L50, |outputs, settings| read(ResNetDepth::L50, outputs, settings)),
    line(ResNetDepth::L101, |outputs, settings| read(ResNetDepth::L101, outputs, settings)),
    line(ResNetDepth::L152, |outputs, settings| read(ResNetDepth::L152, outputs, settings)),
];

const fn line(depth: ResNetDepth, build: fn(usize, &Settings) -> Result<Network, String>) -> Architecture {
    Architecture {
        name: depth.name(),
        help: "Classification",
        settings: const { &[Setting::new("stem", &["First layers of resnetNN [default: imagenet]"], Stem::KIND)] },
        head: "fc.bias",
        encoder: &ENCODER,
        stages: STAGES,
        encoder_name: Some(depth.name()),
        step: "16x64x64",
        step_outputs: 10,
        published_outputs: 1000,
        build,
        fits: |_, _| true,
    }
}

fn read(depth: ResNetDepth, outputs: usize, settings: &Settings) -> Result<Network, String> {
    Ok(ResNet { depth, ..Network::read(outputs, settings)? }.into())
}

/// ResNet: stem, four stages of blocks with 64, 128, 256, 512 channels, global average, linear.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResNet {
    /// Number of layers. The architecture's name gives it, so it is not a setting.
    #[serde(skip)]
    pub depth: ResNetDepth,
    /// Number of classes.
    pub classes: usize,
    /// First layers.
    pub stem: Stem,
}

impl Default for ResNet {
    fn default() -> Self {
        ResNet::new(ResNetDepth::L18, 1000)
    }
}

impl Model for ResNet {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        ResNet::apply(self, g, x, mode)
    }
}

impl From<ResNet> for Network {
    fn from(layers: ResNet) -> Self {
        let line = ARCHITECTURES.into_iter().find(|line| line.name == layers.depth.name());
        Network::new(line.expect("each depth has a line"), layers.classes, layers)
    }
}

impl ResNet {
    /// Smallest image side, in pixels, at which the stages after the published stem see more than one pixel. Smaller
    /// images are accepted too, since all windows are padded, but their maps have one pixel.
    pub const MIN_IMAGE_SIZE: usize = 5;

    /// The published network for a number of classes.
    pub const fn new(depth: ResNetDepth, classes: usize) -> Self {
        ResNet { depth, classes, stem: Stem::ImageNet }
    }

    /// The same with other first layers.
    pub const fn stem(self, stem: Stem) -> Self {
        ResNet { stem, ..self }
    }

    /// Appends the network: x `[N,H,W,C]` to logits [N, classes].
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let features = self.features(g, x, mode)?;
        let [n, _, _, c] = g.nhwc(features)?;
        let pooled = ops::global_avg_pool(g, features)?;
        let flat = ops::reshape(g, pooled, [n, c])?;
        Linear::new(self.classes).apply(g, "fc", flat)
    }

    /// Appends the network without its head: x `[N,H,W,C]` to [N, H/32, W/32, 512] (H/8 with the CIFAR stem; 2048 channels
    /// from bottlenecks).
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn features(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        Ok(self.stages(g, x, mode)?[4])
    }

    /// The results of the stem's convolution (64 channels, before pooling) and of the four stages
    /// ([`ResNetDepth::channels`]). With the published stem, the first is half as high and wide as x, and each other half as
    /// high and wide as the one before.
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn stages(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<[Value; 5], GraphError> {
        let stem = match self.stem {
            Stem::ImageNet => conv_before_norm(64, 7).stride(2),
            Stem::Cifar => conv_before_norm(64, 3),
        };
        let mut x = stem.apply(g, "conv1", x)?;
        x = BatchNorm2d::new().apply(g, "bn1", x, mode)?;
        x = ops::relu(g, x)?;
        let mut results = [x; 5];
        if self.stem == Stem::ImageNet {
            x = g.scope("maxpool", |g| ops::max_pool(g, x, Window::square(3).stride(2).padding(1)))?;
        }
        let block = if self.depth.has_bottlenecks() { bottleneck } else { basic_block };
        for (stage, (channels, blocks)) in [64, 128, 256, 512].into_iter().zip(self.depth.blocks()).enumerate() {
            for index in 0..blocks {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                x = g.scope(&format!("layer{}.{index}", stage + 1), |g| block(g, x, channels, stride, mode))?;
            }
            results[stage + 1] = x;
        }
        Ok(results)
    }
}

/// `relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`, with 3×3 convolutions.
fn basic_block(g: &mut Graph, x: Value, channels: usize, stride: usize, mode: Mode) -> Result<Value, GraphError> {
    let convolutions = [conv_before_norm(channels, 3).stride(stride), conv_before_norm(channels, 3)];
    residual(g, x, &convolutions, [channels, stride], mode)
}

/// The same with three convolutions: 1×1 to fewer channels, 3×3, 1×1 to 4 times the channels. The 3×3 convolution has the
/// stride, as in torchvision; in the paper the first one has it.
fn bottleneck(g: &mut Graph, x: Value, channels: usize, stride: usize, mode: Mode) -> Result<Value, GraphError> {
    let widened = 4 * channels;
    let middle = conv_before_norm(channels, 3).stride(stride);
    let convolutions = [conv_before_norm(channels, 1), middle, conv_before_norm(widened, 1)];
    residual(g, x, &convolutions, [widened, stride], mode)
}

/// `relu(f(x) + shortcut(x))`. In f, BatchNorm follows each convolution, and a ReLU each but the last. The shortcut is a 1×1
/// convolution where the shape changes.
fn residual(
    g: &mut Graph,
    x: Value,
    convolutions: &[Conv2d],
    [channels, stride]: [usize; 2],
    mode: Mode,
) -> Result<Value, GraphError> {
    let bn = BatchNorm2d::new();
    let mut y = x;
    for (number, convolution) in (1..).zip(convolutions) {
        if number > 1 {
            y = ops::relu(g, y)?;
        }
        y = convolution.apply(g, &format!("conv{number}"), y)?;
        y = bn.apply(g, &format!("bn{number}"), y, mode)?;
    }
    let shortcut = if stride != 1 || g.known("resnet", x)?.shape.channels() != channels {
        g.scope("downsample", |g| {
            let s = conv_before_norm(channels, 1).stride(stride).apply(g, "0", x)?;
            bn.apply(g, "1", s, mode)
        })?
    } else {
        x
    };
    let sum = ops::add(g, y, shortcut)?;
    ops::relu(g, sum)
}
