//! The vectors that an invocation loads to workgroup memory for matrix units.

use std::fmt::Write;

use super::tile_memory::TileMemory;
use crate::exec::registry::Operands;
use crate::exec::shader::staged::{self, Piece, Tap};
use crate::exec::shader::tile::Tile;
use crate::shape::LANES;

/// The pieces of both tiles for one invocation, stored as they lie in global memory.
pub fn as_they_come(tile: Tile, operands: Operands, memory: &TileMemory) -> Vec<Piece> {
    let threads = tile.invocations();
    let slot = move |l: usize| format!("(thread + {}u)", l * threads);
    let pieces = |lines: usize| lines * memory.terms / LANES / threads;
    let (rows, columns) = (tile.rows(operands), tile.columns());
    let [left, right] = memory.stride;
    let left: Vec<Piece> = match operands {
        Operands::SumInVectors => (0..pieces(rows)).map(|l| along(l, &slot(l), memory.terms / LANES, left)).collect(),
        Operands::RowsInVectors => (0..pieces(rows)).map(|l| of_rows(l, &slot(l), rows / LANES, left)).collect(),
    };
    let right = (0..pieces(columns)).map(|l| across(operands, l, &slot(l), columns / LANES, right));
    left.into_iter().chain(right).collect()
}

/// A vector along the sum; a row of a tile has `count`.
fn along(l: usize, slot: &str, count: usize, stride: usize) -> Piece {
    let place = format!(
        "        let row{l} = a_row(batch, m0 + {slot} / {count}u);
        let step{l} = {slot} % {count}u;
        let a_at{l} = {slot} / {count}u * {stride}u + {slot} % {count}u;
"
    );
    let (taps, load) = staged::along(Operands::SumInVectors, l);
    let load = move |k: &str| format!("            let av{l} = {};\n", load(k));
    let store = format!("            tile_a[half_a + a_at{l}] = vec4<f16>(av{l});\n");
    Piece { place, taps, load: Box::new(load), store }
}

/// A vector of rows for one term; a term of a tile has `count`.
fn of_rows(l: usize, slot: &str, count: usize, stride: usize) -> Piece {
    let place = format!(
        "        let row{l} = a_row(batch, m0 + {slot} % {count}u);
        let step{l} = {slot} / {count}u;
        let a_at{l} = {slot} / {count}u * {stride}u + {slot} % {count}u;
"
    );
    let (taps, load) = staged::along(Operands::RowsInVectors, l);
    let load = move |k: &str| format!("            let av{l} = {};\n", load(k));
    let store = format!("            tile_a[half_a + a_at{l}] = vec4<f16>(av{l});\n");
    Piece { place, taps, load: Box::new(load), store }
}

/// A vector of columns for one term; a term of a tile has `count`.
fn across(operands: Operands, l: usize, slot: &str, count: usize, stride: usize) -> Piece {
    let place = format!("        let b_at{l} = {slot} / {count}u * {stride}u + {slot} % {count}u;\n");
    let (term, column) = (format!("{slot} / {count}u"), format!("n0 + {slot} % {count}u"));
    let (taps, load) = staged::across(operands, l, term, column);
    let load = move |k: &str| format!("            let bv{l} = {};\n", load(k, 0));
    let store = format!("            tile_b[half_b + b_at{l}] = vec4<f16>(bv{l});\n");
    Piece { place, taps, load: Box::new(load), store }
}

/// The pieces of both tiles for one invocation, all stored with the terms of the sum side by side.
pub fn turned(tile: Tile, operands: Operands, memory: &TileMemory) -> Vec<Piece> {
    let TileMemory { terms, stride: [stride, _], .. } = *memory;
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
                (vec![], move |k: &str, term| format!("a_load(row{l}, pixel(batch, {k} + a_term{l} + {term}u))"))
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
    let (taps, along) = staged::along(Operands::SumInVectors, l);
    let load = move |k: &str| format!("            let av{l} = {};\n", along(k));
    let store =
        (0..LANES).map(|lane| format!("            tile_a[half_a + at{l} + {lane}u] = f16(av{l}.{});\n", LANE[lane]));
    Piece { place, taps, load: Box::new(load), store: store.collect() }
}

/// Names of a vector's numbers.
const LANE: [char; LANES] = ['x', 'y', 'z', 'w'];

/// An operand whose vectors run across the sum. Blocks of a vector's 4 lines and 4 terms are transposed as they are
/// stored. Blocks have fewer terms where some invocation would get no block otherwise. Invocations lie along the sum,
/// so that the numbers that they store at once lie side by side.
///
/// `load` returns two parts of the text of a piece: the variable that follows the taps, if the piece needs one, and a
/// function. It writes the expression of the vector at a step of the sum and a term.
fn blocks<L: Fn(&str, usize) -> String + 'static>(
    name: char,
    vectors: usize,
    terms: usize,
    stride: usize,
    slot: impl Fn(usize) -> String,
    load: impl Fn(usize) -> (Vec<Tap>, L),
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
        let (taps, load) = load(l);
        let load = move |k: &str| {
            let each = |i| format!("            let {name}v{l}_{i} = {};\n", load(k, i));
            (0..high).map(each).collect::<String>()
        };
        let each = |line: usize, i: usize| {
            let at = format!("half_{name} + {name}_at{l} + {}u", line * stride + i);
            format!("            tile_{name}[{at}] = f16({name}v{l}_{i}.{});\n", LANE[line])
        };
        let store = (0..LANES).flat_map(|line| (0..high).map(move |i| each(line, i))).collect();
        Piece { place, taps, load: Box::new(load), store }
    };
    (0..vectors / high).map(piece).collect()
}
