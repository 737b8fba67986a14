//! UNet (Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation") with BatchNorm. Its
//! convolutions are padded, so the output is as large as the input.

use super::layers::conv_before_norm;
use super::network::{Architecture, Network, Settings};
use super::{BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, Mode, Model, Upsample};
use crate::choices;
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::setting::{Kind, Setting, SettingValue};

choices! {
    /// How the decoder enlarges a level.
    pub enum Up default Transposed {
        /// 2×2 transposed convolution with stride 2, as published.
        Transposed = "transposed",
        /// 1×1 convolution to half the channels, then bilinear interpolation.
        Bilinear = "bilinear",
    }
}

/// Its line of the list of architectures.
pub const ARCHITECTURE: Architecture = Architecture {
    name: "unet",
    help: "Segmentation and colorization",
    settings: &[
        Setting::new("depth", &["Number of times that unet halves the image [default: 4]"], Kind::Whole),
        Setting::new("base", &["Channels at the first level of unet [default: 64]"], Kind::Whole),
        Setting::new(
            "up",
            &["Operation that doubles height and width in the decoder of unet [default: transposed]"],
            Up::KIND,
        ),
        Setting::new("skips", &["Skip connections of unet [default: true]"], Kind::Switch),
    ],
    head: "head.bias",
    encoder: &["down*", "bottom*"],
    stages: &[],
    encoder_name: None,
    step: "4x128x128:base=16",
    step_outputs: 12,
    published_outputs: 21,
    build: |outputs, settings| Ok(Network::read::<UNet>(outputs, settings)?.into()),
    fits,
};

/// Whether `base` and `depth` agree with a checkpoint: they give the number of channels of its lowest level.
fn fits(settings: &Settings, first_axis: &dyn Fn(&str) -> Option<usize>) -> bool {
    let Ok(unet) = Network::read::<UNet>(1, settings) else { return false };
    let channels = u32::try_from(unet.depth).ok().filter(|&d| d <= 8).and_then(|d| unet.base.checked_shl(d));
    first_axis("bottom.conv1.weight").is_some_and(|n| Some(n) == channels)
}

/// UNet: `depth` halvings by max pooling, then `depth` doublings. Each level has two 3×3 convolutions with BatchNorm and ReLU
/// and `base · 2^level` channels.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct UNet {
    /// Output channels: classes, or colors.
    pub outputs: usize,
    /// Number of halvings; 4 as published.
    pub depth: usize,
    /// Channels of the first level; 64 as published.
    pub base: usize,
    /// Enlargement.
    pub up: Up,
    /// Concatenate the encoder's features of each level to the decoder's. Else the network is a plain encoder-decoder.
    pub skips: bool,
}

impl Default for UNet {
    fn default() -> Self {
        UNet::new(21)
    }
}

impl Model for UNet {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        UNet::apply(self, g, x, mode)
    }
}

impl From<UNet> for Network {
    fn from(layers: UNet) -> Self {
        Network::new(ARCHITECTURE, layers.outputs, layers)
    }
}

impl UNet {
    /// The published network with `outputs` channels.
    pub fn new(outputs: usize) -> Self {
        UNet { outputs, depth: 4, base: 64, up: Up::Transposed, skips: true }
    }

    /// Channels of a level. Level 0 has the image's size.
    pub fn channels(&self, level: usize) -> usize {
        self.base << level
    }

    /// Appends the network: x `[N,H,W,C]` to `[N,H,W,outputs]`. A size that is not a multiple of `2^depth` is padded
    /// with zeros at the end, and the result is cropped.
    ///
    /// # Errors
    /// When `base` or `outputs` is 0, or `depth` is above 8.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let [_, h, w, c] = g.nhwc(x)?;
        if self.depth > 8 || self.base == 0 || self.outputs == 0 {
            let rule = format!("needs base and outputs above 0 and depth up to 8, got {self:?}");
            return Err(GraphError::Shape { op: "unet", at: String::new(), shapes: g.ty(x).shape.to_string(), rule });
        }
        let [ph, pw] = [h, w].map(|size| size.next_multiple_of(1 << self.depth));
        let mut x = if [ph, pw] == [h, w] { x } else { ops::crop_pad(g, x, ops::Region::of_size([ph, pw, c]))? };
        let mut levels = vec![];
        for level in 0..self.depth {
            x = double_conv(g, &format!("down{level}"), x, self.channels(level), mode)?;
            levels.push(x);
            x = g.scope(&format!("down{level}.pool"), |g| MaxPool2d::new(2).apply(g, x))?;
        }
        x = double_conv(g, "bottom", x, self.channels(self.depth), mode)?;
        for (level, across) in levels.into_iter().enumerate().rev() {
            x = self.up.enlarge(g, &format!("up{level}.enlarge"), x, self.channels(level))?;
            if self.skips {
                x = g.scope(&format!("up{level}.concat"), |g| ops::concat(g, &[across, x]))?;
            }
            x = double_conv(g, &format!("up{level}"), x, self.channels(level), mode)?;
        }
        let y = Conv2d::new(self.outputs, 1).apply(g, "head", x)?;
        if [ph, pw] == [h, w] { Ok(y) } else { ops::crop_pad(g, y, ops::Region::of_size([h, w, self.outputs])) }
    }
}

impl Up {
    /// Appends the enlargement: x `[N,H,W,C]` to `[N,2H,2W,channels]`.
    pub(super) fn enlarge(self, g: &mut Graph, name: &str, x: Value, channels: usize) -> Result<Value, GraphError> {
        if self == Up::Transposed {
            return ConvTranspose2d::new(channels, 2).stride(2).apply(g, name, x);
        }
        // A 1×1 convolution and interpolation commute; this order has a quarter of the work.
        let x = Conv2d::new(channels, 1).apply(g, name, x)?;
        Upsample::bilinear(2).apply(g, x)
    }
}

/// Twice 3×3 convolution, BatchNorm, ReLU.
pub(super) fn double_conv(
    g: &mut Graph,
    name: &str,
    x: Value,
    channels: usize,
    mode: Mode,
) -> Result<Value, GraphError> {
    g.scope(name, |g| {
        ["1", "2"].into_iter().try_fold(x, |x, index| {
            let y = conv_before_norm(channels, 3).apply(g, &format!("conv{index}"), x)?;
            let y = BatchNorm2d::new().apply(g, &format!("bn{index}"), y, mode)?;
            ops::relu(g, y)
        })
    })
}
