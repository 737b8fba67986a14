//! What a convolution leaves of its result for a BatchNorm: from the tiles while they are in registers, so that the result
//! need not be read once more, or where a tile cannot, by a pass over it. Forward that is the moments of a norm behind it;
//! an input gradient leaves the sums that the gradient of a norm before it needs.

use std::fmt::Write;

use super::gemm::pairs;
use super::results::in_turns;
use super::tile::{Operands, Tile, Tiling};
use super::{Shader, Stage, Target, cooperative, groups_head, items_head};
use crate::exec::winograd;
use crate::kernel::{Consts, KernelCall, WORKGROUP};
use crate::shape::LANES;

/// What lines leave, two things for each channel, and how moments and sums of them are merged.
const LINES: &str = include_str!("../../../shaders/statistics/lines.wgsl");
const MOMENTS: &str = include_str!("../../../shaders/statistics/moments.wgsl");
const SUMS: &str = include_str!("../../../shaders/statistics/sums.wgsl");
const KEEP: &str = include_str!("../../../shaders/statistics/keep.wgsl");
/// What the sums are made of.
const NORM: &str = concat!(
    include_str!("../../../shaders/statistics/operands.wgsl"),
    include_str!("../../../shaders/shared/norm.wgsl"),
    include_str!("../../../shaders/shared/norm_masked.wgsl"),
);
const WITH_VALUE: &str = include_str!("../../../shaders/statistics/with_value.wgsl");
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

/// Outputs of one of Winograd's tiles.
const OUTPUTS: usize = winograd::OUTPUTS * winograd::OUTPUTS;

/// What a call leaves.
pub(super) struct Statistics {
    /// Moments, or the sums of a gradient.
    moments: bool,
    /// Constants of the call, and the types of its bindings.
    head: String,
    /// The binding of what is kept.
    kept_at: usize,
    rows: usize,
    vectors: usize,
    segments: usize,
    segment_rows: usize,
    /// Workgroups of a pass for each segment.
    blocks: usize,
    /// Winograd's tiles are whole: those at an edge would have fewer outputs than others.
    whole: bool,
}

