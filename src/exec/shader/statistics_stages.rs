//! The stages of a convolution's statistics after its product: the merge of the tiles' lines to segments, or a pass over the
//! result.

use super::draft::Draft;
use super::stage::StageBinding;
use super::statistics::{LINES, NORM, OUTPUTS, Statistics};
use super::target::Target;
use super::tile::Tile;
use crate::exec::registry::{Operands, Segments};
use crate::kernel::Consts;
use crate::shape::LANES;

const MERGE: &str = include_str!("../../../shaders/statistics/merge.wgsl");
const KEEP: &str = include_str!("../../../shaders/statistics/keep.wgsl");
/// A pass over the result, for moments and for sums.
const PASS: &str = concat!(
    include_str!("../../../shaders/shared/row_sums.wgsl"),
    include_str!("../../../shaders/shared/segment_sums.wgsl"),
    include_str!("../../../shaders/statistics/pass.wgsl"),
);
const PASS_MOMENTS: &str = include_str!("../../../shaders/shared/segment_moments.wgsl");
const PASS_SUMS: &str = concat!(
    include_str!("../../../shaders/shared/segment_grad_sums.wgsl"),
    include_str!("../../../shaders/statistics/grad_pass.wgsl"),
);

/// Rows of a tile, its lines, and the number of tiles along the rows.
struct Tiles {
    rows: usize,
    lines: usize,
    count: usize,
}

impl Tiles {
    fn new(tile: Tile, operands: Operands, rows: usize) -> Tiles {
        let (tile_rows, lines) = match tile.winograd {
            0 => (tile.rows(operands), tile.tiling.main_loop().lines(tile)),
            _ => (OUTPUTS, 1),
        };
        Tiles { rows: tile_rows, lines, count: rows.div_ceil(tile_rows) }
    }
}

impl Statistics<'_> {
    /// Whether a tile can write lines: its invocations have whole sums, whole tiles lie in a segment, and the lines have room
    /// in the workgroup memory of the operands.
    pub fn fits(&self, tile: Tile, operands: Operands) -> bool {
        let room = match tile.winograd {
            0 => tile.tiling.main_loop().has_room_for_lines(tile, operands),
            _ => self.whole(),
        };
        let tiles = Tiles::new(tile, operands, self.norm().rows);
        room && tile.splits == 1 && self.norm().segment_rows.is_multiple_of(tiles.rows)
    }

    /// The binding of the segments.
    fn kept(&self) -> usize {
        self.call.scratch() - 1
    }

    fn keep(&self) -> String {
        format!("@group(0) @binding({}) var<storage, read_write> kept: array<vec4<f32>>;\n{KEEP}", self.kept())
    }

    /// Appends the stage that merges lines to segments.
    pub fn merged(&self, made: (Vec<Draft>, usize), tile: Tile, operands: Operands) -> (Vec<Draft>, usize) {
        let ((mut stages, scratch), norm) = (made, self.norm());
        let tiles = Tiles::new(tile, operands, norm.rows);
        let mut draft = self.call.draft();
        let counts = Consts::new().u("LINES", tiles.lines).u("TILE_M", tiles.rows).size("TILES_M", tiles.count);
        draft.constants = draft.constants.and(counts).and(self.place(scratch / LANES));
        draft.bindings.extend(self.call.storage([self.kept(), self.call.scratch()]));
        let text = format!("{}{}{LINES}{}{MERGE}", self.scratch_memory(), self.keep(), self.merging());
        stages.push(draft.of_items(norm.segments * norm.vectors, &text));
        (stages, scratch + tiles.count * tiles.lines * norm.vectors * 2 * LANES)
    }

    /// Appends the stage that reads the result once more.
    pub fn passed(&self, made: (Vec<Draft>, usize), target: Target) -> (Vec<Draft>, usize) {
        let (mut stages, scratch) = made;
        let text = match self.segments {
            Segments::Moments => format!("{}{PASS}{PASS_MOMENTS}", self.keep()),
            Segments::GradientSums => format!("{}{NORM}{PASS}{PASS_SUMS}", self.keep()),
        };
        let mut draft = self.call.draft();
        let indices = [self.call.result(), self.kept()].into_iter().chain(self.operands());
        let bindings: Vec<StageBinding> = self.call.storage(indices).collect();
        draft.bindings.extend(bindings);
        stages.push(draft.of_groups(self.norm().segments * self.of.blocks, target, &text));
        (stages, scratch)
    }
}
