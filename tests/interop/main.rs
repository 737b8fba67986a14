//! Files that other programs read and write: safetensors, PyTorch's and ONNX.

mod center_crop;
mod checkpoint_file;
#[path = "../common/mod.rs"]
mod common;
mod export;
mod published;
#[path = "../support/mod.rs"]
mod support;
mod torch_files;
mod torch_hostile;
