//! Element-wise ops: activations, sums, products, scaling.

use super::onnx::per_channel;
use super::{all_some, channel_sums, expect_inputs, first, row_consts, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Work};
use crate::shape::TensorType;

/// A function of one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` where positive, `slope · x` elsewhere
    LeakyRelu(f32),
    /// `1 / (1 + e^−x)`
    Sigmoid,
    /// `tanh x`
    Tanh,
    /// `factor · x`
    Scale(f32),
}

impl Activation {
    /// The number by which shader and twin know it, and its parameter.
    pub(super) fn code(self) -> (usize, f64) {
        match self {
            Activation::Relu => (0, 0.0),
            Activation::LeakyRelu(slope) => (1, f64::from(slope)),
            Activation::Sigmoid => (2, 0.0),
            Activation::Tanh => (3, 0.0),
            Activation::Scale(factor) => (4, f64::from(factor)),
        }
    }
}

/// An activation applied.
#[derive(Clone, Copy, Debug)]
pub struct Unary(pub Activation);

/// Gradient of [`Unary`] from dy and the value that its derivative is a function of: x for LeakyReLU, else y.
#[derive(Clone, Copy, Debug)]
pub struct UnaryGrad(pub Activation);

/// A function of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `a + b`
    Add,
    /// `a · b`
    Mul,
}

/// [`BinaryOp`] applied; the second input has the first one's shape, or is a vector over its channels.
#[derive(Clone, Copy, Debug)]
pub struct Binary(pub BinaryOp);

/// Appends an activation.
///
/// # Errors
/// Never for one input.
pub fn activation(g: &mut Graph, x: Value, f: Activation) -> Result<Value, GraphError> {
    g.add1(Unary(f), &[x])
}

/// Appends a ReLU.
///
/// # Errors
/// Never for one input.
pub fn relu(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    activation(g, x, Activation::Relu)
}

/// Appends a multiplication by a number.
///
/// # Errors
/// Never for one input.
pub fn scale(g: &mut Graph, x: Value, factor: f32) -> Result<Value, GraphError> {
    activation(g, x, Activation::Scale(factor))
}

/// Appends a sum of two tensors of one shape.
///
/// # Errors
/// When the shapes differ.
pub fn add(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    g.add1(Binary(BinaryOp::Add), &[a, b])
}

/// Appends `x + b` with b `[C]` repeated over all rows.
///
/// # Errors
/// When b has another length than x has channels.
pub fn add_bias(g: &mut Graph, x: Value, b: Value) -> Result<Value, GraphError> {
    g.add1(Binary(BinaryOp::Add), &[x, b])
}

/// Appends a product of two tensors of one shape, or with a vector over the channels.
///
/// # Errors
/// When the shapes differ.
pub fn mul(g: &mut Graph, a: Value, b: Value) -> Result<Value, GraphError> {
    g.add1(Binary(BinaryOp::Mul), &[a, b])
}

impl Op for Unary {
    fn name(&self) -> &'static str {
        match self.0 {
            Activation::Relu => "relu",
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Scale(_) => "scale",
        }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        Ok(vec![x.clone()])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let dy = first(upstream)?;
        let dx = match self.0 {
            Activation::Scale(_) => g.add1(Unary(self.0), &[dy])?,
            Activation::LeakyRelu(_) => g.add1(UnaryGrad(self.0), &[dy, node.inputs[0]])?,
            _ => g.add1(UnaryGrad(self.0), &[dy, node.outputs[0]])?,
        };
        Ok(vec![Some(dx)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let x = OnnxInput::Value(0);
        Ok(vec![match self.0 {
            Activation::Relu => OnnxNode::new("Relu", [x]),
            Activation::LeakyRelu(slope) => OnnxNode::new("LeakyRelu", [x]).float("alpha", slope),
            Activation::Sigmoid => OnnxNode::new("Sigmoid", [x]),
            Activation::Tanh => OnnxNode::new("Tanh", [x]),
            Activation::Scale(factor) => OnnxNode::new("Mul", [x, OnnxInput::scalar(factor)]),
        }])
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        // Of the functions it alone is not 0 at 0.
        self.0 != Activation::Sigmoid
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (code, alpha) = self.0.code();
        let consts = row_consts(l.inputs[0]).u("OP", code).f("ALPHA", alpha);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        let t = l.inputs[0];
        l.call("unary", consts, bindings, Work::Items(vectors(t)), t.shape.elements());
    }
}

impl Op for UnaryGrad {
    fn name(&self) -> &'static str {
        "activation_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [dy, at] = expect_inputs(inputs)?;
        if dy == at { Ok(vec![dy.clone()]) } else { Err("both inputs must have the same shape".into()) }
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (code, alpha) = self.0.code();
        let consts = row_consts(l.inputs[0]).u("OP", code).f("ALPHA", alpha);
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let t = l.inputs[0];
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("unary_grad", consts, bindings, Work::Items(vectors(t)), t.shape.elements());
    }
}

impl Binary {
    /// Is the second input a vector over the channels of the first?
    fn broadcast(a: &TensorType, b: &TensorType) -> bool {
        a.shape != b.shape
    }
}

impl Op for Binary {
    fn name(&self) -> &'static str {
        match self.0 {
            BinaryOp::Add => "add",
            BinaryOp::Mul => "mul",
        }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [a, b] = expect_inputs(inputs)?;
        if a != b && self.0 == BinaryOp::Add && a.has_padded_rows() {
            return Err("a kernel whose input channels are padded in memory takes no bias".into());
        }
        if a == b || b.shape.0 == [a.shape.channels()] {
            return Ok(vec![a.clone()]);
        }
        Err("the second input must have the shape of the first, or be a vector of its channels".into())
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (dy, a, b) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let (da, db) = match self.0 {
            BinaryOp::Add => (dy, dy),
            BinaryOp::Mul => (mul(g, dy, b)?, mul(g, dy, a)?),
        };
        let db = if Self::broadcast(g.ty(a), g.ty(b)) { channel_sums(g, db)? } else { db };
        Ok(all_some([da, db]))
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let operator = match self.0 {
            BinaryOp::Add => "Add",
            BinaryOp::Mul => "Mul",
        };
        let repeated = Self::broadcast(inputs[0], inputs[1]);
        let second = if repeated { per_channel(1, inputs[0]) } else { OnnxInput::Value(1) };
        Ok(vec![OnnxNode::new(operator, [OnnxInput::Value(0), second])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (a, b) = (l.inputs[0], l.inputs[1]);
        let consts = row_consts(a).u("OP", (self.0 == BinaryOp::Mul) as usize).b("PER_CHANNEL", Self::broadcast(a, b));
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("binary", consts, bindings, Work::Items(vectors(a)), a.shape.elements());
    }
}
