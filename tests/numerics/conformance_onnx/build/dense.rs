//! ONNX's transposed convolution, concatenation and padding.

use shadegrad::graph::Value;
use shadegrad::ops::{self, ConvSpec};
use shadegrad::shape::{Padding, Shape, TensorType, Window};

use super::{Network, Unsupported, unsupported};
use crate::common::layout::outputs_last;
use crate::conformance_onnx::case::Node;

impl Network<'_> {
    /// ONNX's weight is [C, M/group, KH, KW], the library's [KH, KW, M/group, C].
    pub(super) fn conv_transpose(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        let w = self.given(node, 1)?;
        let [_, h, wd, _] = self.b.graph.nhwc(x)?;
        let (input, kernel_size) = ([h, wd], [w.shape[2], w.shape[3]]);
        let (shape, values) = outputs_last(&w.values, &w.shape);
        let w = self.constant(at, 1, (TensorType::kernel(Shape(shape)), values));
        let two = |name, default| node.pair(name, default).ok_or_else(|| Unsupported(format!("{name} of other axes")));
        let (stride, dilation, mut extra) = (two("strides", 1)?, two("dilations", 1)?, two("output_padding", 0)?);
        let automatic = node.text("auto_pad").unwrap_or("NOTSET");
        let wanted = match (node.pair("output_shape", 0).filter(|&s| s != [0; 2]), automatic) {
            (Some(wanted), _) => Some(wanted),
            (None, "SAME_UPPER" | "SAME_LOWER") => Some([0, 1].map(|axis| input[axis] * stride[axis])),
            _ => None,
        };
        let mut pads = [[0; 2]; 2];
        if let Some(wanted) = wanted {
            for axis in 0..2 {
                let reach =
                    stride[axis] * (input[axis] - 1) + extra[axis] + (kernel_size[axis] - 1) * dilation[axis] + 1;
                // A larger output gets zeros at the end. A smaller one is cut at both ends.
                let total = reach.saturating_sub(wanted[axis]);
                extra[axis] += wanted[axis].saturating_sub(reach);
                let (less, more) = (total / 2, total.div_ceil(2));
                pads[axis] = if automatic == "SAME_UPPER" { [less, more] } else { [more, less] };
            }
        } else if let Some(given) = node.sizes("pads") {
            let [top, left, bottom, right] =
                given.try_into().map_err(|p| Unsupported(format!("pads {p:?} of other than 2 axes")))?;
            pads = [[top, bottom], [left, right]];
        }
        let [[top, bottom], [left, right]] = pads;
        let padding = Padding { top, bottom, left, right };
        let window = Window { kernel_size, stride, padding, dilation, ceil_mode: false };
        let groups = node.int("group").unwrap_or(1) as usize;
        let y = ops::conv_transpose2d(&mut self.b.graph, x, w, ConvSpec { window, groups }, extra)?;
        if node.input(2).is_none() {
            return Ok(y);
        }
        let bias = self.vector(at, node, 2)?;
        Ok(ops::add_bias(&mut self.b.graph, y, bias)?)
    }

    /// Joins along an axis. The library's images have channels last. For any other axis the tensor is reshaped to rows
    /// (axes before it) and channels (the axis and those after it). Returns whether the result's elements are in ONNX's
    /// order.
    pub(super) fn concat(&mut self, at: usize, node: &Node) -> Result<(Value, bool), Unsupported> {
        let rank = self.given(node, 0)?.shape.len();
        let axis = node.int("axis").ok_or_else(|| Unsupported("concatenation without an axis".into()))?;
        let axis = if axis < 0 { axis + rank as i64 } else { axis } as usize;
        let images = rank == 4 && axis == 1;
        let mut parts = vec![];
        for i in 0..node.inputs.len() {
            let t = self.given(node, i)?;
            let part = if images {
                super::inside(t)
            } else {
                let (rows, columns) = t.shape.split_at(axis);
                let shape = Shape(vec![rows.iter().product(), columns.iter().product()]);
                (TensorType::channels(shape), t.values.clone())
            };
            parts.push(self.constant(at, i, part));
        }
        Ok((ops::concat(&mut self.b.graph, &parts)?, !images))
    }

    pub(super) fn pad(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        let mode = node.text("mode").unwrap_or("constant");
        let value = match node.input(2) {
            Some(_) => self.given(node, 2)?.values[0],
            None => node.float("value").unwrap_or(0.0),
        };
        if mode != "constant" || value != 0.0 {
            return unsupported(format!("padding other than with 0: mode {mode}, value {value}"));
        }
        let pads = match node.input(1) {
            Some(_) => self.given(node, 1)?.values.iter().map(|&v| v as i64).collect(),
            None => node.ints("pads").unwrap_or_default(),
        };
        let [0, c, h, w, 0, channels, bottom, right] = pads[..] else {
            return unsupported(format!("pads {pads:?}: images can be padded in channels, height and width"));
        };
        let [_, height, width, depth] = self.b.graph.nhwc(x)?;
        let sizes = [(height, h + bottom), (width, w + right), (depth, c + channels)];
        let sizes = sizes.map(|(size, more)| (size as i64 + more) as usize);
        Ok(ops::crop_pad(&mut self.b.graph, x, ops::Region::of_size(sizes).starting_at([-h, -w, -c]))?)
    }
}
