//! The main loop of the matrix kernels for devices with matrix units: operands as f16 in workgroup memory, products of
//! small square matrices by a whole subgroup each, sums in f32. `enable wgpu_cooperative_matrix` is an extension of naga's;
//! what a driver makes of it is checked on the device: by the tuner, which holds each tile against another loop, and by the
//! small step that training makes in both precisions before it begins.

mod patches;
mod pieces;

use std::fmt::Write;

use super::gemm;
use super::staged::staged_loop;
use super::tile::{ONE_TAP, Operands, Tile};
use super::units::{Lines, Matrix};
use crate::shape::LANES;

/// Halves between two lines of a tile: 16 bytes, which keeps lines aligned and off the same memory bank.
const PAD: usize = 8;
/// Workgroup memory up to which more than one matrix of sums comes out at a time.
const ROOM: usize = 48 << 10;

/// How tiles lie in workgroup memory.
struct Layout {
    /// Terms of the sum.
    terms: usize,
    /// Numbers of an element of workgroup memory.
    unit: usize,
    /// Whether an operand's lines (rows of the left one, columns of the right one) lie one behind the other, with the terms of
    /// the sum side by side; else terms lie one behind the other, with the lines side by side.
    along: [bool; 2],
    /// Elements from one to the next.
    stride: [usize; 2],
    /// Elements of each tile.
    len: [usize; 2],
}

impl Layout {
    fn new(tile: Tile, matrix: Matrix, operands: Operands) -> Layout {
        let (terms, turned) = (tile.depth * matrix.size, matrix.lines == Lines::Turned);
        let unit = matrix.lines.unit();
        let along = [turned || operands == Operands::SumInVectors, turned];
        let count = [tile.rows_of_tap(operands), tile.columns()];
        let stride = [0, 1].map(|i| (if along[i] { terms } else { count[i] } + PAD) / unit);
        let mut len = [0, 1].map(|i| if along[i] { count[i] } else { terms } * stride[i]);
        if tile.taps != ONE_TAP {
            len[0] = patches::input_pixels(tile, matrix) * stride[0];
        }
        Layout { terms, unit, along, stride, len }
    }

    /// Elements from an operand's matrix to the next line's, and to the next term's.
    fn steps(&self, operand: usize, matrix: Matrix) -> [usize; 2] {
        let [near, far] = [matrix.size / self.unit, matrix.size * self.stride[operand]];
        if self.along[operand] { [far, near] } else { [near, far] }
    }

    /// Reads an operand's matrix that lies so many elements behind the subgroup's first one. T: the memory has rows one behind
    /// the other, else columns.
    fn load(&self, operand: usize, matrix: Matrix, at: usize) -> String {
        let ([tile, role], size, stride) = ([["a", "A"], ["b", "B"]][operand], matrix.size, self.stride[operand]);
        let rows = self.along[operand] == (operand == 0);
        let load = if rows { "coopLoadT" } else { "coopLoad" };
        format!("{load}<coop_mat{size}x{size}<f16, {role}>>(&tile_{tile}[from_{tile} + {at}u], {stride}u)")
    }

    /// Bytes of both operands' tiles.
    fn bytes(&self, tile: Tile) -> usize {
        2 * self.unit * self.len.iter().sum::<usize>() * tile.buffers
    }
}

/// Bytes of a matrix of sums of each subgroup.
fn sums(tile: Tile, matrix: Matrix) -> usize {
    size_of::<f32>() * matrix.size * matrix.size * subgroups(tile)
}

/// Matrices of sums that come out at a time.
fn at_once(tile: Tile, matrix: Matrix, layout: &Layout) -> usize {
    let fits = |n: &usize| layout.bytes(tile) + n * sums(tile, matrix) <= ROOM;
    [4, 2].into_iter().find(fits).unwrap_or(1).min(sums_of(tile).count())
}

/// Rows and columns of a subgroup's matrices of sums; those of one tap after those of the other.
fn sums_of(tile: Tile) -> impl Iterator<Item = (usize, usize)> {
    gemm::pairs(tile.taps.iter().product::<usize>() * tile.rows_each, tile.columns_each)
}

/// Workgroup memory of a tile.
pub fn bytes(tile: Tile, matrix: Matrix, operands: Operands) -> usize {
    let layout = Layout::new(tile, matrix, operands);
    layout.bytes(tile) + at_once(tile, matrix, &layout) * sums(tile, matrix)
}

fn subgroups(tile: Tile) -> usize {
    tile.threads[0] * tile.threads[1]
}

/// What stands before the entry point.
pub fn declarations(tile: Tile, matrix: Matrix, operands: Operands) -> String {
    let layout = Layout::new(tile, matrix, operands);
    let [a, b] = layout.len.map(|len| len * tile.buffers);
    let c = at_once(tile, matrix, &layout) * sums(tile, matrix) / (size_of::<f32>() * layout.unit);
    let [halves, sums] = ["f16", "f32"].map(|number| matrix.lines.element(number));
    format!(
        "var<workgroup> tile_a: array<{halves}, {a}>;
var<workgroup> tile_b: array<{halves}, {b}>;
var<workgroup> tile_c: array<{sums}, {c}>;
"
    )
}

