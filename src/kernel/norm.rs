//! Geometry of normalization: the mapping of rows and channels to statistics and to segments.

use std::ops::Range;

use super::{Consts, Geometry};
use crate::shape::{LANES, padded};

/// Sizes of a norm over rows (pixels) × channels. A statistic belongs to a group of channels of a sample. BatchNorm has
/// one sample, the whole batch, and groups of one channel.
///
/// Rows are reduced in segments. A segment lies in one sample. The partial results of segments are merged in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormGeometry {
    /// Rows of all samples.
    pub rows: usize,
    /// Channels, without padding.
    pub channels: usize,
    /// Channels in memory, in vectors.
    pub vectors: usize,
    /// Number of samples.
    pub samples: usize,
    /// Rows of a sample.
    pub sample_rows: usize,
    /// Segments per sample.
    pub segments: usize,
    /// Rows per segment; the last one may have fewer.
    pub segment_rows: usize,
    /// Number of groups of channels.
    pub groups: usize,
    /// Channels per group.
    pub group_size: usize,
}

impl NormGeometry {
    /// Channels in memory.
    pub fn stride(&self) -> usize {
        self.vectors * LANES
    }

    /// Statistics of a sample in memory.
    pub fn groups_padded(&self) -> usize {
        padded(self.groups)
    }

    /// Rows of a segment, counted over all samples.
    pub fn segment(&self, index: usize) -> Range<usize> {
        let sample = index / self.segments;
        let first = sample * self.sample_rows + index % self.segments * self.segment_rows;
        first..(first + self.segment_rows).min((sample + 1) * self.sample_rows)
    }

    /// The statistic of channel `c` in row `row`. Padding channels have the statistic of the last group.
    pub fn statistic(&self, row: usize, c: usize) -> usize {
        // The samples of an empty batch have no rows.
        row / self.sample_rows.max(1) * self.groups_padded() + (c / self.group_size).min(self.groups_padded() - 1)
    }
}

impl Geometry for NormGeometry {
    fn consts(&self) -> Consts {
        Consts::new()
            .size("ROWS", self.rows)
            .size("C", self.channels)
            .size("C4", self.vectors)
            .size("SAMPLE_ROWS", self.sample_rows)
            .size("SEGMENTS", self.segments)
            .size("SEGMENT_ROWS", self.segment_rows)
            .u("SAMPLES", self.samples)
            .u("GROUPS", self.groups)
            .size("GROUPS_PADDED", self.groups_padded())
            .u("GROUP_SIZE", self.group_size)
    }
}

/// Operations after a norm, for its gradient: `relu?(norm(x) [+ residual])`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormMask {
    /// A ReLU. The gradient needs its mask.
    pub relu: bool,
    /// A residual before the ReLU. The mask then comes from the stored y. Without it y is recomputed from x.
    pub residual: bool,
}

impl NormMask {
    /// Flags of the shader.
    pub fn consts(self) -> Consts {
        Consts::new().b("RELU", self.relu).b("RESIDUAL", self.residual)
    }
}
