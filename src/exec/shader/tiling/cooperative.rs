//! The main loop for devices with matrix units: operands as f16 in workgroup memory, products of small square matrices by a
//! whole subgroup each, sums in f32.
//!
//! `enable wgpu_cooperative_matrix` is an extension of naga's. Two checks on the device cover the code that a
//! driver makes of it. The tuner compares each tile with another loop. Before it begins, training compares a small step in
//! both precisions.

mod patches;
mod pieces;
mod tile_memory;

use std::fmt::Write;

use super::workgroup::Workgroup;
use crate::exec::registry::Operands;
use crate::exec::shader::main_loop::{Entry, MainLoop};
use crate::exec::shader::staged::{TAPS, staged_loop};
use crate::exec::shader::statistics::Statistics;
use crate::exec::shader::sums::Gemm;
use crate::exec::shader::tile::{Lines, Matrix, ONE_TAP, Product, Tile};
use crate::shape::LANES;
use tile_memory::{TileMemory, at_once, subgroups, sums, sums_of};

/// See [`super::Tiling::Cooperative`].
pub(super) struct Cooperative(pub Matrix);

/// Patches of pixels that taps share.
const PATCHES: &str = include_str!("../../../../shaders/shared/patches.wgsl");

impl MainLoop for Cooperative {
    fn memory(&self, tile: Tile, operands: Operands) -> usize {
        let memory = TileMemory::new(tile, self.0, operands);
        memory.bytes(tile) + at_once(tile, self.0, &memory) * sums(tile, self.0)
    }

    /// Untuned, tiles of f32 in workgroup memory.
    fn choose(&self, operands: Operands, product: Product) -> Tile {
        Workgroup.choose(operands, product)
    }

    fn extension(&self) -> Option<&'static str> {
        Some("wgpu_cooperative_matrix")
    }

    fn exact(&self, tile: Tile, operands: Operands) -> &'static str {
        if tile.taps == ONE_TAP { Workgroup.exact(tile, operands) } else { "true" }
    }

    fn declarations(&self, tile: Tile, operands: Operands) -> String {
        let mut out = String::from(if operands == Operands::SumInVectors { TAPS } else { "" });
        if tile.taps != ONE_TAP {
            let _ = writeln!(out, "const PATCH_H: u32 = {}u;\nconst PATCH_W: u32 = {}u;", tile.depth, self.0.size);
            out.push_str(PATCHES);
        }
        let memory = TileMemory::new(tile, self.0, operands);
        let [a, b] = memory.len.map(|len| len * tile.buffers);
        let c = at_once(tile, self.0, &memory) * sums(tile, self.0) / (size_of::<f32>() * memory.unit);
        let [halves, floats] = ["f16", "f32"].map(|number| self.0.lines.element(number));
        let _ = write!(
            out,
            "var<workgroup> tile_a: array<{halves}, {a}>;
var<workgroup> tile_b: array<{halves}, {b}>;
var<workgroup> tile_c: array<{floats}, {c}>;
"
        );
        out
    }

    fn entry(&self, tile: Tile) -> Entry {
        Entry {
            size: tile.invocations().to_string(),
            builtins: "subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(local_invocation_index) thread: u32,",
            place: String::new(),
        }
    }

    fn body(&self, out: &mut String, gemm: &Gemm<'_>) {
        let Gemm { tile, operands, .. } = *gemm;
        let matrix = self.0;
        let ([sx, _], size, last) = (tile.threads, matrix.size, subgroups(tile) - 1);
        // A driver that makes smaller subgroups than it reports has more of them. Their sums are wrong, which the
        // checks on the device find. They must not write beyond the tiles.
        let _ = writeln!(
            out,
            "        // The part of the tile of this subgroup.
        let own = min(subgroup, {last}u);
        let sx = own % {sx}u;
        let sy = own / {sx}u;
        // Its matrices of sums: cROW_COLUMN."
        );
        for (i, j) in sums_of(tile) {
            let _ = writeln!(out, "        var c{i}_{j} = coop_mat{size}x{size}<f32, C>();");
        }
        let memory = TileMemory::new(tile, matrix, operands);
        let shared = tile.taps != ONE_TAP;
        let multiply = |out: &mut String| {
            // Constants are added last, so that they become part of the instruction that reads.
            let [[row, _], [column, _]] = [0, 1].map(|operand| memory.steps(operand, matrix));
            let (rows, columns) = (tile.rows_each * row, tile.columns_each * column);
            let _ = writeln!(
                out,
                "            let from_a = half_a + sy * {rows}u;
            let from_b = half_b + sx * {columns}u;"
            );
            match shared {
                true => patches::multiply(out, tile, matrix, &memory),
                false => multiply(out, tile, matrix, &memory),
            }
        };
        let pieces = match matrix.lines {
            _ if shared => patches::pieces(tile, matrix, &memory),
            Lines::Turned => pieces::turned(tile, operands, &memory),
            Lines::AsTheyCome => pieces::as_they_come(tile, operands, &memory),
        };
        staged_loop(out, tile, operands, &pieces, memory.len, multiply);
        results(out, gemm, matrix, &memory);
    }

    /// A line needs room for two vectors of each invocation, in the memory through which the sums are stored.
    fn has_room_for_lines(&self, _: Tile, _: Operands) -> bool {
        let matrix = self.0;
        matrix.lines.unit() == LANES && matrix.size * matrix.size / LANES >= 2 * matrix.lanes
    }

    fn statistics(&self, out: &mut String, tile: Tile, operands: Operands, statistics: &Statistics<'_>) {
        statistics.lines_of_stored(out, tile, operands);
    }
}

