//! The built-in networks as one type, with the names that checkpoints and settings use.

use serde::{Deserialize, Serialize};

use super::{Decoder, Mode, ResNet18, ResNet18Seg, Stem, UNet};
use crate::graph::{Graph, GraphError, Value};

/// A built-in network with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "lowercase")]
pub enum Network {
    /// Classification.
    ResNet18 {
        /// Number of classes.
        classes: usize,
        /// First layers.
        stem: Stem,
    },
    /// Segmentation with a ResNet18 body.
    #[serde(rename = "resnet18-seg")]
    ResNet18Seg {
        /// Number of classes.
        classes: usize,
        /// Head.
        decoder: Decoder,
    },
    /// Segmentation or colorization.
    UNet(UNet),
}

impl Network {
    /// Name in settings and checkpoints.
    pub fn name(&self) -> &'static str {
        match self {
            Network::ResNet18 { .. } => "resnet18",
            Network::ResNet18Seg { .. } => "resnet18-seg",
            Network::UNet(_) => "unet",
        }
    }

    /// Channels of the result: classes or colours.
    pub fn outputs(&self) -> usize {
        match *self {
            Network::ResNet18 { classes, .. } | Network::ResNet18Seg { classes, .. } => classes,
            Network::UNet(unet) => unet.outputs,
        }
    }

    /// Appends the network: x `[N,H,W,C]` to logits `[N,classes]` for classification, else to `[N,H,W,outputs]`.
    ///
    /// # Errors
    /// When x does not fit.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        match *self {
            Network::ResNet18 { classes, stem } => ResNet18 { classes, stem }.apply(g, x, mode),
            Network::ResNet18Seg { classes, decoder } => ResNet18Seg { classes, decoder }.apply(g, x, mode),
            Network::UNet(unet) => unet.apply(g, x, mode),
        }
    }
}
