//! Settings of segmentation.

use super::metrics::ClassWeighting;
use super::scale::ScaleRange;
use crate::data::{Crops, Place};
use crate::nn::{Decoder, Encoder, Network, ResNetDepth, ResNetSeg, ResNetUNet, UNet, Up};
use crate::run::image_size::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
use crate::run::{Condition, EncoderRoles, ImageSize, InputRoles, SettingRoles, Switch, WidthRoles};
use crate::setting::Choice;
use crate::train::settings::{ConfigError, FOCAL_GAMMA, Needs, Normalize, Rule, check_focal};
use crate::{choices, task_settings};

choices! {
    /// The networks that segment.
    pub enum SegmentModel {
        /// UNet (Ronneberger et al. 2015).
        UNet = "unet",
        /// ResNet18 with a decoder of transposed convolutions, FCN (Long et al. 2015).
        ResNet18Seg = "resnet18-seg",
        /// FCN with ResNet34.
        ResNet34Seg = "resnet34-seg",
        /// FCN with ResNet50.
        ResNet50Seg = "resnet50-seg",
        /// FCN with ResNet101.
        ResNet101Seg = "resnet101-seg",
        /// FCN with ResNet152.
        ResNet152Seg = "resnet152-seg",
    }
}

/// The models that `decoder` belongs to.
const WITH_DECODER: &[&str] = &["resnet18-seg", "resnet34-seg", "resnet50-seg", "resnet101-seg", "resnet152-seg"];

impl SegmentModel {
    /// The encoder, unless it is UNet.
    fn resnet(self) -> Option<ResNetDepth> {
        self.name().strip_suffix("-seg").and_then(ResNetDepth::of_name)
    }
}

choices! {
    /// The loss of segmentation.
    pub enum SegmentLoss {
        /// Softmax cross entropy of every pixel.
        CrossEntropy = "ce",
        /// Soft Dice loss over the classes.
        Dice = "dice",
        /// Sum of both.
        Both = "ce+dice",
        /// Focal loss (Lin et al. 2017): cross entropy in which pixels that are predicted well count less.
        Focal = "focal",
    }
}

task_settings! {
    task "segment";
    /// Settings of segmentation.
    config SegmentConfig;
    optional {
        /// Masks have two classes: values below N, and values from N on; JPEG masks are read too [default: none]
        #[value("N")]
        #[place(Data, 80)]
        mask_threshold: usize,
        /// Train on random crops of this size from pictures at their own size, in pixels; validation, eval, compare and predict then
        /// take whole pictures of any size [default: none]
        #[value("HxW")]
        #[place(Data, 30)]
        crop: ImageSize,
        /// Tiles of pictures that are too large for memory, beside `crop` [default: the largest within 512 MiB]
        #[value("HxW")]
        #[place(Data, 50)]
        tile: ImageSize,
        /// γ of `loss = focal`: each loss is multiplied by (1 − p)^γ, where p is the probability of the truth [default: 2.0]
        #[value("GAMMA")]
        #[place(Loss, 20)]
        focal_gamma: f64,
    }
    values {
        /// Network to train [default: unet]
        #[place(Model, 10, main)]
        model: SegmentModel = SegmentModel::UNet,
        /// Number of times that unet halves the image [default: 4]
        #[place(Model, 50)]
        depth: usize = 4,
        /// Channels at the first level of unet; each level below has twice as many [default: 64]
        #[place(Model, 60)]
        base: usize = 64,
        /// Encoder of unet: its own, or a ResNet, which `init` may start from a classifier [default: none]
        #[place(Model, 30, main)]
        encoder: Encoder = Encoder::None,
        /// Operation that doubles height and width in the decoder of unet [default: transposed]
        #[place(Model, 70)]
        up: Up = Up::Transposed,
        /// Skip connections of unet, from each level of the encoder to the decoder [default: true]
        #[place(Model, 80)]
        skips: bool = true,
        /// Decoder of resnetNN-seg [default: fcn32s]
        #[place(Model, 40)]
        decoder: Decoder = Decoder::Fcn32s,
        /// Built-in training images, when `data` is not given [default: 320]
        scenes: usize = 320,
        /// Passes over the training images [default: 10]
        epochs: usize = 10,
        /// Images per batch [default: 8]
        batch_size: usize = 8,
        /// Learning rate [default: 0.0001]
        lr: f64 = 1e-4,
        /// Training loss; the validation loss is always plain cross entropy [default: ce]
        #[place(Loss, 10, main)]
        #[ignored_by(Data)]
        loss: SegmentLoss = SegmentLoss::CrossEntropy,
        /// Weights of the classes in the cross entropy [default: none]
        #[place(Loss, 30, main)]
        class_weights: ClassWeighting = ClassWeighting::None,
        /// Mean and deviation of each channel, by which pixels are normalized; auto: those of the weights that training
        /// starts from, else those of the training images [default: auto]
        #[value("auto|dataset|imagenet|none|MEAN/STD")]
        #[place(Data, 130)]
        normalize: Normalize = Normalize::Auto,
        /// HEIGHTxWIDTH in pixels that images are resized to, or one number for a square; `auto` keeps the proportions of the
        /// data's pictures, at about as many pixels as 96x128, the size of built-in scenes [default: auto]
        #[place(Data, 20, main)]
        image_size: ImageSize = ImageSize::AUTO,
        /// Channels of the images: 3 for colors, 1 for their lightness, 4 for RGBA or four bands as they are stored [default: 3]
        #[place(Data, 70)]
        channels: usize = 3,
        /// Range of the random factor that scales pictures before `crop`, such as 0.5..2 [default: 1..1]
        #[value("MIN..MAX")]
        #[place(Data, 40)]
        scale: ScaleRange = ScaleRange::ONE,
    }
}

