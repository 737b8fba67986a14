//! Conversion between sRGB and CIELAB as ONNX operators on whole images, equal to [`crate::data::ColorSpace`].
//!
//! The operators work on the nonlinear axes f(X), f(Y), f(Z) of CIELAB: L = 116 f(Y) − 16, a = 500 (f(X) − f(Y)) and
//! b = 200 (f(Y) − f(Z)).

use crate::data::ColorSpace;
use crate::data::color::{AB_SCALE, FROM_XYZ, TO_XYZ};
use crate::data::color_bins::{COLOR_BINS, TEMPERATURE, centers};
use crate::graph::{OnnxInput, OnnxNode};
use crate::interop::onnx::{OnnxBuilder, OnnxError};

/// Layer name of the nodes.
const LAYER: &str = "colors";

/// A value's name in the model.
type Named = Result<String, OnnxError>;

/// f(Y) of sRGB images.
pub fn own_lightness(b: &mut OnnxBuilder, images: &str) -> Named {
    let linear = to_linear(b, images)?;
    let y = mixed(b, &linear, &TO_XYZ[1..2])?;
    to_f(b, &y)
}

/// Input of the network, (L − 50) / 50, from f(Y).
pub fn network_input(b: &mut OnnxBuilder, f: &str) -> Named {
    let l = arithmetic(b, "Mul", f, 116.0)?;
    let l = arithmetic(b, "Sub", &l, 16.0 + 50.0)?;
    arithmetic(b, "Div", &l, 50.0)
}

/// Colors (a and b, scaled) from a logit per class of colors: their annealed mean.
pub fn annealed_mean(b: &mut OnnxBuilder, logits: &str) -> Named {
    let annealed = arithmetic(b, "Div", logits, TEMPERATURE)?;
    let softmax = OnnxNode::new("Softmax", [OnnxInput::Value(0)]).int("axis", 1);
    let shares = b.nodes(LAYER, &[softmax], &[&annealed])?;
    let axis = |axis: usize| centers().map(move |color| color[axis] / AB_SCALE);
    let weight = OnnxInput::Floats(axis(0).chain(axis(1)).collect(), vec![2, COLOR_BINS, 1, 1]);
    b.nodes(LAYER, &[OnnxNode::new("Conv", [OnnxInput::Value(0), weight])], &[&shares])
}

/// sRGB images with the lightness of f(Y) and the predicted colors.
pub fn recolored(b: &mut OnnxBuilder, space: ColorSpace, f: &str, predicted: &str) -> Named {
    let [x, y, z] = match space {
        ColorSpace::Lab => of_ab(b, f, predicted)?,
        ColorSpace::Rgb => of_rgb(b, f, predicted)?,
    };
    let all = OnnxNode::new("Concat", [0, 1, 2].map(OnnxInput::Value)).int("axis", 1);
    let f = b.nodes(LAYER, &[all], &[&x, &y, &z])?;
    let xyz = from_f(b, &f)?;
    let linear = mixed(b, &xyz, &FROM_XYZ)?;
    to_srgb(b, &linear)
}

/// f(X), f(Y), f(Z) from a / 110 and b / 110.
fn of_ab(b: &mut OnnxBuilder, f: &str, predicted: &str) -> Result<[String; 3], OnnxError> {
    let red = channel(b, predicted, 0)?;
    let red = arithmetic(b, "Mul", &red, AB_SCALE / 500.0)?;
    let yellow = channel(b, predicted, 1)?;
    let yellow = arithmetic(b, "Mul", &yellow, AB_SCALE / 200.0)?;
    Ok([binary(b, "Add", f, &red)?, f.to_owned(), binary(b, "Sub", f, &yellow)?])
}

/// f(X), f(Y), f(Z) from red, green and blue from −1 to 1, rounded to bytes. All three axes shift by the difference in f(Y),
/// which keeps a and b.
fn of_rgb(b: &mut OnnxBuilder, f: &str, predicted: &str) -> Result<[String; 3], OnnxError> {
    let shifted = arithmetic(b, "Add", predicted, 1.0)?;
    let bytes = arithmetic(b, "Mul", &shifted, 127.5)?;
    let clipped = [OnnxInput::Value(0), OnnxInput::scalar(0.0), OnnxInput::scalar(255.0)];
    let rounded = [OnnxNode::new("Clip", clipped), OnnxNode::new("Round", [OnnxInput::Node(0)])];
    let bytes = b.nodes(LAYER, &rounded, &[&bytes])?;
    let rgb = arithmetic(b, "Div", &bytes, 255.0)?;
    let linear = to_linear(b, &rgb)?;
    let xyz = mixed(b, &linear, &TO_XYZ)?;
    let theirs = to_f(b, &xyz)?;
    let y = channel(b, &theirs, 1)?;
    let difference = binary(b, "Sub", f, &y)?;
    let mut axis = |i| {
        let theirs = channel(b, &theirs, i)?;
        binary(b, "Add", &theirs, &difference)
    };
    Ok([axis(0)?, f.to_owned(), axis(2)?])
}

