//! BatchNorm (Ioffe & Szegedy 2015) and GroupNorm (Wu & He 2018) over the same kernels. BatchNorm takes mean and
//! variance of a channel over the batch, GroupNorm of a group of channels in one sample.
//!
//! `y = γ · (x − mean) / sqrt(var + ε) + β`, with the biased variance; BatchNorm's running variance is unbiased.

use super::norm_geometry::geometry;
use super::onnx::{followed, last, per_channel};
use super::{expect_vector, first, none, reduce_rows, reduce_segments};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, NormGeometry, NormMask, Parameters, Work};
use crate::shape::{LANES, TensorType, padded};

/// Which values share a mean and a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// Each channel over the batch. Inputs: x, γ, β, running mean, running variance (both updated).
    BatchTraining(BatchNormOptions),
    /// Each channel by the running statistics. Inputs: x, γ, β, running mean, running variance.
    BatchEval,
    /// Each group of channels of each sample. Inputs: x, γ, β.
    Group {
        /// Number of groups.
        groups: usize,
    },
}

/// Update of the running statistics by each batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// `running = (1 − momentum) · running + momentum · batch`
    pub momentum: f32,
    /// Running variance from `Σ / (n − 1)` as in PyTorch; ONNX divides by n.
    pub unbiased: bool,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        BatchNormOptions { momentum: 0.1, unbiased: true }
    }
}

/// A normalization with its fused epilogue, `y = relu?(norm(x) [+ residual])`. Outputs: y, mean, 1/std.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Which values share a mean and a variance.
    pub kind: NormKind,
    /// ε, added to the variance.
    pub eps: f32,
    /// A ReLU follows.
    pub relu: bool,
    /// A residual, of the shape of x, is added before the ReLU. It follows the inputs listed at [`NormKind`].
    pub residual: bool,
    /// The last input holds the moments of x, written by the preceding convolution (see [`super::Conv2d`]).
    pub statistics: bool,
}

/// Gradient of [`Norm`]. Outputs: dx, dγ, dβ and, with a residual, its gradient.
///
/// | inputs | when |
/// |---|---|
/// | dy, x, γ, mean, 1/std | always |
/// | y | with ReLU and residual: the mask is y > 0 |
/// | β | with ReLU alone: the kernel recomputes y from x, which saves a third of the memory traffic |
/// | partial sums of segments (see [`super::Conv2dInputGrad`]) | with `statistics` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormGrad(pub Norm);

/// Appends BatchNorm to `[x, γ, β, running mean, running variance]`. With `training` it normalizes by the batch and updates
/// the running statistics, which are states; with `None` it normalizes by the running statistics.
///
/// Gradient: for x, γ and β.
///
/// # Errors
/// When γ, β or the statistics do not have one value per channel, or training has only one value of each channel.
pub fn batch_norm(
    g: &mut Graph,
    [x, gamma, beta, mean, var]: [Value; 5],
    eps: f32,
    training: Option<BatchNormOptions>,
) -> Result<Value, GraphError> {
    // Its variance of 0 would be learned as the running one; PyTorch refuses it too.
    if training.is_some() && g.known("batch_norm", x)?.shape.rows() == 1 {
        return Err(GraphError::OneValue { layer: g.layer() });
    }
    let kind = training.map_or(NormKind::BatchEval, NormKind::BatchTraining);
    g.add1(Norm::plain(kind, eps), &[x, gamma, beta, mean, var])
}

/// Appends GroupNorm.
///
/// Gradient: for x, γ and β.
///
/// # Errors
/// When the channels cannot be divided into the groups.
pub fn group_norm(g: &mut Graph, [x, gamma, beta]: [Value; 3], groups: usize, eps: f32) -> Result<Value, GraphError> {
    g.add1(Norm::plain(NormKind::Group { groups }, eps), &[x, gamma, beta])
}

impl Norm {
    /// A norm without epilogue.
    fn plain(kind: NormKind, eps: f32) -> Norm {
        Norm { kind, eps, relu: false, residual: false, statistics: false }
    }

    /// Whether the preceding convolution may write the moments of x. It may when the batch is too large for one workgroup to
    /// normalize a channel alone.
    pub fn can_take_statistics(&self, x: &TensorType) -> bool {
        matches!(self.kind, NormKind::BatchTraining(_)) && !self.statistics && !self.alone(&self.geometry(x))
    }

    /// Position of the residual among the inputs.
    pub fn residual_index(&self) -> usize {
        if matches!(self.kind, NormKind::Group { .. }) { 3 } else { 5 }
    }

