//! Compares a model, evaluated by the definitions of ONNX's operators, with the values that this crate computes.

use std::path::Path;

use shadegrad::interop::onnx::OnnxModel;
use shadegrad::interop::safetensors::{self, TensorFile};

use super::evaluate::evaluate;
use super::wire::{self, Model, Tensor};
use crate::common::layout::transpose;

/// The environment variable that names a folder. Models, inputs and expected outputs are written to it for
/// `benches/peers/onnx_check.py`.
const FOLDER: &str = "SHADEGRAD_ONNX_OUT";

/// Numbers in 0..1, determined by a seed.
pub fn random(seed: u64, len: usize) -> Vec<f32> {
    let number = |i: u64| {
        let mut z = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(i);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..len as u64).map(number).collect()
}

/// An activation N H W C in ONNX's order.
pub fn channels_first(values: &[f32], shape: &[usize]) -> Tensor {
    let values: Vec<f64> = values.iter().map(|&v| v.into()).collect();
    match shape.len() {
        4 => {
            let (shape, values) = transpose(&values, shape, &[0, 3, 1, 2]);
            Tensor { shape, values }
        }
        _ => Tensor { shape: shape.to_vec(), values },
    }
}

/// The one output of a model, read from its bytes.
pub fn output(model: &Model, input: &Tensor) -> Tensor {
    let [(name, ..)] = &model.inputs[..] else { panic!("inputs {:?}", model.inputs) };
    let mut values = evaluate(model, (name, input.clone()));
    let [(name, axes, _)] = &model.outputs[..] else { panic!("outputs {:?}", model.outputs) };
    let found = values.remove(name).expect("the output");
    let sizes = found.shape.iter().map(usize::to_string);
    let agree = |(said, size): (&String, String)| *said == size || said.parse::<usize>().is_err();
    assert!(axes.len() == found.shape.len() && axes.iter().zip(sizes).all(agree), "{axes:?} for {:?}", found.shape);
    found
}

/// The first image of a batch.
fn first(t: &Tensor) -> Tensor {
    let shape = [&[1], &t.shape[1..]].concat();
    Tensor { values: t.values[..shape.iter().product()].to_vec(), shape }
}

/// Compares a model with expected values, relative to the largest value, for a batch and for its first image.
#[track_caller]
pub fn agrees(name: &str, model: &OnnxModel, input: &Tensor, expected: &Tensor, tolerance: f64) {
    let bytes = model.to_bytes().expect("bytes");
    if let Some(folder) = std::env::var_os(FOLDER) {
        write(&Path::new(&folder).join(name), &bytes, input, expected);
    }
    let model = wire::model(&bytes);
    let largest = expected.values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(largest.is_finite() && largest > 0.0, "{name} has something to compare");
    let check = |found: &Tensor, part: &[f64]| {
        assert_eq!(found.values.len(), part.len(), "{name}: {:?}", found.shape);
        let worst = found.values.iter().zip(part).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst <= tolerance * largest, "{name}: {worst:e} off, largest value {largest}");
    };
    let found = output(&model, input);
    assert_eq!(found.shape, expected.shape, "{name}");
    check(&found, &expected.values);
    let one = output(&model, &first(input));
    check(&one, &expected.values[..expected.values.len() / input.shape[0]]);
}

fn write(path: &Path, model: &[u8], input: &Tensor, expected: &Tensor) {
    std::fs::write(path.with_extension("onnx"), model).expect("writes");
    let narrow = |t: &Tensor| safetensors::Tensor::f32(t.shape.clone(), t.values.iter().map(|&v| v as f32).collect());
    let tensors = [("input", input), ("expected", expected)].map(|(name, t)| (name.to_owned(), narrow(t)));
    let file = TensorFile { tensors: tensors.into(), metadata: Default::default() };
    file.write_atomic(&path.with_extension("safetensors")).expect("writes");
}
