//! Layers. Each is a description with PyTorch's names and defaults. `apply` appends its ops to a graph and creates its states
//! at first use, named `SCOPE.NAME.weight` and so on. The number of input channels comes from the value that it is
//! applied to.
//!
//! | layer | input | result | states |
//! |---|---|---|---|
//! | [`Conv2d`] | `[N,H,W,I]` | `[N,OH,OW,O]` | `weight` `[KH,KW,I/groups,O]`, `bias` `[O]` |
//! | [`ConvTranspose2d`] | `[N,H,W,I]` | `[N,OH,OW,O]` | `weight` `[KH,KW,O/groups,I]`, `bias` `[O]` |
//! | [`Linear`] | `[N,I]` | `[N,O]` | `weight` `[I,O]`, `bias` `[O]` |
//! | [`BatchNorm2d`] | `[N,H,W,C]` | the same | `weight`, `bias`, `running_mean`, `running_var` `[C]` |
//! | [`GroupNorm`], [`LayerNorm`] | `[N,H,W,C]`, `[N,C]` | the same | `weight`, `bias` `[C]` |
//! | [`Dropout`] | any | the same | none |
//! | [`MaxPool2d`], [`AvgPool2d`] | `[N,H,W,C]` | `[N,OH,OW,C]` | none |
//! | [`GlobalAvgPool2d`] | `[N,H,W,C]` | `[N,1,1,C]` | none |
//! | [`Upsample`] | `[N,H,W,C]` | `[N,H·f,W·f,C]` | none |
//!
//! Activations are functions of [`crate::ops`]: [`relu`](crate::ops::relu), [`sigmoid`](crate::ops::sigmoid), and others.

mod conv;
mod dropout;
mod init;
mod linear;
mod norm;
mod pool;
mod upsample;

pub use conv::{Conv2d, ConvTranspose2d};
pub use dropout::Dropout;
pub(crate) use dropout::SEED;
pub use init::WeightInit;
pub use linear::Linear;
pub use norm::{BatchNorm2d, GroupNorm, LayerNorm};
pub use pool::{AvgPool2d, GlobalAvgPool2d, MaxPool2d};
pub use upsample::Upsample;

use crate::graph::{Graph, GraphError, Group, Init, Value};
use crate::ops;
use crate::shape::TensorType;

/// The use of an appended network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: BatchNorm normalizes by the statistics of the batch and updates the running ones, dropout drops.
    Train,
    /// Evaluation and prediction: BatchNorm normalizes by its running statistics, dropout passes.
    Eval,
}

/// A convolution before a BatchNorm and a ReLU: no bias, He initialization, and padding that keeps the size at stride
/// 1.
pub(super) fn conv_before_norm(channels: usize, kernel_size: usize) -> Conv2d {
    Conv2d::new(channels, kernel_size).padding(kernel_size / 2).bias(false).init(WeightInit::He)
}

/// Appends a learned bias, uniform in ±`bound` at first.
fn add_bias(g: &mut Graph, y: Value, bound: f32) -> Result<Value, GraphError> {
    let ty = TensorType::channels([g.ty(y).shape.channels()]);
    let b = g.state("bias", ty, Group::Parameters, Init::Uniform { bound }, false)?;
    ops::add_bias(g, y, b)
}