    /// The gradient's mask input, y or β: see [`NormGrad`].
    pub fn mask(&self, inputs: &[Value], y: Value) -> Value {
        if self.residual { y } else { inputs[2] }
    }

    fn geometry(&self, x: &TensorType) -> NormGeometry {
        let groups = if let NormKind::Group { groups } = self.kind { Some(groups) } else { None };
        geometry(x, groups, self.statistics)
    }

    /// Whether a workgroup normalizes its channels alone.
    fn alone(&self, geo: &NormGeometry) -> bool {
        !matches!(self.kind, NormKind::Group { .. }) && geo.few_rows()
    }

    /// GroupNorm as InstanceNorm of each group. ONNX's GroupNormalization has one scale per channel only since operator set 21.
    fn onnx_groups(&self, x: &TensorType, groups: usize) -> Result<Vec<OnnxNode>, String> {
        let [_, h, w, c] = x.shape.nhwc().ok_or("x must have the axes [N,H,W,C] or [N,C]")?;
        let back = if x.shape.rank() == 4 { vec![0, c as i64, h as i64, w as i64] } else { vec![0, c as i64] };
        let each = |value| OnnxInput::Floats(vec![value; groups], vec![groups]);
        let mut nodes =
            vec![OnnxNode::new("Reshape", [OnnxInput::Value(0), OnnxInput::Ints(vec![0, groups as i64, -1])])];
        let norm = OnnxNode::new("InstanceNormalization", [last(&nodes), each(1.0), each(0.0)]);
        nodes.push(norm.float("epsilon", self.eps));
        nodes.push(OnnxNode::new("Reshape", [last(&nodes), OnnxInput::Ints(back)]));
        nodes.push(OnnxNode::new("Mul", [last(&nodes), per_channel(1, x)]));
        nodes.push(OnnxNode::new("Add", [last(&nodes), per_channel(2, x)]));
        Ok(nodes)
    }

    /// The epilogue as the gradient's kernels mask it.
    fn mask_of_relu(&self) -> NormMask {
        NormMask { relu: self.relu, residual: self.residual }
    }

    fn stats_type(&self, x: &TensorType) -> TensorType {
        match self.kind {
            NormKind::Group { groups } => TensorType::channels([x.shape.0[0], groups]),
            _ => TensorType::channels([x.shape.channels()]),
        }
    }
}

impl Op for Norm {
    fn name(&self) -> &'static str {
        if matches!(self.kind, NormKind::Group { .. }) { "group_norm" } else { "batch_norm" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let x = inputs[0];
        let wanted = self.residual_index() + usize::from(self.residual) + usize::from(self.statistics);
        if inputs.len() != wanted {
            return Err(format!("needs {wanted} inputs, got {}", inputs.len()));
        }
        let vectors = &inputs[1..self.residual_index()];
        for (name, v) in ["γ", "β", "the running mean", "the running variance"].iter().zip(vectors) {
            expect_vector(name, v, x)?;
        }
        if self.residual && inputs[self.residual_index()] != x {
            return Err("the residual must have the shape of x".into());
        }
        if let NormKind::Group { groups } = self.kind
            && (groups == 0 || !x.shape.channels().is_multiple_of(groups))
        {
            return Err(format!("{} channels cannot be divided into {groups} groups", x.shape.channels()));
        }
        let stats = self.stats_type(x);
        Ok(vec![x.clone(), stats.clone(), stats])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (dy, x, gamma) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let mut inputs = vec![dy, x, gamma, node.outputs[1], node.outputs[2]];
        if self.relu {
            inputs.push(self.mask(node.inputs, node.outputs[0]));
        }
        let made = g.add(NormGrad(*self), &inputs)?;
        let mut grads = none(node.inputs.len());
        for (slot, grad) in grads.iter_mut().zip(&made[..3]) {
            *slot = Some(*grad);
        }
        if self.residual {
            grads[self.residual_index()] = Some(made[3]);
        }
        Ok(grads)
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let norm = match self.kind {
            NormKind::BatchTraining(_) => {
                return Err("it computes batch statistics: export a graph of Mode::Eval".into());
            }
            NormKind::BatchEval => {
                let all = [0, 1, 2, 3, 4].map(OnnxInput::Value);
                vec![OnnxNode::new("BatchNormalization", all).float("epsilon", self.eps)]
            }
            NormKind::Group { groups } => self.onnx_groups(inputs[0], groups)?,
        };
        Ok(followed(norm, self.residual.then(|| self.residual_index()), self.relu))
    }

