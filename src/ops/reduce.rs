//! Sums and means in a fixed order, so that two runs agree bit for bit.

use super::broadcast::broadcast;
use super::{expect_inputs, first, reduce_segments, row_consts, scale, segments};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, Layout, Shape, TensorType};

/// Sum over some axes of x, which are 1 in the result or left out in front of it.
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
/// None but of x, see [`Graph::add`].
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

/// Appends the mean over all elements, `[1]`; 0 when there is none.
///
/// Gradient: for x.
///
/// # Errors
/// None but of x, see [`Graph::add`].
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
/// None but of x, see [`Graph::add`].
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

/// The axes in ascending order, and the shape of x with 1 for them; axes that x does not have are refused with the op.
fn reduced(g: &Graph, x: Value, axes: &[usize]) -> Result<(Vec<usize>, Shape), GraphError> {
    let mut dims = g.known("sum", x)?.shape.0.clone();
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    for &axis in &axes {
        dims.get_mut(axis).into_iter().for_each(|size| *size = 1);
    }
    Ok((axes, Shape(dims)))
}

/// Emits `out[i] = Σ_p partials[p·len4 + i]` over `parts`, in vectors. Long sums go in stages of about 64, so that no
/// thread adds for long.
pub(super) fn sum_partials(l: &mut Lowering<'_>, partials: Operand, len4: usize, parts: usize, out: Operand) {
    let (mut from, mut parts) = (partials, parts);
    loop {
        let kept = if parts > 64 { parts.div_ceil(64) } else { 1 };
        let to = if kept == 1 { out } else { l.scratch(kept * len4 * 4) };
        let consts = Consts::new().size("LEN4", kept * len4).size("TOTAL4", parts * len4);
        let bindings = [(from, Access::Read), (to, Access::Write)];
        l.call("sum_partials", consts, bindings, Work::Items(kept * len4), parts * len4 * 4);
        if kept == 1 {
            return;
        }
        (from, parts) = (to, kept);
    }
}

/// Neighboring axes that are summed at once: x is [outer, middle, inner] in vectors, of which the middle is summed.
#[derive(Clone, Copy)]
struct Run {
    outer: usize,
    middle: usize,
    inner: usize,
    /// The channels are among them: the lanes of each sum are added up too.
    fold: bool,
}

impl Run {
    /// Emits the sum of `from` to `to`: by one invocation per result where there are many results, else in parts.
    fn lower(self, l: &mut Lowering<'_>, from: Operand, to: Operand) {
        const ENOUGH_ITEMS: usize = 8192;
        let results = self.outer * self.inner;
        let parts = self.middle.div_ceil(16).min(ENOUGH_ITEMS.div_ceil(results.max(1))).max(1);
        let target = if parts > 1 { l.scratch(parts * results * LANES) } else { to };
        let consts = Consts::new().u("OUTER", self.outer).u("MIDDLE", self.middle).u("INNER", self.inner);
        let consts = consts.u("PARTS", parts).b("FOLD", self.fold);
        let bindings = [(from, Access::Read), (target, Access::Write)];
        l.call("sum", consts, bindings, Work::Items(parts * results), results * self.middle * LANES);
        if parts > 1 {
            sum_partials(l, target, results, parts, to);
        }
    }
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

    /// The runs of neighboring axes, the last first: each sums what the one before it has left.
    fn runs(&self, x: &TensorType) -> Vec<Run> {
        if self.is_whole(x) {
            return vec![Run { outer: 1, middle: super::vectors(x), inner: 1, fold: true }];
        }
        if self.axes.is_empty() {
            // A copy.
            return vec![Run { outer: super::vectors(x), middle: 1, inner: 1, fold: false }];
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

    /// Emits the sum over rows by workgroups, which bias gradients take.
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
            return Err(format!("{} is not what is left of {}", self.shape, x.shape));
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