/// Stores the sums through workgroup memory, a few matrices of each subgroup at a time.
fn results(out: &mut String, gemm: &Gemm<'_>, matrix: Matrix, memory: &TileMemory) {
    let Gemm { tile, operands, .. } = *gemm;
    let (size, all) = (matrix.size, sums_of(tile).collect::<Vec<_>>());
    let (area, vectors, count, each) = (size * size, size / LANES, at_once(tile, matrix, memory), memory.unit);
    let value = if each == 1 {
        "vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u])"
    } else {
        "tile_c[at]"
    };
    let own = count * area / each;
    let _ = writeln!(out, "        // Results.\n        let own_sums = own * {own}u;");
    let first = if operands == Operands::SumInVectors { "m0" } else { "m0 * 4u" };
    let store = gemm.store();
    let (store_row, after) = match tile.taps {
        ONE_TAP => (None, ""),
        // Beyond the last channel of a tap lies the next tap.
        _ => (Some(format!("if (m < GI4 * 4u) {{ {store}, ")), " }"),
    };
    let (rows_each, columns_each) = (tile.rows_each, tile.columns_each);
    let (elements, lanes, vector, stride) = (area / LANES, matrix.lanes, LANES / each, size / each);
    for some in all.chunks(count) {
        for (at, (i, j)) in some.iter().enumerate() {
            let place = at * area / each;
            let _ = writeln!(out, "        coopStoreT(c{i}_{j}, &tile_c[own_sums + {place}u], {stride}u);");
        }
        out.push_str("        workgroupBarrier();\n");
        for (at, (i, j)) in some.iter().enumerate() {
            let (place, row, tap) = (at * area / each, i % rows_each, i / rows_each);
            let to = match &store_row {
                None => format!("{store}, m"),
                Some(guarded) => format!("{guarded}{tap}u * GI4 * 4u + m"),
            };
            let _ = writeln!(
                out,
                "        for (var e = lane; e < {elements}u; e += {lanes}u) {{
            let at = own_sums + e * {vector}u + {place}u;
            let v = {value};
            let m = {first} + (sy * {rows_each}u + {row}u) * {size}u + e / {vectors}u;
            {to}, n0 + (sx * {columns_each}u + {j}u) * {vectors}u + e % {vectors}u, v);{after}
        }}"
            );
        }
        out.push_str("        workgroupBarrier();\n");
    }
}

/// Multiplies the tiles in workgroup memory, in which a subgroup's parts begin at `from_a` and `from_b`.
fn multiply(out: &mut String, tile: Tile, matrix: Matrix, memory: &TileMemory) {
    let [[row, row_term], [column, column_term]] = [0, 1].map(|operand| memory.steps(operand, matrix));
    for step in 0..tile.depth {
        for i in 0..tile.rows_each {
            let a = memory.load(0, matrix, i * row + step * row_term);
            let _ = writeln!(out, "            let a{step}_{i} = {a};");
        }
        for j in 0..tile.columns_each {
            let b = memory.load(1, matrix, j * column + step * column_term);
            let _ = writeln!(out, "            let b{step}_{j} = {b};");
            for i in 0..tile.rows_each {
                let _ = writeln!(out, "            c{i}_{j} = coopMultiplyAdd(a{step}_{i}, b{step}_{j}, c{i}_{j});");
            }
        }
    }
}
