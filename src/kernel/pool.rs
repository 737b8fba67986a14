//! Geometry of pooling.

use super::{Consts, Geometry};
use crate::shape::LANES;

/// Sizes of a pooling x `[N,H,W,C]` → y `[N,OH,OW,C]`, and of its gradient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolGeometry {
    /// Images.
    pub n: usize,
    /// Height of the input.
    pub h: usize,
    /// Width of the input.
    pub w: usize,
    /// Height of the output.
    pub oh: usize,
    /// Width of the output.
    pub ow: usize,
    /// Channels in memory: a multiple of 4.
    pub channels: usize,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Padding above and left.
    pub before: [usize; 2],
    /// Padding below and right.
    pub after: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
}

impl Geometry for PoolGeometry {
    fn consts(&self) -> Consts {
        Consts::new()
            .size("N", self.n)
            .size("H", self.h)
            .size("W", self.w)
            .size("OH", self.oh)
            .size("OW", self.ow)
            .size("C4", self.channels / LANES)
            .u("KH", self.kernel[0])
            .u("KW", self.kernel[1])
            .u("SH", self.stride[0])
            .u("SW", self.stride[1])
            .u("PT", self.before[0])
            .u("PB", self.after[0])
            .u("PL", self.before[1])
            .u("PR", self.after[1])
            .u("DH", self.dilation[0])
            .u("DW", self.dilation[1])
    }
}
