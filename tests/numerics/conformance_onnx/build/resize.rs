//! ONNX's Resize. Its coordinates and rounding modes become the integer maps of the op, which rounds down.

use shadegrad::graph::Value;
use shadegrad::internals::ops::{AxisMap, Resize};
use shadegrad::ops::Interpolation;

use super::{Network, Unsupported, unsupported};
use crate::conformance_onnx::case::Node;

/// A scale, `p / q`.
type Ratio = (i64, i64);

/// The fraction with the smallest denominator that equals `value` in f32.
fn ratio(value: f64) -> Ratio {
    let near = |q: &i64| {
        let p = (value * *q as f64).round();
        (p / *q as f64 - value).abs() <= f64::from(f32::EPSILON) / 2.0 * value
    };
    let q = (1..=4096).find(near).expect("a scale of the cases is a short fraction");
    ((value * q as f64).round() as i64, q)
}

/// Sizes of an axis, and the scale of its coordinates.
struct Scaling {
    input: i64,
    output: i64,
    scale: Ratio,
}

impl Scaling {
    /// Position of output `o` as `(step·o + offset) / unit`.
    fn position(&self, mode: &str) -> Result<[i64; 3], Unsupported> {
        let (&Scaling { input, output, .. }, (p, q)) = (self, self.scale);
        Ok(match mode {
            "half_pixel" => [2 * q, q - p, 2 * p],
            "pytorch_half_pixel" if output == 1 => [0, 0, 1],
            "pytorch_half_pixel" => [2 * q, q - p, 2 * p],
            // The resized length is p / q · input, which may not be whole.
            "align_corners" if input * p == q => [0, 0, 1],
            "align_corners" => [(input - 1) * q, 0, input * p - q],
            "asymmetric" => [q, 0, p],
            // The center of the output is the center of the p / q · input pixels.
            "half_pixel_symmetric" => [2 * q, input * p - output * q + q - p, 2 * p],
            other => return unsupported(format!("coordinates {other}")),
        })
    }

    fn map(&self, coordinates: &str, rounding: Option<&str>) -> Result<AxisMap, Unsupported> {
        let [step, offset, unit] = self.position(coordinates)?;
        let [step, offset, unit] = match rounding {
            None | Some("floor") => [step, offset, unit],
            Some("ceil") => [step, offset + unit - 1, unit],
            Some("round_prefer_floor") => [2 * step, 2 * offset + unit - 1, 2 * unit],
            Some("round_prefer_ceil") => [2 * step, 2 * offset + unit, 2 * unit],
            Some(other) => return unsupported(format!("nearest_mode {other}")),
        };
        if unit <= 0 {
            return unsupported("a result of less than a pixel");
        }
        Ok(AxisMap { step: step as usize, offset, scale: unit as usize })
    }
}

impl Network<'_> {
    pub(super) fn resize(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        for (name, default) in [("antialias", 0), ("exclude_outside", 0)] {
            if node.int(name).unwrap_or(default) != default {
                return unsupported(format!("resize with {name}"));
            }
        }
        let mode = node.text("mode").unwrap_or("nearest");
        let (interpolation, rounding) = match mode {
            "nearest" => (Interpolation::Nearest, Some(node.text("nearest_mode").unwrap_or("round_prefer_floor"))),
            "linear" => (Interpolation::Bilinear, None),
            other => return unsupported(format!("{other} interpolation")),
        };
        let coordinates = node.text("coordinate_transformation_mode").unwrap_or("half_pixel");
        let axes = self.scalings(node)?;
        let [rows, columns] = &axes;
        let maps = [rows.map(coordinates, rounding)?, columns.map(coordinates, rounding)?];
        let size = axes.map(|a| a.output as usize);
        Ok(self.b.graph.add1(Resize { size, maps, interpolation }, &[x])?)
    }

    fn scalings(&self, node: &Node) -> Result<[Scaling; 2], Unsupported> {
        let shape: Vec<i64> = self.given(node, 0)?.shape.iter().map(|&s| s as i64).collect();
        let named = node.ints("axes").unwrap_or_else(|| (0..4).collect());
        let by_axis = |values: &[f64], otherwise: [f64; 4]| {
            let mut all = otherwise;
            named.iter().zip(values).for_each(|(&axis, &v)| all[axis.rem_euclid(4) as usize] = v);
            all
        };
        let sizes = match (node.input(3), node.input(2)) {
            (Some(_), _) => Some(by_axis(&self.given(node, 3)?.values, [0, 1, 2, 3].map(|i| shape[i] as f64))),
            (None, Some(_)) => None,
            (None, None) => return unsupported("resize without scales and sizes"),
        };
        let of = |i: usize, scale: Ratio, output: Option<i64>| {
            let input = shape[i];
            Scaling { input, output: output.unwrap_or(input * scale.0 / scale.1), scale }
        };
        let all: [Scaling; 4] = match sizes {
            None => {
                let scales = by_axis(&self.given(node, 2)?.values, [1.0; 4]);
                [0, 1, 2, 3].map(|i| of(i, ratio(scales[i]), None))
            }
            Some(sizes) => {
                let sizes = sizes.map(|s| s as i64);
                let scale = |i: usize| sizes[i] as f64 / shape[i] as f64;
                let resized = named.iter().map(|&axis| axis.rem_euclid(4) as usize);
                // One scale for all resized axes. Sizes are rounded to nearest, halves up.
                let common = match node.text("keep_aspect_ratio_policy").unwrap_or("stretch") {
                    "stretch" => None,
                    "not_larger" => resized.min_by(|&a, &b| scale(a).total_cmp(&scale(b))),
                    "not_smaller" => resized.max_by(|&a, &b| scale(a).total_cmp(&scale(b))),
                    other => return unsupported(format!("keep_aspect_ratio_policy {other}")),
                };
                [0, 1, 2, 3].map(|i| match common {
                    Some(from) if sizes[i] != shape[i] || named.contains(&(i as i64)) => {
                        let (p, q) = (sizes[from], shape[from]);
                        of(i, (p, q), Some((2 * shape[i] * p + q) / (2 * q)))
                    }
                    _ => of(i, (sizes[i], shape[i]), Some(sizes[i])),
                })
            }
        };
        let [n, c, h, w] = all;
        if [n, c].iter().any(|a| a.input != a.output) {
            return unsupported("resize of images or channels");
        }
        Ok([h, w])
    }
}
