//! What is fused behind a convolution, in whichever direction it runs.

use super::conv_geometry::ConvShapes;
use super::expect_vector;
use crate::graph::{GraphError, Lowering, OnnxInput, Operand};
use crate::kernel::ConvEpilogue;
use crate::shape::TensorType;

/// What is done to the sums of a convolution before they are stored, `relu?(sum [+ bias] [+ addend])`: rewrites put it there
/// (see [`crate::fuse`]). Its tensors are the inputs behind x and w.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epilogue {
    /// One value per channel of the output.
    pub bias: bool,
    /// A tensor like the output.
    pub addend: bool,
    /// A ReLU at the end.
    pub relu: bool,
}

impl Epilogue {
    /// Whether the inputs are those that it needs.
    pub(super) fn check(self, inputs: &[&TensorType], y: &TensorType) -> Result<(), String> {
        let wanted = 2 + usize::from(self.bias) + usize::from(self.addend);
        if inputs.len() != wanted {
            return Err(format!("needs {wanted} inputs, got {}", inputs.len()));
        }
        if self.bias {
            expect_vector("the bias", inputs[2], y)?;
        }
        let same = |addend: &TensorType| addend.shape == y.shape && addend.layout == y.layout;
        if self.addend && !same(inputs[wanted - 1]) {
            return Err("the addend must have the shape of the output".into());
        }
        Ok(())
    }

    /// Position of the addend among the inputs.
    pub(super) fn addend_index(self) -> Option<usize> {
        self.addend.then_some(2 + usize::from(self.bias))
    }

    /// Bias and addend as bindings of a kernel; where one is absent, `unused` is bound.
    pub(super) fn bind(
        self,
        l: &mut Lowering<'_>,
        geo: &ConvShapes,
        rows: usize,
        side: usize,
        unused: Operand,
    ) -> [Operand; 2] {
        let bias = self.bias.then(|| geo.aligned(l, Operand::Input(2), 1, side));
        let addend = self.addend_index().map(|i| geo.aligned(l, Operand::Input(i), rows, side));
        [bias, addend].map(|operand| operand.unwrap_or(unused))
    }

    /// As the kernels' geometry has it.
    pub(super) fn of_kernel(self) -> ConvEpilogue {
        ConvEpilogue { bias: self.bias, addend: self.addend, relu: self.relu }
    }

    /// The inputs of a product in ONNX: x, w and the bias.
    pub(super) fn onnx_inputs(self) -> Vec<OnnxInput> {
        let bias = self.bias.then_some(OnnxInput::Value(2));
        [OnnxInput::Value(0), OnnxInput::Kernel(1)].into_iter().chain(bias).collect()
    }

    /// Rewrites come after gradients, so that these need not be known of what is fused.
    pub(super) fn expect_none(self) -> Result<(), GraphError> {
        if self == Epilogue::default() { Ok(()) } else { Err(GraphError::NoGradient { op: "a fused convolution" }) }
    }
}