/// Rows of a tile, lines of it that leave something of their own, and tiles along the rows.
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
        let moments = call.kernel == "conv_fwd";
        if !(moments || call.kernel == "conv_dgrad") || !call.consts.flag("STATISTICS") {
            return None;
        }
        let u = |name: &str| call.consts.usize(name);
        let sides = if moments { ["OH", "OW"] } else { ["H", "W"] };
        Some(Statistics {
            moments,
            head: head.into(),
            kept_at: call.bindings.len() - 1,
            rows: u("ROWS"),
            vectors: u("C4"),
            segments: u("SEGMENTS"),
            segment_rows: u("SEGMENT_ROWS"),
            blocks: u("BLOCKS"),
            whole: sides.iter().all(|side| u(side).is_multiple_of(winograd::OUTPUTS)),
        })
    }

    /// Whether a tile's invocations have all rows of their columns, whole tiles lie in a segment, and what its lines leave
    /// finds room in the workgroup memory of its operands.
    pub fn fits(&self, tile: Tile, operands: Operands) -> bool {
        let room = match tile.tiling {
            _ if tile.winograd > 0 => self.whole,
            Tiling::Register | Tiling::Subgroup => true,
            Tiling::Workgroup => {
                let needed = tile.threads[1] * tile.columns() / LANES;
                tile.vectors(operands).iter().all(|&vectors| vectors * tile.buffers >= needed)
            }
            Tiling::Cooperative(matrix) => cooperative::has_room_for_lines(matrix),
        };
        let tiles = Tiles::new(tile, operands, self.rows);
        room && tile.splits == 1 && self.segment_rows.is_multiple_of(tiles.rows)
    }

    /// Vectors that Winograd's tiles leave.
    pub fn left_by_points(&self) -> usize {
        if self.whole { self.rows / OUTPUTS * self.vectors * 2 } else { 0 }
    }

    /// A kernel that leaves something behind what else it has in the scratch memory, with the stage that merges it. The
    /// scratch memory is the binding `at`.
    pub fn merged(&self, mut kernel: Shader, tile: Tile, operands: Operands, at: usize) -> Shader {
        let (tiles, items) = (Tiles::new(tile, operands, self.rows), self.segments * self.vectors);
        let consts = Consts::new().u("LINES", tiles.lines).u("TILE_M", tiles.rows).u("TILES_M", tiles.count).prelude();
        let head = format!("{}{consts}{}", self.head, items_head(items));
        let (left, merged) = (left(at, kernel.scratch / LANES), if self.moments { MOMENTS } else { SUMS });
        let text = include_str!("../../../shaders/statistics/merge.wgsl");
        let source = format!("{head}{left}{}{LINES}{merged}{text}", self.kept());
        kernel.stages.push(Stage::new(source, items.div_ceil(WORKGROUP)));
        kernel.scratch += tiles.count * tiles.lines * self.vectors * 2 * LANES;
        kernel
    }

    /// A kernel that leaves nothing, with the stage that reads its result once more.
    pub fn passed(&self, mut kernel: Shader, target: Target) -> Shader {
        let workgroups = self.segments * self.blocks;
        let head = format!("{}{}{}", self.head, groups_head(workgroups, target), self.kept());
        let source = match self.moments {
            true => format!("{head}{PASS}{PASS_MOMENTS}"),
            false => format!("{head}{NORM}{PASS}{PASS_SUMS}"),
        };
        kernel.stages.push(Stage::new(source, workgroups));
        kernel
    }

    /// What is kept, of all segments together: what tiles leave of one depends on which outputs they have, and Winograd's
    /// tiles have others than rows of the result one behind the other.
    pub fn of_all_segments(&self, kept: &[f32]) -> Vec<f32> {
        let each = self.vectors * 2 * LANES;
        let rows = |segment: usize| self.rows.saturating_sub(segment * self.segment_rows).min(self.segment_rows) as f64;
        let (mut n, mut all) = (0.0, vec![[0.0f64; 2]; self.vectors * LANES]);
        for (segment, values) in kept.chunks_exact(each).enumerate() {
            let of_segment = rows(segment);
            let both = n + of_segment.max(1e-9);
            for (channel, [a, b]) in all.iter_mut().enumerate() {
                let at = channel / LANES * 2 * LANES + channel % LANES;
                let [a2, b2] = [values[at], values[at + LANES]].map(f64::from);
                if self.moments {
                    // Chan et al. 1983
                    let delta = a2 - *a;
                    *a += delta * of_segment / both;
                    *b += b2 + delta * delta * n * of_segment / both;
                } else {
                    (*a, *b) = (*a + a2, *b + b2);
                }
            }
            n = both;
        }
        let scale = if self.moments { n.max(1.0) } else { 1.0 };
        all.iter().flat_map(|[a, b]| [*a as f32, (b / scale) as f32]).collect()
    }

    /// The binding of what is kept.
    pub fn kept_at(&self) -> usize {
        self.kept_at
    }

    /// What is kept.
    fn kept(&self) -> String {
        format!("@group(0) @binding({}) var<storage, read_write> kept: array<vec4<f32>>;\n{KEEP}", self.kept_at)
    }

    /// What stands before the entry point of a kernel that leaves something at the binding `at`.
    pub fn declarations(&self, at: usize) -> String {
        let what = if self.moments { MOMENTS.to_owned() } else { format!("{SUMS}{NORM}{WITH_VALUE}") };
        format!("{}{LINES}{what}", left(at, 0))
    }

    /// Leaves something of a tile, behind its sums `cI_J` and their stores.
    pub fn leave(&self, out: &mut String, tile: Tile) {
        let staged = tile.tiling == Tiling::Workgroup;
        let _ = writeln!(out, "        let rows = line_rows(m0 + ty, TY, {}u);", tile.rows_each);
        match (self.moments, staged) {
            (true, _) => (0..tile.columns_each).for_each(|j| moments(out, tile, j)),
            (false, true) => sums_read_again(out, tile),
            (false, false) => sums(out, tile),
        }
        for j in 0..tile.columns_each {
            let place = format!("tx + {j}u * TX");
            let _ = match staged {
                true => writeln!(
                    out,
                    "        tile_a[ty * TILE_N + {place}] = line{j}.a;\n        tile_b[ty * TILE_N + {place}] = line{j}.b;"
                ),
                false => writeln!(
                    out,
                    "        if (N_EXACT || n0 + {place} < C4) {{
            let at = ((m0 / TILE_M * TY + ty) * C4 + n0 + {place}) * 2u;
            left[at] = line{j}.a;
            left[at + 1u] = line{j}.b;
        }}"
                ),
            };
        }
        if staged {
            let _ = writeln!(
                out,
                "        workgroupBarrier();
        if (thread < TILE_N && (N_EXACT || n0 + thread < C4)) {{
            var all = Line();
            for (var line = 0u; line < TY; line++) {{
                let n = f32(line_rows(m0 + line, TY, {}u));
                all = merged(all, Line(n, tile_a[line * TILE_N + thread], tile_b[line * TILE_N + thread]));
            }}
            let at = (m0 / TILE_M * C4 + n0 + thread) * 2u;
            left[at] = all.a;
            left[at + 1u] = all.b;
        }}",
                tile.rows_each
            );
        }
    }

    /// The same where matrix units have the sums, of what the workgroup has just stored: an invocation has a column, and all
    /// rows of it that are a number of lines apart.
    pub fn leave_stored(&self, out: &mut String, tile: Tile, operands: Operands) {
        let (columns, rows) = (tile.columns() / LANES, tile.rows(operands));
        let lines = tile.invocations() / columns;
        let most = rows / lines;
        let of = if self.moments { "" } else { "let known = channels(column, mean[column], invstd[column]);" };
        let value = match self.moments {
            true => {
                "let value = vec4<f32>(y[at]);
            let delta = value - line.a;
            line.n += 1.0;
            line.a += delta / line.n;
            line.b += delta * (value - line.a);"
            }
            false => "line = with_value(line, vec4<f32>(d_x[at]), at, known);",
        };
        let _ = writeln!(
            out,
            "        storageBarrier();
        let first_row = m0 + thread / {columns}u;
        // Beyond the last column it is the last, whose line nobody takes.
        let column = min(n0 + thread % {columns}u, C4 - 1u);
        {of}
        var line = Line();
        for (var i = 0u; i < line_rows(first_row, {lines}u, {most}u); i++) {{
            let at = (first_row + i * {lines}u) * C4 + column;
            {value}
        }}
        tile_c[2u * thread] = line.a;
        tile_c[2u * thread + 1u] = line.b;
        workgroupBarrier();
        if (thread < {columns}u && (N_EXACT || n0 + thread < C4)) {{
            var all = Line();
            for (var i = 0u; i < {lines}u; i++) {{
                let at = 2u * (i * {columns}u + thread);
                all = merged(all, Line(f32(line_rows(m0 + i, {lines}u, {most}u)), tile_c[at], tile_c[at + 1u]));
            }}
            let at = (m0 / TILE_M * C4 + n0 + thread) * 2u;
            left[at] = all.a;
            left[at + 1u] = all.b;
        }}"
        );
    }

    /// What stands before the last stage by Winograd, and leaves something of a tile behind its outputs `rR[C]`.
    pub fn by_points(&self) -> [String; 2] {
        let side = winograd::OUTPUTS;
        let all: Vec<String> = pairs(side, side).map(|(r, c)| format!("r{r}[{c}]")).collect();
        let line = if self.moments {
            let squares = all.iter().map(|v| format!("        line.b += ({v} - line.a) * ({v} - line.a);\n"));
            format!("        line.a = ({}) / {OUTPUTS}.0;\n{}", all.join(" + "), squares.collect::<String>())
        } else {
            let result = |(r, c): (usize, usize)| {
                format!(
                    "        {{\n            let at = output_at(p, {r}u, {c}u);\n            line = with_value(line, ended(r{r}[{c}], p.channel, at), at, known);\n        }}\n"
                )
            };
            let of = "        let known = channels(p.channel, mean[p.channel], invstd[p.channel]);\n".to_owned();
            std::iter::once(of).chain(pairs(side, side).map(result)).collect()
        };
        let end = format!(
            "        var line = Line();
{line}        let at = LEFT_AT + ((FIRST_TILE + i / VECTORS) * K4 + p.channel) * 2u;
        scratch[at] = line.a;
        scratch[at + 1u] = line.b;
"
        );
        let what = if self.moments { String::new() } else { format!("{NORM}{WITH_VALUE}") };
        [format!("{LINES}{what}"), end]
    }
}

