//! What an op is in ONNX, as plain data: an op names operators and attributes, and [`crate::interop::onnx`] knows layouts,
//! names of values and the file.
//!
//! Attributes are those of operator set [`ONNX_OPSET`], whose activations are N C H W.

/// Version of ONNX's operators that ops speak.
pub const ONNX_OPSET: i64 = 17;

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxAttribute {
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// A number.
    Float(f32),
    /// Text.
    Text(&'static str),
}

/// What a node in ONNX reads.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxInput {
    /// Input of the op: an activation `[N,C,H,W]` or `[N,C]`, or a vector `[C]`.
    Value(usize),
    /// Input of the op, a vector over channels, as `[C,1,1]`: repeated over a map.
    PerChannel(usize),
    /// Input of the op, a weight: `[O,I,KH,KW]` or `[O,I]`, the last two axes of its shape here in front and exchanged.
    Kernel(usize),
    /// Result of the node at this place among those of the op.
    Node(usize),
    /// Constant numbers and their shape; a scalar has none.
    Floats(Vec<f32>, Vec<usize>),
    /// A constant list of whole numbers.
    Ints(Vec<i64>),
    /// An optional one that is left out.
    Absent,
}

impl OnnxInput {
    /// A constant number.
    pub fn scalar(value: f32) -> Self {
        OnnxInput::Floats(vec![value], vec![])
    }

    /// Which input of the op it is.
    pub fn of_op(&self) -> Option<usize> {
        match *self {
            OnnxInput::Value(i) | OnnxInput::PerChannel(i) | OnnxInput::Kernel(i) => Some(i),
            _ => None,
        }
    }
}

/// A node in ONNX, with one result.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxNode {
    /// Name of the operator, such as `Conv`.
    pub operator: &'static str,
    /// What it reads.
    pub inputs: Vec<OnnxInput>,
    /// Names and values of its attributes.
    pub attributes: Vec<(&'static str, OnnxAttribute)>,
}

impl OnnxNode {
    /// A node without attributes.
    pub fn new(operator: &'static str, inputs: impl Into<Vec<OnnxInput>>) -> Self {
        OnnxNode { operator, inputs: inputs.into(), attributes: vec![] }
    }

    fn with(mut self, name: &'static str, value: OnnxAttribute) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// The same with a whole number as attribute.
    pub fn int(self, name: &'static str, value: i64) -> Self {
        self.with(name, OnnxAttribute::Int(value))
    }

    /// The same with whole numbers as attribute.
    pub fn ints(self, name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        self.with(name, OnnxAttribute::Ints(values.into_iter().map(|v| v as i64).collect()))
    }

    /// The same with a number as attribute.
    pub fn float(self, name: &'static str, value: f32) -> Self {
        self.with(name, OnnxAttribute::Float(value))
    }

    /// The same with text as attribute.
    pub fn text(self, name: &'static str, value: &'static str) -> Self {
        self.with(name, OnnxAttribute::Text(value))
    }
}
