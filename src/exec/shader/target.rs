//! The device as the generator sees it.

use super::tile::{TileLimits, Tiling};

/// The device that kernels are generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The main loop of the matrix kernels.
    pub tiling: Tiling,
    /// Invocations of a subgroup, where all subgroups are of one size and reductions may use them.
    pub subgroup: Option<usize>,
    /// Rows of the largest texture, where operands are read from textures of [`TEXTURE_W`](super::TEXTURE_W) vectors a row. Only
    /// tilings that read operands straight to registers do so.
    pub texture_rows: Option<usize>,
    /// Bytes of immediates, where kernels take sizes at run time.
    pub immediates: Option<usize>,
    /// The limits of a device with one kind of matrix units: the fixed choice of tile for calls in 16 bits.
    pub units: Option<TileLimits>,
}

impl Target {
    /// A GPU that has no more than WebGPU guarantees.
    pub const WEBGPU: Target =
        Target { tiling: Tiling::Workgroup, subgroup: None, texture_rows: None, immediates: None, units: None };
}
