//! Functions of two tensors, element by element. The smaller one is broadcast (see [`super::broadcast`]).

use super::onnx::per_channel;
use super::reduce::{broadcast, sum_to};
use super::repeat::Repeat;
use super::unary::neg;
use super::{all_some, expect_inputs, first, row_consts, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Work};
use crate::shape::TensorType;

/// A function of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `a + b`
    Add,
    /// `a · b`
    Mul,
    /// `a − b`
    Sub,
    /// `a / b`
    Div,
}

impl BinaryOp {
    /// Whether the function is commutative.
    fn commutes(self) -> bool {
        matches!(self, BinaryOp::Add | BinaryOp::Mul)
    }
}

/// [`BinaryOp`] applied; the result has the type of the first input, over which the second is broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Binary(pub BinaryOp);

/// Appends `a + b`; the smaller one is broadcast.
///
/// Gradient: for both.
///
/// # Errors
/// When neither shape can be repeated to the other.
pub fn add(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    binary(g, BinaryOp::Add, [a, b])
}

/// Appends `x + b` with b `[C]` repeated over all rows.
///
/// Gradient: for both.
///
/// # Errors
/// When b has another length than x has channels.
pub fn add_bias(g: &mut Graph, x: Value, b: Value) -> Result<Value, GraphError> {
    g.add1(Binary(BinaryOp::Add), &[x, b])
}

/// Appends `a − b`; the smaller one is broadcast.
///
/// Gradient: for both.
///
/// # Errors
/// When neither shape can be repeated to the other.
pub fn sub(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    binary(g, BinaryOp::Sub, [a, b])
}

/// Appends `a · b`; the smaller one is broadcast.
///
/// Gradient: for both.
///
/// # Errors
/// When neither shape can be repeated to the other.
pub fn mul(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    binary(g, BinaryOp::Mul, [a, b])
}

/// Appends `a / b`; the smaller one is broadcast.
///
/// Gradient: for both.
///
/// # Errors
/// When neither shape can be repeated to the other, or a is a weight whose input channels are padded in memory.
pub fn div(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    binary(g, BinaryOp::Div, [a, b])
}

fn binary(g: &mut Graph, op: BinaryOp, [a, b]: [Value; 2]) -> Result<Value, GraphError> {
    let name = Binary(op).name();
    let [of_a, of_b] = [g.known(name, a)?, g.known(name, b)?];
    let fits = |to: &TensorType, from: &TensorType| to == from || Repeat::new(to, from).is_some();
    if fits(of_a, of_b) || !fits(of_b, of_a) {
        return g.add1(Binary(op), &[a, b]);
    }
    if op.commutes() {
        return g.add1(Binary(op), &[b, a]);
    }
    let to = of_b.clone();
    let a = broadcast(g, a, to)?;
    g.add1(Binary(op), &[a, b])
}

impl Binary {
    /// The repetition of the second input over the first; `None` where the types are equal.
    fn repeat(a: &TensorType, b: &TensorType) -> Option<Repeat> {
        if a.shape == b.shape && a.layout == b.layout { None } else { Repeat::new(a, b) }
    }
}

impl Op for Binary {
    fn name(&self) -> &'static str {
        match self.0 {
            BinaryOp::Add => "add",
            BinaryOp::Mul => "mul",
            BinaryOp::Sub => "sub",
            BinaryOp::Div => "div",
        }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [a, b] = expect_inputs(inputs)?;
        let (repeat, padded) = (Self::repeat(a, b), a.has_padded_rows());
        if padded && (self.0 == BinaryOp::Div || repeat.is_some() && self.0 != BinaryOp::Mul) {
            return Err("a kernel whose input channels are padded in memory takes neither a bias nor a divisor".into());
        }
        if a == b || repeat.is_some() {
            return Ok(vec![a.clone()]);
        }
        Err("the second input must have the shape of the first, or be repeated over it: each axis 1 or of that size"
            .into())
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (dy, a, b) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let (da, db) = match self.0 {
            BinaryOp::Add | BinaryOp::Sub => (dy, dy),
            BinaryOp::Mul => (mul(g, dy, b)?, mul(g, dy, a)?),
            // d(a/b)/db = −(a/b) / b
            BinaryOp::Div => {
                let da = div(g, dy, b)?;
                (da, mul(g, da, node.outputs[0])?)
            }
        };
        let ty = g.ty(b).clone();
        let db = sum_to(g, db, &ty)?;
        let db = if matches!(self.0, BinaryOp::Sub | BinaryOp::Div) { neg(g, db)? } else { db };
        Ok(all_some([da, db]))
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let operator = match self.0 {
            BinaryOp::Add => "Add",
            BinaryOp::Mul => "Mul",
            BinaryOp::Sub => "Sub",
            BinaryOp::Div => "Div",
        };
        let (a, b) = (inputs[0], inputs[1]);
        let second = match b.shape.rank() {
            rank if rank == a.shape.rank() => OnnxInput::Value(1),
            1 if b.shape.channels() == a.shape.channels() => per_channel(1, a),
            1 => OnnxInput::Value(1),
            _ => return Err("its inputs have different numbers of axes, and ONNX orders axes differently".into()),
        };
        Ok(vec![OnnxNode::new(operator, [OnnxInput::Value(0), second])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        // A quotient may leave the range of f16.
        self.0 != BinaryOp::Div && matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (a, b) = (l.inputs[0], l.inputs[1]);
        let code = match self.0 {
            BinaryOp::Add => 0,
            BinaryOp::Mul => 1,
            BinaryOp::Sub => 2,
            BinaryOp::Div => 3,
        };
        let repeat = Self::repeat(a, b);
        // 0 / 0 is not 0, and a single channel changes the padding.
        let masked = self.0 == BinaryOp::Div || repeat.is_some_and(Repeat::is_one_channel);
        // Without a repeated input the shader declares these constants but does not read them.
        let of_repeat = repeat.or_else(|| Repeat::new(a, &TensorType::channels([1]))).map(Repeat::consts);
        let consts = row_consts(a).u("OP", code).b("BROADCAST", repeat.is_some()).b("MASKED", masked);
        let consts = consts.and(of_repeat.unwrap_or_default());
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("binary", consts, bindings, Work::Items(vectors(a)), a.shape.elements());
    }
}
