//! Settings of segmentation.

use super::metrics::ClassWeighting;
use crate::nn::{Decoder, Network, ResNet18Seg, UNet, Up};
use crate::run::ImageSize;
use crate::run::image_size::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
use crate::train::settings::{ConfigError, Normalize, Rule};
use crate::{choices, task_settings};

choices! {
    /// The networks that segment.
    pub enum SegmentModel {
        /// UNet (Ronneberger et al. 2015).
        UNet = "unet",
        /// ResNet18 with transposed-convolution up-sampling (Long et al. 2015).
        ResNet18Seg = "resnet18-seg",
    }
}

choices! {
    /// The loss of segmentation.
    pub enum SegmentLoss {
        /// Softmax cross entropy of every pixel.
        CrossEntropy = "ce",
        /// Soft Dice over the classes.
        Dice = "dice",
        /// Their sum.
        Both = "ce+dice",
    }
}

task_settings! {
    task "segment";
    /// Settings of segmentation.
    config SegmentConfig;
    values {
        /// Network to train [default: unet]
        model: SegmentModel = SegmentModel::UNet,
        /// Halvings of unet [default: 4]
        depth: usize = 4,
        /// Channels of the first level of unet [default: 64]
        base: usize = 64,
        /// How unet enlarges [default: transposed]
        up: Up = Up::Transposed,
        /// Hand features across the levels of unet [default: true]
        skips: bool = true,
        /// Head of resnet18-seg [default: fcn32s]
        decoder: Decoder = Decoder::Fcn32s,
        /// Training scenes drawn where no data is given [default: 320]
        scenes: usize = 320,
        /// Passes over the training images [default: 10]
        epochs: usize = 10,
        /// Images per step [default: 8]
        batch_size: usize = 8,
        /// Learning rate [default: 0.0001]
        lr: f64 = 1e-4,
        /// Training loss; the validation loss is the plain cross entropy whatever it is [default: ce]
        loss: SegmentLoss = SegmentLoss::CrossEntropy,
        /// Weights of the classes in the cross entropy [default: none]
        class_weights: ClassWeighting = ClassWeighting::None,
        /// Per-channel mean and deviation of the images; auto takes those of the weights that training starts from, else
        /// those of the training images [default: auto]
        #[value("auto|dataset|imagenet|none|MEAN/STD")]
        normalize: Normalize = Normalize::Auto,
        /// HEIGHTxWIDTH in pixels that images are resized to [default: 96x128]
        image_size: ImageSize = ImageSize { height: 96, width: 128 },
    }
}

impl SegmentConfig {
    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        rule("depth", &self.depth, (1..=8).contains(&self.depth), "1 to 8")?;
        rule("base", &self.base, (1..=1024).contains(&self.base), "1 to 1024")?;
        let (unet, dice) = (self.model == SegmentModel::UNet, self.loss == SegmentLoss::Dice);
        for (key, value) in [("depth", self.depth), ("base", self.base)] {
            rule(key, &value, unet, "no effect: it is of --model unet")?;
        }
        rule("up", &self.up.name(), unet, "no effect: it is of --model unet")?;
        rule("skips", &self.skips, unet, "no effect: it is of --model unet")?;
        rule("decoder", &self.decoder.name(), !unet, "no effect: it is of --model resnet18-seg")?;
        rule(
            "class_weights",
            &self.class_weights.name(),
            !dice,
            "no effect: --loss dice takes no weights; give ce or ce+dice",
        )?;
        let size = self.image_size.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE);
        rule("image_size", &self.image_size, size, "sides of 5 to 8192 pixels")
    }

    /// The network for a number of classes.
    pub fn network(&self, classes: usize) -> Network {
        let SegmentConfig { depth, base, up, skips, decoder, .. } = *self;
        match self.model {
            SegmentModel::UNet => UNet { outputs: classes, depth, base, up, skips }.into(),
            SegmentModel::ResNet18Seg => ResNet18Seg { classes, decoder }.into(),
        }
    }
}
