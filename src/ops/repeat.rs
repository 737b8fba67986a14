//! The rule of broadcasting: axes of size 1 are repeated, as in NumPy. Shapes are compared from the last axis on. Missing axes
//! in front count as 1, so that a vector `[C]` is one value per channel and `[1]` is a scalar.

use crate::kernel::Consts;
use crate::shape::{LANES, Layout, TensorType};

/// The repetition of a smaller tensor over a larger one: the step of the smaller one for each axis of the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    /// Sizes of the last four axes of the larger tensor; the last counts vectors.
    sizes: [usize; 4],
    /// Step of the smaller one along each of these axes, in vectors; 0 where it is repeated.
    steps: [usize; 4],
    /// Whether the smaller one has a single channel, which all lanes read.
    one_channel: bool,
}

impl Repeat {
    /// The repetition of `from` over `to`; `None` where the shapes do not fit.
    pub(super) fn new(to: &TensorType, from: &TensorType) -> Option<Repeat> {
        let (c, channels) = (to.shape.channels(), from.shape.channels());
        let one_channel = channels == 1 && c != 1;
        if from.layout == Layout::Kernel || channels != c && !one_channel {
            return None;
        }
        let c4 = to.stride() / LANES;
        if from.shape.rows() == 1 {
            // Any rank and layout: all rows read the same.
            let rows = to.len() / to.stride();
            return Some(Repeat { sizes: [1, 1, rows, c4], steps: [0, 0, 0, usize::from(!one_channel)], one_channel });
        }
        if [to, from].iter().any(|t| t.layout != Layout::Channels) {
            return None;
        }
        let [sizes, given] = [to, from].map(|t| last_four(&t.shape.0));
        let (sizes, given) = (sizes?, given?);
        if sizes.iter().zip(given).any(|(&size, given)| given != size && given != 1) {
            return None;
        }
        let mut step = from.stride() / LANES;
        let mut steps = [0, 0, 0, usize::from(!one_channel)];
        for axis in (0..3).rev() {
            steps[axis] = if given[axis] == 1 { 0 } else { step };
            step *= given[axis];
        }
        Some(Repeat { sizes: [sizes[0], sizes[1], sizes[2], c4], steps, one_channel })
    }

    /// Whether all lanes read one channel, so that padding would not stay 0.
    pub(super) fn is_one_channel(self) -> bool {
        self.one_channel
    }

    /// Constants of `shaders/shared/broadcast.wgsl`.
    pub(super) fn consts(self) -> Consts {
        let ([_, h, w, _], [b_n, b_h, b_w, b_c]) = (self.sizes, self.steps);
        let consts = Consts::new().u("D_H", h).u("D_W", w);
        let consts = consts.u("B_N", b_n).u("B_H", b_h).u("B_W", b_w).u("B_C", b_c);
        consts.b("ONE_CHANNEL", self.one_channel)
    }
}

/// A shape with axes of 1 in front, if it has at most four.
fn last_four(dims: &[usize]) -> Option<[usize; 4]> {
    let missing = 4usize.checked_sub(dims.len())?;
    Some(std::array::from_fn(|axis| axis.checked_sub(missing).map_or(1, |axis| dims[axis])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    #[test]
    fn axes_of_1_are_repeated() {
        let steps = |to: [usize; 4], from: &[usize]| {
            let from = TensorType::channels(Shape(from.to_vec()));
            Repeat::new(&TensorType::channels(to), &from).map(|r| (r.steps, r.one_channel))
        };
        let to = [2, 3, 5, 9];
        assert_eq!(steps(to, &[2, 3, 5, 9]), Some(([45, 15, 3, 1], false)));
        assert_eq!(steps(to, &[9]), Some(([0, 0, 0, 1], false)));
        assert_eq!(steps(to, &[1]), Some(([0, 0, 0, 0], true)));
        assert_eq!(steps(to, &[2, 1, 1, 9]), Some(([3, 0, 0, 1], false)));
        assert_eq!(steps(to, &[2, 3, 5, 1]), Some(([15, 5, 1, 0], true)));
        assert_eq!(steps(to, &[3, 1, 9]), Some(([0, 3, 0, 1], false)));
        assert_eq!(steps(to, &[2, 3, 5, 8]), None);
        assert_eq!(steps(to, &[3, 3, 5, 9]), None);
        assert_eq!(steps(to, &[1, 2, 3, 5, 9]), None);
    }
}
