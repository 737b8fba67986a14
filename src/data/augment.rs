//! Augmentation: random changes of training samples, different in each epoch.
//!
//! ```text
//! resized 8-bit picture (and mask) ──► one affine map ──► one color map ──► tones ──► blur ──► erasing ──► normalization or Lab
//!                                       rotate, stretch,   brightness, contrast,
//!                                       crops, flips       saturation, hue
//! ```
//!
//! Operations act in the order of the list within a stage, and stages in the order of the picture above. Each pixel is
//! interpolated once and rounded once per stage. Images are interpolated bilinearly. Masks take the nearest pixel under
//! the same map. Pixels from outside of the picture are the mirrored picture or its mean color ([`Outside`]); in masks
//! they are ignored (255).
//!
//! The amounts are `f(seed, epoch, sample, operation)` through `random.rs`, and nothing is stored. A sample does not
//! depend on the loader's threads, on other operations of the list, or on the step at which a run was resumed.

mod automatic;
mod color;
mod draw;
mod drawn;
mod geometry;
mod op;
mod resample;
mod setting;
mod tone;
mod view;

use std::cell::RefCell;

pub use color::{BlurSpace, ColorMap, Rect, blur, mean_color};
pub use drawn::Drawn;
#[cfg(feature = "tasks")]
pub(crate) use geometry::reflected;
pub use geometry::{Map, warp_image, warp_mask};
pub use op::{Op, Outside, Step};
pub use setting::{Augment, Keeps};
pub use tone::Tone;
pub use view::View;

use super::IGNORED;
use crate::text::meant;

/// Why a list of operations cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AugmentError {
    /// Text that is neither a preset nor a list.
    #[error("augment: `{text}` is not {expected}{}", meant(text, Augment::PRESETS))]
    Name {
        /// The given text.
        text: String,
        /// The accepted texts.
        expected: &'static str,
    },
    /// Text that is not a TOML list.
    #[error("augment: `{text}` is not a TOML list: {problem}")]
    Text {
        /// The given text.
        text: String,
        /// Message of the parser.
        problem: String,
    },
    /// A table with no operation, with two operations or with an unknown one.
    #[error("augment: entry {place} has {}: expected {expected}", or_nothing(found))]
    Keys {
        /// Position in the list, from 1.
        place: usize,
        /// Keys of the table.
        found: String,
        /// The accepted keys.
        expected: &'static str,
    },
    /// A value out of range.
    #[error("augment: entry {place}: {key} = {value}: expected {expected}")]
    Value {
        /// Position in the list, from 1.
        place: usize,
        /// The key.
        key: &'static str,
        /// Value of the key.
        value: String,
        /// The accepted values.
        expected: &'static str,
    },
    /// An operation that the list has twice.
    #[error("augment: entry {place}: `{key}` is in the list twice; give each operation once")]
    Twice {
        /// Position in the list, from 1.
        place: usize,
        /// The key.
        key: &'static str,
    },
}

fn or_nothing(found: &str) -> String {
    if found.is_empty() { "no key".into() } else { format!("the keys {found}") }
}

/// A picture before augmentation: RGB bytes (H, W, 3), and for segmentation a mask (H, W).
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    /// Height and width in pixels, at least 1.
    pub size: (usize, usize),
    /// Interleaved RGB.
    pub rgb: &'a [u8],
    /// Classes, 255 ignored; empty without a mask.
    pub mask: &'a [u8],
}

/// Operations and a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Augmentation {
    steps: Vec<Step>,
    outside: Outside,
    seed: u64,
}

/// Buffers that samples reuse.
#[derive(Debug, Default)]
pub struct Space {
    rgb: Vec<u8>,
    mask: Vec<u8>,
    blur: BlurSpace,
    tones: Vec<u8>,
}

thread_local! {
    static SPACE: RefCell<Space> = RefCell::default();
}

impl Augmentation {
    const fn new(steps: Vec<Step>, outside: Outside, seed: u64) -> Self {
        Augmentation { steps, outside, seed }
    }

    /// No operation: the view of a picture alone.
    pub const fn none() -> Self {
        Augmentation::new(vec![], Outside::Reflect, 0)
    }

    /// The operations with their probabilities.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Passes sample `index`, as changed in an epoch, to `take`: RGB bytes, and the mask (empty without one). Both are
    /// in buffers of the thread, which later samples reuse.
    ///
    /// # Panics
    /// Where the parts of the picture do not have its size, or `take` augments another sample. Both are defects of the
    /// caller.
    pub fn with<R>(&self, picture: Picture<'_>, epoch: u64, index: usize, take: impl FnOnce(&[u8], &[u8]) -> R) -> R {
        self.with_view(picture, View::same(picture.size), epoch, index, take)
    }

    /// [`Self::with`] for a view of a picture: the picture is resampled once, from its own pixels to those of the view.
    ///
    /// # Panics
    /// As [`Self::with`].
    pub fn with_view<R>(
        &self,
        picture: Picture<'_>,
        view: View,
        epoch: u64,
        index: usize,
        take: impl FnOnce(&[u8], &[u8]) -> R,
    ) -> R {
        SPACE.with_borrow_mut(|space| {
            self.apply(picture, view, epoch, index, space);
            take(&space.rgb, &space.mask)
        })
    }

    fn apply(&self, picture: Picture<'_>, mut view: View, epoch: u64, index: usize, space: &mut Space) {
        let Picture { size: original, rgb, mask } = picture;
        let (height, width) = original;
        assert_eq!(rgb.len(), 3 * height * width, "bytes of a {width}x{height} picture");
        assert!(mask.is_empty() || mask.len() == height * width, "bytes of a {width}x{height} mask");
        let mean = if self.needs_mean() { mean_color(rgb) } else { [0.0; 3] };
        let is_same = view == View::same(original);
        let drawn = self.draw_in(&mut view, original, mean, epoch, index);
        let (size, width) = (view.size, view.size.1);
        if !is_same {
            let map = view.map.then(drawn.map);
            space.rgb.resize(3 * size.0 * size.1, 0);
            space.mask.resize(if mask.is_empty() { 0 } else { size.0 * size.1 }, 0);
            let bytes = mean.map(|v| v.round() as u8);
            resample::image((rgb, original), &map, (self.outside, bytes), (&mut space.rgb, size));
            geometry::warp_mask_to((mask, original), &map, (&mut space.mask, size));
        } else if drawn.map == Map::IDENTITY {
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
        if view.colors && drawn.colors != ColorMap::IDENTITY {
            drawn.colors.apply(&mut space.rgb);
        }
        for tone in drawn.tones.into_iter().flatten().filter(|_| view.colors) {
            tone.apply(&mut space.rgb, size, &mut space.tones);
        }
        // Below 0.1 the kernel has one weight.
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
        let by_step = |step: &Step| {
            matches!(step.op, Op::Contrast { .. } | Op::Erase { .. } | Op::Trivial { .. } | Op::Rand { .. })
        };
        self.outside == Outside::Mean || self.steps.iter().any(by_step)
    }
}
