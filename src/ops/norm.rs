//! BatchNorm (Ioffe & Szegedy 2015) and GroupNorm (Wu & He 2018) over the same kernels. BatchNorm takes mean and
//! variance of a channel over the batch, GroupNorm of a group of channels in one sample.
//!
//! `y = γ · (x − mean) / sqrt(var + ε) + β`, with the biased variance; BatchNorm's running variance is unbiased.

use super::norm_geometry::{read, write};
use super::norm_grad::NormGrad;
use super::norm_spec::{BatchNormOptions, GroupNormOptions, Norm, NormKind};
use super::onnx::{followed, last, per_channel};
use super::{expect_vector, first, none, reduce_segments};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, NormGeometry, Parameters, Work};
use crate::shape::{LANES, TensorType, padded};

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
    // The variance of one value is 0, and would enter the running variance. PyTorch refuses it too.
    if training.is_some() && g.known("batch_norm", x)?.shape.rows() == 1 {
        return Err(GraphError::OneValue { layer: g.layer() });
    }
    let kind = training.map_or(NormKind::BatchEval, NormKind::BatchTraining);
    g.add1(Norm::plain(kind, eps), &[x, gamma, beta, mean, var])
}

/// Appends GroupNorm to `[x, γ, β]`.
///
/// Gradient: for x, γ and β.
///
/// # Errors
/// When the channels cannot be divided into the groups.
pub fn group_norm(
    g: &mut Graph,
    [x, gamma, beta]: [Value; 3],
    GroupNormOptions { groups, eps }: GroupNormOptions,
) -> Result<Value, GraphError> {
    g.add1(Norm::plain(NormKind::Group { groups }, eps), &[x, gamma, beta])
}

impl Norm {
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
