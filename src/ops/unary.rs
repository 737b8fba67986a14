//! Functions of one variable, element by element. Some have a parameter, which is fixed when the graph is built.

use super::{expect_inputs, first, row_consts, vectors};
use crate::graph::{Graph, GraphError, Lowering, Node, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::TensorType;

/// A function of one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryOp {
    /// `max(x, 0)`; its gradient at 0 is 0.
    Relu,
    /// `x` where positive, `slope · x` elsewhere; its gradient at 0 is the slope.
    LeakyRelu(f32),
    /// `1 / (1 + e^−x)`
    Sigmoid,
    /// `tanh x`
    Tanh,
    /// `factor · x`
    Scale(f32),
    /// `x + number`
    AddScalar(f32),
    /// `e^x`
    Exp,
    /// `ln x`; −∞ at 0, NaN below.
    Log,
    /// `√x`; NaN below 0. Its gradient at 0 is infinite.
    Sqrt,
    /// `|x|`; its gradient at 0 is 0.
    Abs,
    /// `x^exponent`. A whole exponent takes x of either sign, another one needs x ≥ 0: for x below 0 the CPU gives NaN,
    /// and a GPU any number.
    Pow(f32),
}

/// Operand of a derivative.
enum Derivative {
    /// None: the derivative is a constant.
    Constant,
    /// The function's argument.
    OfArgument,
    /// The function's result.
    OfResult,
}

impl UnaryOp {
    /// The code of the function in shader and twin, and its parameter.
    pub(super) fn code(self) -> (usize, f64) {
        match self {
            UnaryOp::Relu => (0, 0.0),
            UnaryOp::LeakyRelu(slope) => (1, f64::from(slope)),
            UnaryOp::Sigmoid => (2, 0.0),
            UnaryOp::Tanh => (3, 0.0),
            UnaryOp::Scale(factor) => (4, f64::from(factor)),
            UnaryOp::AddScalar(number) => (5, f64::from(number)),
            UnaryOp::Exp => (6, 0.0),
            UnaryOp::Log => (7, 0.0),
            UnaryOp::Sqrt => (8, 0.0),
            UnaryOp::Abs => (9, 0.0),
            UnaryOp::Pow(exponent) => (10, f64::from(exponent)),
        }
    }

    /// Whether the function is 0 at 0, so that padding stays 0.
    fn keeps_zero(self) -> bool {
        match self {
            UnaryOp::Sigmoid | UnaryOp::Exp | UnaryOp::Log => false,
            UnaryOp::AddScalar(number) => number == 0.0,
            UnaryOp::Pow(exponent) => exponent > 0.0,
            _ => true,
        }
    }

    /// Whether the derivative is finite where argument and result are 0, as in padding.
    fn is_smooth_at_zero(self) -> bool {
        match self {
            UnaryOp::Log | UnaryOp::Sqrt => false,
            UnaryOp::Pow(exponent) => exponent == 0.0 || exponent >= 1.0,
            _ => true,
        }
    }

    fn derivative(self) -> Derivative {
        match self {
            UnaryOp::Scale(_) | UnaryOp::AddScalar(_) => Derivative::Constant,
            UnaryOp::LeakyRelu(_) | UnaryOp::Log | UnaryOp::Abs | UnaryOp::Pow(_) => Derivative::OfArgument,
            UnaryOp::Relu | UnaryOp::Sigmoid | UnaryOp::Tanh | UnaryOp::Exp | UnaryOp::Sqrt => Derivative::OfResult,
        }
    }

    /// Whether the result may be stored in 16 bits. Results that may exceed the range of f16, or need more digits, may not.
    fn fits_half(self) -> bool {
        !matches!(self, UnaryOp::Exp | UnaryOp::Log | UnaryOp::Sqrt | UnaryOp::Pow(_))
    }

    fn consts(self, t: &TensorType, masked: bool) -> Consts {
        let (code, alpha) = self.code();
        row_consts(t).u("OP", code).f("ALPHA", alpha).b("MASKED", masked)
    }
}

/// The op that applies a function.
#[derive(Clone, Copy, Debug)]
pub struct Unary(pub UnaryOp);

/// Gradient of [`Unary`] from dy and the value that its derivative is computed from: argument or result.
#[derive(Clone, Copy, Debug)]
pub struct UnaryGrad(pub UnaryOp);

/// Appends a function of x, in the shape of x.
///
/// Gradient: for x.
///
/// # Errors
/// For a weight whose input channels are padded in memory, when the function is not 0 at 0.
pub fn unary(g: &mut Graph, x: Value, f: UnaryOp) -> Result<Value, GraphError> {
    g.add1(Unary(f), &[x])
}

/// Appends `max(x, 0)`.
///
/// Gradient: for x; 0 at 0.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn relu(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Relu)
}

