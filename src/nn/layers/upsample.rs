//! Enlargement without parameters.

use crate::graph::{Graph, GraphError, Value};
use crate::ops::{self, Coordinates, Interpolation};
use crate::shape::Pair;

/// Enlargement by whole factors, with PyTorch's `align_corners=False`.
#[derive(Clone, Copy, Debug)]
pub struct Upsample {
    /// Factors of height and width.
    pub factor: [usize; 2],
    /// Nearest pixel or bilinear.
    pub interpolation: Interpolation,
}

impl Upsample {
    /// Each pixel repeated. The factor is one number or `[rows, columns]`.
    pub fn nearest(factor: impl Into<Pair>) -> Self {
        Upsample { factor: factor.into().0, interpolation: Interpolation::Nearest }
    }

    /// Bilinear interpolation between pixels. The factor is one number or `[rows, columns]`.
    pub fn bilinear(factor: impl Into<Pair>) -> Self {
        Upsample { factor: factor.into().0, interpolation: Interpolation::Bilinear }
    }

    /// Appends it: `[N,H,W,C]` to `[N,H·factor,W·factor,C]`.
    ///
    /// # Errors
    /// When x is not of the shape `[N,H,W,C]`, the factor is 0, or a side of the result is larger than 16,384 pixels.
    pub fn apply(&self, g: &mut Graph, x: Value) -> Result<Value, GraphError> {
        let [_, h, w, _] = g.nhwc(x)?;
        let size = [h.saturating_mul(self.factor[0]), w.saturating_mul(self.factor[1])];
        ops::resize(g, x, size, self.interpolation, Coordinates::HalfPixel)
    }
}
