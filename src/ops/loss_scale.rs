//! Dynamic loss scaling (Micikevicius et al. 2018): with gradients in 16 bits, the loss is multiplied by 2^e before the
//! backward pass and the gradients are divided by it after. A step whose gradients are not finite changes no parameter
//! and lowers e by one; 2000 good steps raise it by one, as PyTorch's `GradScaler` does. All of it runs on the device.

use super::expect_inputs;
use crate::graph::{Graph, GraphError, Group, Init, Lowering, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, TensorType};

/// e of the first step.
const START: i64 = 16;
/// Bounds of e.
const LIMITS: [i64; 2] = [-14, 24];
/// Finite steps after which e rises.
const GROWTH_INTERVAL: usize = 2000;

/// Name of the state: e − 16, good steps since e changed, skipped steps.
pub const LOSS_SCALE: &str = "optimizer.loss_scale";

/// Input: the state. Output `[1]`: 2^e.
#[derive(Clone, Copy, Debug)]
pub struct LossScale;

/// Inputs: the state, and `[4]` from [`super::clip_scale`], whose norm is finite if all gradients are.
#[derive(Clone, Copy, Debug)]
pub struct LossScaleUpdate;

/// Whether the scale is at its lower bound, given the state.
pub fn loss_scale_is_lowest(state: &[f32]) -> bool {
    state.first().is_some_and(|&e| e <= (LIMITS[0] - START) as f32)
}

/// The scale, given the state.
pub fn loss_scale_of(state: &[f32]) -> f64 {
    f64::from(START as f32 + state.first().copied().unwrap_or(0.0)).exp2()
}

fn state(g: &mut Graph) -> Result<Value, GraphError> {
    g.state(LOSS_SCALE, TensorType::flat(LANES), Group::Moments, Init::Constant(0.0), false)
}

/// Appends the factor of the loss, `[1]`.
///
/// Gradient: none.
///
/// # Errors
/// When a state of its name has another shape.
pub fn loss_scale(g: &mut Graph) -> Result<Value, GraphError> {
    let state = state(g)?;
    g.add1(LossScale, &[state])
}

/// Appends the update of the factor. Append it after the parameters' update.
///
/// Gradient: none.
///
/// # Errors
/// When a state of its name has another shape.
pub fn update_loss_scale(g: &mut Graph, norm: Value) -> Result<(), GraphError> {
    let state = state(g)?;
    g.add(LossScaleUpdate, &[state, norm]).map(drop)
}

impl Op for LossScale {
    fn name(&self) -> &'static str {
        "loss_scale"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [_] = expect_inputs(inputs)?;
        Ok(vec![TensorType::channels([1])])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("loss_scale", Consts::new().i("START", START), bindings, Work::Items(1), 1);
    }
}

impl Op for LossScaleUpdate {
    fn name(&self) -> &'static str {
        "loss_scale_update"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [_, _] = expect_inputs(inputs)?;
        Ok(vec![])
    }

    fn updates(&self) -> &'static [usize] {
        &[0]
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let [low, high] = LIMITS.map(|limit| (limit - START) as f64);
        let consts = Consts::new().f("LOW", low).f("HIGH", high).f("GROWTH_INTERVAL", GROWTH_INTERVAL as f64);
        let bindings = [(Operand::Input(0), Access::Update), (Operand::Input(1), Access::Read)];
        l.call("loss_scale_update", consts, bindings, Work::Items(1), 4);
    }
}
