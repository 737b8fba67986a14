//! Resizing of activations: nearest neighbor and bilinear.

use super::onnx::map;
use super::{expect_inputs, first, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Reach, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// The rule that computes a result pixel from input pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel that contains the position.
    Nearest,
    /// The two nearest pixels along each axis, weighted by distance.
    Bilinear,
}

/// The input position of the center of an output pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// `(o + ½)·in/out − ½`: pixels are areas (PyTorch's `align_corners=False`).
    HalfPixel,
    /// `o·(in − 1)/(out − 1)`: the corner pixels coincide.
    AlignCorners,
    /// `o·in/out` (PyTorch's `nearest`).
    Asymmetric,
}

/// Input position along one axis, `(step·o + offset) / scale`. Integers, so that all engines read the same pixels.
/// Positions outside are clamped to the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisMap {
    /// Step per output pixel.
    pub step: usize,
    /// Position of output pixel 0.
    pub offset: i64,
    /// Divisor of both.
    pub scale: usize,
}

impl Coordinates {
    /// The map from `output` pixels to `input` pixels.
    pub(crate) fn map(self, input: usize, output: usize) -> AxisMap {
        match self {
            Coordinates::HalfPixel => {
                AxisMap { step: 2 * input, offset: input as i64 - output as i64, scale: 2 * output }
            }
            Coordinates::AlignCorners => {
                AxisMap { step: input.saturating_sub(1), offset: 0, scale: output.saturating_sub(1).max(1) }
            }
            Coordinates::Asymmetric => AxisMap { step: input, offset: 0, scale: output },
        }
    }
}

/// Largest size: step · o stays below 2^31.
const MOST: usize = 16384;

/// A resize to `size`.
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    /// Height and width of the result.
    pub size: [usize; 2],
    /// Positions along height and width.
    pub maps: [AxisMap; 2],
    /// Interpolation at these positions.
    pub interpolation: Interpolation,
}

/// Gradient of [`Resize`] for an input of this height and width.
#[derive(Clone, Copy, Debug)]
struct ResizeGrad {
    resize: Resize,
    input: [usize; 2],
}

/// Appends a resize of x `[N,H,W,C]` to `[N,size,C]`.
///
/// Gradient: for x.
///
/// # Errors
/// When a size is 0 or above 16384.
pub fn resize(
    g: &mut Graph,
    x: Value,
    size: [usize; 2],
    interpolation: Interpolation,
    coordinates: Coordinates,
) -> Result<Value, GraphError> {
    let [_, h, w, _] = g.nhwc(x)?;
    // The op refuses larger sizes.
    let map = |input: usize, output: usize| coordinates.map(input.max(1), output.clamp(1, MOST));
    let maps = [map(h, size[0]), map(w, size[1])];
    g.add1(Resize { size, maps, interpolation }, &[x])
}

/// Output size over input size, rounded up if f32 cannot represent it: runtimes multiply the input size by this scale
/// and round down.
fn onnx_scale(input: usize, output: usize) -> f32 {
    let scale = output as f32 / input as f32;
    if f64::from(scale) * (input as f64) < output as f64 { scale.next_up() } else { scale }
}

impl Resize {
    /// The coordinates whose maps these are, for an input of this height and width.
    fn coordinates(&self, input: [usize; 2]) -> Option<Coordinates> {
        let all = [Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric];
        all.into_iter().find(|c| [0, 1].map(|axis| c.map(input[axis], self.size[axis])) == self.maps)
    }

    fn consts(&self, [h, w]: [usize; 2], t: &TensorType) -> Consts {
        let [rows, columns] = self.maps;
        Consts::new()
            .u("H", h)
            .u("W", w)
            .u("OH", self.size[0])
            .u("OW", self.size[1])
            .u("C4", t.stride() / LANES)
            .b("BILINEAR", self.interpolation == Interpolation::Bilinear)
            .u("H_STEP", rows.step)
            .i("H_OFFSET", rows.offset)
            .u("H_SCALE", rows.scale)
            .u("W_STEP", columns.step)
            .i("W_OFFSET", columns.offset)
            .u("W_SCALE", columns.scale)
    }
}

