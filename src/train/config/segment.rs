//! Settings of `train segment`.

use serde::{Deserialize, Serialize};

use super::settings::{settings, task_settings};
use super::{
    ConfigError, ImageSize, MAX_IMAGE_SIZE, Normalize, Optimizer, Origin, Rule, Schedule, ScheduleOptions,
    TrainSettings, check_scenes, overrides_of, read_overrides, refuse_beside_resume, to_toml,
};
use crate::nn::{Decoder, Network, ResNet18, UNet, Up};
use crate::tasks::segment::metrics::ClassWeighting;

/// The networks that segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum SegmentModel {
    /// UNet (Ronneberger et al. 2015).
    #[serde(rename = "unet")]
    #[cfg_attr(feature = "cli", value(name = "unet"))]
    UNet,
    /// ResNet18 with transposed-convolution up-sampling (Long et al. 2015).
    #[serde(rename = "resnet18-seg")]
    #[cfg_attr(feature = "cli", value(name = "resnet18-seg"))]
    ResNet18Seg,
}

impl SegmentModel {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            SegmentModel::UNet => "unet",
            SegmentModel::ResNet18Seg => "resnet18-seg",
        }
    }
}

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum SegmentLoss {
    /// Softmax cross entropy of every pixel.
    #[serde(rename = "ce")]
    #[cfg_attr(feature = "cli", value(name = "ce"))]
    CrossEntropy,
    /// Soft Dice over the classes.
    #[serde(rename = "dice")]
    #[cfg_attr(feature = "cli", value(name = "dice"))]
    Dice,
    /// Their sum.
    #[serde(rename = "ce+dice")]
    #[cfg_attr(feature = "cli", value(name = "ce+dice"))]
    Both,
}

task_settings! {
    verb "segment";
    /// Resolved settings of `train segment`.
    config SegmentConfig;
    /// Settings as given on the command line or in a TOML file: only those that were set.
    overrides SegmentOverrides;
    optional {}
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
        #[arg(num_args = 0..=1, default_missing_value = "true")]
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
        /// What is minimised; the validation loss is the plain cross entropy whatever it is [default: ce]
        loss: SegmentLoss = SegmentLoss::CrossEntropy,
        /// Weights of the classes in the cross entropy [default: none]
        class_weights: ClassWeighting = ClassWeighting::None,
        /// Per-channel mean and deviation of the images [default: dataset]
        normalize: Normalize = Normalize::Dataset,
        /// HEIGHTxWIDTH in pixels that images are resized to [default: 96x128]
        image_size: ImageSize = ImageSize { height: 96, width: 128 },
    }
}

impl SegmentConfig {
    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        check_scenes(rule, self.scenes)?;
        rule("depth", &self.depth, (1..=8).contains(&self.depth), "1 to 8")?;
        rule("base", &self.base, (1..=1024).contains(&self.base), "1 to 1024")?;
        let least = ResNet18::MIN_IMAGE_SIZE;
        rule("image_size", &self.image_size, self.image_size.within(least, MAX_IMAGE_SIZE), "sides of 5 to 8192 pixels")
    }

    /// The network for a number of classes.
    pub fn network(&self, classes: usize) -> Network {
        match self.model {
            SegmentModel::UNet => {
                let SegmentConfig { depth, base, up, skips, .. } = *self;
                Network::UNet(UNet { outputs: classes, depth, base, up, skips })
            }
            SegmentModel::ResNet18Seg => Network::ResNet18Seg { classes, decoder: self.decoder },
        }
    }
}
