//! Files of other frameworks. Only this folder converts their names, layouts and formats.

mod checksums;
mod elements;
pub(crate) mod files;
mod matched;
mod names;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "tasks")]
pub mod pretrained;
pub mod pytorch;
pub mod safetensors;
pub mod start;
mod stored;
pub mod torchvision;
pub mod weight_file;
pub(crate) mod weights;

pub use files::{FileAction, FileError};
pub use weights::Metadata;
