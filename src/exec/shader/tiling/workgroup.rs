//! Tiles of f32 in workgroup memory, multiplied by vectors in registers: the main loop for GPUs.

use std::fmt::Write;

use crate::exec::registry::Operands;
use crate::exec::shader::main_loop::{Entry, MainLoop};
use crate::exec::shader::staged::{self, Piece, TAPS, staged_loop};
use crate::exec::shader::statistics::Statistics;
use crate::exec::shader::sums::Gemm;
use crate::exec::shader::tile::{BUSY, ONE_TAP, Product, Tile, Tiling};
use crate::shape::LANES;

/// See [`Tiling::Workgroup`].
pub(super) struct Workgroup;

/// The name of both operands' tiles, and their declaration.
fn tiles(out: &mut String, tile: Tile, operands: Operands) {
    for (name, vectors) in ["a", "b"].iter().zip(vectors(tile, operands)) {
        let len = vectors * tile.buffers;
        let _ = writeln!(out, "var<workgroup> tile_{name}: array<vec4<f32>, {len}>;");
    }
}

/// Vectors of each operand's tile in workgroup memory. One vector of padding per row keeps invocations that read different
/// rows off the same memory bank.
fn vectors(tile: Tile, operands: Operands) -> [usize; 2] {
    let ([tx, ty], rows, cols) = (tile.threads, tile.rows_each, tile.columns_each);
    match operands {
        Operands::SumInVectors => [ty * rows * (tile.depth + 1), tile.depth * LANES * tx * cols],
        Operands::RowsInVectors => [tile.depth * ty * rows, tile.depth * tx * cols],
    }
}

impl MainLoop for Workgroup {
    fn memory(&self, tile: Tile, operands: Operands) -> usize {
        let floats = vectors(tile, operands).iter().sum::<usize>() * LANES;
        floats * size_of::<f32>() * tile.buffers
    }

    /// 64×64 outputs by 64 invocations of 8×8 each: 16 vector loads from workgroup memory per 256 FMAs. The sum advances 16
    /// terms a tile.
    fn choose(&self, operands: Operands, product: Product) -> Tile {
        let vectors = operands == Operands::RowsInVectors;
        let tile = Tile {
            tiling: Tiling::Workgroup,
            threads: [8, 8],
            columns_each: 2,
            rows_each: if vectors { 2 } else { 8 },
            depth: if vectors { 16 } else { 4 },
            buffers: 1,
            splits: 1,
            winograd: 0,
            taps: ONE_TAP,
        };
        tile.split(operands, product, BUSY)
    }

    fn exact(&self, _: Tile, operands: Operands) -> &'static str {
        match operands {
            Operands::SumInVectors => "false",
            Operands::RowsInVectors => "K_ALL % DEPTH == 0u && K_PART % DEPTH == 0u",
        }
    }

    fn declarations(&self, tile: Tile, operands: Operands) -> String {
        let mut out = String::from(if operands == Operands::SumInVectors { TAPS } else { "" });
        tiles(&mut out, tile, operands);
        out
    }

    fn entry(&self, tile: Tile) -> Entry {
        let [tx, ty] = tile.threads;
        let place = |axis: usize| if tile.threads[axis] == 1 { "0u" } else { ["lid.x", "lid.y"][axis] };
        Entry {
            size: format!("{tx}, {ty}"),
            builtins: "local_invocation_id) lid: vec3<u32>,",
            place: format!("        let tx = {};\n        let ty = {};\n", place(0), place(1)),
        }
    }

    fn body(&self, out: &mut String, gemm: &Gemm<'_>) {
        let Gemm { tile, operands, .. } = *gemm;
        gemm.declare_sums(out);
        out.push_str("        let thread = lid.x + lid.y * TX;\n");
        let multiply = |out: &mut String| multiply_tiles(out, gemm);
        staged_loop(out, tile, operands, &pieces(tile, operands), vectors(tile, operands), multiply);
        out.push_str("        // Results.\n");
        let store = gemm.store();
        for (i, j) in gemm.sums() {
            let row = match operands {
                Operands::SumInVectors => format!("m0 + ty + {i}u * TY"),
                Operands::RowsInVectors => format!("(m0 + ty + {i}u / 4u * TY) * 4u + {i}u % 4u"),
            };
            let _ = writeln!(out, "        {store}, {row}, n0 + tx + {j}u * TX, c{i}_{j});");
        }
    }

    /// Invocations of a column meet in the memory of the operands' tiles.
    fn has_room_for_lines(&self, tile: Tile, operands: Operands) -> bool {
        let needed = tile.threads[1] * tile.columns() / LANES;
        vectors(tile, operands).iter().all(|&vectors| vectors * tile.buffers >= needed)
    }

    fn statistics(&self, out: &mut String, tile: Tile, _: Operands, statistics: &Statistics<'_>) {
        statistics.count_rows(out, tile.rows_each);
        if statistics.are_moments() {
            (0..tile.columns_each).for_each(|j| statistics.moments_of_column(out, tile.rows_each, j));
        } else {
            sums_of_stored(out, tile, statistics);
        }
        out.push_str("        // The lines of all invocations, in workgroup memory.\n");
        for j in 0..tile.columns_each {
            let _ = writeln!(
                out,
                "        tile_a[ty * TILE_N + tx + {j}u * TX] = line{j}.a;
        tile_b[ty * TILE_N + tx + {j}u * TX] = line{j}.b;"
            );
        }
        let rows_each = tile.rows_each;
        let _ = writeln!(
            out,
            "        workgroupBarrier();
        // An invocation merges those of a column.
        if (thread < TILE_N && (N_EXACT || n0 + thread < C4)) {{
            var all = Line();
            for (var line = 0u; line < TY; line++) {{
                let n = f32(line_rows(m0 + line, TY, {rows_each}u));
                all = merged(all, Line(n, tile_a[line * TILE_N + thread], tile_b[line * TILE_N + thread]));
            }}
            let at = (m0 / TILE_M * C4 + n0 + thread) * 2u;
            lines[at] = all.a;
            lines[at + 1u] = all.b;
        }}"
        );
    }
}

