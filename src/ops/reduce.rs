//! Sums and means over axes in a fixed order, so that two runs agree bit for bit; and broadcasting, whose gradient is a sum.

use super::partial_sums::{Run, sum_partials};
use super::repeat::Repeat;
use super::unary::scale;
use super::{expect_inputs, first, reduce_segments, row_consts, segments, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Work};
use crate::shape::{LANES, Layout, Shape, TensorType, padded};

/// Sum over some axes of x. In the result these axes have size 1; leading ones may be missing.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The axes, in ascending order.
    pub axes: Vec<usize>,
    /// Shape of the result.
    pub shape: Shape,
}

/// Appends the sum over all elements, `[1]`.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn sum(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let axes = (0..g.known("sum", x)?.shape.rank()).collect();
    g.add1(Sum { axes, shape: [1].into() }, &[x])
}

/// Appends the sum over some axes of x, such as `&[1, 2]` for H and W of `[N,H,W,C]`. They stay as axes of size 1, so
/// that the result can be broadcast over x again.
///
/// Gradient: for x.
///
/// # Errors
/// When x has no such axis, an axis is named twice, or x is a weight and not all its axes are summed.
pub fn sum_axes(g: &mut Graph, x: Value, axes: &[usize]) -> Result<Value, GraphError> {
    let (axes, shape) = reduced(g, x, axes)?;
    g.add1(Sum { axes, shape }, &[x])
}

/// Appends the mean over all elements, `[1]`; 0 if x has no elements.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn mean(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let count = g.known("mean", x)?.shape.elements();
    let sum = sum(g, x)?;
    scale(g, sum, 1.0 / count.max(1) as f32)
}

/// Appends the mean over some axes of x, which stay as axes of size 1; see [`sum_axes`].
///
/// Gradient: for x.
///
/// # Errors
/// As [`sum_axes`].
pub fn mean_axes(g: &mut Graph, x: Value, axes: &[usize]) -> Result<Value, GraphError> {
    let (axes, shape) = reduced(g, x, axes)?;
    let count: usize = axes.iter().map(|&axis| g.dims(x)[axis]).product();
    let sum = g.add1(Sum { axes, shape }, &[x])?;
    scale(g, sum, 1.0 / count.max(1) as f32)
}

/// Appends the sum over all axes but the last: [.., C] to `[C]`. The gradient of a bias.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn channel_sums(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let shape = &g.known("channel_sums", x)?.shape;
    let (axes, shape) = ((0..shape.rank().saturating_sub(1)).collect(), [shape.channels()].into());
    g.add1(Sum { axes, shape }, &[x])
}

/// Appends the sum of x over the axes along which `to` was broadcast to its shape: the gradient of a broadcast.
pub(super) fn sum_to(g: &mut Graph, x: Value, to: &TensorType) -> Result<Value, GraphError> {
    let dims = g.known("sum", x)?.shape.0.clone();
    if dims == to.shape.0 {
        return Ok(x);
    }
    let missing = dims.len() - to.shape.rank();
    let repeated = |&axis: &usize| axis < missing || to.shape.0[axis - missing] != dims[axis];
    let axes = (0..dims.len()).filter(repeated).collect();
    g.add1(Sum { axes, shape: to.shape.clone() }, &[x])
}

/// The axes in ascending order, and the shape of x with 1 for them. The op refuses axes that x does not have.
fn reduced(g: &Graph, x: Value, axes: &[usize]) -> Result<(Vec<usize>, Shape), GraphError> {
    let mut dims = g.known("sum", x)?.shape.0.clone();
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    for &axis in &axes {
        dims.get_mut(axis).into_iter().for_each(|size| *size = 1);
    }
    Ok((axes, Shape(dims)))
}

impl Sum {
    /// Whether all axes but the last are summed.
    fn keeps_channels(&self, x: &TensorType) -> bool {
        self.axes.iter().copied().eq(0..x.shape.rank().saturating_sub(1))
    }

    /// Whether all axes are summed.
    fn is_whole(&self, x: &TensorType) -> bool {
        self.axes.len() == x.shape.rank()
    }

    /// The runs of neighboring axes, the last first. Each sums the result of the one before it.
    fn runs(&self, x: &TensorType) -> Vec<Run> {
        if self.is_whole(x) {
            return vec![Run { outer: 1, middle: vectors(x), inner: 1, fold: true }];
        }
        if self.axes.is_empty() {
            // A copy.
            return vec![Run { outer: vectors(x), middle: 1, inner: 1, fold: false }];
        }
        let last = x.shape.rank() - 1;
        let mut dims = x.shape.0.clone();
        dims[last] = x.stride() / LANES;
        let mut runs = vec![];
        let mut axes = self.axes.as_slice();
        while let Some(&end) = axes.last() {
            let neighbors = axes.iter().rev().enumerate().take_while(|(i, axis)| **axis + i == end).count();
            let start = end + 1 - neighbors;
            let product = |range: std::ops::Range<usize>| dims[range].iter().product();
            let [outer, middle, inner] = [0..start, start..end + 1, end + 1..last + 1].map(product);
            runs.push(Run { outer, middle, inner, fold: end == last });
            dims[start..=end].fill(1);
            axes = &axes[..axes.len() - neighbors];
        }
        runs
    }

