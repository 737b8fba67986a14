//! Crop and pad in height, width and channels, and concatenation of channels.

use super::onnx::last;
use super::{all_some, expect_inputs, first, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// A region of an activation in height, width and channels. It may reach beyond the activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First row, column and channel. Negative numbers lie before the activation.
    pub start: [i64; 3],
    /// Height, width and channels.
    pub size: [usize; 3],
}

impl Region {
    /// The region from the first row, column and channel on: height, width and channels.
    pub const fn of_size(size: [usize; 3]) -> Self {
        Region { start: [0; 3], size }
    }

    /// The region of the same size from this row, column and channel on.
    pub const fn starting_at(self, start: [i64; 3]) -> Self {
        Region { start, ..self }
    }
}

/// A region of the input, 0 outside of it. It crops, pads, and selects a range of channels.
#[derive(Clone, Copy, Debug)]
pub struct CropPad(pub Region);

/// The channels of the first input, then those of the second.
#[derive(Clone, Copy, Debug)]
pub struct Concat;

/// Appends a region of x `[N,H,W,C]`. It is 0 outside of x.
///
/// Gradient: for x.
///
/// # Errors
/// When the result would be empty, or begins 2^30 pixels or channels away.
pub fn crop_pad(g: &mut Graph, x: Value, region: Region) -> Result<Value, GraphError> {
    g.add1(CropPad(region), &[x])
}

/// Appends the concatenation of the channels of activations `[N,H,W,C…]`.
///
/// Gradient: for all inputs.
///
/// # Errors
/// When the other axes differ, or `values` is empty.
pub fn concat(g: &mut Graph, values: &[Value]) -> Result<Value, GraphError> {
    let Some((&head, rest)) = values.split_first() else {
        let (op, at, shapes) = ("concat", String::new(), "none".into());
        return Err(GraphError::Shape { op, at, shapes, rule: "needs at least one value".into() });
    };
    rest.iter().try_fold(head, |joint, &next| g.add1(Concat, &[joint, next]))
}

impl CropPad {
    /// The first selected vector of channels, if the region consists of whole vectors of every pixel of x.
    pub(crate) fn vectors_of(&self, x: &TensorType) -> Option<usize> {
        let ([top, left, first], [h, w, c]) = (self.0.start, self.0.size);
        let ([_, height, width, channels], first) = (x.shape.nhwc()?, usize::try_from(first).ok()?);
        let everywhere = [top, left] == [0, 0] && [h, w] == [height, width];
        let whole = first.is_multiple_of(LANES) && c.is_multiple_of(LANES) && first + c <= channels;
        (everywhere && whole).then_some(first)
    }

    fn consts(&self, x: &TensorType, y: &TensorType) -> Consts {
        let [_, h, w, c] = x.shape.nhwc().expect("checked when the node was added");
        let [_, oh, ow, oc] = y.shape.nhwc().expect("as above");
        let (c4, oc4) = (x.stride() / LANES, y.stride() / LANES);
        let consts = Consts::new().u("H", h).u("W", w).u("C", c).u("C4", c4);
        let consts = consts.u("OH", oh).u("OW", ow).u("OC", oc).u("OC4", oc4);
        consts.i("TOP", self.0.start[0]).i("LEFT", self.0.start[1]).i("FIRST", self.0.start[2])
    }
}

