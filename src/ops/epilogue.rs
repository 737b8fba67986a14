//! The epilogue of a convolution, in every direction: bias, addend and ReLU, before the sums are stored.

use super::conv_geometry::ConvShapes;
use super::expect_vector;
use crate::graph::{GraphError, Lowering, OnnxInput, Operand};
use crate::kernel::ConvEpilogue;
use crate::shape::TensorType;

/// Epilogue of a convolution, `relu?(sum [+ bias] [+ addend])`. [`crate::fuse`] adds it. Its tensors follow x and w among the
/// inputs: bias, then addend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epilogue {
    /// Adds one value per channel of the output.
    pub bias: bool,
    /// Adds a tensor of the output's shape.
    pub addend: bool,
    /// Applies ReLU last.
    pub relu: bool,
}

impl Epilogue {
    /// Checks number and shapes of the inputs for the output `y`.
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

    /// Operands of bias and addend. An absent one is bound to `unused`.
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

    /// The epilogue as part of a kernel's geometry.
    pub(super) fn of_kernel(self) -> ConvEpilogue {
        ConvEpilogue { bias: self.bias, addend: self.addend, relu: self.relu }
    }

    /// Inputs of an ONNX Conv or Gemm: x, w and, if there is one, the bias.
    pub(super) fn onnx_inputs(self) -> Vec<OnnxInput> {
        let bias = self.bias.then_some(OnnxInput::Value(2));
        [OnnxInput::Value(0), OnnxInput::Kernel(1)].into_iter().chain(bias).collect()
    }

    /// Refuses the gradient of a fused node. Gradients are taken before fusion, so none is needed.
    pub(super) fn expect_none(self) -> Result<(), GraphError> {
        if self == Epilogue::default() { Ok(()) } else { Err(GraphError::NoGradient { op: "a fused convolution" }) }
    }
}
