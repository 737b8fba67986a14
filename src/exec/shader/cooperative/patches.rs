//! Weight gradients on matrix units whose taps share what is loaded: a workgroup has all taps of some input channels, and
//! brings a patch of input pixels to workgroup memory once, where each tap reads it with its own shift. A step of 64 × 64
//! channels and 2 × 16 pixels loads 6,656 numbers for 9 × 64 × 64 × 32 products, one of 128 × 128 outputs and as many pixels
//! 8,192 for less than half as many; and matrices of the input serve the taps of a column, which see them from different
//! rows of dy. Needs pixels that can be read from any one on, so operands lie as they come.

use std::fmt::Write;

use super::Layout;
use crate::exec::shader::staged::Piece;
use crate::exec::shader::tile::{Operands, Tile};
use crate::exec::shader::units::Matrix;
use crate::shape::LANES;

/// Rows and columns of input pixels that taps reach from a patch.
fn input(tile: Tile, matrix: Matrix) -> [usize; 2] {
    [tile.depth + tile.taps[0] - 1, matrix.size + tile.taps[1] - 1]
}

/// The number of those.
pub fn input_pixels(tile: Tile, matrix: Matrix) -> usize {
    input(tile, matrix).iter().product()
}

/// What an invocation brings to workgroup memory.
pub fn pieces(tile: Tile, matrix: Matrix, layout: &Layout) -> Vec<Piece> {
    let channels = tile.rows_of_tap(Operands::RowsInVectors) / LANES;
    let columns = tile.columns() / LANES;
    let left = of_operand(tile, 'a', input_pixels(tile, matrix), channels, layout.stride[0], |l, pixel, channel| {
        let there = format!("{pixel} < {}u", input_pixels(tile, matrix));
        (
            format!(
                "        let channel{l} = m0 + {channel};
        let row{l} = patch_row(batch, {pixel}, channel{l}, {there});\n"
            ),
            Box::new(move |k: &str| format!("patch_x(row{l}, {k}, channel{l})")),
        )
    });
    let right = of_operand(tile, 'b', layout.terms, columns, layout.stride[1], |_, pixel, column| {
        let (pixel, column) = (pixel.to_owned(), column.to_owned());
        (String::new(), Box::new(move |k: &str| format!("patch_dy(batch, {k}, {pixel}, n0 + {column})")))
    });
    left.into_iter().chain(right).collect()
}

/// What stands before the loop, and what writes the text that loads two vectors of a step.
type Loads = (String, Box<dyn Fn(&str) -> String>);

/// Vectors of pixels, each of which has so many, two by two.
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

/// The products of the patch of which a subgroup's part begins at `from_a` and `from_b` in workgroup memory: from the first row of input pixels to
/// the last, each matrix of which is read once and serves all taps of a column.
pub fn multiply(out: &mut String, tile: Tile, matrix: Matrix, layout: &Layout) {
    let ([stride_a, stride_b], near) = (layout.stride, matrix.size / layout.unit);
    let [rows, columns] = input(tile, matrix);
    let [kernel_rows, kernel_columns] = tile.taps;
    for r in 0..rows {
        for j in (0..tile.columns_each).filter(|_| r < tile.depth) {
            let at = r * matrix.size * stride_b + j * near;
            let _ = writeln!(out, "            let b{r}_{j} = {};", layout.load(1, matrix, at));
        }
        for (kw, i) in (0..kernel_columns).flat_map(|kw| (0..tile.rows_each).map(move |i| (kw, i))) {
            let at = (r * columns + kw) * stride_a + i * near;
            let _ = writeln!(out, "            let a{r}_{kw}_{i} = {};", layout.load(0, matrix, at));
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
