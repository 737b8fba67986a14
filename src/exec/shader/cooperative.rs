//! The main loop of the matrix kernels for devices with matrix units: operands as f16 in workgroup memory, products of
//! small square matrices by a whole subgroup each, sums in f32. `enable wgpu_cooperative_matrix` is an extension of naga's;
//! what a driver makes of it is checked against the other loops on the device before it is used.

use std::fmt::Write;

use super::gemm;
use super::tile::{Matrix, Operands, Tile};
use crate::shape::LANES;

/// Invocations fill tiles by whole rows of so many halves more than they need: 16 bytes, which keeps rows aligned and off
/// the same memory bank.
const PAD: usize = 8;

/// Sizes of the tiles in workgroup memory: terms of the sum, and halves from row to row of each.
struct Layout {
    terms: usize,
    stride: [usize; 2],
    len: [usize; 2],
}

impl Layout {
    fn new(tile: Tile, matrix: Matrix, operands: Operands) -> Layout {
        let (terms, rows, columns) = (tile.depth * matrix.size, tile.rows(operands), tile.columns());
        // The left operand lies as it is loaded: row by row, or term by term.
        let (stride_a, count_a) = match operands {
            Operands::SumInVectors => (terms + PAD, rows),
            Operands::RowsInVectors => (rows + PAD, terms),
        };
        let stride_b = columns + PAD;
        Layout { terms, stride: [stride_a, stride_b], len: [stride_a * count_a, stride_b * terms] }
    }
}

/// Workgroup memory of a tile.
pub fn bytes(tile: Tile, matrix: Matrix, operands: Operands) -> usize {
    let halves: usize = Layout::new(tile, matrix, operands).len.iter().sum();
    2 * halves + size_of::<f32>() * matrix.size * matrix.size * subgroups(tile)
}

fn subgroups(tile: Tile) -> usize {
    tile.threads[0] * tile.threads[1]
}

/// What stands before the entry point.
pub fn declarations(tile: Tile, matrix: Matrix, operands: Operands) -> String {
    let Layout { len: [a, b], .. } = Layout::new(tile, matrix, operands);
    let c = matrix.size * matrix.size * subgroups(tile);
    format!(
        "var<workgroup> tile_a: array<f16, {a}>;
var<workgroup> tile_b: array<f16, {b}>;
var<workgroup> tile_c: array<f32, {c}>;
"
    )
}

/// The body of the entry point behind `n0` and `m0`, given `thread`, `subgroup` and `lane`.
pub fn body(out: &mut String, tile: Tile, matrix: Matrix, operands: Operands) {
    let ([sx, _], size) = (tile.threads, matrix.size);
    let (rows, cols) = (tile.rows_each, tile.columns_each);
    // A driver that makes smaller subgroups than it said has more of them: their sums are wrong, and seen to be, but they
    // must not write beyond the tiles.
    let _ = writeln!(out, "        let own = min(subgroup, {}u);", subgroups(tile) - 1);
    let _ = writeln!(out, "        let sx = own % {sx}u;\n        let sy = own / {sx}u;");
    let each = || (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j)));
    for (i, j) in each() {
        let _ = writeln!(out, "        var c{i}_{j} = coop_mat{size}x{size}<f32, C>();");
    }
    fill_and_multiply(out, tile, matrix, operands);
    // The sums of a matrix come out through workgroup memory, a matrix of each subgroup at a time.
    let (area, vectors) = (size * size, size / LANES);
    for (i, j) in each() {
        let store = if tile.splits > 1 { "store_part(split, batch" } else { "store(batch" };
        let first = if operands == Operands::SumInVectors { "m0" } else { "m0 * 4u" };
        let _ = writeln!(
            out,
            "        coopStoreT(c{i}_{j}, &tile_c[own * {area}u], {size}u);
        workgroupBarrier();
        for (var e = lane; e < {}u; e += {}u) {{
            let at = own * {area}u + e * 4u;
            let v = vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u]);
            let m = {first} + (sy * {rows}u + {i}u) * {size}u + e / {vectors}u;
            {store}, m, n0 + (sx * {cols}u + {j}u) * {vectors}u + e % {vectors}u, v);
        }}
        workgroupBarrier();",
            area / LANES,
            matrix.lanes,
        );
    }
}

