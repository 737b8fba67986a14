//! Layers and models: they name their states as torchvision does and append ops to a graph.

mod layers;
pub mod list;
mod network;
pub mod resnet;
pub mod resnet_seg;
pub mod unet;

pub use layers::{BatchNorm2d, Conv2dLayer, ConvTranspose2dLayer, Linear, Mode, WeightInit};
pub use network::{Layers, Model, Network, Settings};
pub use resnet::{ResNet18, Stem};
pub use resnet_seg::{Decoder, ResNet18Seg};
pub use unet::{UNet, Up};