/// Where tiles leave something: at a binding, behind so many vectors.
fn left(at: usize, behind: usize) -> String {
    format!(
        "const LEFT_AT: u32 = {behind}u;\n@group(0) @binding({at}) var<storage, read_write> left: array<vec4<f32>>;\n"
    )
}

/// The moments of an invocation's column j. Rows beyond the last have sums of 0.
fn moments(out: &mut String, tile: Tile, j: usize) {
    let sum: Vec<String> = (0..tile.rows_each).map(|i| format!("c{i}_{j}")).collect();
    let _ = writeln!(
        out,
        "        var line{j} = Line(f32(rows), ({}) / f32(max(rows, 1u)), vec4<f32>());",
        sum.join(" + ")
    );
    for i in 0..tile.rows_each {
        let _ = writeln!(
            out,
            "        let d{i}_{j} = select(vec4<f32>(), c{i}_{j} - line{j}.a, {i}u < rows);
        line{j}.b += d{i}_{j} * d{i}_{j};"
        );
    }
}

/// An invocation's columns. Beyond the last it is the last, whose sums nobody takes.
fn column(out: &mut String, j: usize) {
    let _ = writeln!(
        out,
        "        let column{j} = min(n0 + tx + {j}u * TX, C4 - 1u);
        let known{j} = channels(column{j}, mean[column{j}], invstd[column{j}]);
        var line{j} = Line();"
    );
}

