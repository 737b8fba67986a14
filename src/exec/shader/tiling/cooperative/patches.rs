//! Weight gradients on matrix units whose taps share the loaded pixels. A workgroup computes all taps of some input
//! channels. It loads a patch of input pixels to workgroup memory once, and each tap reads the patch with its own
//! shift.
//!
//! | step of the sum | numbers loaded | products |
//! |---|---|---|
//! | 64 × 64 channels, 2 × 16 pixels, 9 taps | 6,656 | 9 × 64 × 64 × 32 |
//! | 128 × 128 outputs, 32 pixels, one tap | 8,192 | 128 × 128 × 32 |
//!
//! A matrix of the input also serves all taps of a kernel column, with different rows of dy. Matrices must be readable from any
//! pixel on, so operands are stored as they lie in global memory.

use std::fmt::Write;

use super::tile_memory::{TileMemory, input, input_pixels};
use crate::exec::registry::Operands;
use crate::exec::shader::staged::Piece;
use crate::exec::shader::tile::{Matrix, Tile};
use crate::shape::LANES;

/// The vectors that an invocation loads to workgroup memory.
pub fn pieces(tile: Tile, matrix: Matrix, memory: &TileMemory) -> Vec<Piece> {
    let channels = tile.rows_of_tap(Operands::RowsInVectors) / LANES;
    let columns = tile.columns() / LANES;
    let left = of_operand(tile, 'a', input_pixels(tile, matrix), channels, memory.stride[0], |l, pixel, channel| {
        let there = format!("{pixel} < {}u", input_pixels(tile, matrix));
        (
            format!(
                "        let channel{l} = m0 + {channel};
        let row{l} = patch_row(batch, {pixel}, channel{l}, {there});\n"
            ),
            Box::new(move |k: &str| format!("patch_x(row{l}, {k}, channel{l})")),
        )
    });
    let right = of_operand(tile, 'b', memory.terms, columns, memory.stride[1], |_, pixel, column| {
        let (pixel, column) = (pixel.to_owned(), column.to_owned());
        (String::new(), Box::new(move |k: &str| format!("patch_dy(batch, {k}, {pixel}, n0 + {column})")))
    });
    left.into_iter().chain(right).collect()
}

/// The text before the loop, and a function that writes the expression of two vectors, by the step of the sum.
type Loads = (String, Box<dyn Fn(&str) -> String>);

/// The pieces of an operand: `vectors` vectors of each of `pixels`, in pairs.
fn of_operand(
    tile: Tile,
    name: char,
    pixels: usize,
    vectors: usize,
    stride: usize,
    load: impl Fn(usize, &str, &str) -> Loads,
) -> Vec<Piece> {
    let threads = tile.invocations();
    let pairs = vectors / 2;
    let count = pixels * pairs;
    let piece = |l: usize| {
        let slot = format!("(thread + {}u)", l * threads);
        let (pixel, vector) = (format!("({slot} / {pairs}u)"), format!("{slot} % {pairs}u * 2u"));
        let (place, load) = load(l, &pixel, &vector);
        let place = format!("{place}        let {name}_at{l} = {pixel} * {stride}u + {vector};\n");
        let load = move |k: &str| format!("            let {name}v{l} = {};\n", load(k));
        let to = format!("tile_{name}[half_{name} + {name}_at{l}");
        let store = format!("            {to}] = {name}v{l}.near;\n            {to} + 1u] = {name}v{l}.far;\n");
        let store = match (l + 1) * threads > count {
            true => format!("            if ({slot} < {count}u) {{\n{store}            }}\n"),
            false => store,
        };
        Piece { place, taps: vec![], load: Box::new(load), store }
    };
    (0..count.div_ceil(threads)).map(piece).collect()
}

/// Multiplies the patch in workgroup memory, in which a subgroup's part begins at `from_a` and `from_b`. It goes from the first
/// row of input pixels to the last; each matrix is read once and serves all taps of a kernel column.
pub fn multiply(out: &mut String, tile: Tile, matrix: Matrix, memory: &TileMemory) {
    let ([stride_a, stride_b], near) = (memory.stride, matrix.size / memory.unit);
    let [rows, columns] = input(tile, matrix);
    let [kernel_rows, kernel_columns] = tile.taps;
    for r in 0..rows {
        for j in (0..tile.columns_each).filter(|_| r < tile.depth) {
            let at = r * matrix.size * stride_b + j * near;
            let _ = writeln!(out, "            let b{r}_{j} = {};", memory.load(1, matrix, at));
        }
        for (kw, i) in (0..kernel_columns).flat_map(|kw| (0..tile.rows_each).map(move |i| (kw, i))) {
            let at = (r * columns + kw) * stride_a + i * near;
            let _ = writeln!(out, "            let a{r}_{kw}_{i} = {};", memory.load(0, matrix, at));
            // Output row r - kh sees this one through tap row kh.
            for kh in (0..kernel_rows).filter(|&kh| (kh..kh + tile.depth).contains(&r)) {
                let sum = (kh * kernel_columns + kw) * tile.rows_each + i;
                for j in 0..tile.columns_each {
                    let _ = writeln!(
                        out,
                        "            c{sum}_{j} = coopMultiplyAdd(a{r}_{kw}_{i}, b{}_{j}, c{sum}_{j});",
                        r - kh
                    );
                }
            }
        }
    }
}
