//! Numbers against an independent source: definitions, finite differences, and values of PyTorch and ONNX.

mod adjoint;
#[path = "../common/mod.rs"]
mod common;
mod conformance_onnx;
mod conformance_pytorch;
mod encoders_trace;
mod finetune_trace;
mod grad_cam;
mod gradcheck;
mod mirrored;
mod models_trace;
mod resnet18_trace;
