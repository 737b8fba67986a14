//! Augmentation: training samples changed at random, differently in each epoch.
//!
//! ```text
//! resized 8-bit picture (and mask) ──► one affine map ──► one color map ──► blur ──► erasing ──► normalization or Lab
//!                                       rotate, stretch,   brightness, contrast,
//!                                       crops, flips       saturation, hue
//! ```
//!
//! Within a stage operations act in the order of the list; stages always follow in this order. So each pixel is
//! interpolated once and rounded once a stage. Images are interpolated bilinearly and masks take the nearest pixel, by
//! the same map. What lies outside of the picture is mirrored, or the mean color ([`Outside`]); in masks it is ignored
//! (255).
//!
//! The amounts are `f(seed, epoch, sample, operation)` through `random.rs`: nothing is stored, so samples do not
//! depend on the loader's threads, on what is in the list besides, or on where a run was resumed.

mod color;
mod geometry;
mod op;
mod setting;

use std::cell::RefCell;

pub use color::{BlurSpace, ColorMap, Rect, blur, mean_color};
pub use geometry::{Map, warp_image, warp_mask};
pub use op::{Op, Outside, Step};
pub use setting::{Augment, Keeps};

use super::IGNORED;
use crate::random::{Random, op as random_op};

/// Why a list of operations cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AugmentError {
    /// Neither a preset nor a list.
    #[error("augment: `{text}` is not {expected}")]
    Name {
        /// What was given.
        text: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A list that is not TOML.
    #[error("augment: `{text}` is not a TOML list: {problem}")]
    Text {
        /// What was given.
        text: String,
        /// What the parser says.
        problem: String,
    },
    /// A table with no operation, with two or with an unknown one.
    #[error("augment: entry {place} has {}: expected {expected}", or_nothing(found))]
    Keys {
        /// Place in the list, from 1.
        place: usize,
        /// The keys that are there.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A value that makes no sense.
    #[error("augment: entry {place}: {key} = {value}: expected {expected}")]
    Value {
        /// Place in the list, from 1.
        place: usize,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// An operation that is there already.
    #[error("augment: entry {place}: `{key}` is in the list twice; give each operation once")]
    Twice {
        /// Place in the list, from 1.
        place: usize,
        /// The key.
        key: &'static str,
    },
}

fn or_nothing(found: &str) -> String {
    if found.is_empty() { "no key".into() } else { format!("the keys {found}") }
}

/// A picture as it comes: RGB bytes (H, W, 3), and the mask (H, W) where there is one, else nothing.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Height and width in pixels, at least 1.
    pub size: (usize, usize),
    /// Interleaved RGB.
    pub rgb: &'a [u8],
    /// Classes, 255 ignored; or empty.
    pub mask: &'a [u8],
}

/// Operations with a seed: what changes samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmentation {
    steps: Vec<Step>,
    outside: Outside,
    seed: u64,
}

/// What happens to one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Where its pixels come from.
    pub map: Map,
    /// What becomes of its colors.
    pub colors: ColorMap,
    /// Standard deviation of the blur in pixels; 0 for none.
    pub sigma: f32,
    /// What is erased.
    pub erased: Option<Rect>,
}

/// Buffers that are used again from sample to sample.
#[derive(Debug, Default)]
pub struct Space {
    rgb: Vec<u8>,
    mask: Vec<u8>,
    blur: BlurSpace,
}

thread_local! {
    static SPACE: RefCell<Space> = RefCell::default();
}

impl Augmentation {
    fn new(steps: Vec<Step>, outside: Outside, seed: u64) -> Self {
        Augmentation { steps, outside, seed }
    }