/// The sums of an invocation's columns. Beyond the last row the last is read and dropped: no branch.
fn sums(out: &mut String, tile: Tile) {
    (0..tile.columns_each).for_each(|j| column(out, j));
    in_turns(out, tile, Operands::SumInVectors, |out, q| {
        for j in 0..tile.columns_each {
            let _ = writeln!(
                out,
                "            let at{q}_{j} = min(m0 + ty + i{q} * TY, ROWS - 1u) * C4 + column{j};
            let value{q}_{j} = select(vec4<f32>(), ended(v{q}_{j}, column{j}, at{q}_{j}), i{q} < rows);
            line{j} = with_value(line{j}, value{q}_{j}, at{q}_{j}, known{j});"
            );
        }
    });
}

/// The sums of an invocation's columns, of what it has just stored. With the sums of the product still in registers, x
/// beside them would cost a GPU up to a quarter of its occupancy (RADV: 144 to 156 registers become 192).
fn sums_read_again(out: &mut String, tile: Tile) {
    (0..tile.columns_each).for_each(|j| column(out, j));
    out.push_str("        for (var i = 0u; i < rows; i++) {\n            let row = (m0 + ty + i * TY) * C4;\n");
    for j in 0..tile.columns_each {
        let at = format!("row + column{j}");
        let _ = writeln!(out, "            line{j} = with_value(line{j}, vec4<f32>(d_x[{at}]), {at}, known{j});");
    }
    out.push_str("        }\n");
}
