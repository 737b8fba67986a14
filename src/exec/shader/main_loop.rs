//! A main loop of the matrix kernels: one trait, which a file of `tiling/` implements for each [`Tiling`](super::Tiling).

use super::statistics::Statistics;
use super::sums::Gemm;
use super::tile::{Product, Tile};
use crate::exec::registry::Operands;

/// A main loop: how large its tiles are, and the text that computes one.
pub(super) trait MainLoop {
    /// Bytes of workgroup memory.
    fn memory(&self, tile: Tile, operands: Operands) -> usize;

    /// The fixed choice of a tile, by the sizes of the product.
    fn choose(&self, operands: Operands, product: Product) -> Tile;

    /// The extension that the text needs.
    fn extension(&self) -> Option<&'static str> {
        None
    }

    /// A WGSL expression: true where no step lies beyond the end of the sum, so that guards fall away.
    fn exact(&self, tile: Tile, operands: Operands) -> &'static str;

    /// Declarations that the body needs: snippets and workgroup memory.
    fn declarations(&self, tile: Tile, operands: Operands) -> String;

    /// The attributes of the entry point.
    fn entry(&self, tile: Tile) -> Entry;

    /// Computes and stores the results of one tile, given `batch`, `m0` and `n0`.
    fn body(&self, out: &mut String, gemm: &Gemm<'_>);

    /// Lines of a tile, each with its statistics.
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
