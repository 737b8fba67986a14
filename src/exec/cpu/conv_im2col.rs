//! A convolution's geometry as its twins use it: im2col, and the phases of the input gradient.

use crate::exec::twin::Real;
use crate::kernel::ConvGeometry;
use crate::shape::Phase;

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

impl ConvGeometry {
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
                    Some(pixel) => to.extend_from_slice(&x[pixel * self.ci() + group * self.gi..][..self.gi]),
                    None => to.resize(to.len() + self.gi, T::zero()),
                }
            }
        }
    }
}

/// One phase of an input gradient: the input rows and columns that the same taps reach.
pub(super) struct DgradPhase {
    /// Along height and width.
    axes: [Phase; 2],
    /// kh, kw of each tap.
    pub taps: Vec<[usize; 2]>,
}

impl DgradPhase {
    /// All of them, the columns' phases innermost.
    pub fn all([rows, columns]: &[Vec<Phase>; 2]) -> Vec<DgradPhase> {
        let taps = |p: &Phase| (0..p.taps).map(|t| p.first_tap + t * p.tap_step).collect::<Vec<_>>();
        let of_pair = |h: &Phase, w: &Phase| {
            let across = taps(w);
            let pairs = taps(h).into_iter().flat_map(|kh| across.iter().map(move |&kw| [kh, kw]));
            DgradPhase { axes: [*h, *w], taps: pairs.collect() }
        };
        rows.iter().flat_map(|h| columns.iter().map(move |w| of_pair(h, w))).collect()
    }

    /// First input row and column.
    pub fn start(&self) -> [usize; 2] {
        self.axes.map(|phase| phase.start)
    }

    /// Input rows and columns.
    pub fn count(&self) -> [usize; 2] {
        self.axes.map(|phase| phase.count)
    }

    /// Position (image, h, w) of a row of the phase.
    pub fn position(&self, g: &ConvGeometry, row: usize) -> [usize; 3] {
        let ([height, width], start) = (self.count(), self.start());
        let (j, i) = (row % width, row / width % height);
        [row / (width * height), start[0] + i * g.stride[0], start[1] + j * g.stride[1]]
    }

    /// Number of the input pixel of a row of the phase.
    pub fn pixel(&self, g: &ConvGeometry, row: usize) -> usize {
        let [image, h, w] = self.position(g, row);
        (image * g.h + h) * g.w + w
    }
}
