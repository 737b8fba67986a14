//! The ONNX form of an op, as plain data. An op names operators and attributes; [`crate::interop::onnx`] adds layouts,
//! names of values and the file.
//!
//! Attributes are those of operator set [`ONNX_OPSET`]. Its activations are N C H W.

/// Version of ONNX's operator set that ops use.
pub const ONNX_OPSET: i64 = 17;

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxAttribute {
    /// An integer.
    Int(i64),
    /// Integers.
    Ints(Vec<i64>),
    /// A float.
    Float(f32),
    /// Text.
    Text(&'static str),
}

/// An input of an ONNX node.
#[derive(Clone, Debug, PartialEq)]
pub enum OnnxInput {
    /// Input of the op: an activation `[N,C,H,W]` or `[N,C]`, or a vector `[C]`.
    Value(usize),
    /// Input of the op, a vector over channels, as `[C,1,1]`, so that it broadcasts over a map.
    PerChannel(usize),
    /// Input of the op, a weight `[KH,KW,I,O]` or `[I,O]`, as `[O,I,KH,KW]` or `[O,I]`.
    Kernel(usize),
    /// Result of the op's ONNX node at this index.
    Node(usize),
    /// Constant floats and their shape, which is empty for a scalar.
    Floats(Vec<f32>, Vec<usize>),
    /// A constant list of integers.
    Ints(Vec<i64>),
    /// An optional input that is omitted.
    Absent,
}

impl OnnxInput {
    /// A constant scalar.
    pub fn scalar(value: f32) -> Self {
        OnnxInput::Floats(vec![value], vec![])
    }

    /// Index of the op's input, if it is one.
    pub fn of_op(&self) -> Option<usize> {
        match *self {
            OnnxInput::Value(i) | OnnxInput::PerChannel(i) | OnnxInput::Kernel(i) => Some(i),
            _ => None,
        }
    }
}

/// An ONNX node with one result.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxNode {
    /// Name of the operator, such as `Conv`.
    pub operator: &'static str,
    /// Inputs in order.
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

    /// Adds an integer attribute.
    pub fn int(self, name: &'static str, value: i64) -> Self {
        self.with(name, OnnxAttribute::Int(value))
    }

    /// Adds an attribute that is a list of integers.
    pub fn ints(self, name: &'static str, values: impl IntoIterator<Item = usize>) -> Self {
        self.with(name, OnnxAttribute::Ints(values.into_iter().map(|v| v as i64).collect()))
    }

    /// Adds a float attribute.
    pub fn float(self, name: &'static str, value: f32) -> Self {
        self.with(name, OnnxAttribute::Float(value))
    }

    /// Adds a text attribute.
    pub fn text(self, name: &'static str, value: &'static str) -> Self {
        self.with(name, OnnxAttribute::Text(value))
    }
}
