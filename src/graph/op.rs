//! The trait of an operation. It answers all questions about an op, so that nothing outside `ops/` asks which op a node is.

use std::any::Any;
use std::fmt::Debug;

use super::{Domain, Graph, GraphError, OnnxNode, Reach, Value};
use crate::kernel::{Access, KernelCall, Parameters, Work};
use crate::shape::{Element, TensorType};

/// The memory of an op's first output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In separate memory.
    Own,
    /// Input `i` under another shape.
    Alias(usize),
    /// All inputs one after the other. They are produced in place, at these offsets (in floats).
    Parts(Vec<usize>),
}

/// A node of the graph as its op sees it while giving gradients.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// Inputs in order.
    pub inputs: &'a [Value],
    /// Outputs in order.
    pub outputs: &'a [Value],
}

/// An operation: shape rule, gradient, lowering to kernel calls.
pub trait Op: Any + Debug + Send + Sync {
    /// Name as in errors and plans.
    fn name(&self) -> &'static str;

    /// Output types for input types.
    ///
    /// # Errors
    /// The rule that is broken, in words; the graph adds the op's name and the shapes.
    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String>;

    /// Appends the nodes that turn the gradients of the outputs into gradients of the inputs; `None` for an input without a
    /// gradient. At least one entry of `upstream` is given.
    ///
    /// # Errors
    /// When the op has no gradient.
    fn gradient(
        &self,
        graph: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let _ = (graph, node, upstream);
        Err(GraphError::NoGradient { op: self.name() })
    }

    /// Emits the kernel calls.
    fn lower(&self, to: &mut Lowering<'_>);

    /// The ONNX nodes of the op for inference, given the types of its inputs. They run in this order, and the last makes the
    /// first output. The exported batch is of any size, so nothing may depend on N.
    ///
    /// # Errors
    /// Why the op has no ONNX form, in words; the export adds the op's name and the layer.
    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let _ = inputs;
        Err("ONNX has no counterpart of it for inference".into())
    }

    /// Inputs (states) that are updated in place.
    fn updates(&self) -> &'static [usize] {
        &[]
    }

    /// Whether this input or output can have 16-bit numbers, independently of the others.
    fn takes_half(&self, operand: Operand) -> bool {
        let _ = operand;
        false
    }

    /// Whether this input can be a kernel with padded rows ([`TensorType::has_padded_rows`]). Their zeros must not change a
    /// result, and must stay zeros in a result of the same layout.
    fn takes_padded_kernel(&self, input: usize) -> bool {
        let _ = input;
        false
    }

    /// The domain of an input's numbers, given the types of all inputs; `None` if the op takes any number.
    fn domain(&self, input: usize, inputs: &[&TensorType]) -> Option<Domain> {
        let _ = (input, inputs);
        None
    }

    /// The pixels of an input that a pixel of the output depends on, for receptive fields.
    fn reach(&self, inputs: &[&TensorType]) -> Reach {
        let _ = inputs;
        Reach::PIXEL
    }

    /// The memory of the first output.
    fn storage(&self) -> Storage {
        Storage::Own
    }
}

/// A buffer of a node's kernel calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// Input of the node.
    Input(usize),
    /// Output of the node.
    Output(usize),
    /// Temporary memory that lives between the node's calls.
    Scratch(usize),
}

/// Collects a node's kernel calls.
pub struct Lowering<'a> {
    /// Types of the inputs.
    pub inputs: Vec<&'a TensorType>,
    /// Types of the outputs.
    pub outputs: Vec<&'a TensorType>,
    /// Lengths of the temporaries, in floats.
    pub scratch: Vec<usize>,
    /// Element types of the temporaries.
    pub scratch_elements: Vec<Element>,
    /// Calls so far.
    pub calls: Vec<KernelCall<Operand>>,
}

impl Lowering<'_> {
    /// Reserves `len` floats of temporary memory.
    pub fn scratch(&mut self, len: usize) -> Operand {
        self.scratch_of(len, Element::F32)
    }

    /// Reserves temporary memory for `len` numbers of an element type.
    pub fn scratch_of(&mut self, len: usize, element: Element) -> Operand {
        self.scratch.push(crate::shape::padded(element.floats(len).max(1)));
        self.scratch_elements.push(element);
        Operand::Scratch(self.scratch.len() - 1)
    }

    /// Appends a call. Its parameters are constants, or the geometry of a family of kernels.
    pub fn call(
        &mut self,
        kernel: &'static str,
        parameters: impl Into<Parameters>,
        bindings: impl IntoIterator<Item = (Operand, Access)>,
        work: Work,
        flops: usize,
    ) {
        let bindings: Vec<_> = bindings.into_iter().collect();
        let element = |&(operand, _): &(Operand, Access)| match operand {
            Operand::Input(i) => self.inputs[i].element,
            Operand::Output(i) => self.outputs[i].element,
            Operand::Scratch(i) => self.scratch_elements[i],
        };
        let elements = bindings.iter().map(element).collect();
        let parameters = parameters.into();
        self.calls.push(KernelCall { kernel, parameters, bindings, elements, work, flops: flops as u64 });
    }
}
