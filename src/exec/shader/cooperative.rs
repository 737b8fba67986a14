//! The main loop of the matrix kernels for devices with matrix units: operands as f16 in workgroup memory, products of
//! small square matrices by a whole subgroup each, sums in f32. `enable wgpu_cooperative_matrix` is an extension of naga's;
//! what a driver makes of it is checked against the other loops on the device before it is used.

use std::fmt::Write;

use super::gemm;
use super::staged::{self, Piece, Tap, staged_loop};
use super::tile::{Matrix, Operands, Tile};
use crate::shape::LANES;

/// Halves between two rows of a tile: 16 bytes, which keeps rows aligned and off the same memory bank.
const PAD: usize = 8;

/// Sizes of the tiles in workgroup memory. Rows of the left operand and columns of the right one each lie one behind the
/// other, with the terms of the sum side by side: what an invocation holds of a matrix is then read at once. With the
/// right operand as it comes, side by side along the columns, RADV reads 64 halves one by one for 8 products.
struct Layout {
    /// Terms of the sum.
    terms: usize,
    /// Halves from row to row, or column to column.
    stride: usize,
    /// Halves of each tile.
    len: [usize; 2],
}

impl Layout {
    fn new(tile: Tile, matrix: Matrix, operands: Operands) -> Layout {
        let terms = tile.depth * matrix.size;
        let stride = terms + PAD;
        Layout { terms, stride, len: [tile.rows(operands), tile.columns()].map(|lines| lines * stride) }
    }
}

/// Workgroup memory of a tile.
pub fn bytes(tile: Tile, matrix: Matrix, operands: Operands) -> usize {
    let halves: usize = Layout::new(tile, matrix, operands).len.iter().sum();
    2 * halves * tile.buffers + size_of::<f32>() * matrix.size * matrix.size * subgroups(tile)
}

fn subgroups(tile: Tile) -> usize {
    tile.threads[0] * tile.threads[1]
}

