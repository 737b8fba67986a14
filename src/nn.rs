//! Layers and models: they name their states as torchvision does and append ops to a graph.

mod layers;
mod network;
mod resnet;
mod resnet_seg;
mod unet;

pub use layers::{BatchNorm2d, Conv2dLayer, ConvTranspose2dLayer, Linear, Mode, WeightInit};
pub use network::Network;
pub use resnet::{ResNet18, Stem};
pub use resnet_seg::{Decoder, ResNet18Seg};
pub use unet::{UNet, Up};