    fn updates(&self) -> &'static [usize] {
        if matches!(self.kind, NormKind::BatchTraining(_)) { &[3, 4] } else { &[] }
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0)) || operand == Operand::Input(self.residual_index())
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let x = l.inputs[0];
        let geo = self.geometry(x);
        match self.kind {
            NormKind::BatchTraining(options) if self.alone(&geo) => self.lower_alone(l, &geo, options),
            _ => {
                self.lower_statistics(l, &geo);
                self.lower_apply(l, &geo);
            }
        }
        debug_assert!(geo.segment_rows * geo.segments >= geo.sample_rows);
    }
}

/// The kernel calls.
impl Norm {
    fn residual_operand(&self) -> Operand {
        Operand::Input(if self.residual { self.residual_index() } else { 0 })
    }

    /// One kernel call: each workgroup reduces and normalizes its channels.
    fn lower_alone(&self, l: &mut Lowering<'_>, geo: &NormGeometry, options: BatchNormOptions) {
        let (consts, work) = geo.whole();
        let consts = consts.and(self.finalize_consts(options)).and(self.mask_of_relu().consts());
        let reads = [Operand::Input(0), Operand::Input(1), Operand::Input(2), self.residual_operand()];
        let running = [Operand::Input(3), Operand::Input(4)];
        let writes = [Operand::Output(1), Operand::Output(2), Operand::Output(0)];
        let bindings = reads.into_iter().map(read).chain(running.map(|o| (o, Access::Update))).chain(writes.map(write));
        l.call("batch_norm", Parameters::of(geo.clone()).and(consts), bindings, work, 8 * l.inputs[0].len());
    }

    fn finalize_consts(&self, options: BatchNormOptions) -> Consts {
        let consts = Consts::new().f("EPS", f64::from(self.eps));
        consts.f("MOMENTUM", f64::from(options.momentum)).b("UNBIASED", options.unbiased)
    }

    /// Computes mean and 1/std.
    fn lower_statistics(&self, l: &mut Lowering<'_>, geo: &NormGeometry) {
        let x = l.inputs[0];
        let statistics = [Operand::Output(1), Operand::Output(2)].map(write);
        if self.kind == NormKind::BatchEval {
            let stats = geo.samples * padded(geo.groups);
            let running = [Operand::Input(3), Operand::Input(4)].map(read);
            let parameters = Parameters::of(geo.clone()).and(Consts::new().f("EPS", f64::from(self.eps)));
            let bindings = running.into_iter().chain(statistics);
            return l.call("norm_fixed", parameters, bindings, Work::Items(stats), 2 * stats);
        }
        let partials = if self.statistics { Operand::Input(l.inputs.len() - 1) } else { Self::moments(l, geo) };
        let training = if let NormKind::BatchTraining(options) = self.kind { Some(options) } else { None };
        let running = match training {
            Some(_) => [Operand::Input(3), Operand::Input(4)],
            None => [l.scratch(LANES), l.scratch(LANES)],
        };
        let consts = self.finalize_consts(training.unwrap_or_default());
        let bindings = [read(partials)].into_iter().chain(running.map(|s| (s, Access::Update)));
        let flops = 8 * geo.segments * x.stride() * geo.samples;
        let (lanes, work) = geo.reduce_groups();
        let consts = consts.b("UPDATE", training.is_some()).and(lanes);
        l.call("norm_finalize", Parameters::of(geo.clone()).and(consts), bindings.chain(statistics), work, flops);
    }

    /// Mean and sum of squared deviations of x, per segment and channel.
    fn moments(l: &mut Lowering<'_>, geo: &NormGeometry) -> Operand {
        let partials = l.scratch(geo.samples * geo.segments * geo.vectors * 2 * LANES);
        let bindings = [read(Operand::Input(0)), write(partials)];
        let (lanes, work) = reduce_segments(geo.samples * geo.segments, geo.vectors);
        l.call("norm_stats", Parameters::of(geo.clone()).and(lanes), bindings, work, 4 * l.inputs[0].len());
        partials
    }

    fn lower_apply(&self, l: &mut Lowering<'_>, geo: &NormGeometry) {
        let x = l.inputs[0];
        let (mean, invstd) = (Operand::Output(1), Operand::Output(2));
        let reads = [Operand::Input(0), mean, invstd, Operand::Input(1), Operand::Input(2), self.residual_operand()];
        let bindings = reads.into_iter().map(read).chain([write(Operand::Output(0))]);
        let (rows_each, work) = geo.apply();
        let parameters = Parameters::of(geo.clone()).and(rows_each).and(self.mask_of_relu().consts());
        l.call("norm_apply", parameters, bindings, work, 4 * x.len());
    }
}