/// The gradient sums of an invocation's columns, from the results that it has just stored. Loading x while the sums of
/// the product are in registers would cost a GPU up to a quarter of its occupancy (RADV: 144 to 156 registers become
/// 192).
fn sums_of_stored(out: &mut String, tile: Tile, statistics: &Statistics<'_>) {
    (0..tile.columns_each).for_each(|j| statistics.begin_column(out, j));
    out.push_str("        for (var i = 0u; i < rows; i++) {\n            let row = (m0 + ty + i * TY) * C4;\n");
    for j in 0..tile.columns_each {
        let at = format!("row + column{j}");
        let _ = writeln!(out, "            line{j} = with_value(line{j}, vec4<f32>(d_x[{at}]), {at}, known{j});");
    }
    out.push_str("        }\n");
}

/// The vectors that an invocation loads to workgroup memory.
fn pieces(tile: Tile, operands: Operands) -> Vec<Piece> {
    let threads = tile.invocations();
    let (rows, cols) = (tile.threads[1] * tile.rows_each, tile.threads[0] * tile.columns_each);
    let sums = operands == Operands::SumInVectors;
    let depth_b = if sums { tile.depth * LANES } else { tile.depth };
    let slot = move |l: usize| format!("(thread + {}u)", l * threads);
    let left = move |l: usize| {
        let slot = slot(l);
        // A vector of padding per row where vectors run along the sum: see `vectors`.
        let (row, step, at) = if sums {
            ("/ DEPTH", "% DEPTH", format!("{slot} / DEPTH * (DEPTH + 1u) + {slot} % DEPTH"))
        } else {
            ("% TILE_M", "/ TILE_M", slot.clone())
        };
        let place = format!(
            "        let row{l} = a_row(batch, m0 + {slot} {row});
        let step{l} = {slot} {step};
        let at{l} = {at};
"
        );
        let (taps, along) = staged::along(operands, l);
        let load = move |k: &str| format!("            let next_a{l} = vec4<f32>({});\n", along(k));
        let store = format!("            tile_a[half_a + at{l}] = next_a{l};\n");
        Piece { place, taps, load: Box::new(load), store }
    };
    let right = move |l: usize| {
        let slot = slot(l);
        let (taps, across) = staged::across(operands, l, format!("{slot} / TILE_N"), format!("n0 + {slot} % TILE_N"));
        let load = move |k: &str| format!("            let next_b{l} = vec4<f32>({});\n", across(k, 0));
        let store = format!("            tile_b[half_b + {slot}] = next_b{l};\n");
        Piece { place: String::new(), taps, load: Box::new(load), store }
    };
    (0..rows * tile.depth / threads).map(left).chain((0..cols * depth_b / threads).map(right)).collect()
}

/// The products of tiles in workgroup memory, 4 terms a turn.
fn multiply_tiles(out: &mut String, gemm: &Gemm<'_>) {
    let (turn, own_a, own_b, stride_a) = match gemm.operands {
        Operands::SumInVectors => (1, "ty * (DEPTH + 1u) + s", "s * (4u * TILE_N) + tx", "(TY * (DEPTH + 1u))"),
        Operands::RowsInVectors => (LANES, "s * TILE_M + ty", "s * TILE_N + tx", "TY"),
    };
    // Constants are added last, so that they become part of the instruction that reads.
    let _ = writeln!(
        out,
        "            for (var s = 0u; s < DEPTH; s += {turn}u) {{
            let from_a = half_a + {own_a};
            let from_b = half_b + {own_b};"
    );
    let a = |term, i| format!("tile_a[from_a + ({term}u * TILE_M + {i}u * {stride_a})]");
    let b = |term, j| format!("tile_b[from_b + ({term}u * TILE_N + {j}u * TX)]");
    gemm.multiply(out, LANES, a, b);
    out.push_str("            }\n");
}
