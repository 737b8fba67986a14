//! UNet (Ronneberger et al. 2015) whose encoder is a ResNet (He et al. 2015). The encoder halves the map five times.
//! The decoder has 256, 128, 64, 32 and 16 channels, as in segmentation_models.pytorch.

use super::network::{Architecture, Network, Settings};
use super::unet::double_conv;
use super::{Conv2d, Mode, Model, ResNet, ResNetDepth, Up};
use crate::choices;
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::setting::{Choice, Kind, Setting, SettingValue};

choices! {
    /// The encoder of a UNet, by name.
    pub enum Encoder default None {
        /// UNet's, as published.
        None = "none",
        /// ResNet of 18 layers.
        ResNet18 = "resnet18",
        /// ResNet of 34 layers.
        ResNet34 = "resnet34",
        /// ResNet of 50 layers.
        ResNet50 = "resnet50",
        /// ResNet of 101 layers.
        ResNet101 = "resnet101",
        /// ResNet of 152 layers.
        ResNet152 = "resnet152",
    }
}

impl Encoder {
    /// The ResNet, unless it is UNet's encoder.
    pub fn depth(self) -> Option<ResNetDepth> {
        ResNetDepth::of_name(self.name())
    }
}

/// The lines of these networks in the list of architectures.
pub const ARCHITECTURES: [Architecture; 5] = [
    line("unet-resnet18", ResNetDepth::L18, |outputs, settings| read(ResNetDepth::L18, outputs, settings)),
    line("unet-resnet34", ResNetDepth::L34, |outputs, settings| read(ResNetDepth::L34, outputs, settings)),
    line("unet-resnet50", ResNetDepth::L50, |outputs, settings| read(ResNetDepth::L50, outputs, settings)),
    line("unet-resnet101", ResNetDepth::L101, |outputs, settings| read(ResNetDepth::L101, outputs, settings)),
    line("unet-resnet152", ResNetDepth::L152, |outputs, settings| read(ResNetDepth::L152, outputs, settings)),
];

const fn line(
    name: &'static str,
    depth: ResNetDepth,
    build: fn(usize, &Settings) -> Result<Network, String>,
) -> Architecture {
    Architecture {
        name,
        help: "Segmentation and colorization with a ResNet encoder",
        settings: const {
            &[
                Setting::new("up", &["How unet enlarges"], Up::KIND),
                Setting::new("skips", &["Hand features across the levels of unet"], Kind::Switch),
            ]
        },
        head: "head.bias",
        encoder: &super::resnet::ENCODER,
        stages: super::resnet::STAGES,
        encoder_name: Some(depth.name()),
        step: "4x128x128",
        step_outputs: 12,
        published_outputs: 21,
        build,
        fits: |_, _| true,
    }
}

fn read(depth: ResNetDepth, outputs: usize, settings: &Settings) -> Result<Network, String> {
    Ok(ResNetUNet { encoder: depth, ..Network::read(outputs, settings)? }.into())
}

/// UNet with a ResNet encoder. The encoder has torchvision's tensor names, so it can start from torchvision's weights.
/// The decoder has the tensor names of [`UNet`](super::UNet).
///
/// | level | side | encoder gives | decoder's channels |
/// |---|---|---|---|
/// | 0 | 1 | the images | 16 |
/// | 1 | 1/2 | stem, before pooling: 64 channels | 32 |
/// | 2 | 1/4 | stage 1 | 64 |
/// | 3 | 1/8 | stage 2 | 128 |
/// | 4 | 1/16 | stage 3 | 256 |
/// | 5 | 1/32 | stage 4 | – |
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResNetUNet {
    /// Number of layers of the encoder. The architecture's name gives it, so it is not a setting.
    #[serde(skip)]
    pub encoder: ResNetDepth,
    /// Output channels: classes, or colors.
    pub outputs: usize,
    /// Enlargement.
    pub up: Up,
    /// Concatenate the encoder's features of each level to the decoder's.
    pub skips: bool,
}

impl Default for ResNetUNet {
    fn default() -> Self {
        ResNetUNet { encoder: ResNetDepth::L18, outputs: 21, up: Up::Transposed, skips: true }
    }
}

impl Model for ResNetUNet {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        ResNetUNet::apply(self, g, x, mode)
    }
}

impl From<ResNetUNet> for Network {
    fn from(layers: ResNetUNet) -> Self {
        let name = format!("unet-{}", layers.encoder.name());
        let line = ARCHITECTURES.into_iter().find(|line| line.name == name);
        Network::new(line.expect("each encoder has a line"), layers.outputs, layers)
    }
}

impl ResNetUNet {
    /// Halvings.
    const LEVELS: usize = 5;

    /// Appends the network: x `[N,H,W,C]` to `[N,H,W,outputs]`. A size that is not a multiple of 32 is padded with
    /// zeros at the end, and the result is cropped.
    ///
    /// # Errors
    /// When `outputs` is 0.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let [_, h, w, c] = g.nhwc(x)?;
        let [ph, pw] = [h, w].map(|size| size.next_multiple_of(1 << Self::LEVELS));
        let x = if [ph, pw] == [h, w] { x } else { ops::crop_pad(g, x, ops::Region::of_size([ph, pw, c]))? };
        let [stem, stage1, stage2, stage3, stage4] = ResNet::new(self.encoder, self.outputs).stages(g, x, mode)?;
        let mut y = stage4;
        for (level, across) in [x, stem, stage1, stage2, stage3].into_iter().enumerate().rev() {
            let channels = 16 << level;
            y = self.up.enlarge(g, &format!("up{level}.enlarge"), y, channels)?;
            if self.skips {
                y = g.scope(&format!("up{level}.concat"), |g| ops::concat(g, &[across, y]))?;
            }
            y = double_conv(g, &format!("up{level}"), y, channels, mode)?;
        }
        let y = Conv2d::new(self.outputs, 1).apply(g, "head", y)?;
        if [ph, pw] == [h, w] { Ok(y) } else { ops::crop_pad(g, y, ops::Region::of_size([h, w, self.outputs])) }
    }
}