/// The body of the entry point behind `n0` and `m0`, given `thread`, `subgroup` and `lane`.
pub fn body(out: &mut String, tile: Tile, matrix: Matrix, operands: Operands) {
    let ([sx, _], size) = (tile.threads, matrix.size);
    // A driver that makes smaller subgroups than it said has more of them: their sums are wrong, and seen to be, but they
    // must not write beyond the tiles.
    let _ = writeln!(out, "        let own = min(subgroup, {}u);", subgroups(tile) - 1);
    let _ = writeln!(out, "        let sx = own % {sx}u;\n        let sy = own / {sx}u;");
    for (i, j) in sums_of(tile) {
        let _ = writeln!(out, "        var c{i}_{j} = coop_mat{size}x{size}<f32, C>();");
    }
    let layout = Layout::new(tile, matrix, operands);
    let shared = tile.taps != ONE_TAP;
    let multiply = |out: &mut String| {
        // What is known beforehand is added last, so that it becomes part of the instruction that reads.
        let [[row, _], [column, _]] = [0, 1].map(|operand| layout.steps(operand, matrix));
        let (rows, columns) = (tile.rows_each * row, tile.columns_each * column);
        let _ = writeln!(out, "            let from_a = half_a + sy * {rows}u;");
        let _ = writeln!(out, "            let from_b = half_b + sx * {columns}u;");
        match shared {
            true => patches::multiply(out, tile, matrix, &layout),
            false => multiply(out, tile, matrix, &layout),
        }
    };
    let pieces = match matrix.lines {
        _ if shared => patches::pieces(tile, matrix, &layout),
        Lines::Turned => pieces::turned(tile, operands, &layout),
        Lines::AsTheyCome => pieces::as_they_come(tile, operands, &layout),
    };
    staged_loop(out, tile, operands, &pieces, layout.len, multiply);
    results(out, tile, matrix, &layout, operands);
}

/// Whether there is room for two vectors of each invocation where the sums come out.
pub fn has_room_for_lines(matrix: Matrix) -> bool {
    matrix.lines.unit() == LANES && matrix.size * matrix.size / LANES >= 2 * matrix.lanes
}

/// The sums come out through workgroup memory, a few matrices of each subgroup at a time.
fn results(out: &mut String, tile: Tile, matrix: Matrix, layout: &Layout, operands: Operands) {
    let (size, all) = (matrix.size, sums_of(tile).collect::<Vec<_>>());
    let (area, vectors, count, each) = (size * size, size / LANES, at_once(tile, matrix, layout), layout.unit);
    let value = if each == 1 {
        "vec4<f32>(tile_c[at], tile_c[at + 1u], tile_c[at + 2u], tile_c[at + 3u])"
    } else {
        "tile_c[at]"
    };
    let _ = writeln!(out, "        let own_sums = own * {}u;", count * area / each);
    let first = if operands == Operands::SumInVectors { "m0" } else { "m0 * 4u" };
    let store = |i: usize| {
        let store = if tile.splits > 1 { "store_part(split, batch" } else { "store(batch" };
        match tile.taps {
            ONE_TAP => format!("{store}, m"),
            // Beyond the last channel of a tap lies the next one.
            _ => format!("if (m < GI4 * 4u) {{ {store}, {}u * GI4 * 4u + m", i / tile.rows_each),
        }
    };
    for some in all.chunks(count) {
        for (at, (i, j)) in some.iter().enumerate() {
            let _ = writeln!(
                out,
                "        coopStoreT(c{i}_{j}, &tile_c[own_sums + {}u], {}u);",
                at * area / each,
                size / each
            );
        }
        out.push_str("        workgroupBarrier();\n");
        for (at, (i, j)) in some.iter().enumerate() {
            let _ = writeln!(
                out,
                "        for (var e = lane; e < {}u; e += {}u) {{
            let at = own_sums + e * {}u + {}u;
            let v = {value};
            let m = {first} + (sy * {}u + {}u) * {size}u + e / {vectors}u;
            {}, n0 + (sx * {}u + {j}u) * {vectors}u + e % {vectors}u, v);{}
        }}",
                area / LANES,
                matrix.lanes,
                LANES / each,
                at * area / each,
                tile.rows_each,
                i % tile.rows_each,
                store(*i),
                tile.columns_each,
                if tile.taps == ONE_TAP { "" } else { " }" },
            );
        }
        out.push_str("        workgroupBarrier();\n");
    }
}

/// The products of the tiles of which a subgroup's parts begin at `from_a` and `from_b` in workgroup memory.
fn multiply(out: &mut String, tile: Tile, matrix: Matrix, layout: &Layout) {
    let [[row, row_term], [column, column_term]] = [0, 1].map(|operand| layout.steps(operand, matrix));
    for step in 0..tile.depth {
        for i in 0..tile.rows_each {
            let a = layout.load(0, matrix, i * row + step * row_term);
            let _ = writeln!(out, "            let a{step}_{i} = {a};");
        }
        for j in 0..tile.columns_each {
            let b = layout.load(1, matrix, j * column + step * column_term);
            let _ = writeln!(out, "            let b{step}_{j} = {b};");
            for i in 0..tile.rows_each {
                let _ = writeln!(out, "            c{i}_{j} = coopMultiplyAdd(a{step}_{i}, b{step}_{j}, c{i}_{j});");
            }
        }
    }
}
