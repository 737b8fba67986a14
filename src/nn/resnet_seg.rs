//! ResNet for segmentation (Long et al. 2015, "Fully Convolutional Networks for Semantic Segmentation"). A 1×1 convolution
//! replaces the last fully connected layer and makes class scores; transposed convolutions enlarge them to the size of the
//! image.

use super::network::{Architecture, Network, Settings};
use super::{Conv2d, ConvTranspose2d, Mode, Model, ResNet, ResNetDepth, resnet};
use crate::choices;
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::setting::{Setting, SettingValue};

choices! {
    /// How class scores are enlarged to the size of the image.
    pub enum Decoder default Fcn32s {
        /// Enlarges the last stage by 32 at once, with a 64×64 kernel.
        Fcn32s = "fcn32s",
        /// Enlarges by 2, 2 and 8, and adds the scores of stages 3 and 2 in between.
        Fcn8s = "fcn8s",
    }
}

/// The lines of these networks in the list of architectures.
pub const ARCHITECTURES: [Architecture; 5] = [
    line("resnet18-seg", ResNetDepth::L18, |outputs, settings| read(ResNetDepth::L18, outputs, settings)),
    line("resnet34-seg", ResNetDepth::L34, |outputs, settings| read(ResNetDepth::L34, outputs, settings)),
    line("resnet50-seg", ResNetDepth::L50, |outputs, settings| read(ResNetDepth::L50, outputs, settings)),
    line("resnet101-seg", ResNetDepth::L101, |outputs, settings| read(ResNetDepth::L101, outputs, settings)),
    line("resnet152-seg", ResNetDepth::L152, |outputs, settings| read(ResNetDepth::L152, outputs, settings)),
];

const fn line(
    name: &'static str,
    depth: ResNetDepth,
    build: fn(usize, &Settings) -> Result<Network, String>,
) -> Architecture {
    Architecture {
        name,
        help: "Segmentation with a ResNet encoder",
        settings: const { &[Setting::new("decoder", &["Decoder of resnetNN-seg [default: fcn32s]"], Decoder::KIND)] },
        head: "score.bias",
        encoder: &resnet::ENCODER,
        stages: resnet::STAGES,
        encoder_name: Some(depth.name()),
        step: "4x128x128",
        step_outputs: 10,
        published_outputs: 21,
        build,
        fits: |_, _| true,
    }
}

fn read(depth: ResNetDepth, outputs: usize, settings: &Settings) -> Result<Network, String> {
    Ok(ResNetSeg { depth, ..Network::read(outputs, settings)? }.into())
}

/// ResNet with an upsampling head. The encoder has torchvision's tensor names, so it can start from torchvision's
/// weights.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResNetSeg {
    /// Number of layers of the encoder. The architecture's name gives it, so it is not a setting.
    #[serde(skip)]
    pub depth: ResNetDepth,
    /// Number of classes.
    pub classes: usize,
    /// Head.
    pub decoder: Decoder,
}

impl Default for ResNetSeg {
    fn default() -> Self {
        ResNetSeg { depth: ResNetDepth::L18, classes: 21, decoder: Decoder::Fcn32s }
    }
}

impl Model for ResNetSeg {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        ResNetSeg::apply(self, g, x, mode)
    }
}

impl From<ResNetSeg> for Network {
    fn from(layers: ResNetSeg) -> Self {
        let name = format!("{}-seg", layers.depth.name());
        let line = ARCHITECTURES.into_iter().find(|line| line.name == name);
        Network::new(line.expect("each depth has a line"), layers.classes, layers)
    }
}

impl ResNetSeg {
    /// Appends the network: x `[N,H,W,3]` of any size to logits `[N,H,W,classes]`.
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let [_, h, w, _] = g.nhwc(x)?;
        let [_, _, stage2, stage3, stage4] = ResNet::new(self.depth, self.classes).stages(g, x, mode)?;
        let mut scores = Conv2d::new(self.classes, 1).apply(g, "score", stage4)?;
        let mut factor = 32;
        if self.decoder == Decoder::Fcn8s {
            for (name, up, stage) in [("score3", "up3", stage3), ("score2", "up2", stage2)] {
                let [_, sh, sw, _] = g.nhwc(stage)?;
                let larger = ConvTranspose2d::bilinear(self.classes, 2).apply(g, up, scores)?;
                let larger = ops::crop_pad(g, larger, ops::Region::of_size([sh, sw, self.classes]))?;
                let finer = Conv2d::new(self.classes, 1).apply(g, name, stage)?;
                scores = ops::add(g, larger, finer)?;
                factor /= 2;
            }
        }
        // Every stage rounds its size up, so the result is at least as large as the image.
        let full = ConvTranspose2d::bilinear(self.classes, factor).apply(g, "upscore", scores)?;
        match g.nhwc(full)? {
            [_, fh, fw, _] if [fh, fw] == [h, w] => Ok(full),
            _ => ops::crop_pad(g, full, ops::Region::of_size([h, w, self.classes])),
        }
    }
}
