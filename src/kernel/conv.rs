//! Geometry of a convolution in the three directions of the implicit matrix product.

use super::{Consts, Geometry, NormGeometry, NormMask};
use crate::shape::{LANES, Phase};

/// Sizes of a convolution x `[N,H,W,groups·gi]`, w `[KH,KW,gi,groups·go]` → y `[N,OH,OW,groups·go]`. Channels are those
/// in memory: each group starts at a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGeometry {
    /// The computed tensor.
    pub direction: ConvDirection,
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Height of y.
    pub oh: usize,
    /// Width of y.
    pub ow: usize,
    /// Rows of the kernel.
    pub kh: usize,
    /// Columns of the kernel.
    pub kw: usize,
    /// Along height and width.
    pub stride: [usize; 2],
    /// Above and left.
    pub pad: [usize; 2],
    /// Along height and width.
    pub dilation: [usize; 2],
    /// Independent convolutions.
    pub groups: usize,
    /// Input channels of a group.
    pub gi: usize,
    /// Output channels of a group.
    pub go: usize,
    /// Channels in each vector of the left operand's pixel that are not padding. Fewer than 4 only if a pixel is a
    /// single vector, as in an RGB image.
    pub lanes: usize,
    /// Operations after the sums.
    pub epilogue: ConvEpilogue,
    /// A second output for a BatchNorm of the result.
    pub statistics: Option<ConvStatistics>,
}

/// The result of a convolution kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConvDirection {
    /// y from x and w.
    Forward,
    /// The gradient of x, from the gradient of y. Also a transposed convolution.
    InputGrad {
        /// Phases of the stride, along height and width.
        phases: [Vec<Phase>; 2],
    },
    /// The gradient of w, from x and the gradient of y.
    WeightGrad {
        /// Number of partial sums chosen by the op. `sum_partials` adds them.
        splits: usize,
        /// Output pixels per partial sum.
        chunk: usize,
    },
}

/// Operations after the sums of a convolution, `relu?(sum [+ bias] [+ addend])`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConvEpilogue {
    /// One value per output channel, at binding 2.
    pub bias: bool,
    /// A tensor like the output, at binding 3.
    pub addend: bool,
    /// A ReLU at the end.
    pub relu: bool,
}

/// Statistics that a convolution writes for a BatchNorm: partial results of segments, `[segments, C/4, (a, b), 4]`. The
/// forward direction writes moments (mean, squared deviations), the input gradient the sums (Σ g, Σ g·x̂).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvStatistics {
    /// Rows, channels and segments of the result.
    pub norm: NormGeometry,
    /// Width in vectors of a workgroup of a pass over the result.
    pub wide: usize,
    /// Workgroups of that pass per segment.
    pub blocks: usize,
    /// For the input gradient: operations after the norm whose gradient needs the sums.
    pub mask: Option<NormMask>,
}

impl ConvEpilogue {
    /// Flags of the shader.
    pub fn consts(self) -> Consts {
        Consts::new().b("HAS_BIAS", self.bias).b("HAS_ADDEND", self.addend).b("HAS_RELU", self.relu)
    }
}

impl ConvStatistics {
    /// Constants of the stages that compute the partial results.
    pub fn consts(&self) -> Consts {
        let norm = &self.norm;
        let sizes = Consts::new()
            .size("ROWS", norm.rows)
            .size("SAMPLE_ROWS", norm.sample_rows)
            .size("C4", norm.vectors)
            .size("SEGMENTS", norm.segments)
            .size("SEGMENT_ROWS", norm.segment_rows)
            .u("VECTORS", self.wide)
            .size("BLOCKS", self.blocks);
        let Some(mask) = self.mask else { return sizes };
        sizes.size("GROUPS_PADDED", norm.groups_padded()).u("GROUP_SIZE", norm.group_size).and(mask.consts())
    }
}

impl ConvGeometry {
    /// Input channels of all groups.
    pub fn ci(&self) -> usize {
        self.groups * self.gi
    }

    /// Output channels of all groups.
    pub fn co(&self) -> usize {
        self.groups * self.go
    }

    /// Number of positions of the kernel.
    pub fn taps(&self) -> usize {
        self.kh * self.kw
    }

    /// Output pixels of the batch.
    pub fn out_rows(&self) -> usize {
        self.n * self.oh * self.ow
    }

    /// Channels of the left operand at a tap that are not padding. The left operand is x, for the input gradient the
    /// gradient of y.
    pub fn used(&self) -> usize {
        let read = if matches!(self.direction, ConvDirection::InputGrad { .. }) { self.go } else { self.gi };
        if self.lanes < LANES { self.lanes } else { read }
    }

    /// Number of partial sums of a weight gradient chosen by the op.
    pub fn splits(&self) -> Option<usize> {
        if let ConvDirection::WeightGrad { splits, .. } = self.direction { Some(splits) } else { None }
    }

    /// Height and width of the result of the forward direction or of the input gradient.
    pub fn result_map(&self) -> [usize; 2] {
        match self.direction {
            ConvDirection::InputGrad { .. } => [self.h, self.w],
            _ => [self.oh, self.ow],
        }
    }

    fn direction_consts(&self) -> Consts {
        match &self.direction {
            ConvDirection::Forward => self.epilogue.consts(),
            ConvDirection::InputGrad { phases: [rows, columns] } => Consts::new()
                .sizes("H_TAP", rows.iter().map(|p| p.first_tap))
                .sizes("H_TAPS", rows.iter().map(|p| p.taps))
                .sizes("H_STEP", rows.iter().map(|p| p.tap_step))
                .sizes("H_START", rows.iter().map(|p| p.start))
                .sizes("H_COUNT", rows.iter().map(|p| p.count))
                .sizes("W_TAP", columns.iter().map(|p| p.first_tap))
                .sizes("W_TAPS", columns.iter().map(|p| p.taps))
                .sizes("W_STEP", columns.iter().map(|p| p.tap_step))
                .sizes("W_START", columns.iter().map(|p| p.start))
                .sizes("W_COUNT", columns.iter().map(|p| p.count))
                .and(self.epilogue.consts()),
            ConvDirection::WeightGrad { splits, chunk } => Consts::new().size("SPLITS", *splits).size("CHUNK", *chunk),
        }
    }
}

impl Geometry for ConvGeometry {
    fn consts(&self) -> Consts {
        let sizes = Consts::new()
            .size("N", self.n)
            .size("H", self.h)
            .size("W", self.w)
            .size("OH", self.oh)
            .size("OW", self.ow)
            .u("KH", self.kh)
            .u("KW", self.kw)
            .u("SH", self.stride[0])
            .u("SW", self.stride[1])
            .u("PT", self.pad[0])
            .u("PL", self.pad[1])
            .u("DH", self.dilation[0])
            .u("DW", self.dilation[1])
            .u("GROUPS", self.groups)
            .size("GI4", self.gi / LANES)
            .size("GO4", self.go / LANES);
        let statistics = self.statistics.as_ref().map(ConvStatistics::consts).unwrap_or_default();
        sizes.and(self.direction_consts()).and(statistics)
    }
}
