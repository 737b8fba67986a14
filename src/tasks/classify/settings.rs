//! Settings of classification.

use crate::data::Mix;
use crate::nn::{Network, Stem};
use crate::run::image_size::MAX_IMAGE_SIZE;
use crate::run::{Condition, InputRoles, SettingRoles};
use crate::tasks::image_model::{IMAGE_ROLES, ImageModel, WITH_STEM};
use crate::tasks::labeled_images::{check_images, check_table};
use crate::train::settings::{ConfigError, FOCAL_GAMMA, Needs, Normalize, Rule, check_focal};
use crate::{choices, task_settings};

choices! {
    /// The pictures that augmentation changes.
    pub enum AugmentFrom {
        /// Pictures resized to the image size before training, held in memory
        Resized = "resized",
        /// Pictures at their own size, in one resampling
        Original = "original",
    }
}

choices! {
    /// The loss of classification.
    pub enum ClassifyLoss default CrossEntropy {
        /// Softmax cross entropy
        CrossEntropy = "ce",
        /// Focal loss (Lin et al. 2017): images that are predicted well count less
        Focal = "focal",
    }
}

task_settings! {
    task "classify";
    /// Settings of classification.
    config ClassifyConfig;
    optional {
        /// Column of a table that names the image files: its name, or its number from 1 [default: found]
        #[value("COLUMN")]
        #[place(Data, 90)]
        path_column: String,
        /// Column of a table that holds the labels: its name, or its number from 1 [default: found]
        #[value("COLUMN")]
        #[place(Data, 100)]
        label_column: String,
        /// Folder that the paths of a table are relative to [default: the table's own]
        #[value("DIR")]
        #[place(Data, 110)]
        image_root: std::path::PathBuf,
        /// Pixels that the shorter side of a picture is resized to before the middle of `image_size` is cut, in validation, eval,
        /// compare and predict; 256 for 224 as torchvision does [default: the image size]
        #[place(Data, 60)]
        eval_resize: usize,
        /// Loss [default: ce]
        #[place(Loss, 10, main)]
        #[ignored_by(Data)]
        loss: ClassifyLoss,
        /// γ of `loss = focal`: each loss is multiplied by (1 − p)^γ, where p is the probability of the truth [default: 2.0]
        #[value("GAMMA")]
        #[place(Loss, 20)]
        focal_gamma: f64,
    }
    values {
        /// Network to train [default: resnet18]
        #[place(Model, 10, main)]
        model: ImageModel = ImageModel::ResNet18,
        /// Built-in training images, when `data` is not given [default: 3600]
        scenes: usize = 3600,
        /// Passes over the training images [default: 5]
        epochs: usize = 5,
        /// Images per batch [default: 32]
        batch_size: usize = 32,
        /// Learning rate [default: 0.001]
        lr: f64 = 1e-3,
        /// Label smoothing: share of the target spread evenly over all classes [default: 0.0]
        #[place(Loss, 50)]
        #[ignored_by(Data)]
        label_smoothing: f64 = 0.0,
        /// mixup: α of Beta(α, α), which gives the share of a second image and its labels in each training image, such as
        /// 0.2; 0 switches it off [default: 0.0]
        #[value("ALPHA")]
        #[place(Loss, 80)]
        #[ignored_by(Data)]
        mixup: f64 = 0.0,
        /// CutMix: α of Beta(α, α), which gives the area of a rectangle from a second image in each training image, such as
        /// 1; 0 switches it off [default: 0.0]
        #[value("ALPHA")]
        #[place(Loss, 90)]
        #[ignored_by(Data)]
        cutmix: f64 = 0.0,
        /// Mean and deviation of each channel, by which pixels are normalized; auto: those of the weights that training
        /// starts from, else those of the training images [default: auto]
        #[value("auto|dataset|imagenet|none|MEAN/STD")]
        #[place(Data, 130)]
        normalize: Normalize = Normalize::Auto,
        /// Side in pixels of the square that the network sees: the middle square of each picture is resized to it [default: 64]
        #[place(Data, 20, main)]
        image_size: usize = 64,
        /// Pictures that `augment` changes: resized to the image size first, or the originals in one resampling, of which
        /// resized_crop cuts the whole picture [default: resized]
        #[place(Augmentation, 20)]
        augment_from: AugmentFrom = AugmentFrom::Resized,
        /// Channels of the images: 3 for colors, 1 for their lightness, 4 for RGBA or four bands as they are stored [default: 3]
        #[place(Data, 70)]
        channels: usize = 3,
        /// First layers of resnetNN [default: imagenet]
        #[place(Model, 20)]
        stem: Stem = Stem::ImageNet,
    }
}

/// The roles of the settings in rules.
pub(super) const ROLES: SettingRoles = SettingRoles {
    plain_cross_entropy: Some(Condition(&[("loss", &["", "ce"])])),
    input: match IMAGE_ROLES.input {
        Some(input) => Some(InputRoles { resize: Some("eval_resize"), ..input }),
        None => None,
    },
    ..IMAGE_ROLES
};

impl ClassifyConfig {
    /// γ of focal loss; 0 for cross entropy.
    pub(super) fn gamma(&self) -> f64 {
        let focal = self.loss.unwrap_or_default() == ClassifyLoss::Focal;
        if focal { self.focal_gamma.unwrap_or(FOCAL_GAMMA) } else { 0.0 }
    }

    /// How training images are mixed.
    pub fn mix(&self) -> Mix {
        Mix { mixup: self.mixup, cutmix: self.cutmix, seed: self.seed }
    }

    /// The network for a number of classes.
    pub fn network(&self, classes: usize) -> Network {
        self.model.network(classes, self.stem)
    }

    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        let columns = [&self.path_column, &self.label_column];
        check_table(rule, self.data.is_some(), columns, &self.image_root)?;
        rule.range("channels", &self.channels, [1, 3, 4].contains(&self.channels), "1, 3 or 4")?;
        if let Some(side) = self.eval_resize {
            let fits = (self.image_size..=MAX_IMAGE_SIZE).contains(&side);
            rule.range("eval_resize", &side, fits, "the image size or more, at most 8192 pixels")?;
        }
        let loss = self.loss.unwrap_or_default();
        let resnet = self.model.resnet().is_some();
        rule.effect("stem", &self.stem.name(), resnet, Needs::OneOf("model", WITH_STEM))?;
        check_focal(rule, self.focal_gamma, loss == ClassifyLoss::Focal)?;
        let plain = loss != ClassifyLoss::Focal || (self.label_smoothing == 0.0 && !self.mix().is_on());
        rule.range(
            "loss",
            &loss.name(),
            plain,
            "ce with label smoothing, mixup or CutMix, which focal loss does not take",
        )?;
        check_images(rule, self.label_smoothing, &self.mix(), self.image_size)
    }
}