impl NormGrad {
    /// Whether the convolution that produces dy may write this gradient's partial sums; `x` is the normalized tensor.
    pub fn can_take_sums(&self, x: &TensorType) -> bool {
        let norm = &self.0;
        !matches!(norm.kind, NormKind::Group { .. }) && !norm.statistics && !norm.alone(&norm.geometry(x))
    }

    /// How the gradient is masked.
    pub fn mask(&self) -> NormMask {
        self.0.mask_of_relu()
    }
}

impl Op for NormGrad {
    fn name(&self) -> &'static str {
        if matches!(self.0.kind, NormKind::Group { .. }) { "group_norm_grad" } else { "batch_norm_grad" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (dy, x) = (inputs[0], inputs[1]);
        if dy != x {
            return Err("dy and x must have the same shape".into());
        }
        let c = TensorType::channels([x.shape.channels()]);
        let mut outputs = vec![x.clone(), c.clone(), c];
        if self.0.residual {
            outputs.push(x.clone());
        }
        Ok(outputs)
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0 | 1) | Operand::Output(0 | 3))
            || (operand == Operand::Input(5) && self.0.residual)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (norm, x) = (self.0, l.inputs[1]);
        let geo = norm.geometry(x);
        let [dy, input, gamma, mean, invstd] = [0, 1, 2, 3, 4].map(Operand::Input);
        let mask = if norm.relu { Operand::Input(5) } else { dy };
        let reads = [dy, input, mask, mean, invstd, gamma];
        let masked = |consts: Consts| Parameters::of(geo.clone()).and(self.mask().consts()).and(consts);
        let fixed = norm.kind == NormKind::BatchEval;
        let dres = if norm.residual { Operand::Output(3) } else { l.scratch(LANES) };
        if norm.alone(&geo) {
            let (consts, work) = geo.whole();
            let writes = [Operand::Output(1), Operand::Output(2), Operand::Output(0), dres];
            let bindings = reads.into_iter().map(read).chain(writes.map(write));
            return l.call("batch_norm_grad", masked(consts.b("FIXED", fixed)), bindings, work, 14 * x.len());
        }
        let [sum_g, sum_gx] = self.lower_sums(l, &geo, (reads, masked(Consts::new())));
        let per_channel = !matches!(norm.kind, NormKind::Group { .. });
        let (rows_each, work) = geo.apply();
        let parameters = masked(rows_each.b("PER_CHANNEL", per_channel).b("FIXED", fixed));
        let bindings = reads.into_iter().chain([sum_g, sum_gx]).map(read).chain([Operand::Output(0), dres].map(write));
        l.call("norm_grad_apply", parameters, bindings, work, 8 * x.len());
    }
}

fn read(operand: Operand) -> (Operand, Access) {
    (operand, Access::Read)
}

fn write(operand: Operand) -> (Operand, Access) {
    (operand, Access::Write)
}

impl NormGrad {
    /// Computes dγ and dβ. Returns the sums that dx needs.
    fn lower_sums(
        &self,
        l: &mut Lowering<'_>,
        geo: &NormGeometry,
        (reads, masked): ([Operand; 6], Parameters),
    ) -> [Operand; 2] {
        let x = l.inputs[1];
        let (dgamma, dbeta) = (Operand::Output(1), Operand::Output(2));
        let partials = if self.0.statistics {
            Operand::Input(l.inputs.len() - 1)
        } else {
            let partials = l.scratch(geo.samples * geo.segments * 2 * geo.vectors * LANES);
            let bindings = reads.into_iter().map(read).chain([write(partials)]);
            let (lanes, work) = reduce_segments(geo.samples * geo.segments, geo.vectors);
            l.call("norm_grad_reduce", masked.and(lanes), bindings, work, 6 * x.len());
            partials
        };
        let flops = 2 * geo.samples * geo.segments * x.stride();
        let (lanes, work) = reduce_rows(geo.samples * geo.segments, geo.vectors);
        let bindings = [read(partials), write(dgamma), write(dbeta)];
        l.call("norm_grad_finalize", Parameters::of(geo.clone()).and(lanes), bindings, work, flops);
        if !matches!(self.0.kind, NormKind::Group { .. }) {
            return [dbeta, dgamma];
        }
        let stats = geo.samples * padded(geo.groups);
        let sums = [l.scratch(stats), l.scratch(stats)];
        let bindings = [read(partials), read(Operand::Input(2)), write(sums[0]), write(sums[1])];
        let (lanes, work) = geo.reduce_groups();
        l.call("norm_group_sums", Parameters::of(geo.clone()).and(lanes), bindings, work, 2 * flops);
        sums
    }
}