    /// What is done.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What happens to sample `index` in an epoch, for a picture of `(height, width)` and a mean color (0 to 255; it
    /// matters to contrast alone).
    pub fn draw(&self, (height, width): (usize, usize), mean: [f32; 3], epoch: u64, index: usize) -> Drawn {
        let mut drawn = Drawn { map: Map::IDENTITY, colors: ColorMap::IDENTITY, sigma: 0.0, erased: None };
        for step in &self.steps {
            let mut random = Random::new(self.seed, epoch, index as u64, random_op::AUGMENT + step.op.number());
            if !random.chance(step.p) {
                continue;
            }
            let around_one = |random: &mut Random, share: f32| random.range(1.0 - share, 1.0 + share);
            let (map, colors) = (drawn.map, drawn.colors);
            match step.op {
                Op::Rotate { degrees } => {
                    drawn.map = map.then(Map::rotation(random.range(-degrees, degrees).into()));
                }
                Op::Stretch { share } => {
                    let (x, y) = (around_one(&mut random, share), around_one(&mut random, share));
                    drawn.map = map.then(Map::scale(x.into(), y.into()));
                }
                Op::Crop { padding } => {
                    let mut shift = |side: usize| {
                        let most = (padding as usize).min(side / 2);
                        random.below(2 * most + 1) as f64 - most as f64
                    };
                    let (x, y) = (shift(width), shift(height));
                    drawn.map = map.then(Map::shift(x, y));
                }
                Op::ResizedCrop { area, ratio } => {
                    let (w, h) = part(&mut random, area, ratio);
                    let mut place =
                        |part: f32, side: usize| f64::from(random.unit() - 0.5) * (1.0 - f64::from(part)) * side as f64;
                    let (x, y) = (place(w, width), place(h, height));
                    drawn.map = map.then(Map::shift(x, y)).then(Map::scale(1.0 / f64::from(w), 1.0 / f64::from(h)));
                }
                Op::FlipHorizontal => drawn.map = map.then(Map::scale(-1.0, 1.0)),
                Op::FlipVertical => drawn.map = map.then(Map::scale(1.0, -1.0)),
                Op::Brightness { share } => {
                    drawn.colors = colors.then(ColorMap::brightness(around_one(&mut random, share)));
                }
                Op::Contrast { share } => {
                    let factor = around_one(&mut random, share);
                    drawn.colors = colors.then(ColorMap::contrast(factor, colors.of(mean)));
                }
                Op::Saturation { share } => {
                    drawn.colors = colors.then(ColorMap::saturation(around_one(&mut random, share)));
                }
                Op::Hue { degrees } => {
                    drawn.colors = colors.then(ColorMap::hue(random.range(-degrees, degrees)));
                }
                Op::Blur { sigma: [least, most] } => drawn.sigma = random.range(least, most),
                Op::Erase { area, ratio } => {
                    // The ratio is that of the rectangle itself, so it is taken over the picture's.
                    let proportions = width as f32 / height as f32;
                    let (w, h) = part(&mut random, area, ratio.map(|ratio| ratio / proportions));
                    let side = |part: f32, side: usize| ((part * side as f32).round() as usize).clamp(1, side);
                    let (w, h) = (side(w, width), side(h, height));
                    let (left, top) = (random.below(width - w + 1), random.below(height - h + 1));
                    drawn.erased = Some(Rect { left, top, width: w, height: h });
                }
            }
        }
        drawn
    }

    /// Hands sample `index`, as it is in an epoch, to `take`: RGB bytes, and the mask where there is one. It lies in
    /// buffers of the thread, which are used again.
    ///
    /// # Panics
    /// Where the picture's parts do not have its size, or `take` augments another sample; defects of the caller.
    pub fn with<R>(&self, picture: Picture<'_>, epoch: u64, index: usize, take: impl FnOnce(&[u8], &[u8]) -> R) -> R {
        SPACE.with_borrow_mut(|space| {
            self.apply(picture, epoch, index, space);
            take(&space.rgb, &space.mask)
        })
    }

    fn apply(&self, picture: Picture<'_>, epoch: u64, index: usize, space: &mut Space) {
        let Picture { size, rgb, mask } = picture;
        let (height, width) = size;
        assert_eq!(rgb.len(), 3 * height * width, "bytes of a {width}x{height} picture");
        assert!(mask.is_empty() || mask.len() == height * width, "bytes of a {width}x{height} mask");
        let mean = if self.needs_mean() { mean_color(rgb) } else { [0.0; 3] };
        let drawn = self.draw(size, mean, epoch, index);
        if drawn.map == Map::IDENTITY {
            space.rgb.clear();
            space.rgb.extend_from_slice(rgb);
            space.mask.clear();
            space.mask.extend_from_slice(mask);
        } else {
            space.rgb.resize(rgb.len(), 0);
            space.mask.resize(mask.len(), 0);
            let bytes = mean.map(|v| v.round() as u8);
            warp_image(rgb, size, &drawn.map, (self.outside, bytes), &mut space.rgb);
            warp_mask(mask, size, &drawn.map, &mut space.mask);
        }
        if drawn.colors != ColorMap::IDENTITY {
            drawn.colors.apply(&mut space.rgb);
        }
        // Below this the middle of the kernel is all of it.
        if drawn.sigma > 0.1 {
            blur(&mut space.rgb, size, drawn.sigma, &mut space.blur);
        }
        if let Some(rect) = drawn.erased {
            let mut color = mean;
            drawn.colors.of(color).iter().zip(&mut color).for_each(|(&v, c)| *c = v.round());
            rect.fill(space.rgb.as_chunks_mut::<3>().0, width, color.map(|v| v as u8));
            rect.fill(&mut space.mask, width, IGNORED);
        }
    }

    fn needs_mean(&self) -> bool {
        let by_step = |step: &Step| matches!(step.op, Op::Contrast { .. } | Op::Erase { .. });
        self.outside == Outside::Mean || self.steps.iter().any(by_step)
    }
}

/// Width and height of a rectangle as shares of the picture's, by its share of the area and by width over height in
/// units of the picture's. What does not fit is drawn again, and cut in the end.
fn part(random: &mut Random, area: [f32; 2], ratio: [f32; 2]) -> (f32, f32) {
    let mut sides = (1.0, 1.0);
    for _ in 0..10 {
        let area = random.range(area[0], area[1]);
        let ratio = random.range(ratio[0].ln(), ratio[1].ln()).exp();
        sides = ((area * ratio).sqrt(), (area / ratio).sqrt());
        if sides.0 <= 1.0 && sides.1 <= 1.0 {
            break;
        }
    }
    (sides.0.min(1.0), sides.1.min(1.0))
}
