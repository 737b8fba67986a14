//! Settings of multi-label classification.

use crate::data::Mix;
use crate::nn::{Network, Stem};
use crate::run::ImageSize;
use crate::tasks::image_model::{ImageModel, WITH_STEM};
use crate::tasks::labeled_images::{check_images, check_table};
use crate::train::settings::{ConfigError, FOCAL_GAMMA, Needs, Normalize, Rule, check_focal};
use crate::{choices, task_settings};

choices! {
    /// Weight in the loss of labels that are present.
    pub enum PositiveWeights default None {
        /// 1, as for labels that are absent.
        None = "none",
        /// Number of training images without the label over the number with it, so both have the same total weight.
        Balanced = "balanced",
    }
}

impl PositiveWeights {
    /// The weight of each class, given its number of images among all; `None` if all are 1.
    pub fn weights(self, positives: &[usize], images: usize) -> Option<Vec<f32>> {
        let balanced = |&with: &usize| match (with, images - with) {
            // A label that every image or no image has cannot be balanced.
            (0, _) | (_, 0) => 1.0,
            (with, without) => without as f32 / with as f32,
        };
        (self == PositiveWeights::Balanced).then(|| positives.iter().map(balanced).collect())
    }
}

choices! {
    /// The loss of multi-label classification.
    pub enum MultiLabelLoss default BinaryCrossEntropy {
        /// Binary cross entropy of each class
        BinaryCrossEntropy = "bce",
        /// Focal loss (Lin et al. 2017): labels that are predicted well count less
        Focal = "focal",
    }
}

task_settings! {
    task "multi-label";
    /// Settings of multi-label classification.
    config MultiLabelConfig;
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
        /// Loss [default: bce]
        #[place(Loss, 10, main)]
        #[ignored_by(Data)]
        loss: MultiLabelLoss,
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
        /// Passes over the training images [default: 8]
        epochs: usize = 8,
        /// Images per batch [default: 32]
        batch_size: usize = 32,
        /// Learning rate [default: 0.001]
        lr: f64 = 1e-3,
        /// Label smoothing ε: targets 0 and 1 become ε/2 and 1 − ε/2 [default: 0.0]
        #[place(Loss, 50)]
        #[ignored_by(Data)]
        label_smoothing: f64 = 0.0,
        /// Weight in the loss of labels that are present [default: none]
        #[place(Loss, 40)]
        positive_weights: PositiveWeights = PositiveWeights::None,
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
        /// First layers of resnetNN [default: imagenet]
        #[place(Model, 20)]
        stem: Stem = Stem::ImageNet,
    }
}

impl MultiLabelConfig {
    /// γ of focal loss; 0 for cross entropy.
    pub(super) fn gamma(&self) -> f64 {
        let focal = self.loss.unwrap_or_default() == MultiLabelLoss::Focal;
        if focal { self.focal_gamma.unwrap_or(FOCAL_GAMMA) } else { 0.0 }
    }

    /// How training images are mixed.
    pub fn mix(&self) -> Mix {
        Mix { mixup: self.mixup, cutmix: self.cutmix, seed: self.seed }
    }

    /// Height and width of the images.
    pub(super) fn size(&self) -> ImageSize {
        ImageSize { height: self.image_size, width: self.image_size }
    }

    /// The network for a number of classes.
    pub fn network(&self, classes: usize) -> Network {
        self.model.network(classes, self.stem)
    }

    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        let columns = [&self.path_column, &self.label_column];
        check_table(rule, self.data.is_some(), columns, &self.image_root)?;
        let resnet = self.model.resnet().is_some();
        rule.effect("stem", &self.stem.name(), resnet, Needs::OneOf("model", WITH_STEM))?;
        check_focal(rule, self.focal_gamma, self.loss == Some(MultiLabelLoss::Focal))?;
        check_images(rule, self.label_smoothing, &self.mix(), self.image_size)
    }
}
