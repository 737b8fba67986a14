//! The pixels of training and validation images, for the verdict.

use super::trainer::Trainer;
use crate::data::{Batch, Source};
use crate::run::{PartPixels, Pixels};

/// Maximum number of images of each part, evenly spaced.
const IMAGES: usize = 100;

impl Trainer {
    /// Pixels of both parts; `None` if pictures differ in size, or one cannot be read.
    pub(super) fn part_pixels(&self) -> Option<PartPixels> {
        if self.objective.card().sees_own_pixels() {
            return None;
        }
        let part = |source: &dyn Source| {
            let step = source.len().div_ceil(IMAGES).max(1);
            // One image at a time: large ones would fill the memory.
            let image = |index| Batch::load(source, &[index]).map_or_else(|_| vec![], |batch| batch.images);
            Pixels::of((0..source.len()).step_by(step).map(image))
        };
        let [training, validation] = [&self.loaders.train, &self.loaders.val].map(|loader| part(&**loader.source()));
        Some(PartPixels { training: training?, validation: validation? })
    }
}