    /// Emits the sum over rows by workgroups, as bias gradients need it.
    fn lower_rows(l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let (rows, c4) = (x.len() / x.stride(), x.stride() / 4);
        let (parts, rows_each) = segments(rows, rows, c4);
        let target = if parts > 1 { l.scratch(parts * c4 * 4) } else { Operand::Output(0) };
        let consts = row_consts(x).size("SAMPLE_ROWS", rows).size("SEGMENT_ROWS", rows_each).size("SEGMENTS", parts);
        let bindings = [(Operand::Input(0), Access::Read), (target, Access::Write)];
        let (lanes, work) = reduce_segments(parts, c4);
        l.call("channel_sums", consts.and(lanes), bindings, work, x.len());
        if parts > 1 {
            sum_partials(l, target, c4, parts, Operand::Output(0));
        }
    }
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        let rank = x.shape.rank();
        if self.axes.iter().any(|&axis| axis >= rank) || !self.axes.is_sorted_by(|a, b| a < b) {
            return Err(format!("the axes {:?} must be distinct and from 0 to {}", self.axes, rank.saturating_sub(1)));
        }
        let kept = |(axis, &size): (usize, &usize)| if self.axes.contains(&axis) { 1 } else { size };
        let left: usize = x.shape.0.iter().enumerate().map(kept).product();
        let channels = if self.axes.contains(&(rank.wrapping_sub(1))) { 1 } else { x.shape.channels() };
        if left != self.shape.elements() || channels != self.shape.channels() {
            return Err(format!(
                "the result cannot have the shape {}: the other axes of x, {}, stay",
                self.shape, x.shape
            ));
        }
        if x.layout != Layout::Channels && !self.keeps_channels(x) && !self.is_whole(x) {
            return Err("a weight can be summed over all axes, or over all but the last".into());
        }
        Ok(vec![TensorType::channels(self.shape.clone())])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let to = g.ty(node.inputs[0]).clone();
        Ok(vec![Some(broadcast(g, first(upstream)?, to)?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let rank = inputs[0].shape.rank();
        if self.axes.contains(&0) || self.shape.rank() != rank {
            return Err("it sums over the batch, whose size is not fixed in ONNX".into());
        }
        let axes: &[i64] = match rank {
            4 => &[0, 2, 3, 1],
            2 => &[0, 1],
            _ => return Err("x must have the axes [N,H,W,C] or [N,C]".into()),
        };
        let axes = OnnxInput::Ints(self.axes.iter().map(|&axis| axes[axis]).collect());
        Ok(vec![OnnxNode::new("ReduceSum", [OnnxInput::Value(0), axes]).int("keepdims", 1)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        operand == Operand::Input(0)
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        if self.keeps_channels(x) {
            return Self::lower_rows(l);
        }
        let runs = self.runs(x);
        let mut from = Operand::Input(0);
        for (i, run) in runs.iter().enumerate() {
            let last = i + 1 == runs.len();
            let to = if last { Operand::Output(0) } else { l.scratch(run.outer * run.inner * LANES) };
            run.lower(l, from, to);
            from = to;
        }
    }
}

/// x repeated over a larger shape.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// Type of the result.
    pub to: TensorType,
}

/// Appends x repeated to the type `to`: axes of size 1 are repeated, as in NumPy. Missing axes in front count as 1, so that
/// a vector `[C]` is one value per channel and `[1]` is a scalar.
///
/// Gradient: for x, the sum over the repeated axes.
///
/// # Errors
/// When the size of an axis of x is neither 1 nor the size in `to`, or x has more than four axes.
pub fn broadcast(g: &mut Graph, x: Value, to: TensorType) -> Result<Value, GraphError> {
    g.add1(Broadcast { to }, &[x])
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        match Repeat::new(&self.to, x) {
            Some(_) => Ok(vec![self.to.clone()]),
            None => Err(format!("it cannot be repeated to {}: each axis must be 1 or of that size", self.to.shape)),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let ty = g.ty(node.inputs[0]).clone();
        Ok(vec![Some(sum_to(g, first(upstream)?, &ty)?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let (Some([n, ..]), Some([m, h, w, c])) = (inputs[0].shape.nhwc(), self.to.shape.nhwc()) else {
            return Err("only shapes [N,H,W,C] and [N,C] can be exported".into());
        };
        if n != m || inputs[0].shape.rank() != self.to.shape.rank() {
            return Err("it repeats over the batch, whose size is not fixed in ONNX".into());
        }
        // A size of 1 takes the batch as it is.
        let axes = if self.to.shape.rank() == 4 { vec![1, c, h, w] } else { vec![1, c] };
        let axes = OnnxInput::Ints(axes.into_iter().map(|axis| axis as i64).collect());
        Ok(vec![OnnxNode::new("Expand", [OnnxInput::Value(0), axes])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let repeat = Repeat::new(&self.to, l.inputs[0]).expect("checked when the node was added");
        // Rows of a weight lie in blocks of its input channels, which are padded.
        let inputs = self.to.shape.0.iter().rev().nth(1).filter(|_| self.to.layout == Layout::Kernel);
        let [used, block] = inputs.map_or([1, 1], |&inputs| [inputs, padded(inputs)]);
        let consts = row_consts(&self.to).and(repeat.consts()).u("BLOCK_USED", used).u("BLOCK_ROWS", block);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("broadcast", consts, bindings, Work::Items(vectors(&self.to)), 0);
    }
}
