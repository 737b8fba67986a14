//! The networks that classify whole images.

use super::TaskError;
use crate::choices;
use crate::nn::{Cnn, Network, ResNet, ResNetDepth, Stem};
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
