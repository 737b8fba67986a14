//! The common parts of the main loops of a matrix product: the sums of an invocation, and the multiplications. naga writes no unrolled
//! loops, so the inner loops are unrolled here. `gemm.rs` puts the entry point around a main loop.

use std::fmt::Write;

use super::statistics::Statistics;
use super::tile::{Product, Tile, pairs};
use crate::exec::registry::Operands;
use crate::shape::LANES;

/// A product by one tile.
pub(super) struct Gemm<'a> {
    pub tile: Tile,
    pub operands: Operands,
    pub product: Product,
    /// The binding of the scratch memory.
    pub scratch: usize,
    /// Statistics that tiles write to the scratch memory.
    pub statistics: Option<&'a Statistics<'a>>,
}

impl Gemm<'_> {
    /// The call that stores a result of the tile, up to its first arguments.
    pub fn store(&self) -> &'static str {
        if self.tile.splits > 1 { "store_part(split, batch" } else { "store(batch" }
    }

    /// Declares the sums of an invocation.
    pub fn declare_sums(&self, out: &mut String) {
        out.push_str("        // Sums of this invocation: cROW_COLUMN.\n");
        for (i, j) in self.sums() {
            let _ = writeln!(out, "        var c{i}_{j} = vec4<f32>();");
        }
    }

    /// Rows and columns of an invocation's sums, each a vector of 4 columns.
    pub fn sums(&self) -> impl Iterator<Item = (usize, usize)> {
        pairs(accumulators(self.operands, self.tile.rows_each), self.tile.columns_each)
    }

    /// `c += a · b` for the tile of one invocation and `terms` terms of the sum; `a(term, i)` and `b(term, j)` give the
    /// expressions that load the operands. Where the sum runs along the vectors, they hold 4 terms each, of which the
    /// product's `lanes` are not padding.
    pub fn multiply(
        &self,
        out: &mut String,
        terms: usize,
        a: impl Fn(usize, usize) -> String,
        b: impl Fn(usize, usize) -> String,
    ) {
        let lanes = self.product.lanes;
        let sums = self.operands == Operands::SumInVectors;
        // Padding of the left operand adds nothing.
        for term in (0..terms).filter(|&term| !sums || term < lanes) {
            let held = if sums { 0 } else { term };
            for i in (0..self.tile.rows_each).filter(|_| held == term) {
                let _ = writeln!(out, "            let a{held}_{i} = {};", a(held, i));
            }
            for j in 0..self.tile.columns_each {
                let _ = writeln!(out, "            let b{term}_{j} = {};", b(term, j));
            }
            for (i, j) in self.sums() {
                let (from, lane) = if sums { (i, term) } else { (i / LANES, i % LANES) };
                if lane >= lanes {
                    continue;
                }
                let lane = ["x", "y", "z", "w"][lane];
                let _ = writeln!(out, "            c{i}_{j} += a{held}_{from}.{lane} * b{term}_{j};");
            }
        }
    }
}

/// Accumulated rows of one invocation.
pub(super) fn accumulators(operands: Operands, rows_each: usize) -> usize {
    if operands == Operands::RowsInVectors { rows_each * LANES } else { rows_each }
}
