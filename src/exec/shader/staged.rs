//! The loop of a matrix kernel over tiles of its operands in workgroup memory; vectors or matrix units multiply them there.

use std::fmt::Write;

use super::tile::{ONE_TAP, Tile};
use crate::exec::registry::Operands;

/// Steps of the sum, found once for each tap.
pub(super) const TAPS: &str = include_str!("../../../shaders/shared/taps.wgsl");

/// A part of a tile that one invocation loads to workgroup memory, as text.
pub(super) struct Piece {
    /// Declares its place, which does not change along the sum.
    pub place: String,
    /// Variables that change with the tap.
    pub taps: Vec<Tap>,
    /// Loads it from global memory, for the tile that begins at a step of the sum.
    pub load: Box<dyn Fn(&str) -> String>,
    /// Stores it to the tiles that begin at `half_a` and `half_b`. Conversions belong here: in `load` they would wait
    /// for memory before the product.
    pub store: String,
}

/// A variable that changes with the tap of the sum.
pub(super) struct Tap {
    pub name: String,
    /// Its value for the tile that begins at a step of the sum.
    pub at: Box<dyn Fn(&str) -> String>,
}

/// Writes the loop over the tiles of a sum, which take `len` elements of each operand. With two buffers the next tiles are
/// loaded while these are multiplied, and one barrier fewer is needed. `multiply` writes the products of the tiles that begin
/// at `half_a` and `half_b`.
pub(super) fn staged_loop(
    out: &mut String,
    tile: Tile,
    operands: Operands,
    pieces: &[Piece],
    len: [usize; 2],
    multiply: impl Fn(&mut String),
) {
    let staging = Staging { pieces, len };
    out.push_str("        // Where this invocation loads and stores.\n");
    pieces.iter().for_each(|piece| out.push_str(&piece.place));
    out.push_str("        // The range of the sum.\n");
    out.push_str(range_of_sum(tile, operands));
    staging.taps().for_each(|tap| out.push_str(&format!("        var {} = {};\n", tap.name, (tap.at)("first"))));
    let two = tile.buffers == 2;
    if two {
        out.push_str("        // The first tiles; `full` is the buffer that holds the current ones.\n");
        out.push_str("        var full = 0u;\n        if (first < last) {\n");
        staging.load(out, "first");
        staging.store(out, "0u");
        out.push_str("        }\n        workgroupBarrier();\n");
    }
    out.push_str(
        "        // The loop over the tiles of the sum.\n        for (var k = first; k < last; k += DEPTH) {\n",
    );
    if two {
        // The last step loads its own tile again, unused, so that no load needs a guard.
        out.push_str("            // Loads the next tiles to registers.\n");
        out.push_str("            let next = select(k, k + DEPTH, k + DEPTH < last);\n");
        staging.follow(out, "next");
        staging.load(out, "next");
        out.push_str("            // Multiplies the current tiles.\n");
        buffer(out, "full", len);
        multiply(out);
        out.push_str("            // Stores the next tiles to the other buffer.\n            full = 1u - full;\n");
        staging.store(out, "full");
    } else {
        staging.follow(out, "k");
        out.push_str("            // Loads the tiles.\n");
        staging.load(out, "k");
        staging.store(out, "0u");
        out.push_str("            workgroupBarrier();\n            // Multiplies them.\n");
        buffer(out, "0u", len);
        multiply(out);
    }
    out.push_str("            workgroupBarrier();\n        }\n");
}

/// The pieces of the tiles, and the elements of each tile.
struct Staging<'a> {
    pieces: &'a [Piece],
    len: [usize; 2],
}

