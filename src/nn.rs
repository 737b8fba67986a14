//! Layers and models: they name their states as torchvision does and append ops to a graph.

mod layers;
mod resnet;

pub use layers::{BatchNorm2d, Conv2dLayer, Linear, Mode};
pub use resnet::{ResNet18, Stem};
