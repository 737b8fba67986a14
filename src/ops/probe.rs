//! A kernel that only multiplies and adds. `shadegrad bench` measures a device's peak with it.

use super::expect_inputs;
use crate::graph::{Graph, GraphError, Lowering, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Independent sums of an invocation: enough to hide the latency of a multiply-add on current GPUs.
const SUMS: usize = 8;

/// Most rounds, so that a dispatch is short.
const MOST_ROUNDS: usize = 1 << 20;

/// `y = Σ_k c_k` after `rounds` times `c_k ← c_k · x + x`, from `c_k = k · x`, with 8 vectors c_k for each vector of x.
#[derive(Clone, Copy, Debug)]
struct FmaPeak {
    rounds: usize,
}

/// Appends the probe.
///
/// Gradient: none.
///
/// # Errors
/// When there are more than 2^20 rounds.
pub fn fma_peak(g: &mut Graph, x: Value, rounds: usize) -> Result<Value, GraphError> {
    g.add1(FmaPeak { rounds }, &[x])
}

impl Op for FmaPeak {
    fn name(&self) -> &'static str {
        "fma_peak"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        if self.rounds > MOST_ROUNDS {
            return Err(format!("{} rounds: at most {MOST_ROUNDS}", self.rounds));
        }
        Ok(vec![x.clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let vectors = l.inputs[0].len() / LANES;
        let consts = Consts::new().u("ROUNDS", self.rounds);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("fma_peak", consts, bindings, Work::Items(vectors), 2 * vectors * LANES * SUMS * self.rounds);
    }
}
