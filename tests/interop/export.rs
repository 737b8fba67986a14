//! Exported ONNX models: their bytes are read by the numbers of `onnx.proto`, evaluated by the definitions of ONNX's
//! operators, and give what this crate computes. `benches/peers/onnx_check.py` has onnxruntime say the same.

mod compare;
mod evaluate;
mod networks;
mod ops;
mod spatial;
mod verb;
mod wire;
