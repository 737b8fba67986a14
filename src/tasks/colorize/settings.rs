//! Settings of colorization.

use super::output::ColorOutput;
use crate::data::ColorSpace;
use crate::nn::{Encoder, Network, ResNetUNet, UNet, Up};
use crate::ops::Regression;
use crate::run::image_size::MAX_IMAGE_SIZE;
use crate::run::{ColorRoles, Condition, EncoderRoles, ImageSize, InputRoles, SettingRoles, WidthRoles};
use crate::train::settings::{ConfigError, Needs, Rule};
use crate::{choices, task_settings};

choices! {
    /// The networks that colorize.
    pub enum ColorizeModel {
        /// UNet (Ronneberger et al. 2015).
        UNet = "unet",
    }
}

choices! {
    /// The loss of colorization.
    pub enum ColorizeLoss {
        /// Mean absolute error.
        L1 = "l1",
        /// Mean squared error.
        Mse = "mse",
        /// Huber loss with δ = 0.1 in units of the scaled colors.
        Huber = "huber",
        /// Cross entropy over squares of the plane of a and b; rare colors weigh more (Zhang et al. 2016).
        Classes = "classes",
    }
}

impl ColorizeLoss {
    /// The op's loss; `None` for classes.
    pub fn regression(self) -> Option<Regression> {
        match self {
            ColorizeLoss::L1 => Some(Regression::L1),
            ColorizeLoss::Mse => Some(Regression::Mse),
            ColorizeLoss::Huber => Some(Regression::Huber(0.1)),
            ColorizeLoss::Classes => None,
        }
    }
}

task_settings! {
    task "colorize";
    /// Settings of colorization.
    config ColorizeConfig;
    values {
        /// Network to train [default: unet]
        #[place(Model, 10, main)]
        model: ColorizeModel = ColorizeModel::UNet,
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
        /// Built-in training images, when `data` is not given [default: 320]
        scenes: usize = 320,
        /// Passes over the training images [default: 5]
        epochs: usize = 5,
        /// Images per batch [default: 8]
        batch_size: usize = 8,
        /// Learning rate [default: 0.0001]
        lr: f64 = 1e-4,
        /// Training and validation loss [default: l1]
        #[place(Loss, 10, main)]
        #[ignored_by(Data)]
        loss: ColorizeLoss = ColorizeLoss::L1,
        /// Weight of rare colors, for `loss = classes`: 0 for equal weights, 1 for the inverse of a color's frequency
        /// [default: 0.5]
        #[place(Loss, 60)]
        rebalance: f64 = 0.5,
        /// Color space of the prediction [default: lab]
        #[place(Loss, 70)]
        color_space: ColorSpace = ColorSpace::Lab,
        /// HEIGHTxWIDTH in pixels that images are resized to, or one number for a square; `auto` keeps the proportions of the
        /// data's pictures, at about as many pixels as 96x128, the size of built-in scenes [default: auto]
        #[place(Data, 20, main)]
        image_size: ImageSize = ImageSize::AUTO,
    }
}

/// The roles of the settings in rules.
pub(super) const ROLES: SettingRoles = SettingRoles {
    other_training_loss: None,
    plain_cross_entropy: None,
    class_weights: None,
    smoothing: None,
    less_confidence: &[],
    colors: Some(ColorRoles { by_class: ("loss", "classes"), rare: "rebalance" }),
    input: Some(InputRoles { size: "image_size", resize: None, crop: None, large: None }),
    normalization: None,
    encoders: &[EncoderRoles { when: Condition(&[("encoder", &["resnet*"])]), with: &[], without: &[] }],
    resnet: None,
    width: Some(WidthRoles { key: "base", when: Condition(&[("model", &["unet"]), ("encoder", &["", "none"])]) }),
};

impl ColorizeConfig {
    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        rule.range("depth", &self.depth, (1..=8).contains(&self.depth), "1 to 8")?;
        rule.range("base", &self.base, (1..=1024).contains(&self.base), "1 to 1024")?;
        let own = self.encoder == Encoder::None;
        for (key, value) in [("depth", self.depth), ("base", self.base)] {
            rule.effect(key, &value, own, Needs::OneOf("encoder", &["none"]))?;
        }
        let by_class = self.loss == ColorizeLoss::Classes;
        rule.range("rebalance", &self.rebalance, (0.0..=1.0).contains(&self.rebalance), "0 to 1")?;
        rule.effect("rebalance", &self.rebalance, by_class, Needs::OneOf("loss", &["classes"]))?;
        let regression = Needs::OneOf("loss", &["l1", "mse", "huber"]);
        rule.effect("color_space", &self.color_space.name(), !by_class, regression)?;
        // The window of SSIM has sides of 11 pixels.
        let size = self.image_size;
        let fits = size.is_auto() || size.within(11, MAX_IMAGE_SIZE);
        rule.range("image_size", &size, fits, "sides of 11 to 8192 pixels, or auto")
    }

    /// The outputs of the network.
    pub fn output(&self) -> ColorOutput {
        if self.loss == ColorizeLoss::Classes { ColorOutput::Bins } else { ColorOutput::Values(self.color_space) }
    }

    /// The network.
    pub fn network(&self) -> Network {
        let ColorizeConfig { depth, base, up, skips, .. } = *self;
        let outputs = self.output().channels();
        match self.encoder.depth() {
            Some(encoder) => ResNetUNet { encoder, outputs, up, skips }.into(),
            None => UNet { outputs, depth, base, up, skips }.into(),
        }
    }
}