impl Op for Resize {
    fn name(&self) -> &'static str {
        "resize"
    }

    fn reach(&self, inputs: &[&TensorType]) -> Reach {
        let taps = if self.interpolation == Interpolation::Bilinear { 2 } else { 1 };
        let input = inputs.first().and_then(|x| x.shape.nhwc()).map_or(self.size, |[_, h, w, _]| [h, w]);
        Reach { extent: [taps; 2], step: [0, 1].map(|axis| input[axis] as f64 / self.size[axis].max(1) as f64) }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        let [n, h, w, c] = x.shape.nhwc().filter(|_| x.shape.rank() == 4).ok_or("x must have the axes [N,H,W,C]")?;
        if [h, w, self.size[0], self.size[1]].iter().any(|&s| s == 0 || s > MOST) {
            return Err(format!("sizes must be 1 to {MOST}, asked for {:?}", self.size));
        }
        let fits = |m: &AxisMap| m.step.max(m.scale) <= 2 * MOST && m.offset.unsigned_abs() <= MOST as u64;
        if let Some(map) = self.maps.iter().find(|map| map.scale == 0 || !fits(map)) {
            return Err(format!("{map:?} does not map between sizes of 1 to {MOST}"));
        }
        Ok(vec![TensorType::channels([n, self.size[0], self.size[1], c])])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let [_, h, w, _] = g.nhwc(node.inputs[0])?;
        Ok(vec![Some(g.add1(ResizeGrad { resize: *self, input: [h, w] }, &[first(upstream)?])?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let [_, h, w, _] = map(inputs[0])?;
        let input = [h, w];
        let coordinates = match self.coordinates(input) {
            Some(Coordinates::HalfPixel) => "half_pixel",
            Some(Coordinates::AlignCorners) => "align_corners",
            Some(Coordinates::Asymmetric) => "asymmetric",
            None => return Err(format!("its positions {:?} have no ONNX counterpart", self.maps)),
        };
        let whole = [0, 1].iter().all(|&axis| self.size[axis].is_multiple_of(input[axis]));
        let mode = match self.interpolation {
            Interpolation::Bilinear => "linear",
            Interpolation::Nearest if whole && coordinates != "align_corners" => "nearest",
            Interpolation::Nearest => {
                return Err("the nearest pixel would depend on the rounding of a runtime: enlarge by whole factors, \
                            without aligned corners, or interpolate"
                    .into());
            }
        };
        let [rows, columns] = [0, 1].map(|axis| onnx_scale(input[axis], self.size[axis]));
        let scales = OnnxInput::Floats(vec![1.0, 1.0, rows, columns], vec![4]);
        let node = OnnxNode::new("Resize", [OnnxInput::Value(0), OnnxInput::Absent, scales]);
        let node = node.text("mode", mode).text("coordinate_transformation_mode", coordinates);
        Ok(vec![if mode == "nearest" { node.text("nearest_mode", "floor") } else { node }])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (x, y) = (l.inputs[0], l.outputs[0]);
        let consts = self.consts([x.shape.0[1], x.shape.0[2]], x);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("resize", consts, bindings, Work::Items(vectors(y)), 8 * y.len());
    }
}

impl Op for ResizeGrad {
    fn name(&self) -> &'static str {
        "resize_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [dy] = expect_inputs(inputs)?;
        let [n, _, _, c] = dy.shape.nhwc().ok_or("dy must have the axes [N,H,W,C]")?;
        Ok(vec![TensorType::channels([n, self.input[0], self.input[1], c])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let consts = self.resize.consts(self.input, l.outputs[0]);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("resize_grad", consts, bindings, Work::Items(vectors(l.outputs[0])), 8 * l.inputs[0].len());
    }
}