/// The results of all `max(x, 0)` of a graph, in their order.
pub fn rectified(g: &Graph) -> Vec<Value> {
    let is_relu = |node: &&Node| node.op_as::<Unary>().is_some_and(|unary| unary.0 == UnaryOp::Relu);
    g.nodes().iter().filter(is_relu).flat_map(|node| node.outputs.clone()).collect()
}

/// Appends `1 / (1 + e^−x)`.
///
/// Gradient: for x.
///
/// # Errors
/// As [`unary`].
pub fn sigmoid(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Sigmoid)
}

/// Appends `factor · x`.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn scale(g: &mut Graph, x: Value, factor: f32) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Scale(factor))
}

/// Appends `−x`.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn neg(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    scale(g, x, -1.0)
}

/// Appends `x + number`.
///
/// Gradient: for x.
///
/// # Errors
/// As [`unary`].
pub fn add_scalar(g: &mut Graph, x: Value, number: f32) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::AddScalar(number))
}

/// Appends `e^x`.
///
/// Gradient: for x.
///
/// # Errors
/// As [`unary`].
pub fn exp(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Exp)
}

/// Appends `ln x`. Use [`super::log_softmax`] for the logarithm of probabilities: it does not round them to 0 first.
///
/// Gradient: for x; infinite at 0.
///
/// # Errors
/// As [`unary`].
pub fn log(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Log)
}

/// Appends `√x`.
///
/// Gradient: for x; infinite at 0.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn sqrt(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Sqrt)
}

/// Appends `|x|`.
///
/// Gradient: for x; 0 at 0.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn abs(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Abs)
}

/// Appends `x^exponent`, see [`UnaryOp::Pow`].
///
/// Gradient: for x; infinite at 0 for an exponent below 1.
///
/// # Errors
/// As [`unary`].
pub fn pow(g: &mut Graph, x: Value, exponent: f32) -> Result<Value, GraphError> {
    unary(g, x, UnaryOp::Pow(exponent))
}

impl Op for Unary {
    fn name(&self) -> &'static str {
        match self.0 {
            UnaryOp::Relu => "relu",
            UnaryOp::LeakyRelu(_) => "leaky_relu",
            UnaryOp::Sigmoid => "sigmoid",
            UnaryOp::Tanh => "tanh",
            UnaryOp::Scale(_) => "scale",
            UnaryOp::AddScalar(_) => "add_scalar",
            UnaryOp::Exp => "exp",
            UnaryOp::Log => "log",
            UnaryOp::Sqrt => "sqrt",
            UnaryOp::Abs => "abs",
            UnaryOp::Pow(_) => "pow",
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
        let dx = match (self.0, self.0.derivative()) {
            (UnaryOp::Scale(_), _) => g.add1(Unary(self.0), &[dy])?,
            (_, Derivative::Constant) => dy,
            (_, Derivative::OfArgument) => g.add1(UnaryGrad(self.0), &[dy, node.inputs[0]])?,
            (_, Derivative::OfResult) => g.add1(UnaryGrad(self.0), &[dy, node.outputs[0]])?,
        };
        Ok(vec![Some(dx)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.0.fits_half() && matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let x = OnnxInput::Value(0);
        Ok(vec![match self.0 {
            UnaryOp::Relu => OnnxNode::new("Relu", [x]),
            UnaryOp::LeakyRelu(slope) => OnnxNode::new("LeakyRelu", [x]).float("alpha", slope),
            UnaryOp::Sigmoid => OnnxNode::new("Sigmoid", [x]),
            UnaryOp::Tanh => OnnxNode::new("Tanh", [x]),
            UnaryOp::Scale(factor) => OnnxNode::new("Mul", [x, OnnxInput::scalar(factor)]),
            UnaryOp::AddScalar(number) => OnnxNode::new("Add", [x, OnnxInput::scalar(number)]),
            UnaryOp::Exp => OnnxNode::new("Exp", [x]),
            UnaryOp::Log => OnnxNode::new("Log", [x]),
            UnaryOp::Sqrt => OnnxNode::new("Sqrt", [x]),
            UnaryOp::Abs => OnnxNode::new("Abs", [x]),
            UnaryOp::Pow(exponent) => OnnxNode::new("Pow", [x, OnnxInput::scalar(exponent)]),
        }])
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        self.0.keeps_zero()
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let t = l.inputs[0];
        let consts = self.0.consts(t, !self.0.keeps_zero());
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("unary", consts, bindings, Work::Items(vectors(t)), t.shape.elements());
    }
}

impl Op for UnaryGrad {
    fn name(&self) -> &'static str {
        "unary_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [dy, at] = expect_inputs(inputs)?;
        if dy == at { Ok(vec![dy.clone()]) } else { Err("both inputs must have the same shape".into()) }
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.0.fits_half() && matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        self.0.is_smooth_at_zero()
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let t = l.inputs[0];
        let consts = self.0.consts(t, !self.0.is_smooth_at_zero());
        let reads = [0, 1].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        l.call("unary_grad", consts, bindings, Work::Items(vectors(t)), t.shape.elements());
    }
}
