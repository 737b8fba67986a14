//! Border crossings: file formats of other frameworks, converted here and nowhere else.

pub mod files;
pub mod onnx;
pub mod safetensors;
pub mod torchvision;