/// What stands before the entry point.
pub fn declarations(tile: Tile, matrix: Matrix, operands: Operands) -> String {
    let [a, b] = Layout::new(tile, matrix, operands).len.map(|len| len * tile.buffers);
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
    for (i, j) in gemm::pairs(rows, cols) {
        let _ = writeln!(out, "        var c{i}_{j} = coop_mat{size}x{size}<f32, C>();");
    }
    let Layout { stride, len, .. } = Layout::new(tile, matrix, operands);
    let multiply = |out: &mut String| multiply(out, tile, matrix, stride);
    staged_loop(out, tile, operands, &pieces(tile, matrix, operands), len, multiply);
    // The sums of a matrix come out through workgroup memory, a matrix of each subgroup at a time.
    let (area, vectors) = (size * size, size / LANES);
    for (i, j) in gemm::pairs(rows, cols) {
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

/// The products of the tiles that begin at `half_a` and `half_b` in workgroup memory.
fn multiply(out: &mut String, tile: Tile, matrix: Matrix, stride: usize) {
    let line = matrix.size * stride;
    let (rows, columns) = (tile.rows_each * line, tile.columns_each * line);
    // What is known beforehand is added last, so that it becomes part of the instruction that reads.
    let _ = writeln!(
        out,
        "            let from_a = half_a + sy * {rows}u;\n            let from_b = half_b + sx * {columns}u;"
    );
    for step in 0..tile.depth {
        let term = step * matrix.size;
        // T: rows lie one behind the other, else columns.
        for i in 0..tile.rows_each {
            let load = load_matrix("coopLoadT", 'A', matrix, i * line + term, stride);
            let _ = writeln!(out, "            let a{step}_{i} = {load};");
        }
        for j in 0..tile.columns_each {
            let load = load_matrix("coopLoad", 'B', matrix, j * line + term, stride);
            let _ = writeln!(out, "            let b{step}_{j} = {load};");
            for i in 0..tile.rows_each {
                let _ = writeln!(out, "            c{i}_{j} = coopMultiplyAdd(a{step}_{i}, b{step}_{j}, c{i}_{j});");
            }
        }
    }
}

fn load_matrix(function: &str, role: char, matrix: Matrix, at: usize, stride: usize) -> String {
    let (size, tile) = (matrix.size, role.to_ascii_lowercase());
    format!("{function}<coop_mat{size}x{size}<f16, {role}>>(&tile_{tile}[from_{tile} + {at}u], {stride}u)")
}

/// The pieces of both tiles for one invocation.
fn pieces(tile: Tile, matrix: Matrix, operands: Operands) -> Vec<Piece> {
    let Layout { terms, stride, .. } = Layout::new(tile, matrix, operands);
    let threads = tile.invocations();
    let vectors = |lines: usize| lines * terms / LANES / threads;
    let (rows, columns) = (vectors(tile.rows(operands)), vectors(tile.columns()));
    let slot = move |l: usize| format!("(thread + {}u)", l * threads);
    // The terms of a block are channels of one tap.
    let right = blocks('b', columns, terms, stride, slot, move |l| {
        staged::across(operands, l, format!("b_term{l}"), format!("n0 + b_line{l}"))
    });
    let left: Vec<Piece> = match operands {
        Operands::SumInVectors => (0..rows).map(|l| vector(l, &slot(l), stride)).collect(),
        Operands::RowsInVectors => {
            let mut left = blocks('a', rows, terms, stride, slot, |l| {
                (None, move |k: &str, term| format!("a_load(row{l}, pixel(batch, {k} + a_term{l} + {term}u))"))
            });
            for (l, piece) in left.iter_mut().enumerate() {
                let _ = writeln!(piece.place, "        let row{l} = a_row(batch, m0 + a_line{l});");
            }
            left
        }
    };
    left.into_iter().chain(right).collect()
}

/// A vector of the left operand along the sum, which is stored as it is.
fn vector(l: usize, slot: &str, stride: usize) -> Piece {
    let place = format!(
        "        let row{l} = a_row(batch, m0 + {slot} / DEPTH);
        let step{l} = {slot} % DEPTH;
        let at{l} = {slot} / DEPTH * {stride}u + step{l} * 4u;
"
    );
    let (tap, along) = staged::along(Operands::SumInVectors, l);
    let load = move |k: &str| format!("            let av{l} = {};\n", along(k));
    let store =
        (0..LANES).map(|lane| format!("            tile_a[half_a + at{l} + {lane}u] = f16(av{l}.{});\n", LANE[lane]));
    Piece { place, tap, load: Box::new(load), store: store.collect() }
}

/// Names of a vector's numbers.
const LANE: [char; LANES] = ['x', 'y', 'z', 'w'];

/// An operand whose vectors run across the sum: blocks of a vector's 4 lines and as many terms, or fewer where that leaves
/// an invocation without any, are turned as they are stored. Invocations lie along the sum, so that what they store at
/// once lies side by side. `load` gives, for a piece, the variable that follows the taps, if it needs one, and what writes the
/// text that loads the vector of a step of the sum and a term.
fn blocks<L: Fn(&str, usize) -> String + 'static>(
    name: char,
    vectors: usize,
    terms: usize,
    stride: usize,
    slot: impl Fn(usize) -> String,
    load: impl Fn(usize) -> (Option<Tap>, L),
) -> Vec<Piece> {
    let high = [4, 2, 1].into_iter().find(|&high| vectors.is_multiple_of(high)).unwrap_or(1);
    let along = terms / high;
    let piece = |l: usize| {
        let slot = slot(l);
        let place = format!(
            "        let {name}_term{l} = {slot} % {along}u * {high}u;
        let {name}_line{l} = {slot} / {along}u;
        let {name}_at{l} = {name}_line{l} * {}u + {name}_term{l};
",
            LANES * stride
        );
        let (tap, load) = load(l);
        let load = move |k: &str| {
            let each = |i| format!("            let {name}v{l}_{i} = {};\n", load(k, i));
            (0..high).map(each).collect::<String>()
        };
        let each = |line: usize, i: usize| {
            let at = format!("half_{name} + {name}_at{l} + {}u", line * stride + i);
            format!("            tile_{name}[{at}] = f16({name}v{l}_{i}.{});\n", LANE[line])
        };
        let store = (0..LANES).flat_map(|line| (0..high).map(move |i| each(line, i))).collect();
        Piece { place, tap, load: Box::new(load), store }
    };
    (0..vectors / high).map(piece).collect()
}
