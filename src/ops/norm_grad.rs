//! The gradient of BatchNorm and GroupNorm.

use super::norm_geometry::{read, write};
use super::norm_spec::{Norm, NormKind};
use super::{reduce_rows, reduce_segments};
use crate::graph::{Lowering, Op, Operand};
use crate::kernel::{Consts, NormGeometry, NormMask, Parameters};
use crate::shape::{LANES, TensorType, padded};

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
