//! Statistics of a convolution's result for a BatchNorm: partial results of segments of rows. The forward direction writes the
//! moments for the norm after it. The input gradient writes the sums for the gradient of the norm before it.
//!
//! A line holds the statistics of some rows of a tile. Tiles write lines while the result is in registers or in a cache, and a
//! second stage merges them to segments. Where a tile cannot write lines, a pass reads the result once more.

use std::fmt::Write;

use super::matrix::MatrixCall;
use super::tile::{Tile, pairs};
use crate::exec::registry::{Operands, Partials, Segments};
use crate::exec::winograd;
use crate::kernel::{Consts, ConvStatistics, NormGeometry};
use crate::shape::LANES;

/// A line, and how lines are merged: moments, or sums.
pub(super) const LINES: &str = include_str!("../../../shaders/statistics/lines.wgsl");
const MOMENTS: &str = include_str!("../../../shaders/statistics/moments.wgsl");
const SUMS: &str = include_str!("../../../shaders/statistics/sums.wgsl");
/// Operands of the gradient sums.
pub(super) const NORM: &str = concat!(
    include_str!("../../../shaders/statistics/operands.wgsl"),
    include_str!("../../../shaders/shared/norm.wgsl"),
    include_str!("../../../shaders/shared/norm_masked.wgsl"),
);
const WITH_VALUE: &str = include_str!("../../../shaders/statistics/with_value.wgsl");
/// The bindings that [`NORM`] declares: x, mean, 1/std, γ and the mask.
const NORM_BINDINGS: std::ops::Range<usize> = 5..10;
/// Outputs of one of Winograd's tiles.
pub(super) const OUTPUTS: usize = winograd::OUTPUTS * winograd::OUTPUTS;

/// The statistics of a call.
pub(super) struct Statistics<'a> {
    pub call: &'a MatrixCall<'a>,
    pub of: &'a ConvStatistics,
    pub segments: Segments,
}

impl<'a> Statistics<'a> {
    /// The statistics of a call, if it writes any.
    pub fn of(call: &'a MatrixCall<'a>) -> Option<Self> {
        let Partials::Statistics(segments) = call.kernel.partials else { return None };
        Some(Statistics { call, of: call.geometry.statistics.as_ref()?, segments })
    }

    /// Whether a line holds moments, else sums.
    pub fn are_moments(&self) -> bool {
        self.segments == Segments::Moments
    }

    pub fn norm(&self) -> &NormGeometry {
        &self.of.norm
    }

    /// Whether Winograd's tiles are whole: those at an edge would have fewer outputs than others.
    pub fn whole(&self) -> bool {
        self.call.geometry.result_map().iter().all(|side| side.is_multiple_of(winograd::OUTPUTS))
    }

    /// Vectors of the lines of Winograd's tiles.
    pub fn lines_of_points(&self) -> usize {
        if self.whole() { self.norm().rows / OUTPUTS * self.norm().vectors * 2 } else { 0 }
    }

    /// The bindings that a stage reads besides those of the convolution.
    pub fn operands(&self) -> Vec<usize> {
        if self.are_moments() { vec![] } else { NORM_BINDINGS.collect() }
    }

    /// Where lines begin in the scratch memory.
    pub fn place(&self, vectors: usize) -> Consts {
        Consts::new().size("LINES_AT", vectors)
    }

    /// The scratch memory as lines.
    pub fn scratch_memory(&self) -> String {
        let scratch = self.call.scratch();
        format!("@group(0) @binding({scratch}) var<storage, read_write> lines: array<vec4<f32>>;\n")
    }