/// sRGB to linear values.
fn to_linear(b: &mut OnnxBuilder, v: &str) -> Named {
    let dark = arithmetic(b, "Div", v, 12.92)?;
    let light = arithmetic(b, "Add", v, 0.055)?;
    let light = arithmetic(b, "Div", &light, 1.055)?;
    let light = arithmetic(b, "Pow", &light, 2.4)?;
    above(b, v, 0.04045, [&light, &dark])
}

/// Linear values to sRGB, clipped to 0..1.
fn to_srgb(b: &mut OnnxBuilder, v: &str) -> Named {
    let limits = [OnnxInput::Value(0), OnnxInput::scalar(0.0), OnnxInput::scalar(1.0)];
    let v = b.nodes(LAYER, &[OnnxNode::new("Clip", limits)], &[v])?;
    let dark = arithmetic(b, "Mul", &v, 12.92)?;
    let light = arithmetic(b, "Pow", &v, 1.0 / 2.4)?;
    let light = arithmetic(b, "Mul", &light, 1.055)?;
    let light = arithmetic(b, "Sub", &light, 0.055)?;
    above(b, &v, 0.003_130_8, [&light, &dark])
}

/// f of CIELAB.
fn to_f(b: &mut OnnxBuilder, t: &str) -> Named {
    let root = arithmetic(b, "Pow", t, 1.0 / 3.0)?;
    let line = arithmetic(b, "Mul", t, 841.0 / 108.0)?;
    let line = arithmetic(b, "Add", &line, 4.0 / 29.0)?;
    above(b, t, 216.0 / 24389.0, [&root, &line])
}

/// The inverse of f.
fn from_f(b: &mut OnnxBuilder, f: &str) -> Named {
    let squared = binary(b, "Mul", f, f)?;
    let cube = binary(b, "Mul", &squared, f)?;
    let line = arithmetic(b, "Sub", f, 4.0 / 29.0)?;
    let line = arithmetic(b, "Mul", &line, 108.0 / 841.0)?;
    above(b, f, 6.0 / 29.0, [&cube, &line])
}

/// Linear combinations of three channels: a 1×1 convolution.
fn mixed(b: &mut OnnxBuilder, x: &str, rows: &[[f32; 3]]) -> Named {
    let weight = OnnxInput::Floats(rows.as_flattened().to_vec(), vec![rows.len(), 3, 1, 1]);
    b.nodes(LAYER, &[OnnxNode::new("Conv", [OnnxInput::Value(0), weight])], &[x])
}

/// One channel.
fn channel(b: &mut OnnxBuilder, x: &str, i: i64) -> Named {
    let bounds = [i, i + 1, 1].map(|v| OnnxInput::Ints(vec![v]));
    b.nodes(LAYER, &[OnnxNode::new("Slice", [&[OnnxInput::Value(0)], &bounds[..]].concat())], &[x])
}

/// The first of two values where `v` is above a limit, else the second.
fn above(b: &mut OnnxBuilder, v: &str, limit: f32, [then, otherwise]: [&str; 2]) -> Named {
    let [v_input, then_input, else_input] = [0, 1, 2].map(OnnxInput::Value);
    let greater = OnnxNode::new("Greater", [v_input, OnnxInput::scalar(limit)]);
    let chosen = OnnxNode::new("Where", [OnnxInput::Node(0), then_input, else_input]);
    b.nodes(LAYER, &[greater, chosen], &[v, then, otherwise])
}

/// An operator on a value and a number.
fn arithmetic(b: &mut OnnxBuilder, operator: &'static str, x: &str, number: f32) -> Named {
    b.nodes(LAYER, &[OnnxNode::new(operator, [OnnxInput::Value(0), OnnxInput::scalar(number)])], &[x])
}

/// An operator on two values.
fn binary(b: &mut OnnxBuilder, operator: &'static str, x: &str, y: &str) -> Named {
    b.nodes(LAYER, &[OnnxNode::new(operator, [0, 1].map(OnnxInput::Value))], &[x, y])
}