const RESNET: Condition = Condition(&[("model", &["resnet*"])]);
const UNET_OF_RESNET: Condition = Condition(&[("model", &["unet"]), ("encoder", &["resnet*"])]);
const UNET: Condition = Condition(&[("model", &["unet"]), ("encoder", &["", "none"])]);

/// The roles of the settings in rules.
pub(super) const ROLES: SettingRoles = SettingRoles {
    other_training_loss: Some(Condition(&[("loss", &["focal", "dice"])])),
    plain_cross_entropy: Some(Condition(&[("loss", &["", "ce"])])),
    class_weights: Some(Switch { key: "class_weights", off: "none", on: "median" }),
    smoothing: None,
    less_confidence: &[],
    colors: None,
    input: Some(InputRoles { size: "image_size", resize: None, crop: Some("crop"), large: None }),
    normalization: Some(Switch { key: "normalize", off: "none", on: "auto" }),
    encoders: &[
        EncoderRoles { when: RESNET, with: &[], without: &[] },
        EncoderRoles { when: UNET_OF_RESNET, with: &[], without: &[] },
        // docs/results.md has CamVid with trained weights and crops (mean IoU 0.537) and with neither (0.395).
        EncoderRoles { when: UNET, with: &[("encoder", "resnet18")], without: &["base", "depth"] },
    ],
    resnet: Some(RESNET),
    width: Some(WidthRoles { key: "base", when: UNET }),
};

impl SegmentConfig {
    /// γ of focal loss; 0 for the other losses.
    pub(super) fn gamma(&self) -> f64 {
        if self.loss == SegmentLoss::Focal { self.focal_gamma.unwrap_or(FOCAL_GAMMA) } else { 0.0 }
    }

    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        if let Some(threshold) = self.mask_threshold {
            rule.range("mask_threshold", &threshold, (1..=255).contains(&threshold), "1 to 255")?;
            rule.effect("mask_threshold", &threshold, self.data.is_some(), Needs::Set(&["data"]))?;
        }
        check_focal(rule, self.focal_gamma, self.loss == SegmentLoss::Focal)?;
        rule.range("depth", &self.depth, (1..=8).contains(&self.depth), "1 to 8")?;
        rule.range("base", &self.base, (1..=1024).contains(&self.base), "1 to 1024")?;
        let (unet, dice) = (self.model == SegmentModel::UNet, self.loss == SegmentLoss::Dice);
        let of_unet = Needs::OneOf("model", &["unet"]);
        let own = self.encoder == Encoder::None;
        for (key, value) in [("depth", self.depth), ("base", self.base)] {
            rule.effect(key, &value, unet, of_unet)?;
            rule.effect(key, &value, own, Needs::OneOf("encoder", &["none"]))?;
        }
        rule.effect("encoder", &self.encoder.name(), unet || own, of_unet)?;
        rule.effect("up", &self.up.name(), unet, of_unet)?;
        rule.effect("skips", &self.skips, unet, of_unet)?;
        rule.effect("decoder", &self.decoder.name(), !unet, Needs::OneOf("model", WITH_DECODER))?;
        rule.effect(
            "class_weights",
            &self.class_weights.name(),
            !dice,
            Needs::OneOf("loss", &["ce", "ce+dice", "focal"]),
        )?;
        rule.range("channels", &self.channels, [1, 3, 4].contains(&self.channels), "1, 3 or 4")?;
        if let Some(crop) = self.crop {
            let fits = !crop.is_auto() && crop.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE);
            rule.range("crop", &crop, fits, "sides of 5 to 8192 pixels")?;
        }
        if let Some(tile) = self.tile {
            rule.range("tile", &tile, !tile.is_auto() && tile.within(1, MAX_IMAGE_SIZE), "sides of 1 to 8192 pixels")?;
            rule.effect("tile", &tile, self.crop.is_some(), Needs::Set(&["crop"]))?;
        }
        rule.effect("scale", &self.scale, self.crop.is_some(), Needs::Set(&["crop"]))?;
        let size = self.image_size;
        rule.effect("image_size", &size, self.crop.is_none(), Needs::Unset("crop"))?;
        let fits = size.is_auto() || size.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE);
        rule.range("image_size", &size, fits, "sides of 5 to 8192 pixels, or auto")
    }

    /// How training crops are cut, if they are.
    pub(super) fn crops(&self) -> Option<Crops> {
        let crops = |crop: ImageSize| Crops {
            size: (crop.height, crop.width),
            scale: self.scale.0,
            place: Place::Random(self.seed),
        };
        self.crop.map(crops)
    }

    /// The network for a number of classes.
    pub fn network(&self, classes: usize) -> Network {
        let SegmentConfig { depth, base, up, skips, decoder, .. } = *self;
        match (self.model.resnet(), self.encoder.depth()) {
            (Some(depth), _) => ResNetSeg { depth, classes, decoder }.into(),
            (None, Some(encoder)) => ResNetUNet { encoder, outputs: classes, up, skips }.into(),
            (None, None) => UNet { outputs: classes, depth, base, up, skips }.into(),
        }
    }
}
