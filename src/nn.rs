//! Layers and networks. They append ops to a [`Graph`](crate::graph::Graph) and name their states as torchvision does.
//!
//! A network is a [`Model`]: a type with `apply`, or a closure. Layers are described in PyTorch's words:
//!
//! ```
//! use shadegrad::graph::{Graph, GraphError, Value};
//! use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode};
//! use shadegrad::ops;
//!
//! fn network(g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
//!     let x = Conv2d::new(16, 3).stride(2).padding(1).bias(false).apply(g, "conv1", images)?;
//!     let x = BatchNorm2d::new().apply(g, "norm1", x, mode)?;
//!     let x = ops::relu(g, x)?;
//!     let x = ops::global_avg_pool(g, x)?;
//!     let x = ops::flatten(g, x)?;
//!     Linear::new(10).apply(g, "head", x) // logits [N,10]
//! }
//! ```

mod cnn;
mod layers;
pub(crate) mod list;
mod mirrored;
mod model;
mod network;
mod resnet;
mod resnet_seg;
mod resnet_unet;
mod unet;

pub use cnn::Cnn;
pub(crate) use layers::SEED as DROPOUT_SEED;
pub use layers::{
    AvgPool2d, BatchNorm2d, Conv2d, ConvTranspose2d, Dropout, GlobalAvgPool2d, GroupNorm, LayerNorm, Linear, MaxPool2d,
    Mode, Upsample, WeightInit,
};
pub use list::{architecture, architectures, register};
pub use mirrored::Averaged;
pub use model::{Model, Outputs};
pub use network::{Architecture, Network, Settings, Stages};
pub use resnet::{ResNet, ResNetDepth, Stem};
pub use resnet_seg::{Decoder, ResNetSeg};
pub use resnet_unet::{Encoder, ResNetUNet};
pub use unet::{UNet, Up};
