//! Files of other frameworks: only this folder converts their names, layouts and formats.

pub mod files;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod safetensors;
pub mod torchvision;
pub mod weights;
