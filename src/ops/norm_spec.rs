//! The description of a norm: the values that share a mean and a variance, and the fused epilogue.

use super::norm_geometry::geometry;
use crate::graph::Value;
use crate::kernel::{NormGeometry, NormMask};
use crate::shape::TensorType;

/// Which values share a mean and a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// Each channel over the batch. Inputs: x, γ, β, running mean, running variance (both updated).
    BatchTraining(BatchNormOptions),
    /// Each channel by the running statistics. Inputs: x, γ, β, running mean, running variance.
    BatchEval,
    /// Each group of channels of each sample. Inputs: x, γ, β.
    Group {
        /// Number of groups.
        groups: usize,
    },
}

/// Update of the running statistics by each batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// `running = (1 − momentum) · running + momentum · batch`
    pub momentum: f32,
    /// Running variance from `Σ / (n − 1)` as in PyTorch; ONNX divides by n.
    pub unbiased: bool,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        BatchNormOptions { momentum: 0.1, unbiased: true }
    }
}

/// Groups of a GroupNorm, and ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNormOptions {
    /// Groups into which the channels are divided.
    pub groups: usize,
    /// ε, added to the variance.
    pub eps: f32,
}

impl GroupNormOptions {
    /// This many groups, and an ε of 10⁻⁵ as in PyTorch.
    pub fn new(groups: usize) -> Self {
        GroupNormOptions { groups, eps: 1e-5 }
    }
}

/// A normalization with its fused epilogue, `y = relu?(norm(x) [+ residual])`. Outputs: y, mean, 1/std.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Which values share a mean and a variance.
    pub kind: NormKind,
    /// ε, added to the variance.
    pub eps: f32,
    /// A ReLU follows.
    pub relu: bool,
    /// A residual, of the shape of x, is added before the ReLU. It follows the inputs listed at [`NormKind`].
    pub residual: bool,
    /// The last input holds the moments of x, written by the preceding convolution (see [`super::Conv2d`]).
    pub statistics: bool,
}

impl Norm {
    /// A norm without epilogue.
    pub(super) fn plain(kind: NormKind, eps: f32) -> Norm {
        Norm { kind, eps, relu: false, residual: false, statistics: false }
    }

    /// Whether the preceding convolution may write the moments of x. It may when the batch is too large for one workgroup to
    /// normalize a channel alone.
    pub fn can_take_statistics(&self, x: &TensorType) -> bool {
        matches!(self.kind, NormKind::BatchTraining(_)) && !self.statistics && !self.alone(&self.geometry(x))
    }

    /// Position of the residual among the inputs.
    pub fn residual_index(&self) -> usize {
        if matches!(self.kind, NormKind::Group { .. }) { 3 } else { 5 }
    }

    /// The gradient's mask input, y or β: see [`NormGrad`].
    pub fn mask(&self, inputs: &[Value], y: Value) -> Value {
        if self.residual { y } else { inputs[2] }
    }

    pub(super) fn geometry(&self, x: &TensorType) -> NormGeometry {
        let groups = if let NormKind::Group { groups } = self.kind { Some(groups) } else { None };
        geometry(x, groups, self.statistics)
    }

    /// Whether a workgroup normalizes its channels alone.
    pub(super) fn alone(&self, geo: &NormGeometry) -> bool {
        !matches!(self.kind, NormKind::Group { .. }) && geo.few_rows()
    }

    /// The epilogue as the gradient's kernels mask it.
    pub(super) fn mask_of_relu(&self) -> NormMask {
        NormMask { relu: self.relu, residual: self.residual }
    }

    pub(super) fn stats_type(&self, x: &TensorType) -> TensorType {
        match self.kind {
            NormKind::Group { groups } => TensorType::channels([x.shape.0[0], groups]),
            _ => TensorType::channels([x.shape.channels()]),
        }
    }
}
