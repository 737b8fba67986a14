//! The moments of a convolution's result, which the BatchNorm behind it needs: from the tiles while they are in registers,
//! so that the result need not be read once more, or where a tile cannot, by a pass over it.

use std::fmt::Write;

use super::gemm::pairs;
use super::tile::{Operands, Tile, Tiling};
use super::{Shader, Stage, Target, groups_head, items_head};
use crate::exec::winograd;
use crate::kernel::{Consts, KernelCall, WORKGROUP};
use crate::shape::LANES;

const MOMENTS: &str = include_str!("../../../shaders/statistics/moments.wgsl");

/// The moments that a call leaves.
pub(super) struct Statistics {
    /// Constants of the call, and the types of its bindings.
    head: String,
    rows: usize,
    vectors: usize,
    segments: usize,
    segment_rows: usize,
    /// Workgroups of a pass for each segment.
    blocks: usize,
    /// Winograd's tiles are whole.
    whole: bool,
}

/// Outputs of one of Winograd's tiles.
const OUTPUTS: usize = winograd::OUTPUTS * winograd::OUTPUTS;

/// Whether a call leaves moments and can do so by Winograd: tiles at an edge would have fewer outputs than others.
pub(super) fn of_whole_tiles<B>(call: &KernelCall<B>) -> bool {
    let whole = |name| call.consts.usize(name).is_multiple_of(winograd::OUTPUTS);
    leaves(call) && whole("OH") && whole("OW")
}

fn leaves<B>(call: &KernelCall<B>) -> bool {
    call.kernel == "conv_fwd" && call.consts.flag("STATISTICS")
}

/// Rows of a tile, lines of it that leave moments of their own, and tiles along the rows.
struct Tiles {
    rows: usize,
    lines: usize,
    count: usize,
}

impl Tiles {
    fn new(tile: Tile, operands: Operands, rows: usize) -> Tiles {
        let (tile_rows, lines) = match tile.tiling {
            _ if tile.winograd > 0 => (OUTPUTS, 1),
            // Invocations meet in workgroup memory.
            Tiling::Workgroup | Tiling::Cooperative(_) => (tile.rows(operands), 1),
            Tiling::Register | Tiling::Subgroup => (tile.rows(operands), tile.threads[1]),
        };
        Tiles { rows: tile_rows, lines, count: rows.div_ceil(tile_rows) }
    }
}

impl Statistics {
    /// Those of a call, if it leaves any; `head` is what its kernels begin with.
    pub fn of<B>(call: &KernelCall<B>, head: &str) -> Option<Statistics> {
        let u = |name| call.consts.usize(name);
        leaves(call).then(|| Statistics {
            head: head.into(),
            vectors: u("C4"),
            segments: u("SEGMENTS"),
            segment_rows: u("SEGMENT_ROWS"),
            blocks: u("BLOCKS"),
            rows: u("ROWS"),
            whole: of_whole_tiles(call),
        })
    }

    /// Whether a tile's invocations have all rows of their columns, whole tiles lie in a segment, and the moments of its
    /// lines find room in the workgroup memory of its operands.
    pub fn fits(&self, tile: Tile, operands: Operands) -> bool {
        let room = match tile.tiling {
            _ if tile.winograd > 0 => self.whole,
            Tiling::Register | Tiling::Subgroup => true,
            Tiling::Workgroup => {
                let needed = tile.threads[1] * tile.columns() / LANES;
                tile.vectors(operands).iter().all(|&vectors| vectors * tile.buffers >= needed)
            }
            Tiling::Cooperative(_) => false,
        };
        let tiles = Tiles::new(tile, operands, self.rows);
        room && tile.splits == 1 && self.segment_rows.is_multiple_of(tiles.rows)
    }

    /// A kernel that leaves the moments of its tiles behind what else it has in the scratch memory, with the stage that
    /// merges them. The scratch memory is the binding `at`.
    pub fn merged(&self, mut kernel: Shader, tile: Tile, operands: Operands, at: usize) -> Shader {
        let (tiles, items) = (Tiles::new(tile, operands, self.rows), self.segments * self.vectors);
        let consts = Consts::new().u("LINES", tiles.lines).u("TILE_M", tiles.rows).u("TILES_M", tiles.count).prelude();
        let text = include_str!("../../../shaders/statistics/merge.wgsl");
        let left = declarations(at, kernel.scratch / LANES);
        let source = format!("{}{consts}{}{left}{text}", self.head, items_head(items));
        kernel.stages.push(Stage { source, workgroups: items.div_ceil(WORKGROUP) as u64 });
        kernel.scratch += tiles.count * tiles.lines * vectors_left(self.vectors) * LANES;
        kernel
    }