/// The loop over the sum.
fn fill_and_multiply(out: &mut String, tile: Tile, matrix: Matrix, operands: Operands) {
    let (threads, size, sums) = (tile.invocations(), matrix.size, operands == Operands::SumInVectors);
    let Layout { terms, stride: [stride_a, stride_b], .. } = Layout::new(tile, matrix, operands);
    // Vectors that an invocation loads of each operand.
    let loads = [tile.rows(operands) * terms, tile.columns() * terms].map(|halves| halves / LANES / threads);
    let slot = |l: usize| format!("(thread + {}u)", l * threads);
    for l in 0..loads[0] {
        let (row, step) = if sums { ("/ DEPTH", "% DEPTH") } else { ("% TILE_M", "/ TILE_M") };
        let _ = writeln!(out, "        let row{l} = a_row(batch, m0 + {} {row});", slot(l));
        let _ = writeln!(out, "        let step{l} = {} {step};", slot(l));
        let at = match sums {
            true => format!("{0} / DEPTH * {stride_a}u + step{l} * 4u", slot(l)),
            false => format!("step{l} * {stride_a}u + {0} % TILE_M * 4u", slot(l)),
        };
        let _ = writeln!(out, "        let at{l} = {at};");
    }
    out.push_str(gemm::range_of_sum(tile, operands));
    out.push_str(gemm::FOR_TILES);
    for l in 0..loads[0] {
        let load = match sums {
            true => format!("a_load(a_tap(batch, row{l}, (k + step{l}) / TAP4), (k + step{l}) % TAP4)"),
            false => format!("a_load(row{l}, pixel(batch, k + step{l}))"),
        };
        keep(out, "a", l, &load, &format!("at{l}"));
    }
    for l in 0..loads[1] {
        let (step, column) = (format!("{} / TILE_N", slot(l)), format!("n0 + {} % TILE_N", slot(l)));
        let load = if sums {
            let k = format!("(k * 4u + {step})");
            format!("b_load(b_tap(batch, {k} / (TAP4 * 4u)), {k} % (TAP4 * 4u), {column})")
        } else {
            format!("b_load(batch, k + {step}, {column})")
        };
        keep(out, "b", l, &load, &format!("{step} * {stride_b}u + {} % TILE_N * 4u", slot(l)));
    }
    out.push_str("            workgroupBarrier();\n");
    for step in 0..tile.depth {
        let term = step * size;
        for i in 0..tile.rows_each {
            let row = format!("(sy * {}u + {i}u) * {size}u", tile.rows_each);
            // Row by row in memory is what the T stands for.
            let (load, at) = match sums {
                true => ("coopLoadT", format!("{row} * {stride_a}u + {term}u")),
                false => ("coopLoad", format!("{}u + {row}", term * stride_a)),
            };
            let ty = format!("coop_mat{size}x{size}<f16, A>");
            let _ = writeln!(out, "            let a{step}_{i} = {load}<{ty}>(&tile_a[{at}], {stride_a}u);");
        }
        for j in 0..tile.columns_each {
            let at = format!("{}u + (sx * {}u + {j}u) * {size}u", term * stride_b, tile.columns_each);
            let ty = format!("coop_mat{size}x{size}<f16, B>");
            let _ = writeln!(out, "            let b{step}_{j} = coopLoadT<{ty}>(&tile_b[{at}], {stride_b}u);");
            for i in 0..tile.rows_each {
                let _ = writeln!(out, "            c{i}_{j} = coopMultiplyAdd(a{step}_{i}, b{step}_{j}, c{i}_{j});");
            }
        }
    }
    out.push_str("            workgroupBarrier();\n        }\n");
}

/// Loads a vector and keeps it as four halves.
fn keep(out: &mut String, name: &str, l: usize, load: &str, at: &str) {
    let _ = writeln!(out, "            let {name}v{l} = vec4<f16>({load});\n            let {name}t{l} = {at};");
    for (lane, part) in ["x", "y", "z", "w"].iter().enumerate() {
        let _ = writeln!(out, "            tile_{name}[{name}t{l} + {lane}u] = {name}v{l}.{part};");
    }
}