impl Staging<'_> {
    fn taps(&self) -> impl Iterator<Item = &Tap> {
        self.pieces.iter().flat_map(|piece| &piece.taps)
    }

    /// Loads all pieces for the tiles that begin at step `k`.
    fn load(&self, out: &mut String, k: &str) {
        self.pieces.iter().for_each(|piece| out.push_str(&(piece.load)(k)));
    }

    /// Moves the places of the pieces to the tap of step `k`. Most tiles have the same tap as the tile before.
    fn follow(&self, out: &mut String, k: &str) {
        if self.taps().next().is_none() {
            return;
        }
        out.push_str("            // The places of a new tap.\n");
        let _ = writeln!(out, "            if (!TAPS_EVEN || {k} % TAP4 == 0u) {{");
        self.taps().for_each(|tap| out.push_str(&format!("                {} = {};\n", tap.name, (tap.at)(k))));
        out.push_str("            }\n");
    }

    /// Stores all pieces to the tiles of buffer `which`.
    fn store(&self, out: &mut String, which: &str) {
        out.push_str("            {\n");
        buffer(out, which, self.len);
        self.pieces.iter().for_each(|piece| out.push_str(&piece.store));
        out.push_str("            }\n");
    }
}

/// Vector `l` of the left operand: its place, if it changes with the tap only, and the expression that loads it.
pub(super) fn along(operands: Operands, l: usize) -> (Vec<Tap>, impl Fn(&str) -> String) {
    let sums = operands == Operands::SumInVectors;
    let at = move |k: &str| format!("a_tap(batch, row{l}, tap_of({k}, step{l}), channel_of({k}, step{l}))");
    let load = move |k: &str| match sums {
        true => format!("a_load(tap{l}, since({k}))"),
        false => format!("a_load(row{l}, pixel(batch, {k} + step{l}))"),
    };
    (sums.then(|| Tap { name: format!("tap{l}"), at: Box::new(at) }).into_iter().collect(), load)
}

/// [`along`] for piece `l` of the right operand: vectors of `column`, from `term` of a tile on. The expression also
/// takes the distance from that term. Beyond the last tap the left operand is 0, and the weights of the last tap are
/// read.
pub(super) fn across(
    operands: Operands,
    l: usize,
    term: String,
    column: String,
) -> (Vec<Tap>, impl Fn(&str, usize) -> String) {
    let sums = operands == Operands::SumInVectors;
    let [step, of] = ["/", "%"].map(|part| format!("{term} {part} 4u"));
    let columns = column.clone();
    let at = move |k: &str| {
        format!("b_place(b_tap(batch, tap_of({k}, {step})), channel_of({k}, {step}) * 4u + {of}, {columns})")
    };
    let tap = sums.then(|| Tap { name: format!("weights{l}"), at: Box::new(at) });
    let load = move |k: &str, ahead: usize| match sums {
        true => format!("b_load(weights{l}, since({k}) * 4u + {ahead}u)"),
        false => format!("b_load(batch, {k} + {term} + {ahead}u, {column})"),
    };
    (tap.into_iter().collect(), load)
}

/// Declares where the tiles of a buffer begin. The buffer's number is a factor, so that a compiler sees how addresses are
/// aligned.
fn buffer(out: &mut String, which: &str, [a, b]: [usize; 2]) {
    let _ = writeln!(out, "            let half_a = {which} * {a}u;\n            let half_b = {which} * {b}u;");
}

/// Declares the first and the last step of a workgroup's sum.
fn range_of_sum(tile: Tile, operands: Operands) -> &'static str {
    match (operands, tile.splits > 1) {
        (Operands::SumInVectors, false) => "        let first = 0u;\n        let last = taps(batch) * TAP4;\n",
        // A part consists of whole tiles, so that no term is added twice.
        (Operands::SumInVectors, true) => {
            "        let steps = taps(batch) * TAP4;
        let each = (steps + SPLITS_K * DEPTH - 1u) / (SPLITS_K * DEPTH) * DEPTH;
        let first = split * each;
        let last = min(steps, first + each);
"
        }
        // The patches are divided among the parts of the split sum and those of the op.
        (Operands::RowsInVectors, _) if tile.taps != ONE_TAP => {
            if tile.splits > 1 {
                "        let first = first_patch((batch / GROUPS) * SPLITS_K + split, SPLITS * SPLITS_K);
        let last = first_patch((batch / GROUPS) * SPLITS_K + split + 1u, SPLITS * SPLITS_K);
"
            } else {
                "        let first = first_patch(batch / GROUPS, SPLITS);
        let last = first_patch(batch / GROUPS + 1u, SPLITS);
"
            }
        }
        (Operands::RowsInVectors, _) => "        let first = k_begin(batch);\n        let last = k_end(batch);\n",
    }
}
