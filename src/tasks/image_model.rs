//! The networks that classify whole images.

use super::TaskError;
use crate::choices;
use crate::nn::{Cnn, Network, ResNet, ResNetDepth, Stem};
use crate::run::{Condition, EncoderRoles, InputRoles, SettingRoles, Smoothing, Switch};
use crate::setting::Choice;

choices! {
    /// The networks that classify whole images.
    pub enum ImageModel default ResNet18 {
        /// Three convolutions with BatchNorm, ReLU and max pooling: small enough for a processor.
        Cnn = "cnn",
        /// ResNet with [2, 2, 2, 2] basic blocks.
        ResNet18 = "resnet18",
        /// ResNet with [3, 4, 6, 3] basic blocks.
        ResNet34 = "resnet34",
        /// ResNet with [3, 4, 6, 3] bottleneck blocks.
        ResNet50 = "resnet50",
        /// ResNet with [3, 4, 23, 3] bottleneck blocks.
        ResNet101 = "resnet101",
        /// ResNet with [3, 8, 36, 3] bottleneck blocks.
        ResNet152 = "resnet152",
    }
}

/// The models that `stem` belongs to.
pub(super) const WITH_STEM: &[&str] = &["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"];

/// The roles of settings of networks that classify whole images.
pub(super) const IMAGE_ROLES: SettingRoles = SettingRoles {
    other_training_loss: Some(FOCAL),
    plain_cross_entropy: None,
    class_weights: None,
    smoothing: Some(Smoothing { key: "label_smoothing", refused: FOCAL }),
    less_confidence: &["label_smoothing", "mixup", "cutmix"],
    colors: None,
    input: Some(InputRoles {
        size: "image_size",
        resize: None,
        crop: None,
        large: Some(Condition(&[("model", &["resnet*"]), ("stem", &["", "imagenet"])])),
    }),
    normalization: Some(Switch { key: "normalize", off: "none", on: "auto" }),
    encoders: &[EncoderRoles { when: RESNET, with: &[], without: &[] }],
    resnet: Some(RESNET),
    width: None,
};

const FOCAL: Condition = Condition(&[("loss", &["focal"])]);
const RESNET: Condition = Condition(&[("model", &["resnet*"])]);

impl ImageModel {
    /// The depth of a ResNet.
    pub(super) fn resnet(self) -> Option<ResNetDepth> {
        ResNetDepth::of_name(self.name())
    }

    /// The network for a number of classes.
    pub(super) fn network(self, classes: usize, stem: Stem) -> Network {
        match self.resnet() {
            Some(depth) => ResNet::new(depth, classes).stem(stem).into(),
            None => Cnn::new(classes).into(),
        }
    }

    /// Refuses images so small that a map of the network would have no pixel.
    ///
    /// # Errors
    /// [`TaskError::ImageTooSmall`].
    pub(super) fn require_large_images(self, size: usize) -> Result<(), TaskError> {
        let least = if self.resnet().is_some() { ResNet::MIN_IMAGE_SIZE } else { Cnn::MIN_IMAGE_SIZE };
        if size < least { Err(TaskError::ImageTooSmall { size, least }) } else { Ok(()) }
    }
}
