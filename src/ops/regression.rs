//! Losses between a prediction and a target of the same shape, averaged over all elements. With d = prediction − target
//! they are the squared error `d²`, the absolute error `|d|`, and Huber's loss (1964): `d²/2` for |d| ≤ δ, else `δ·(|d|
//! − δ/2)`.

use super::{Reduction, expect_inputs, first, loss_parts, row_consts, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// Loss of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Regression {
    /// Mean squared error.
    Mse,
    /// Mean absolute error; its gradient at 0 is 0.
    L1,
    /// Huber loss with this δ, above 0 (PyTorch's `huber_loss`).
    Huber(f32),
}

impl Regression {
    /// Its number in shader and twin, and δ.
    fn code(self) -> (usize, f64) {
        match self {
            Regression::Mse => (0, 0.0),
            Regression::L1 => (1, 0.0),
            Regression::Huber(delta) => (2, f64::from(delta)),
        }
    }

    /// Loss of one element with difference `d`.
    pub fn of(self, d: f64) -> f64 {
        match self {
            Regression::Mse => d * d,
            Regression::L1 => d.abs(),
            Regression::Huber(delta) if d.abs() <= f64::from(delta) => d * d / 2.0,
            Regression::Huber(delta) => f64::from(delta) * (d.abs() - f64::from(delta) / 2.0),
        }
    }

    fn consts(self, t: &TensorType) -> Consts {
        let (code, delta) = self.code();
        row_consts(t).u("OP", code).f("DELTA", delta)
    }
}

/// The loss. Outputs: loss `[1]`; totals `[4]`: sum, number of elements, 0, number of elements.
#[derive(Clone, Copy, Debug)]
pub struct RegressionLoss(pub Regression);

/// Gradient for the prediction, from upstream, prediction and target.
#[derive(Clone, Copy, Debug)]
struct RegressionLossGrad(Regression);

/// Appends the mean loss; returns it and the totals.
///
/// Gradient: for the prediction. The target gets none.
///
/// # Errors
/// When the shapes differ or δ is not above 0.
pub fn regression_loss(
    g: &mut Graph,
    prediction: Value,
    target: Value,
    loss: Regression,
) -> Result<[Value; 2], GraphError> {
    let made = g.add(RegressionLoss(loss), &[prediction, target])?;
    Ok([made[0], made[1]])
}

/// Most partial sums: enough to fill a device.
const MAX_PARTS: usize = 8192;

impl Op for RegressionLoss {
    fn name(&self) -> &'static str {
        match self.0 {
            Regression::Mse => "mse_loss",
            Regression::L1 => "l1_loss",
            Regression::Huber(_) => "huber_loss",
        }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [prediction, target] = expect_inputs(inputs)?;
        if prediction != target {
            return Err("prediction and target must have the same shape".into());
        }
        if matches!(self.0, Regression::Huber(delta) if delta <= 0.0 || !delta.is_finite()) {
            return Err("δ must be above 0".into());
        }
        Ok(vec![TensorType::channels([1]), TensorType::channels([4])])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let inputs = [first(upstream)?, node.inputs[0], node.inputs[1]];
        Ok(vec![Some(g.add1(RegressionLossGrad(self.0), &inputs)?), None])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let t = l.inputs[0];
        let parts = vectors(t).min(MAX_PARTS);
        let partials = l.scratch(parts * LANES);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let consts = self.0.consts(t).u("PARTS", parts).u("TOTAL4", vectors(t));
        let bindings = reads.into_iter().chain([(partials, Access::Write)]);
        l.call("regression_loss", consts, bindings, Work::Items(parts), 3 * t.shape.elements());
        loss_parts::finish(l, partials, parts, Reduction::Mean);
    }
}

impl Op for RegressionLossGrad {
    fn name(&self) -> &'static str {
        "regression_loss_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[1].clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let t = l.inputs[1];
        let reads = [0, 1, 2].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        let work = Work::Items(vectors(t));
        l.call("regression_loss_grad", self.0.consts(t), bindings, work, 3 * t.shape.elements());
    }
}
