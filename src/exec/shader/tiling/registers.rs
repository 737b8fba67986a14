//! The main loop of software adapters: operands go from memory straight to registers, without barriers. With shuffles the
//! invocations of a subgroup share the rows that each has loaded.

use std::fmt::Write;

use crate::exec::registry::Operands;
use crate::exec::shader::main_loop::{Entry, MainLoop};
use crate::exec::shader::statistics::Statistics;
use crate::exec::shader::sums::{Gemm, accumulators};
use crate::exec::shader::tile::{ONE_TAP, Product, Tile, Tiling};
use crate::shape::LANES;

/// Invocations in a subgroup, and in a workgroup, of [`Tiling::Subgroup`].
pub const SUBGROUP: usize = 8;

/// Sums of a column in each turn of [`in_turns`].
const AT_ONCE: usize = 4;

/// See [`Tiling::Register`] and, with shuffles, [`Tiling::Subgroup`].
pub(super) struct Registers {
    pub shuffles: bool,
}

impl MainLoop for Registers {
    fn memory(&self, _: Tile, _: Operands) -> usize {
        0
    }

    /// Neighboring invocations lie along the columns, so that they load neighboring vectors of the right operand. With
    /// neighbors along the rows, 8×2 vectors each, a product of 4096×64×576 ran at 1.8 GFLOP/s per core instead of 5.
    fn choose(&self, operands: Operands, product: Product) -> Tile {
        let vectors = operands == Operands::RowsInVectors;
        let wide = product.n / LANES;
        let tx = wide.next_power_of_two().min(SUBGROUP);
        // A row that comes by a shuffle costs no load, so more rows share a load of the right operand. With few
        // columns, lanes lie along the rows, and each has fewer rows: 16 loads of rows in one loop take minutes to
        // compile with bounds checks.
        let rows_each = match (self.shuffles, vectors) {
            (true, false) => (4 * tx).min(16),
            (true, true) => (2 * tx).min(8),
            (false, false) => 8,
            (false, true) => 2,
        };
        Tile {
            tiling: if self.shuffles { Tiling::Subgroup } else { Tiling::Register },
            threads: [tx, SUBGROUP / tx],
            columns_each: if !self.shuffles && wide.is_multiple_of(2 * tx) { 2 } else { 1 },
            rows_each,
            depth: 1,
            buffers: 1,
            splits: 1,
            winograd: 0,
            taps: ONE_TAP,
        }
    }

    fn exact(&self, _: Tile, _: Operands) -> &'static str {
        "true"
    }

    fn declarations(&self, _: Tile, _: Operands) -> String {
        String::new()
    }

    fn entry(&self, tile: Tile) -> Entry {
        let [tx, ty] = tile.threads;
        let along = if self.shuffles { ["lane % TX", "lane / TX"] } else { ["lid.x", "lid.y"] };
        let place = |axis: usize| if tile.threads[axis] == 1 { "0u" } else { along[axis] };
        Entry {
            // The number of a lane in its workgroup is known along one axis only.
            size: if self.shuffles { tile.invocations().to_string() } else { format!("{tx}, {ty}") },
            builtins: match self.shuffles {
                true => "subgroup_invocation_id) lane: u32,",
                false => "local_invocation_id) lid: vec3<u32>,",
            },
            place: format!("        let tx = {};\n        let ty = {};\n", place(0), place(1)),
        }
    }

    fn body(&self, out: &mut String, gemm: &Gemm<'_>) {
        gemm.declare_sums(out);
        out.push_str("        // Rows that this invocation loads.\n");
        for i in 0..self.loaded(gemm.tile) {
            let row = match self.shuffles {
                true => format!("lane + {}u", i * SUBGROUP),
                false => format!("ty + {i}u * TY"),
            };
            let _ = writeln!(out, "        let row{i} = a_row(batch, m0 + {row});");
        }
        match gemm.operands {
            Operands::RowsInVectors => self.loop_over_pixels(out, gemm),
            Operands::SumInVectors => self.loop_over_taps(out, gemm),
        }
        out.push_str("        // Results.\n");
        self.stores(out, gemm);
    }

    fn lines(&self, tile: Tile) -> usize {
        tile.threads[1]
    }

    fn has_room_for_lines(&self, _: Tile, _: Operands) -> bool {
        true
    }

    fn statistics(&self, out: &mut String, tile: Tile, _: Operands, statistics: &Statistics<'_>) {
        statistics.count_rows(out, tile.rows_each);
        if statistics.are_moments() {
            (0..tile.columns_each).for_each(|j| statistics.moments_of_column(out, tile.rows_each, j));
        } else {
            gradient_sums(out, tile, statistics);
        }
        out.push_str("        // The line of each column, in scratch memory.\n");
        for j in 0..tile.columns_each {
            let column = format!("n0 + tx + {j}u * TX");
            let _ = writeln!(
                out,
                "        if (N_EXACT || {column} < C4) {{
            let at = ((m0 / TILE_M * TY + ty) * C4 + {column}) * 2u;
            lines[at] = line{j}.a;
            lines[at + 1u] = line{j}.b;
        }}"
            );
        }
    }
}

