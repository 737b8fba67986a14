//! The main loops of the matrix kernels, one file each.

mod cooperative;
mod registers;
pub(super) mod workgroup;

use super::main_loop::MainLoop;
use super::tile::{Product, Tile, TileLimits, Tiling};
use crate::exec::registry::Operands;
pub use registers::SUBGROUP;

impl Tiling {
    /// The main loop.
    pub(super) fn main_loop(self) -> Box<dyn MainLoop> {
        match self {
            Tiling::Workgroup => Box::new(workgroup::Workgroup),
            Tiling::Register => Box::new(registers::Registers { shuffles: false }),
            Tiling::Subgroup => Box::new(registers::Registers { shuffles: true }),
            Tiling::Cooperative(matrix) => Box::new(cooperative::Cooperative(matrix)),
        }
    }
}

impl Tile {
    /// Whether a device can run the tile, and at least half of the tile lies within the product.
    pub(super) fn fits(&self, operands: Operands, product: Product, limits: TileLimits) -> bool {
        let full = |tile: usize, size: usize| tile <= 32 || tile < 2 * size;
        self.loads_evenly(operands)
            && self.invocations() <= limits.invocations
            && self.tiling.main_loop().memory(*self, operands) <= limits.bytes
            && full(self.columns(), product.n)
            && full(self.rows(operands), product.m)
    }
}
