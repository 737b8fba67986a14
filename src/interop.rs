//! Files of other frameworks. Only this folder converts their names, layouts and formats.

pub(crate) mod files;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod safetensors;
pub mod torchvision;
pub(crate) mod weights;

pub use files::{FileAction, FileError};
pub use weights::Metadata;
