//! The part of a picture that a sample shows, and its size in pixels. A view is a map like those of the operations, so
//! that a sample is resampled once, from the original picture.

use super::geometry::{Map, Size, part};
use crate::random::Random;

/// A view of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Height and width of the sample, in pixels.
    pub size: (usize, usize),
    /// Maps a pixel of the sample, from its center, to a point of the picture, from the picture's center.
    pub map: Map,
    /// Whether a resized crop is cut from the whole picture instead of the view. Its ratio is then width over height in
    /// pixels of the picture, as in torchvision.
    pub whole: bool,
    /// Whether operations on colors apply. Without them, another channel of the picture follows the same map.
    pub colors: bool,
}

impl View {
    /// A picture of `size` as it is.
    pub fn same(size: Size) -> Self {
        View { size, map: Map::IDENTITY, whole: false, colors: true }
    }

    /// The center of a picture of size `original`, in the proportions of `size`. `margin` is at least 1: the picture is
    /// scaled to cover `size` times `margin`, and `size` is cut from its center.
    pub fn center(original: Size, size: Size, margin: f64) -> Self {
        let side = |of: usize, to: usize| of as f64 / (to as f64 * margin);
        // Pixels of the picture for a pixel of the sample.
        let step = side(original.0, size.0).min(side(original.1, size.1));
        View { size, map: Map::scale(1.0 / step, 1.0 / step), whole: true, colors: true }
    }

    /// The whole of a picture of size `original`, stretched to `size`.
    pub fn stretched(original: Size, size: Size) -> Self {
        let factor = |of: usize, to: usize| to as f64 / of as f64;
        View { map: Map::scale(factor(original.1, size.1), factor(original.0, size.0)), ..View::same(size) }
    }

    /// The same view without operations on colors.
    pub fn without_colors(self) -> Self {
        View { colors: false, ..self }
    }

    /// A crop of `size` from a picture of size `original` that is scaled by `scale`. `at` (y, x) places it: 0 at one
    /// end, 1 at the other. An axis on which the scaled picture is smaller than the crop has it at that place in the
    /// crop.
    pub fn crop(original: Size, size: Size, scale: f64, at: (f64, f64)) -> Self {
        // The middle of the crop minus that of the picture, in pixels of the picture.
        let place = |of: usize, to: usize, at: f64| (of as f64 - to as f64 / scale) * (at - 0.5);
        let (y, x) = (place(original.0, size.0, at.0), place(original.1, size.1, at.1));
        View { size, map: Map::shift(-x, -y).then(Map::scale(scale, scale)), whole: false, colors: true }
    }

    /// The same view, moved by less than half a pixel so that an unscaled crop copies pixels.
    pub fn on_pixels(mut self, original: Size) -> Self {
        // The first pixel of the crop lies on a pixel where the middles differ by a whole number, or a half for odd
        // sums.
        let snap = |at: f64, of: usize, to: usize| {
            let half = if (of + to).is_multiple_of(2) { 0.0 } else { 0.5 };
            (at - half).round() + half
        };
        let [a, b, c, d, e, f] = self.map.0;
        if a == 1.0 && e == 1.0 {
            let (c, f) = (snap(c, original.1, self.size.1), snap(f, original.0, self.size.0));
            self.map = Map([a, b, c, d, e, f]);
        }
        self
    }

    /// Moves the view to a random rectangle. `area` is the range of its share of the picture's area, `ratio` of its
    /// width over height.
    pub(super) fn cut(&mut self, original: Size, (area, ratio): ([f32; 2], [f32; 2]), random: &mut Random) {
        let (height, width) = (original.0 as f64, original.1 as f64);
        // `part` takes the ratio relative to the picture's.
        let proportions = (width / height) as f32;
        let (w, h) = part(random, area, ratio.map(|ratio| ratio / proportions));
        let (w, h) = (f64::from(w) * width, f64::from(h) * height);
        let mut place = |side: f64, of: f64| f64::from(random.unit() - 0.5) * (of - side);
        let (x, y) = (place(w, width), place(h, height));
        let (to_height, to_width) = (self.size.0 as f64, self.size.1 as f64);
        self.map = Map::shift(-x, -y).then(Map::scale(to_width / w, to_height / h));
    }
}
