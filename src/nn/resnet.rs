//! ResNet18 (He et al. 2015, "Deep Residual Learning for Image Recognition"), with torchvision's tensor names.

use super::layers::conv_before_norm;
use super::network::{Architecture, Network};
use super::{BatchNorm2d, Linear, Mode, Model};
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

/// Its line of the list of architectures.
pub const ARCHITECTURE: Architecture = Architecture {
    name: "resnet18",
    help: "Classification",
    settings: &[Setting {
        key: "stem",
        help: &["First layers of resnet18 [default: imagenet]"],
        value: None,
        kind: Stem::KIND,
    }],
    head: "fc.bias",
    encoder: &["conv1.*", "bn1.*", "layer*"],
    step: "16x64x64",
    step_outputs: 10,
    published_outputs: 1000,
    build: |outputs, settings| Ok(Network::read::<ResNet18>(outputs, settings)?.into()),
    fits: |_, _| true,
};

/// ResNet18: stem, four stages of two basic blocks with 64, 128, 256, 512 channels, global average, linear.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResNet18 {
    /// Number of classes.
    pub classes: usize,
    /// First layers.
    pub stem: Stem,
}

impl Default for ResNet18 {
    fn default() -> Self {
        ResNet18 { classes: 1000, stem: Stem::ImageNet }
    }
}

impl Model for ResNet18 {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        ResNet18::apply(self, g, x, mode)
    }
}

impl From<ResNet18> for Network {
    fn from(layers: ResNet18) -> Self {
        Network::new(ARCHITECTURE, layers.classes, layers)
    }
}

impl ResNet18 {
    /// Smallest image side, in pixels, at which the stages after the published stem see more than one pixel. Smaller images
    /// pass too, since all windows are padded, but there is nothing to convolve in one pixel.
    pub const MIN_IMAGE_SIZE: usize = 5;

    /// Appends the network: x `[N,H,W,3]` to logits [N, classes].
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

    /// Appends the network without its head: x `[N,H,W,3]` to [N, H/32, W/32, 512] (H/8 with the CIFAR stem).
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn features(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        Ok(self.stages(g, x, mode)?[3])
    }

    /// The results of all four stages: 64, 128, 256, 512 channels, each half as high and wide as the one before.
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn stages(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<[Value; 4], GraphError> {
        let bn = BatchNorm2d::new();
        let stem = match self.stem {
            Stem::ImageNet => conv_before_norm(64, 7).stride(2),
            Stem::Cifar => conv_before_norm(64, 3),
        };
        let mut x = stem.apply(g, "conv1", x)?;
        x = bn.apply(g, "bn1", x, mode)?;
        x = ops::relu(g, x)?;
        if self.stem == Stem::ImageNet {
            x = g.scope("maxpool", |g| ops::max_pool(g, x, Window::square(3).stride(2).padding(1)))?;
        }
        let mut stages = [x; 4];
        for (stage, channels) in [64, 128, 256, 512].into_iter().enumerate() {
            for block in 0..2 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", stage + 1);
                x = g.scope(&name, |g| basic_block(g, x, channels, stride, mode))?;
            }
            stages[stage] = x;
        }
        Ok(stages)
    }
}

/// `relu(bn(conv(relu(bn(conv(x))))) + shortcut(x))`; the shortcut is a 1×1 convolution where the shape changes.
fn basic_block(g: &mut Graph, x: Value, channels: usize, stride: usize, mode: Mode) -> Result<Value, GraphError> {
    let bn = BatchNorm2d::new();
    let mut y = conv_before_norm(channels, 3).stride(stride).apply(g, "conv1", x)?;
    y = bn.apply(g, "bn1", y, mode)?;
    y = ops::relu(g, y)?;
    y = conv_before_norm(channels, 3).apply(g, "conv2", y)?;
    y = bn.apply(g, "bn2", y, mode)?;
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
