//! Prepared images without labels, and their source for the loader.

use std::sync::Arc;

use image::RgbImage;

use super::{Augmenting, Prepared, SampleSet};
use crate::data::batch::{Identity, digest};
use crate::data::color::ColorSpace;
use crate::data::{Augmentation, DataError, ImageDataset, SampleDepth, SampleLayout, SampleMut, Source};

/// Largest difference between the channels of a grey image. JPEG adds differences of a few units.
const GREY_SPREAD: u8 = 8;

/// Prepared images without labels. The facts are the indices of good images without color.
pub type PreparedImages = Prepared<Arc<dyn ImageDataset>>;

impl SampleSet for Arc<dyn ImageDataset> {
    /// Whether the image has no color.
    type Count = bool;
    type Facts = Vec<usize>;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        (**self).depth()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        (**self).image(index)
    }

    fn count(&self, sample: &[u8]) -> bool {
        is_grey(sample)
    }

    fn facts(&self, counts: Vec<(usize, bool)>) -> Vec<usize> {
        counts.into_iter().filter_map(|(index, grey)| grey.then_some(index)).collect()
    }

    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError> {
        match prepared.first() {
            Some(train) if train.grey().len() == train.own_sizes().len() => {
                Err(DataError::NoColor { images: train.grey().len(), first: train.name(0) })
            }
            _ => Ok(()),
        }
    }
}

impl PreparedImages {
    /// Good images without color, of those that were read: they teach a network to predict grey.
    pub fn grey(&self) -> &[usize] {
        &self.facts
    }
}

/// Whether RGB bytes are grey within [`GREY_SPREAD`].
pub(crate) fn is_grey(rgb: &[u8]) -> bool {
    rgb.as_chunks::<3>().0.iter().all(|[r, g, b]| r.max(g).max(b) - r.min(g).min(b) <= GREY_SPREAD)
}

/// Prepared images for the loader: lightness (H, W, 1) as input, colors (H, W, 2 or 3) as target; see [`ColorSpace`].
pub struct ColorizationSource {
    prepared: Arc<PreparedImages>,
    space: ColorSpace,
    augmentation: Augmenting,
}

impl ColorizationSource {
    /// A source of `prepared`, with targets in `space`.
    pub fn new(prepared: Arc<PreparedImages>, space: ColorSpace) -> Self {
        Self { prepared, space, augmentation: None }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }
}

impl Source for ColorizationSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let pixels = self.prepared.pixels();
        SampleLayout { image: pixels, labels: 0, targets: pixels * self.space.channels() }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let image_digest = self.prepared.store.first(index).map(digest);
        let own_digest = self.prepared.own_digest(index);
        Some(Identity { name: self.prepared.name(index), image_digest, own_digest, ..Identity::default() })
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let write = |rgb: &[u8], _: &[u8]| self.space.encode(rgb, sample.image, sample.targets);
        self.prepared.augmented(self.augmentation.as_deref(), epoch, index, write)
    }
}
