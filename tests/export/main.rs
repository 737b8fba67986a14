//! Exported ONNX models: their bytes are read by the numbers of `onnx.proto`, evaluated by the definitions of ONNX's
//! operators, and give what this crate computes. `benches/peers/onnx_check.py` has onnxruntime say the same.

mod compare;
mod evaluate;
#[allow(dead_code, reason = "one of its functions is used here")]
#[path = "../common/layout.rs"]
mod layout;
mod networks;
mod ops;
mod spatial;
#[path = "../support/mod.rs"]
mod support;
mod verb;
mod wire;
