//! Workgroup memory of a tile for matrix units: both operands, and the sums on their way to the result.

use crate::exec::registry::Operands;
use crate::exec::shader::tile::{Lines, Matrix, ONE_TAP, Tile, pairs};

/// Halves between two lines of a tile: 16 bytes, which keeps lines aligned and off the same memory bank.
const PAD: usize = 8;
/// Workgroup memory up to which more than one matrix of sums is stored at a time.
const ROOM: usize = 48 << 10;

/// How the operands' tiles lie in workgroup memory. The lines of an operand are the rows of the left one and the columns of the
/// right one.
pub(super) struct TileMemory {
    /// Terms of the sum.
    pub terms: usize,
    /// Numbers of an element of workgroup memory.
    pub unit: usize,
    /// Whether an operand is stored line by line, with the terms of the sum side by side; else term by term, with the lines
    /// side by side.
    pub along: [bool; 2],
    /// Elements from one line (or term) to the next.
    pub stride: [usize; 2],
    /// Elements of each tile.
    pub len: [usize; 2],
}

impl TileMemory {
    pub fn new(tile: Tile, matrix: Matrix, operands: Operands) -> TileMemory {
        let (terms, turned) = (tile.depth * matrix.size, matrix.lines == Lines::Turned);
        let unit = matrix.lines.unit();
        let along = [turned || operands == Operands::SumInVectors, turned];
        let count = [tile.rows_of_tap(operands), tile.columns()];
        let stride = [0, 1].map(|i| (if along[i] { terms } else { count[i] } + PAD) / unit);
        let mut len = [0, 1].map(|i| if along[i] { count[i] } else { terms } * stride[i]);
        if tile.taps != ONE_TAP {
            len[0] = input_pixels(tile, matrix) * stride[0];
        }
        TileMemory { terms, unit, along, stride, len }
    }

    /// Elements from an operand's matrix to the next line's, and to the next term's.
    pub fn steps(&self, operand: usize, matrix: Matrix) -> [usize; 2] {
        let [near, far] = [matrix.size / self.unit, matrix.size * self.stride[operand]];
        if self.along[operand] { [far, near] } else { [near, far] }
    }

    /// The expression that loads an operand's matrix, `at` elements after the subgroup's first one. `coopLoadT` reads memory
    /// that holds rows, `coopLoad` memory that holds columns.
    pub fn load(&self, operand: usize, matrix: Matrix, at: usize) -> String {
        let ([tile, role], size, stride) = ([["a", "A"], ["b", "B"]][operand], matrix.size, self.stride[operand]);
        let rows = self.along[operand] == (operand == 0);
        let load = if rows { "coopLoadT" } else { "coopLoad" };
        format!("{load}<coop_mat{size}x{size}<f16, {role}>>(&tile_{tile}[from_{tile} + {at}u], {stride}u)")
    }

    /// Bytes of both operands' tiles.
    pub fn bytes(&self, tile: Tile) -> usize {
        2 * self.unit * self.len.iter().sum::<usize>() * tile.buffers
    }
}

/// Bytes of a matrix of sums of each subgroup.
pub(super) fn sums(tile: Tile, matrix: Matrix) -> usize {
    size_of::<f32>() * matrix.size * matrix.size * subgroups(tile)
}

/// Matrices of sums that a subgroup stores at a time.
pub(super) fn at_once(tile: Tile, matrix: Matrix, memory: &TileMemory) -> usize {
    let fits = |n: &usize| memory.bytes(tile) + n * sums(tile, matrix) <= ROOM;
    [4, 2].into_iter().find(fits).unwrap_or(1).min(sums_of(tile).count())
}

/// Rows and columns of a subgroup's matrices of sums, tap after tap.
pub(super) fn sums_of(tile: Tile) -> impl Iterator<Item = (usize, usize)> {
    pairs(tile.taps.iter().product::<usize>() * tile.rows_each, tile.columns_each)
}

pub(super) fn subgroups(tile: Tile) -> usize {
    tile.threads[0] * tile.threads[1]
}

/// Rows and columns of input pixels that taps reach from a patch.
pub(super) fn input(tile: Tile, matrix: Matrix) -> [usize; 2] {
    [tile.depth + tile.taps[0] - 1, matrix.size + tile.taps[1] - 1]
}

/// Number of input pixels that taps reach from a patch.
pub(super) fn input_pixels(tile: Tile, matrix: Matrix) -> usize {
    input(tile, matrix).iter().product()
}
