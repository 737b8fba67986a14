//! How rows and channels of what is normalized map to statistics; shared by all kernels of a norm.

use super::{reduce_rows, row_consts, segments, segments_of_tiles};
use crate::kernel::{Consts, WORKGROUP, Work};
use crate::shape::{LANES, TensorType, padded};

/// Rows of BatchNorm that one workgroup normalizes alone: 16 for each of its invocations. Three dispatches one after the
/// other take a GPU about 10 µs whatever they do, and 60 of the 260 of a ResNet18 step (batch 16, 64×64) are spared.
const FEW_ROWS: usize = 16 * WORKGROUP;

/// Invocations that keep a large GPU busy with several loads each: 128 for each of 128 multiprocessors.
const ENOUGH: usize = 128 * 128;

/// Sizes of a norm.
pub(super) struct Geometry {
    pub samples: usize,
    pub sample_rows: usize,
    pub groups: usize,
    pub segments: usize,
    pub segment_rows: usize,
    /// Vectors of channels.
    pub c4: usize,
    pub consts: Consts,
    group_size: usize,
}

impl Geometry {
    /// Of `groups` of channels of each sample, or of each channel of the batch; segments are those `of_tiles` where a
    /// convolution leaves what is reduced.
    pub fn new(x: &TensorType, groups: Option<usize>, of_tiles: bool) -> Self {
        let (rows, c, c4) = (x.len() / x.stride(), x.shape.channels(), x.stride() / LANES);
        let (samples, groups) = groups.map_or((1, c), |groups| (x.shape.0[0], groups));
        let sample_rows = rows / samples.max(1);
        let (segments, segment_rows) =
            if of_tiles { segments_of_tiles(rows, c4) } else { segments(rows, sample_rows, c4) };
        let group_size = c / groups.max(1);
        let consts = row_consts(x)
            .u("SAMPLE_ROWS", sample_rows)
            .u("SEGMENTS", segments)
            .u("SEGMENT_ROWS", segment_rows)
            .u("SAMPLES", samples)
            .u("GROUPS", groups)
            .u("GROUPS_PADDED", padded(groups))
            .u("GROUP_SIZE", group_size);
        Geometry { samples, sample_rows, groups, segments, segment_rows, c4, consts, group_size }
    }

    /// Whether a workgroup can normalize all rows.
    pub fn few_rows(&self) -> bool {
        self.sample_rows <= FEW_ROWS
    }

    /// Workgroups that each normalize some channels of few rows: about 4 rows an invocation, or all invocations along them.
    pub fn whole(&self) -> (Consts, Work) {
        let wide = WORKGROUP / self.sample_rows.div_ceil(4).next_power_of_two().min(WORKGROUP);
        (self.consts.clone().u("VECTORS", wide), Work::Groups(self.c4.div_ceil(wide)))
    }

    /// Invocations that each normalize some rows of a vector of channels, so that they read once what belongs to these: 4
    /// where that leaves [`ENOUGH`] of them. The rows of a sample of several are normalized one by one.
    pub fn apply(&self) -> (Consts, Work) {
        let (rows, vectors) = (self.samples * self.sample_rows, self.samples * self.sample_rows * self.c4);
        let fits = |each: &usize| self.samples == 1 && rows.is_multiple_of(*each) && vectors / each >= ENOUGH;
        let each = [4, 2].into_iter().find(fits).unwrap_or(1);
        (Consts::new().u("ROWS_EACH", each), Work::Items(vectors / each))
    }

    /// Workgroups that merge all channels of a group over all segments, for each statistic.
    pub fn reduce_groups(&self) -> (Consts, Work) {
        reduce_rows(self.segments * self.group_size, self.samples * padded(self.groups))
    }
}
