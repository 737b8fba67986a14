//! Sums in a fixed order, so that two runs agree bit for bit.

use super::{expect_inputs, reduce_segments, row_consts, segments};
use crate::graph::{Graph, GraphError, Lowering, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::TensorType;

/// Sum over all axes but the last: [.., C] to `[C]`. The gradient of a bias.
#[derive(Clone, Copy, Debug)]
pub struct ChannelSums;

/// Appends the sum over all axes but the last.
///
/// # Errors
/// Never for an activation.
pub fn channel_sums(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    g.add1(ChannelSums, &[x])
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

impl Op for ChannelSums {
    fn name(&self) -> &'static str {
        "channel_sums"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        Ok(vec![TensorType::channels([x.shape.channels()])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        operand == Operand::Input(0)
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
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
