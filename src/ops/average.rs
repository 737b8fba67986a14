//! Averages over several steps, in one dispatch over a flat buffer each: the mean gradient of several batches, and the
//! moving average of the parameters.

use super::expect_inputs;
use super::optimizer::{expect_hyper, moment};
use crate::graph::{Graph, GraphError, Group, Lowering, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Name of the state of [`moving_average`]: flat, with the layout of the parameters.
pub const AVERAGE: &str = "optimizer.average";

/// Accumulates gradients. Inputs: sum and weight (states), gradients (flat), totals `[4]`, hyper. With `mean` the
/// states do not change, and the output is the mean of the accumulated gradients and the input gradients.
#[derive(Clone, Copy, Debug)]
pub struct Accumulate {
    /// Whether this is the last batch, for which the output is the mean.
    pub mean: bool,
}

/// Exponential moving average of the parameters. Inputs: average (state), parameters (flat), hyper.
#[derive(Clone, Copy, Debug)]
pub struct MovingAverage;

/// Appends the accumulation of the gradients of several batches. The divisor of a batch's mean loss (`totals[1]`)
/// weights its gradients, so the mean is the gradient of the mean loss of all batches together. For all but the last
/// batch (`last` false) the gradients are added and there is no result; for the last batch the result is the mean.
///
/// Gradient: none.
///
/// # Errors
/// When a state of the optimizer's name has another shape.
pub fn accumulate(
    g: &mut Graph,
    grads: Value,
    totals: Value,
    hyper: Value,
    last: bool,
) -> Result<Option<Value>, GraphError> {
    let sum = moment(g, "optimizer.gradient_sum")?;
    let one = TensorType::flat(LANES);
    let weight = g.state("optimizer.gradient_weight", one, Group::Moments, crate::graph::Init::Constant(0.0), false)?;
    let mean = g.add(Accumulate { mean: last }, &[sum, weight, grads, totals, hyper])?;
    Ok(mean.first().copied())
}

/// Appends the moving average of all parameters, `average += (1 − decay) (parameters − average)` (Polyak & Juditsky
/// 1992). Append it after the parameters' update.
///
/// Gradient: none.
///
/// # Errors
/// When a state named [`AVERAGE`] has another shape.
pub fn moving_average(g: &mut Graph, hyper: Value) -> Result<(), GraphError> {
    let average = moment(g, AVERAGE)?;
    let parameters = g.group(Group::Parameters);
    g.add(MovingAverage, &[average, parameters, hyper]).map(drop)
}

impl Op for Accumulate {
    fn name(&self) -> &'static str {
        if self.mean { "accumulated_mean" } else { "accumulate" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [sum, weight, grads, totals, hyper] = expect_inputs(inputs)?;
        if sum.len() != grads.len() {
            return Err("the sum must be as long as the gradients".into());
        }
        if weight.is_empty() || totals.shape.elements() != 4 {
            return Err("the weight must have 1 number, and the totals of a loss must have 4".into());
        }
        expect_hyper(hyper)?;
        Ok(if self.mean { vec![TensorType::flat(grads.len())] } else { vec![] })
    }

    fn updates(&self) -> &'static [usize] {
        if self.mean { &[] } else { &[0, 1] }
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let len = l.inputs[2].len();
        let state = if self.mean { Access::Read } else { Access::Update };
        let inputs = (0..5).map(|i| (Operand::Input(i), if i < 2 { state } else { Access::Read }));
        let mean = self.mean.then_some((Operand::Output(0), Access::Write));
        l.call(self.name(), Consts::new(), inputs.chain(mean), Work::Items(len / LANES), 3 * len);
    }
}

impl Op for MovingAverage {
    fn name(&self) -> &'static str {
        "moving_average"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [average, parameters, hyper] = expect_inputs(inputs)?;
        expect_hyper(hyper)?;
        let same = average.len() == parameters.len();
        if same { Ok(vec![]) } else { Err("average and parameters must have the same length".into()) }
    }

    fn updates(&self) -> &'static [usize] {
        &[0]
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let len = l.inputs[0].len();
        let access = [Access::Update, Access::Read, Access::Read];
        let bindings = access.into_iter().enumerate().map(|(i, a)| (Operand::Input(i), a));
        l.call("moving_average", Consts::new(), bindings, Work::Items(len / LANES), 3 * len);
    }
}
