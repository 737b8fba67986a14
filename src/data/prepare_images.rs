//! Preparation of a colorization set: each image is read once before training.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::augment::Picture;
use super::batch::{Identity, digest};
use super::color::ColorSpace;
use super::prepare::with_depth;
use super::resize::cover_into;
use super::store::{Store, settle};
use super::{
    Augmentation, BadImage, DataError, ImageDataset, ProgressFn, SampleDepth, SampleLayout, SampleMut, SizeOptions,
    Source,
};

/// Largest difference between the channels of a grey image. JPEG adds differences of a few units.
const GREY_SPREAD: u8 = 8;

/// A set of images that were all read once and are good.
pub struct PreparedImages {
    dataset: Arc<dyn ImageDataset>,
    size: (u32, u32),
    store: Store,
    /// Good images without color.
    grey: Vec<usize>,
}

/// Prepares sets of images together, with one memory budget, one progress and one list of bad images. Each image is
/// scaled to cover `height` by `width` and cropped to its center, so proportions stay.
///
/// # Errors
/// [`DataError::BadImages`] with every image that cannot be read, unless `skip_bad`. Where a set has no good image, or
/// the first (training) set has no color.
pub fn prepare_images(
    datasets: &[Arc<dyn ImageDataset>],
    options: &SizeOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<PreparedImages>, DataError> {
    let pixels = options.pixels()?;
    let total = datasets.iter().map(|d| d.len()).sum();
    let prepared = with_depth(
        |set: &PreparedImages| set.dataset.depth(),
        || {
            let done = AtomicUsize::new(0);
            let mut budget = options.memory_budget;
            let mut prepared = Vec::with_capacity(datasets.len());
            for dataset in datasets {
                let (store, greys) = Store::read(dataset.len(), 3 * pixels, budget, |index, slot| {
                    let outcome = dataset.image(index).map(|image| {
                        cover_into(&image, options.width, options.height, slot);
                        is_grey(slot)
                    });
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                    outcome
                })?;
                budget -= store.bytes();
                let grey = greys.iter().enumerate().filter(|(_, grey)| **grey).map(|(index, _)| index).collect();
                let size = (options.height, options.width);
                prepared.push(PreparedImages { dataset: Arc::clone(dataset), size, store, grey });
            }
            Ok(prepared)
        },
    )?;
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.dataset.len())).collect();
    settle(&stores, options.skip_bad)?;
    match prepared.first() {
        Some(train) if train.grey.len() == train.len() => {
            Err(DataError::NoColor { images: train.len(), first: train.name(0) })
        }
        _ => Ok(prepared),
    }
}

/// Whether RGB bytes are grey within [`GREY_SPREAD`].
pub(crate) fn is_grey(rgb: &[u8]) -> bool {
    rgb.as_chunks::<3>().0.iter().all(|[r, g, b]| r.max(g).max(b) - r.min(g).min(b) <= GREY_SPREAD)
}

impl PreparedImages {
    /// Number of good images.
    pub fn len(&self) -> usize {
        self.store.kept.len()
    }

    /// Whether no image is good.
    pub fn is_empty(&self) -> bool {
        self.store.kept.is_empty()
    }

    /// Height and width of all images.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Name of good image `index` for messages.
    pub fn name(&self, index: usize) -> String {
        self.dataset.name(self.store.kept[index])
    }

    /// The data set before preparation.
    pub fn dataset(&self) -> &Arc<dyn ImageDataset> {
        &self.dataset
    }

    /// Index of good image `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.store.kept[index]
    }

    /// Images that were left out, with the reason.
    pub fn bad(&self) -> &[BadImage] {
        &self.store.bad
    }

    /// Good images without color. They teach a network to predict grey.
    pub fn grey(&self) -> &[usize] {
        &self.grey
    }

    /// How 16-bit samples are read, in words; `None` without any, or if all bits are used.
    pub fn depth_note(&self) -> Option<String> {
        self.dataset.depth().and_then(SampleDepth::note)
    }

    /// Number of bits that 16-bit samples are read with, see [`SampleDepth`].
    pub fn sample_bits(&self) -> u8 {
        self.dataset.depth().map_or(16, SampleDepth::bits)
    }

    /// Whether the images are in memory.
    pub fn in_memory(&self) -> bool {
        self.store.in_memory()
    }

    /// Good image `index`, resized: RGB bytes (H, W, 3).
    ///
    /// # Errors
    /// Where the image is not in memory and its file can no longer be read.
    pub fn pixels(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(pixels) => Ok(Cow::Borrowed(pixels)),
            None => {
                let image = self.dataset.image(self.store.kept[index])?;
                let mut pixels = vec![0; 3 * self.area()];
                cover_into(&image, self.size.1, self.size.0, &mut pixels);
                Ok(Cow::Owned(pixels))
            }
        }
    }

    fn area(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize
    }
}

/// Prepared images for the loader: lightness (H, W, 1) as input, colors (H, W, 2 or 3) as target; see [`ColorSpace`].
pub struct ColorizationSource {
    prepared: Arc<PreparedImages>,
    space: ColorSpace,
    augmentation: Option<Arc<Augmentation>>,
}

impl ColorizationSource {
    /// Images of `prepared`, with targets in `space`.
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
        let area = self.prepared.area();
        SampleLayout { image: area, labels: 0, targets: area * self.space.channels() }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let image_digest = self.prepared.store.get(index).map(digest);
        Some(Identity { name: self.prepared.name(index), image_digest, ..Identity::default() })
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let pixels = self.prepared.pixels(index)?;
        match &self.augmentation {
            None => self.space.encode(&pixels, sample.image, sample.targets),
            Some(augmentation) => {
                let (height, width) = self.prepared.size;
                let picture = Picture { size: (height as usize, width as usize), rgb: &pixels, mask: &[] };
                let write = |rgb: &[u8], _: &[u8]| self.space.encode(rgb, sample.image, sample.targets);
                augmentation.with(picture, epoch, index, write);
            }
        }
        Ok(())
    }
}
