//! Sizes of a convolution as its twins see them.

use super::Args;
use super::real::Real;
use crate::shape::LANES;

/// A pointer that tasks share to write disjoint parts of one buffer.
#[derive(Clone, Copy)]
pub(super) struct Target<T>(pub *mut T);
// SAFETY: every task writes its own rows and columns only; see the call sites.
unsafe impl<T: Send> Send for Target<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    pub(super) fn at(self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// Sizes of a convolution in floats.
pub(super) struct Geometry {
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub oh: usize,
    pub ow: usize,
    pub kh: usize,
    pub kw: usize,
    pub stride: [usize; 2],
    pub pad: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
    /// Channels of a group, in and out.
    pub gi: usize,
    pub go: usize,
    /// Channels of all groups.
    pub ci: usize,
    pub co: usize,
    /// Channels at a tap of what is read (for dgrad the output's gradient) that are not padding.
    pub used: usize,
}

impl Geometry {
    pub(super) fn new<T>(a: &Args<'_, T>, dgrad: bool) -> Self {
        let (groups, gi, go) = (a.u("GROUPS"), a.u("GI4") * 4, a.u("GO4") * 4);
        // Fewer only where a pixel is a single vector.
        let (lanes, read) = (a.u("A_LANES"), if dgrad { go } else { gi });
        let used = if lanes < LANES { lanes } else { read };
        Geometry {
            n: a.u("N"),
            h: a.u("H"),
            w: a.u("W"),
            oh: a.u("OH"),
            ow: a.u("OW"),
            kh: a.u("KH"),
            kw: a.u("KW"),
            stride: [a.u("SH"), a.u("SW")],
            pad: [a.u("PT"), a.u("PL")],
            dilation: [a.u("DH"), a.u("DW")],
            groups,
            gi,
            go,
            ci: groups * gi,
            co: groups * go,
            used,
        }
    }

    pub(super) fn out_rows(&self) -> usize {
        self.n * self.oh * self.ow
    }

    pub(super) fn taps(&self) -> usize {
        self.kh * self.kw
    }

    /// Is the im2col matrix the input itself?
    pub(super) fn pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1, 1] && self.pad == [0, 0] && self.oh == self.h && self.ow == self.w
    }

    /// The input row (pixel) that a tap reads for an output pixel.
    pub(super) fn input_row(&self, image: usize, oh: usize, ow: usize, tap: usize) -> Option<usize> {
        let h = (oh * self.stride[0] + tap / self.kw * self.dilation[0]).checked_sub(self.pad[0])?;
        let w = (ow * self.stride[1] + tap % self.kw * self.dilation[1]).checked_sub(self.pad[1])?;
        (h < self.h && w < self.w).then(|| (image * self.h + h) * self.w + w)
    }

    /// Writes the im2col rows of output pixels `rows` and the taps `taps` of one group.
    pub(super) fn im2col<T: Real>(
        &self,
        x: &[T],
        group: usize,
        rows: std::ops::Range<usize>,
        taps: std::ops::Range<usize>,
        to: &mut Vec<T>,
    ) {
        to.clear();
        for row in rows {
            let (ow, oh, image) = (row % self.ow, row / self.ow % self.oh, row / (self.ow * self.oh));
            for tap in taps.clone() {
                match self.input_row(image, oh, ow, tap) {
                    Some(pixel) => to.extend_from_slice(&x[pixel * self.ci + group * self.gi..][..self.gi]),
                    None => to.resize(to.len() + self.gi, T::zero()),
                }
            }
        }
    }
}

/// One phase of [`conv_dgrad`]: the input rows and columns that the same taps reach.
pub(super) struct DgradPhase {
    pub h_start: usize,
    pub h_count: usize,
    pub w_start: usize,
    pub w_count: usize,
    /// kh, kw of each tap.
    pub taps: Vec<[usize; 2]>,
}

pub(super) fn dgrad_phases<T>(a: &Args<'_, T>, g: &Geometry) -> Vec<DgradPhase> {
    let get = |name: &str, i: usize| a.consts.array(name)[i] as usize;
    let axis = |p: &str, i: usize| {
        let (first, step) = (get(&format!("{p}_TAP"), i), get(&format!("{p}_STEP"), i));
        (0..get(&format!("{p}_TAPS"), i)).map(|t| first + t * step).collect::<Vec<_>>()
    };
    let mut phases = Vec::new();
    for (h, w) in (0..g.stride[0]).flat_map(|h| (0..g.stride[1]).map(move |w| (h, w))) {
        let columns = axis("W", w);
        phases.push(DgradPhase {
            h_start: get("H_START", h),
            h_count: get("H_COUNT", h),
            w_start: get("W_START", w),
            w_count: get("W_COUNT", w),
            taps: axis("H", h).into_iter().flat_map(|kh| columns.iter().map(move |&kw| [kh, kw])).collect(),
        });
    }
    phases
}

impl DgradPhase {
    /// Position (image, h, w) of a row of the phase.
    pub(super) fn position(&self, g: &Geometry, row: usize) -> [usize; 3] {
        let (j, i) = (row % self.w_count, row / self.w_count % self.h_count);
        let image = row / (self.w_count * self.h_count);
        [image, self.h_start + i * g.stride[0], self.w_start + j * g.stride[1]]
    }

    pub(super) fn pixel(&self, g: &Geometry, row: usize) -> usize {
        let [image, h, w] = self.position(g, row);
        (image * g.h + h) * g.w + w
    }
}
