//! The draw of a sample's change: the amount of each operation of the list.

use super::automatic::{self, Reach};
use super::geometry::{Size, part};
use super::{Augmentation, ColorMap, Drawn, Map, Op, Rect, View};
use crate::random::{Random, op as random_op};

impl Drawn {
    /// Draws an operation for a picture of a size and of mean color `mean`.
    fn draw(&mut self, op: Op, size: Size, mean: [f32; 3], random: &mut Random) {
        match op {
            Op::Rotate { degrees } => self.move_by(Map::rotation(random.range(-degrees, degrees).into())),
            Op::Stretch { share } => {
                let (x, y) = (around_one(random, share), around_one(random, share));
                self.move_by(Map::scale(x.into(), y.into()));
            }
            Op::Crop { padding } => {
                let mut shift = |side: usize| {
                    let most = (padding as usize).min(side / 2);
                    random.below(2 * most + 1) as f64 - most as f64
                };
                let (x, y) = (shift(size.1), shift(size.0));
                self.move_by(Map::shift(x, y));
            }
            Op::ResizedCrop { area, ratio } => {
                let [place, scale] = resized_crop(random, size, area, ratio);
                self.move_by(place);
                self.move_by(scale);
            }
            Op::FlipHorizontal => self.move_by(Map::scale(-1.0, 1.0)),
            Op::FlipVertical => self.move_by(Map::scale(1.0, -1.0)),
            Op::Brightness { share } => self.recolor(ColorMap::brightness(around_one(random, share))),
            Op::Contrast { share } => {
                self.recolor(ColorMap::contrast(around_one(random, share), self.colors.of(mean)));
            }
            Op::Saturation { share } => self.recolor(ColorMap::saturation(around_one(random, share))),
            Op::Hue { degrees } => self.recolor(ColorMap::hue(random.range(-degrees, degrees))),
            Op::Trivial { strength, colors } => {
                let levels = (strength * automatic::LEVELS as f32).round() as u32;
                let level = random.below(levels as usize + 1) as u32;
                automatic::draw(self, random, (Reach::Wide, level, colors), (size, mean));
            }
            Op::Rand { count, magnitude, colors } => {
                let how = (Reach::Moderate, magnitude, colors);
                (0..count).for_each(|_| automatic::draw(self, random, how, (size, mean)));
            }
            Op::Blur { sigma: [least, most] } => self.sigma = random.range(least, most),
            Op::Erase { area, ratio } => self.erased = Some(rectangle(random, size, area, ratio)),
        }
    }
}

impl Augmentation {
    /// The change of sample `index` in an epoch. `(height, width)` is the size of the picture, `mean` its mean color (0
    /// to 255; only contrast depends on it).
    pub fn draw(&self, size: Size, mean: [f32; 3], epoch: u64, index: usize) -> Drawn {
        self.draw_in(&mut View::same(size), size, mean, epoch, index)
    }

    /// [`Self::draw`] for a view of a picture of size `original`. A resized crop of the whole picture becomes the view.
    pub(super) fn draw_in(&self, view: &mut View, original: Size, mean: [f32; 3], epoch: u64, index: usize) -> Drawn {
        let (mut drawn, size) = (Drawn::NONE, view.size);
        for step in &self.steps {
            let mut random = Random::new(self.seed, epoch, index as u64, random_op::AUGMENT + step.op.number());
            if !random.chance(step.p) {
                continue;
            }
            match step.op {
                Op::ResizedCrop { area, ratio } if view.whole => view.cut(original, (area, ratio), &mut random),
                op => drawn.draw(op, size, mean, &mut random),
            }
        }
        drawn
    }
}

/// A factor that differs from 1 by at most `share`.
fn around_one(random: &mut Random, share: f32) -> f32 {
    random.range(1.0 - share, 1.0 + share)
}

/// The maps of a crop: one puts its middle in the middle of the picture, the other scales it to the picture's size.
fn resized_crop(random: &mut Random, (height, width): Size, area: [f32; 2], ratio: [f32; 2]) -> [Map; 2] {
    let (w, h) = part(random, area, ratio);
    let mut place = |part: f32, side: usize| f64::from(random.unit() - 0.5) * (1.0 - f64::from(part)) * side as f64;
    let (x, y) = (place(w, width), place(h, height));
    [Map::shift(x, y), Map::scale(1.0 / f64::from(w), 1.0 / f64::from(h))]
}

/// A rectangle in a picture. `ratio` is its width over height in pixels.
fn rectangle(random: &mut Random, (height, width): Size, area: [f32; 2], ratio: [f32; 2]) -> Rect {
    // `part` takes the ratio relative to the picture's.
    let proportions = width as f32 / height as f32;
    let (w, h) = part(random, area, ratio.map(|ratio| ratio / proportions));
    let side = |part: f32, side: usize| ((part * side as f32).round() as usize).clamp(1, side);
    let (w, h) = (side(w, width), side(h, height));
    let (left, top) = (random.below(width - w + 1), random.below(height - h + 1));
    Rect { left, top, width: w, height: h }
}