impl Op for CropPad {
    fn name(&self) -> &'static str {
        "crop_pad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        let [n, ..] = x.shape.nhwc().ok_or("x must have the axes [N,H,W,C] or [N,C]")?;
        let [h, w, c] = self.0.size;
        if self.0.start.iter().any(|start| start.unsigned_abs() > 1 << 30) {
            return Err(format!("the start {:?} is too far from the input", self.0.start));
        }
        if h == 0 || w == 0 || c == 0 {
            return Err(format!("the region {:?} is empty", self.0.size));
        }
        if x.shape.rank() == 2 {
            return if [h, w] == [1, 1] { Ok(vec![TensorType::channels([n, c])]) } else { Err("x has no area".into()) };
        }
        Ok(vec![TensorType::channels([n, h, w, c])])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let [_, h, w, c] = g.nhwc(node.inputs[0])?;
        let back = CropPad(Region { start: self.0.start.map(|s| -s), size: [h, w, c] });
        Ok(vec![Some(g.add1(back, &[first(upstream)?])?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let [_, h, w, c] = inputs[0].shape.nhwc().ok_or("x must have the axes [N,H,W,C] or [N,C]")?;
        // For each ONNX axis: the selected range of x, and the zeros before and after it.
        let axes: &[usize] = if inputs[0].shape.rank() == 4 { &[2, 3, 1] } else { &[0, 0, 1] };
        let (mut starts, mut ends, mut sliced) = (vec![], vec![], vec![]);
        let mut pads = vec![0; 2 * inputs[0].shape.rank()];
        for (i, (&axis, input)) in axes.iter().zip([h, w, c]).enumerate().filter(|(_, (axis, _))| **axis > 0) {
            let (input, from, to) = (input as i64, self.0.start[i], self.0.start[i] + self.0.size[i] as i64);
            let (first, end) = (from.max(0), to.min(input));
            if first >= end {
                return Err("it takes nothing of its input".into());
            }
            if [first, end] != [0, input] {
                sliced.push(axis as i64);
                starts.push(first);
                ends.push(end);
            }
            pads[axis] = first - from;
            pads[axis + inputs[0].shape.rank()] = to - end;
        }
        let mut nodes = vec![];
        if !sliced.is_empty() {
            let bounds = [starts, ends, sliced].map(OnnxInput::Ints);
            nodes.push(OnnxNode::new("Slice", [vec![OnnxInput::Value(0)], bounds.to_vec()].concat()));
        }
        if nodes.is_empty() || pads.iter().any(|&p| p > 0) {
            let x = if nodes.is_empty() { OnnxInput::Value(0) } else { last(&nodes) };
            nodes.push(OnnxNode::new("Pad", [x, OnnxInput::Ints(pads)]));
        }
        Ok(nodes)
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let consts = self.consts(l.inputs[0], l.outputs[0]);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        let work = Work::Items(vectors(l.outputs[0]));
        l.call("crop_pad", consts, bindings, work, 0);
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [a, b] = expect_inputs(inputs)?;
        let split = |t: &TensorType| t.shape.0.split_last().map(|(&c, rest)| (rest.to_vec(), c));
        match (split(a), split(b)) {
            (Some((rows, ca)), Some((other, cb))) if rows == other && a.layout == b.layout => {
                let shape = rows.into_iter().chain([ca + cb]).collect();
                Ok(vec![TensorType::channels(crate::shape::Shape(shape))])
            }
            _ => Err("all axes but the channels must be the same".into()),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let dy = first(upstream)?;
        let [[_, h, w, ca], [.., cb]] = [g.nhwc(node.inputs[0])?, g.nhwc(node.inputs[1])?];
        let da = crop_pad(g, dy, Region::of_size([h, w, ca]))?;
        let db = crop_pad(g, dy, Region::of_size([h, w, cb]).starting_at([0, 0, ca as i64]))?;
        Ok(all_some([da, db]))
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        // The channel axis of an activation of any rank; vectors have no batch.
        if inputs[0].shape.rank() < 2 {
            return Err("x must have the axes [N,H,W,C] or [N,C]".into());
        }
        Ok(vec![OnnxNode::new("Concat", [0, 1].map(OnnxInput::Value)).int("axis", 1)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (a, b, y) = (l.inputs[0], l.inputs[1], l.outputs[0]);
        let consts = Consts::new()
            .u("CA", a.shape.channels())
            .u("CA4", a.stride() / LANES)
            .u("CB", b.shape.channels())
            .u("CB4", b.stride() / LANES)
            .u("C4", y.stride() / LANES);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("concat", consts, bindings, Work::Items(vectors(y)), 0);
    }
}