    pub fn merging(&self) -> &'static str {
        if self.are_moments() { MOMENTS } else { SUMS }
    }

    /// Declarations of a stage whose tiles write lines.
    pub fn declarations(&self) -> String {
        let norm = if self.are_moments() { String::new() } else { format!("{NORM}{WITH_VALUE}") };
        format!("{}{LINES}{}{norm}", self.scratch_memory(), self.merging())
    }

    /// Writes how many rows of the tile the line of an invocation has.
    pub fn count_rows(&self, out: &mut String, rows_each: usize) {
        let _ = writeln!(out, "        let rows = line_rows(m0 + ty, TY, {rows_each}u);");
    }

    /// Writes the moments of an invocation's column `j` of sums. Rows beyond the last have sums of 0.
    pub fn moments_of_column(&self, out: &mut String, rows_each: usize, j: usize) {
        let sum = (0..rows_each).map(|i| format!("c{i}_{j}")).collect::<Vec<_>>().join(" + ");
        let _ = writeln!(out, "        var line{j} = Line(f32(rows), ({sum}) / f32(max(rows, 1u)), vec4<f32>());");
        for i in 0..rows_each {
            let _ = writeln!(
                out,
                "        let d{i}_{j} = select(vec4<f32>(), c{i}_{j} - line{j}.a, {i}u < rows);
        line{j}.b += d{i}_{j} * d{i}_{j};"
            );
        }
    }

    /// Begins the gradient sums of an invocation's column `j`. An invocation beyond the last column takes the last one,
    /// and does not store its line.
    pub fn begin_column(&self, out: &mut String, j: usize) {
        let _ = writeln!(
            out,
            "        let column{j} = min(n0 + tx + {j}u * TX, C4 - 1u);
        let known{j} = channels(column{j}, mean[column{j}], invstd[column{j}]);
        var line{j} = Line();"
        );
    }

    /// Writes the line of a tile from the results that its workgroup has just stored. An invocation takes every
    /// `lines`-th row of one column. `tile_c` has room for two vectors of each invocation.
    pub fn lines_of_stored(&self, out: &mut String, tile: Tile, operands: Operands) {
        let (columns, rows) = (tile.columns() / LANES, tile.rows(operands));
        let lines = tile.invocations() / columns;
        let most = rows / lines;
        let known = if self.are_moments() { "" } else { "let known = channels(column, mean[column], invstd[column]);" };
        let add = match self.segments {
            Segments::Moments => {
                "let value = vec4<f32>(y[at]);
            let delta = value - line.a;
            line.n += 1.0;
            line.a += delta / line.n;
            line.b += delta * (value - line.a);"
            }
            Segments::GradientSums => "line = with_value(line, vec4<f32>(d_x[at]), at, known);",
        };
        let _ = writeln!(
            out,
            "        storageBarrier();
        let first_row = m0 + thread / {columns}u;
        // Beyond the last column it is the last, whose line is not stored.
        let column = min(n0 + thread % {columns}u, C4 - 1u);
        {known}
        var line = Line();
        for (var i = 0u; i < line_rows(first_row, {lines}u, {most}u); i++) {{
            let at = (first_row + i * {lines}u) * C4 + column;
            {add}
        }}
        tile_c[2u * thread] = line.a;
        tile_c[2u * thread + 1u] = line.b;
        workgroupBarrier();
        // An invocation merges the lines of a column.
        if (thread < {columns}u && (N_EXACT || n0 + thread < C4)) {{
            var all = Line();
            for (var i = 0u; i < {lines}u; i++) {{
                let at = 2u * (i * {columns}u + thread);
                all = merged(all, Line(f32(line_rows(m0 + i, {lines}u, {most}u)), tile_c[at], tile_c[at + 1u]));
            }}
            let at = (m0 / TILE_M * C4 + n0 + thread) * 2u;
            lines[at] = all.a;
            lines[at + 1u] = all.b;
        }}"
        );
    }

    /// Two texts for Winograd's last stage: its declarations, and the code at its end that makes the line of a tile from the tile's outputs
    /// `rR[C]`.
    pub fn of_points(&self) -> [String; 2] {
        let side = winograd::OUTPUTS;
        let outputs = || pairs(side, side);
        let line = if self.are_moments() {
            let all: Vec<String> = outputs().map(|(r, c)| format!("r{r}[{c}]")).collect();
            let squares = all.iter().map(|v| format!("        line.b += ({v} - line.a) * ({v} - line.a);\n"));
            format!("        line.a = ({}) / {OUTPUTS}.0;\n{}", all.join(" + "), squares.collect::<String>())
        } else {
            let output = |(r, c): (usize, usize)| {
                format!(
                    "        {{
            let at = output_at(p, {r}u, {c}u);
            line = with_value(line, ended(r{r}[{c}], p.channel, at), at, known);
        }}
"
                )
            };
            let known = "        let known = channels(p.channel, mean[p.channel], invstd[p.channel]);\n";
            std::iter::once(known.to_owned()).chain(outputs().map(output)).collect()
        };
        let end = format!(
            "        // The line of the tile.
        var line = Line();
{line}        let at = LINES_AT + ((FIRST_TILE + i / VECTORS) * K4 + p.channel) * 2u;
        scratch[at] = line.a;
        scratch[at + 1u] = line.b;
"
        );
        let norm = if self.are_moments() { String::new() } else { format!("{NORM}{WITH_VALUE}") };
        [format!("{LINES}{norm}"), end]
    }
}
