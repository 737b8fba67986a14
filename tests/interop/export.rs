//! Exported ONNX models give the values that this crate computes. A reader of `onnx.proto`'s field numbers and an
//! evaluator of ONNX's definitions check them. `benches/peers/onnx_check.py` repeats the comparison with onnxruntime.

mod compare;
mod evaluate;
mod networks;
mod ops;
mod spatial;
mod verb;
mod wire;