impl Registers {
    /// Rows (or vectors of rows) that an invocation loads: those that it computes, or with shuffles every [`SUBGROUP`]th.
    fn loaded(&self, tile: Tile) -> usize {
        if self.shuffles { tile.rows_each * tile.threads[1] / SUBGROUP } else { tile.rows_each }
    }

    /// Row `ty + i · TY` of the tile, from the invocation that has loaded it.
    fn row(&self, tile: Tile, i: usize) -> String {
        let first = i * tile.threads[1];
        let lane = if tile.threads[1] == 1 { "" } else { " + ty" };
        match self.shuffles {
            true => format!("subgroupShuffle(v{}, {}u{lane})", first / SUBGROUP, first % SUBGROUP),
            false => format!("v{i}"),
        }
    }

    /// The sum over output pixels.
    fn loop_over_pixels(&self, out: &mut String, gemm: &Gemm<'_>) {
        out.push_str(
            "        // The sum over pixels.
        var p = pixel(batch, k_begin(batch));
        for (var k = k_begin(batch); k < k_end(batch); k++) {
",
        );
        for i in 0..self.loaded(gemm.tile) {
            let _ = writeln!(out, "            let v{i} = vec4<f32>(a_load(row{i}, p));");
        }
        let b = |_, j| format!("vec4<f32>(b_load(batch, k, n0 + tx + {j}u * TX))");
        gemm.multiply(out, 1, |_, i| self.row(gemm.tile, i), b);
        out.push_str("            p = next_pixel(p);\n        }\n");
    }

    /// The sum over taps and their channels. Expressions that depend on the tap alone are computed once per tap.
    fn loop_over_taps(&self, out: &mut String, gemm: &Gemm<'_>) {
        out.push_str("        // The sum over taps.\n        for (var tap = 0u; tap < taps(batch); tap++) {\n");
        for i in 0..self.loaded(gemm.tile) {
            let _ = writeln!(out, "            let tap{i} = a_tap(batch, row{i}, tap, 0u);");
        }
        out.push_str(
            "            let weights = b_tap(batch, tap);
            // The sum over vectors of channels.
            for (var c = 0u; c < TAP4; c++) {
",
        );
        for i in 0..self.loaded(gemm.tile) {
            let _ = writeln!(out, "            let v{i} = vec4<f32>(a_load(tap{i}, c));");
        }
        let b = |term, j| format!("vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + {j}u * TX), c * 4u + {term}u))");
        gemm.multiply(out, LANES, |_, i| self.row(gemm.tile, i), b);
        out.push_str("            }\n        }\n");
    }

    /// Stores the sums.
    fn stores(&self, out: &mut String, gemm: &Gemm<'_>) {
        let Gemm { tile, operands, .. } = *gemm;
        // The place of a row in a phase of a stride takes several divisions, so each invocation computes it for the rows that
        // it has loaded, and shuffles exchange the places.
        let shuffled = self.shuffles && operands == Operands::SumInVectors && tile.splits == 1;
        for i in (0..self.loaded(tile)).filter(|_| shuffled) {
            let first = i * SUBGROUP;
            let _ = writeln!(out, "        let place{i} = place(batch, m0 + lane + {first}u);");
        }
        in_turns(out, tile, operands, |out, q| {
            let to = if shuffled {
                let places: Vec<_> = (0..self.loaded(tile)).map(|i| format!("place{i}")).collect();
                let of = chosen(&places, &format!("i{q} * TY / {SUBGROUP}u"), 0);
                let _ = writeln!(out, "            let to{q} = subgroupShuffle({of}, i{q} * TY % {SUBGROUP}u + ty);");
                format!("store_at(batch, to{q}")
            } else {
                let row = match operands {
                    Operands::SumInVectors => format!("m0 + ty + i{q} * TY"),
                    Operands::RowsInVectors => format!("(m0 + ty + i{q} / 4u * TY) * 4u + i{q} % 4u"),
                };
                format!("{}, {row}", gemm.store())
            };
            for j in 0..tile.columns_each {
                let _ = writeln!(out, "            {to}, n0 + tx + {j}u * TX, v{q}_{j});");
            }
        });
    }
}

/// The gradient sums of an invocation's columns. Beyond the last row the last one is read and dropped: no branch.
fn gradient_sums(out: &mut String, tile: Tile, statistics: &Statistics<'_>) {
    (0..tile.columns_each).for_each(|j| statistics.begin_column(out, j));
    in_turns(out, tile, Operands::SumInVectors, |out, q| {
        for j in 0..tile.columns_each {
            let _ = writeln!(
                out,
                "            let at{q}_{j} = min(m0 + ty + i{q} * TY, ROWS - 1u) * C4 + column{j};
            let value{q}_{j} = select(vec4<f32>(), ended(v{q}_{j}, column{j}, at{q}_{j}), i{q} < rows);
            line{j} = with_value(line{j}, value{q}_{j}, at{q}_{j}, known{j});"
            );
        }
    });
}

/// A loop over the sums of an invocation, [`AT_ONCE`] in each turn. `each` writes the statements for the sums `vQ_J` of
/// the rows `iQ`, which a software adapter compiles to several hundred instructions. `count.z` is 1, which its compiler
/// does not know, so that it does not unroll the loop.
fn in_turns(out: &mut String, tile: Tile, operands: Operands, each: impl Fn(&mut String, usize)) {
    let sums = accumulators(operands, tile.rows_each);
    assert!(sums.is_multiple_of(AT_ONCE), "{tile:?} would lose sums");
    let turns = sums / AT_ONCE;
    let _ = writeln!(out, "        for (var turn = 0u; turn < {turns}u * count.z; turn++) {{");
    for q in 0..AT_ONCE {
        let _ = writeln!(out, "            let i{q} = turn * {AT_ONCE}u + {q}u;");
        for j in 0..tile.columns_each {
            let all: Vec<_> = (q..sums).step_by(AT_ONCE).map(|i| format!("c{i}_{j}")).collect();
            let _ = writeln!(out, "            let v{q}_{j} = {};", chosen(&all, "turn", 0));
        }
        each(out, q);
    }
    out.push_str("        }\n");
}

/// One of `values` by its number; the first has the number `first`.
fn chosen(values: &[String], number: &str, first: usize) -> String {
    match values {
        [one] => one.clone(),
        _ => {
            let (low, high) = values.split_at(values.len() / 2);
            let from = first + low.len();
            let [a, b] = [chosen(low, number, first), chosen(high, number, from)];
            format!("select({a}, {b}, {number} >= {from}u)")
        }
    }
}
