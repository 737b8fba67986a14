//! The entry point of all matrix products, around the main loop of a [`Tiling`](super::Tiling).
//!
//! A shader file defines what the main loop reads and writes:
//!
//! | function | with [`Operands::SumInVectors`] | with [`Operands::RowsInVectors`] |
//! |---|---|---|
//! | extent of the sum | `taps(batch)`, `TAP4` vectors each | `k_begin`, `k_end`; `K_ALL`, `K_PART` terms |
//! | `a_row(batch, m)` | where row `m` reads | where vector of rows `m` reads |
//! | left operand | `a_tap` finds a vector of a tap, `a_load(tap, c)` loads `c` vectors further | `pixel(batch, k)`, `next_pixel`, `a_load(row, pixel)` |
//! | right operand | `b_tap`, `b_place` find a term and a column, `b_load(at, k)` loads `k` terms further | `b_load(batch, k, n)` |
//! | result | `place(batch, m)`, `store_at(batch, place, n, v)` | `store(batch, m, n, v)` |
//!
//! Split sums write partial sums to scratch memory, one split after the other. A second stage adds and stores them.

use std::fmt::Write;

use super::draft::{Draft, for_items};
use super::main_loop::Entry;
use super::sums::Gemm;
use super::tile::Product;
use crate::exec::registry::Operands;
use crate::kernel::Consts;
use crate::shape::LANES;

const STORE: &str = "
const NOWHERE: u32 = 0xffffffffu;
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) { store_at(batch, place(batch, m), n, v); }
";

const STORE_PART: &str = "
fn store_part(split: u32, batch: u32, m: u32, n: u32, v: vec4<f32>) {
    if (m < M_ALL && (N_EXACT || n < N4_ALL)) {
        parts[((split * BATCH + batch) * M_ALL + m) * N4_ALL + n] = v;
    }
}
";

impl Gemm<'_> {
    /// The stage of the product: `draft` with the constants, declarations and entry point after the text of a shader file.
    pub fn product_stage(&self, draft: Draft, declared: &str) -> Draft {
        let Gemm { tile, operands, product, .. } = *self;
        let main_loop = tile.tiling.main_loop();
        let mut text = String::from(declared);
        let _ = writeln!(text, "const K_EXACT: bool = {};", main_loop.exact(tile, operands));
        if operands == Operands::SumInVectors {
            text.push_str(STORE);
        }
        if tile.splits > 1 {
            text.push_str(&self.parts());
            text.push_str(STORE_PART);
        }
        let mut constants = self.constants();
        if let Some(statistics) = self.statistics {
            constants = constants.and(statistics.place(0));
            text.push_str(&statistics.declarations());
        }
        text.push_str(&main_loop.declarations(tile, operands));
        text.push_str(&self.entry_point());
        let constants = draft.constants.and(constants);
        Draft { constants, text, workgroups: tile.workgroups(operands, product), ..draft }
    }

    /// Sizes of the tile, and of the grid of tiles.
    fn constants(&self) -> Consts {
        let Gemm { tile, operands, product: Product { m, n, .. }, .. } = *self;
        let rows = tile.rows_of_tap(operands) / if operands == Operands::RowsInVectors { LANES } else { 1 };
        let constants = Consts::new()
            .b("N_EXACT", n.is_multiple_of(tile.columns()))
            .u("TX", tile.threads[0])
            .u("TY", tile.threads[1])
            .u("TILE_M", rows)
            .u("TILE_N", tile.columns() / LANES)
            .size("TILES_M", m.div_ceil(tile.rows(operands)))
            .size("TILES_N", n.div_ceil(tile.columns()))
            .u("DEPTH", tile.steps(operands));
        if tile.splits > 1 { constants.and(self.sizes_of_parts()) } else { constants }
    }

    /// The body of `main`: which tile a workgroup has, and the main loop.
    fn entry_point(&self) -> String {
        let split = self.tile.splits > 1;
        let main_loop = self.tile.tiling.main_loop();
        let Entry { size, builtins, place } = main_loop.entry(self.tile);
        let (parts, all) = match split {
            true => ("let batch = product % BATCH;\n    let split = product / BATCH;", "BATCH * SPLITS_K"),
            false => ("let batch = product;", "BATCH"),
        };
        let mut out = format!(
            "
// The tile of this workgroup: tile column n0 and row m0, in vectors, of one of the products.
@compute @workgroup_size({size})
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin({builtins}
) {{
    let tile = wid.x + wid.y * count.x;
    let product = tile / (TILES_N * TILES_M);
    {parts}
    if (product < {all}) {{
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
{place}"
        );
        main_loop.body(&mut out, self);
        if let Some(statistics) = self.statistics {
            out.push_str("        // Statistics of the tile.\n");
            main_loop.statistics(&mut out, self.tile, self.operands, statistics);
        }
        out.push_str("    }\n}\n");
        out
    }

    fn sizes_of_parts(&self) -> Consts {
        let Product { m, n, .. } = self.product;
        Consts::new().size("SPLITS_K", self.tile.splits).size("M_ALL", m).size("N4_ALL", n / LANES)
    }

    /// The declaration of the partial sums.
    fn parts(&self) -> String {
        format!("@group(0) @binding({}) var<storage, read_write> parts: array<vec4<f32>>;\n", self.scratch)
    }

    /// The stage that adds the partial sums of split sums, in their order, and stores the results. One invocation
    /// computes a vector. Returns the constants of the stage, and its text, which follows the text of the shader file.
    pub fn sum_of_splits(&self) -> (Consts, String) {
        let sum = "        // The parts, in their order.
        var sum = vec4<f32>();
        for (var split = 0u; split < SPLITS_K; split++) {
            sum += parts[split * ITEMS + i];
        }
        store(i / (M_ALL * N4_ALL), (i / N4_ALL) % M_ALL, i % N4_ALL, sum);
";
        let store = if self.operands == Operands::SumInVectors { STORE } else { "" };
        let constants = self.sizes_of_parts().b("N_EXACT", true).b("K_EXACT", true);
        (constants, format!("{}{store}{}", self.parts(), for_items(sum)))
    }
}
