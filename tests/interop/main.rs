//! Files that other programs read and write: safetensors and ONNX.

mod checkpoint_file;
#[path = "../common/mod.rs"]
mod common;
mod export;
#[path = "../support/mod.rs"]
mod support;
