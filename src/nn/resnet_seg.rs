//! ResNet18 for segmentation (Long et al. 2015, "Fully Convolutional Networks for Semantic Segmentation"). A 1×1 convolution
//! replaces the last fully connected layer and makes class scores; transposed convolutions enlarge them to the size of the
//! image.

use super::network::{Architecture, Network};
use super::{Conv2d, ConvTranspose2d, Mode, Model, ResNet18, Stem};
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

/// Its line of the list of architectures.
pub const ARCHITECTURE: Architecture = Architecture {
    name: "resnet18-seg",
    help: "Segmentation with a ResNet18 encoder",
    settings: &[Setting {
        key: "decoder",
        help: &["Decoder of resnet18-seg [default: fcn32s]"],
        value: None,
        kind: Decoder::KIND,
    }],
    head: "score.bias",
    encoder: &["conv1.*", "bn1.*", "layer*"],
    step: "4x128x128",
    step_outputs: 10,
    published_outputs: 21,
    build: |outputs, settings| Ok(Network::read::<ResNet18Seg>(outputs, settings)?.into()),
    fits: |_, _| true,
};

/// ResNet18 with an up-sampling head. The encoder has torchvision's tensor names, so it can start from its weights.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResNet18Seg {
    /// Number of classes.
    pub classes: usize,
    /// Head.
    pub decoder: Decoder,
}

impl Default for ResNet18Seg {
    fn default() -> Self {
        ResNet18Seg { classes: 21, decoder: Decoder::Fcn32s }
    }
}

impl Model for ResNet18Seg {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        ResNet18Seg::apply(self, g, x, mode)
    }
}

impl From<ResNet18Seg> for Network {
    fn from(layers: ResNet18Seg) -> Self {
        Network::new(ARCHITECTURE, layers.classes, layers)
    }
}

impl ResNet18Seg {
    /// Appends the network: x `[N,H,W,3]` of any size to logits `[N,H,W,classes]`.
    ///
    /// # Errors
    /// When x is smaller than the stem's window.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let [_, h, w, _] = g.nhwc(x)?;
        let [_, stage2, stage3, stage4] =
            ResNet18 { classes: self.classes, stem: Stem::ImageNet }.stages(g, x, mode)?;
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
