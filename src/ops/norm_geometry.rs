//! The geometry of a norm of a tensor, and how its kernels share the work.

use super::{reduce_rows, segment_blocks, segments, segments_of_tiles};
use crate::graph::Operand;
use crate::kernel::{Access, Consts, ConvStatistics, NormGeometry, NormMask, WORKGROUP, Work};
use crate::shape::{LANES, TensorType, padded};

/// Rows of BatchNorm that one workgroup normalizes alone: 16 for each of its invocations. Three dispatches in sequence take a
/// GPU about 10 µs at least; a step of ResNet18 (batch 16, 64×64) has 200 instead of 260.
const FEW_ROWS: usize = 16 * WORKGROUP;

/// Invocations that keep a large GPU busy with several loads each: 128 for each of 128 multiprocessors.
const ENOUGH: usize = 128 * 128;

/// The geometry of `groups` of channels of each sample, or of each channel of the batch. With `of_tiles` a convolution writes
/// the partial results, so that segments consist of whole tiles.
pub(super) fn geometry(x: &TensorType, groups: Option<usize>, of_tiles: bool) -> NormGeometry {
    let (rows, channels, vectors) = (x.len() / x.stride(), x.shape.channels(), x.stride() / LANES);
    let (samples, groups) = groups.map_or((1, channels), |groups| (x.shape.0[0], groups));
    let sample_rows = rows / samples.max(1);
    let (segments, segment_rows) =
        if of_tiles { segments_of_tiles(rows, vectors) } else { segments(rows, sample_rows, vectors) };
    let group_size = channels / groups.max(1);
    NormGeometry { rows, channels, vectors, samples, sample_rows, segments, segment_rows, groups, group_size }
}

/// Type of the moments of a convolution's result `y`, laid out as the kernel `norm_stats` writes them.
pub(super) fn statistics_type(y: &TensorType) -> TensorType {
    let (rows, vectors) = (y.len() / y.stride(), y.stride() / LANES);
    TensorType::channels([segments_of_tiles(rows, vectors).0, vectors, 2, LANES])
}

/// Statistics that a convolution with result `y` writes for a BatchNorm or, with `mask`, for a BatchNorm's gradient.
pub(super) fn statistics_of(y: &TensorType, mask: Option<NormMask>) -> ConvStatistics {
    let norm = geometry(y, None, true);
    let [wide, blocks] = segment_blocks(norm.vectors);
    ConvStatistics { norm, wide, blocks, mask }
}

impl NormGeometry {
    /// Whether one workgroup can normalize all rows.
    pub(super) fn few_rows(&self) -> bool {
        self.sample_rows <= FEW_ROWS
    }

    /// Workgroups that each normalize some channels of few rows: about 4 rows per invocation, or all invocations along
    /// the rows.
    pub(super) fn whole(&self) -> (Consts, Work) {
        let wide = WORKGROUP / self.sample_rows.div_ceil(4).next_power_of_two().min(WORKGROUP);
        (Consts::new().u("VECTORS", wide), Work::Groups(self.vectors.div_ceil(wide)))
    }

    /// Invocations that each normalize several rows of a vector of channels, so that they read its statistics once: 4
    /// or 2 rows if at least [`ENOUGH`] invocations remain. With several samples each invocation normalizes one row.
    pub(super) fn apply(&self) -> (Consts, Work) {
        let rows = self.samples * self.sample_rows;
        let vectors = rows * self.vectors;
        let fits = |each: &usize| self.samples == 1 && rows.is_multiple_of(*each) && vectors / each >= ENOUGH;
        let each = [4, 2].into_iter().find(fits).unwrap_or(1);
        (Consts::new().u("ROWS_EACH", each), Work::Items(vectors / each))
    }

    /// Workgroups that merge all channels of a group over all segments, for each statistic.
    pub(super) fn reduce_groups(&self) -> (Consts, Work) {
        reduce_rows(self.segments * self.group_size, self.samples * padded(self.groups))
    }
}

/// An operand that a kernel reads.
pub(super) fn read(operand: Operand) -> (Operand, Access) {
    (operand, Access::Read)
}

/// An operand that a kernel writes.
pub(super) fn write(operand: Operand) -> (Operand, Access) {
    (operand, Access::Write)
}