    /// A kernel that leaves none, with the stage that reads its result once more.
    pub fn passed(&self, mut kernel: Shader, target: Target) -> Shader {
        let workgroups = self.segments * self.blocks;
        let text = concat!(
            include_str!("../../../shaders/shared/row_sums.wgsl"),
            include_str!("../../../shaders/shared/segment_moments.wgsl"),
            include_str!("../../../shaders/statistics/pass.wgsl"),
        );
        let source = format!("{}{}{text}", self.head, groups_head(workgroups, target));
        kernel.stages.push(Stage { source, workgroups: workgroups as u64 });
        kernel
    }
}

/// Vectors that a line leaves, of so many vectors of channels.
pub(super) fn vectors_left(vectors: usize) -> usize {
    2 * vectors
}

/// What stands before the entry point of kernels that leave moments at the binding `at`, behind so many vectors, or merge
/// them.
pub(super) fn declarations(at: usize, behind: usize) -> String {
    format!(
        "const LEFT_AT: u32 = {behind}u;
@group(0) @binding({at}) var<storage, read_write> left: array<vec4<f32>>;
{MOMENTS}"
    )
}

/// Leaves the moments of one of Winograd's tiles, behind its outputs `rR[C]`.
pub(super) fn leave_outputs() -> String {
    let side = winograd::OUTPUTS;
    let all: Vec<String> = pairs(side, side).map(|(r, c)| format!("r{r}[{c}]")).collect();
    let squares = all.iter().map(|v| format!("        m2 += ({v} - mean) * ({v} - mean);\n"));
    format!(
        "        let mean = ({}) / {OUTPUTS}.0;
        var m2 = vec4<f32>();
{}        let at = LEFT_AT + ((FIRST_TILE + i / VECTORS) * K4 + p.channel) * 2u;
        scratch[at] = mean;
        scratch[at + 1u] = m2;
",
        all.join(" + "),
        squares.collect::<String>()
    )
}

/// Leaves the moments of a tile, behind its sums `cI_J`.
pub(super) fn leave(out: &mut String, tile: Tile) {
    let (rows, columns) = (tile.rows_each, tile.columns_each);
    // Rows beyond the last have sums of 0.
    let _ = writeln!(out, "        let rows = line_rows(m0 + ty, TY, {rows}u);");
    for j in 0..columns {
        let sum: Vec<String> = (0..rows).map(|i| format!("c{i}_{j}")).collect();
        let _ = writeln!(out, "        let mean{j} = ({}) / f32(max(rows, 1u));", sum.join(" + "));
        let _ = writeln!(out, "        var m2_{j} = vec4<f32>();");
    }
    for (i, j) in pairs(rows, columns) {
        let _ = writeln!(
            out,
            "        let d{i}_{j} = select(vec4<f32>(), c{i}_{j} - mean{j}, {i}u < rows);
        m2_{j} += d{i}_{j} * d{i}_{j};"
        );
    }
    match tile.tiling {
        Tiling::Workgroup => {
            for j in 0..columns {
                let at = format!("ty * TILE_N + tx + {j}u * TX");
                let _ = writeln!(out, "        tile_a[{at}] = mean{j};\n        tile_b[{at}] = m2_{j};");
            }
            let _ = writeln!(
                out,
                "        workgroupBarrier();
        if (thread < TILE_N && (N_EXACT || n0 + thread < C4)) {{
            var all = Moments();
            for (var line = 0u; line < TY; line++) {{
                let n = f32(line_rows(m0 + line, TY, {rows}u));
                all = merged(all, Moments(n, tile_a[line * TILE_N + thread], tile_b[line * TILE_N + thread]));
            }}
            let at = (m0 / TILE_M * C4 + n0 + thread) * 2u;
            left[at] = all.mean;
            left[at + 1u] = all.m2;
        }}"
            );
        }
        _ => {
            for j in 0..columns {
                let _ = writeln!(
                    out,
                    "        if (N_EXACT || n0 + tx + {j}u * TX < C4) {{
            let at = ((m0 / TILE_M * TY + ty) * C4 + n0 + tx + {j}u * TX) * 2u;
            left[at] = mean{j};
            left[at + 1u] = m2_{j};
        }}"
                );
            }
        }
    }
}
