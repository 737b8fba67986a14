//! The CPU engine, and every kernel's twin in Rust. It is the reference for the shaders, the f64 engine of gradient checks, and
//! the default where there is no GPU.

mod aligned;
pub mod average;
pub mod binary_cross_entropy;
pub mod conv;
mod conv_direct;
mod conv_epilogue;
mod conv_im2col;
mod conv_winograd;
pub mod dice;
mod direct;
pub mod elementwise;
mod engine;
mod focal;
pub mod loss;
pub mod loss_scale;
pub mod metrics;
pub mod norm;
pub mod norm_grad;
pub mod optimizer;
pub mod pool;
pub mod probe;
pub mod reduce;
pub mod region;
pub mod regression;
pub mod resize;
pub mod softmax;
mod winograd_maps;
mod winograd_shares;

pub use engine::CpuEngine;
pub(super) use engine::run_twin;
