//! The main loops of the matrix kernels, one file each behind the trait [`MainLoop`].

mod cooperative;
mod registers;
mod workgroup;

use serde::{Deserialize, Serialize};

use super::gemm::Gemm;
use super::statistics::Statistics;
use super::tile::{Product, Tile, TileLimits};
use crate::exec::registry::Operands;
use crate::shape::LANES;
pub use cooperative::{Lines, Matrix};
pub(super) use cooperative::{on_units, sharing_taps};
pub use registers::SUBGROUP;

/// Where the operands of the inner loop come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tiling {
    /// Tiles in workgroup memory, for GPUs.
    Workgroup,
    /// Registers only, for software adapters: barriers are expensive there (a 64×64 workgroup tile reached 2–3 GFLOP/s
    /// on llvmpipe, registers alone 8–11).
    Register,
    /// As `Register`, for software adapters with subgroups of [`SUBGROUP`]: the invocations of one load different rows of
    /// the left operand and exchange them by shuffles. llvmpipe (Mesa 22.3) loads from buffers inside of a loop lane by lane,
    /// even from one address for all, while a shuffle is one instruction: 9.2 GFLOP/s a core where `Register` reaches 5.
    Subgroup,
    /// Tiles of f16 in workgroup memory, multiplied by matrix units, for GPUs that have them; only the tuner picks it.
    Cooperative(Matrix),
}

impl Tiling {
    /// Whether operands are read straight to registers, without workgroup memory.
    pub fn in_registers(self) -> bool {
        matches!(self, Tiling::Register | Tiling::Subgroup)
    }

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

/// A main loop: how large its tiles are, and the text that computes one.
pub(super) trait MainLoop {
    /// Columns of a unit of [`Tile::columns_each`], in floats.
    fn column_unit(&self) -> usize {
        LANES
    }

    /// Rows of a unit of [`Tile::rows_each`].
    fn row_unit(&self, operands: Operands) -> usize {
        if operands == Operands::RowsInVectors { LANES } else { 1 }
    }

    /// Terms of the sum in a unit of [`Tile::depth`].
    fn term_unit(&self, operands: Operands) -> usize {
        if operands == Operands::SumInVectors { LANES } else { 1 }
    }

    /// Invocations of a workgroup.
    fn invocations(&self, tile: Tile) -> usize {
        tile.threads[0] * tile.threads[1]
    }

    /// Bytes of workgroup memory.
    fn memory(&self, tile: Tile, operands: Operands) -> usize;

    /// The fixed choice of a tile, by the sizes of the product.
    fn choose(&self, operands: Operands, product: Product) -> Tile;

    /// Tiles that may be faster than the fixed choice on some device. All give the same sums, in another order or in the same;
    /// those of matrix units round operands to f16, which both are anyway.
    fn candidates(&self, _: Operands, _: Product, _: TileLimits) -> Vec<Tile> {
        vec![]
    }

    /// Tiles for the 36 products of Winograd's points.
    fn for_points(&self, _: Operands, _: Product, _: TileLimits) -> Vec<Tile> {
        vec![]
    }

    /// The extension that the text needs.
    fn extension(&self) -> Option<&'static str> {
        None
    }

    /// Whether no step of the sum lies beyond its end, as a WGSL expression: guards then fall away.
    fn exact(&self, tile: Tile, operands: Operands) -> &'static str;

    /// Declarations that the body needs: snippets and workgroup memory.
    fn declarations(&self, tile: Tile, operands: Operands) -> String;

    /// The attributes of the entry point.
    fn entry(&self, tile: Tile) -> Entry;

    /// Computes and stores the results of one tile, given `batch`, `m0` and `n0`.
    fn body(&self, out: &mut String, gemm: &Gemm<'_>);

    /// Lines of a tile that write statistics of their own.
    fn lines(&self, _: Tile) -> usize {
        1
    }

    /// Whether the statistics of a tile have room in its workgroup memory.
    fn has_room_for_lines(&self, tile: Tile, operands: Operands) -> bool;

    /// Writes the statistics of a tile, after its results.
    fn statistics(&self, out: &mut String, tile: Tile, operands: Operands, statistics: &Statistics<'_>);
}

/// How an entry point begins.
pub(super) struct Entry {
    /// Arguments of `@workgroup_size`.
    pub size: String,
    /// Built-in values, beyond `wid` and `count`.
    pub builtins: &'static str,
    /// Statements that give an invocation its place in the tile.
    pub place: String,
}
