//! Preparation of a segmentation set: each image and mask is read once before training.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::augment::Picture;
use super::batch::{Identity, digest};
use super::normalize::normalize;
use super::prepare::with_depth;
use super::resize::{nearest_into, stretch_into};
use super::store::{Store, settle};
use super::{
    Augmentation, BadImage, ClassList, DataError, IGNORED, ImageProblem, Normalization, PixelSums, ProgressFn,
    SampleDepth, SampleLayout, SampleMut, SegmentationDataset, Source,
};

/// Options of the preparation of images of one size, with or without masks.
#[derive(Debug, Clone)]
pub struct SizeOptions {
    /// Height in pixels; at least 1.
    pub height: u32,
    /// Width in pixels; at least 1.
    pub width: u32,
    /// Leave out images that cannot be read, instead of an error.
    pub skip_bad: bool,
    /// Bytes that may be kept in memory, over all data sets prepared together.
    pub memory_budget: u64,
}

impl SizeOptions {
    /// `height` by `width`, an error for bad images, 2 GiB of memory.
    pub fn new(height: u32, width: u32) -> Self {
        Self { height, width, skip_bad: false, memory_budget: 2 << 30 }
    }

    /// Pixels of an image.
    pub(crate) fn pixels(&self) -> Result<usize, DataError> {
        let in_range = |side: u32| (1..=1 << 15).contains(&side);
        if in_range(self.height) && in_range(self.width) {
            return Ok(self.height as usize * self.width as usize);
        }
        let value = format!("{}x{}", self.height, self.width);
        Err(DataError::Setting { name: "image_size", value, expected: "HEIGHTxWIDTH, each from 1 to 32768" })
    }
}

/// A data set of pairs that were all read once and are good.
pub struct PreparedPairs {
    dataset: Arc<dyn SegmentationDataset>,
    size: (u32, u32),
    /// For each pair the image (H, W, 3), then the mask (H, W).
    store: Store,
    sums: PixelSums,
    class_pixels: Vec<u64>,
    class_image_pixels: Vec<u64>,
    ignored_pixels: u64,
}

/// Prepares data sets together, with one memory budget, one progress and one list of bad images. Images are scaled
/// bilinearly, masks to the nearest pixel. The picture is not cropped.
///
/// # Errors
/// [`DataError::BadImages`] with every image and mask that cannot be read, differs in size from its partner or has
/// values outside of the classes, unless `skip_bad`. With `skip_bad` a data set without any good pair.
/// [`DataError::NothingCounts`] where all pixels of a data set are ignored.
pub fn prepare_segmentation(
    datasets: &[Arc<dyn SegmentationDataset>],
    options: &SizeOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<PreparedPairs>, DataError> {
    options.pixels()?;
    let total = datasets.iter().map(|d| d.len()).sum();
    let prepared = with_depth(
        |set: &PreparedPairs| set.dataset.depth(),
        || {
            let done = AtomicUsize::new(0);
            let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            let mut budget = options.memory_budget;
            let mut prepared = Vec::with_capacity(datasets.len());
            for dataset in datasets {
                let one = PreparedPairs::read(Arc::clone(dataset), options, budget, &step)?;
                budget -= one.store.bytes();
                prepared.push(one);
            }
            Ok(prepared)
        },
    )?;
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.dataset.len())).collect();
    settle(&stores, options.skip_bad)?;
    if let Some(empty) = prepared.iter().find(|one| one.class_pixels.iter().all(|&pixels| pixels == 0)) {
        let first = empty.dataset.mask_name(empty.original_index(0));
        return Err(DataError::NothingCounts { masks: empty.len(), first });
    }
    Ok(prepared)
}

impl PreparedPairs {
    fn read(
        dataset: Arc<dyn SegmentationDataset>,
        options: &SizeOptions,
        budget: u64,
        step: &(dyn Fn() + Sync),
    ) -> Result<Self, DataError> {
        let size = (options.height, options.width);
        let pixels = options.pixels()?;
        let classes = dataset.classes().len();
        let (store, found) = Store::read(dataset.len(), 4 * pixels, budget, |index, slot| {
            let outcome = fill(&*dataset, index, size, slot).map(|()| {
                let (image, mask) = slot.split_at(3 * pixels);
                (PixelSums::of(image), count(mask, classes))
            });
            step();
            outcome
        })?;
        let mut result = Self {
            dataset,
            size,
            store,
            sums: PixelSums::default(),
            class_pixels: vec![0; classes],
            class_image_pixels: vec![0; classes],
            ignored_pixels: 0,
        };
        for (sums, (counts, ignored)) in found {
            result.sums = result.sums.plus(sums);
            for (class, n) in counts.into_iter().enumerate() {
                result.class_pixels[class] += n;
                result.class_image_pixels[class] += if n > 0 { pixels as u64 } else { 0 };
            }
            result.ignored_pixels += ignored;
        }
        Ok(result)
    }

    /// Number of good pairs.
    pub fn len(&self) -> usize {
        self.store.kept.len()
    }

    /// Whether no pair is good.
    pub fn is_empty(&self) -> bool {
        self.store.kept.is_empty()
    }

    /// Height and width of all images and masks.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The classes.
    pub fn classes(&self) -> &ClassList {
        self.dataset.classes()
    }

    /// Name of good pair `index` for messages.
    pub fn name(&self, index: usize) -> String {
        self.dataset.name(self.store.kept[index])
    }

    /// The data set before preparation.
    pub fn dataset(&self) -> &Arc<dyn SegmentationDataset> {
        &self.dataset
    }

    /// Index of good pair `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.store.kept[index]
    }

    /// Pairs that were left out, with the reason.
    pub fn bad(&self) -> &[BadImage] {
        &self.store.bad
    }

    /// How 16-bit samples are read, in words; `None` without any, or if all bits are used.
    pub fn depth_note(&self) -> Option<String> {
        self.dataset.depth().and_then(SampleDepth::note)
    }

    /// Number of bits that 16-bit samples are read with, see [`SampleDepth`].
    pub fn sample_bits(&self) -> u8 {
        self.dataset.depth().map_or(16, SampleDepth::bits)
    }

    /// Whether the resized pairs are in memory.
    pub fn in_memory(&self) -> bool {
        self.store.in_memory()
    }

    /// Exact sums over all good images, resized.
    pub fn sums(&self) -> PixelSums {
        self.sums
    }

    /// Pixels of each class over all good masks, resized.
    pub fn class_pixels(&self) -> &[u64] {
        &self.class_pixels
    }

    /// For each class the number of pixels (ignored ones too) of the images that contain it, resized.
    pub fn class_image_pixels(&self) -> &[u64] {
        &self.class_image_pixels
    }

    /// Number of ignored pixels.
    pub fn ignored_pixels(&self) -> u64 {
        self.ignored_pixels
    }

    /// Good pair `index`, resized: RGB bytes (H, W, 3), then train ids (H, W) with 255 for ignored pixels.
    ///
    /// # Errors
    /// Where the pair is not in memory and its files can no longer be read.
    pub fn pair(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(pair) => Ok(Cow::Borrowed(pair)),
            None => {
                let mut pair = vec![0; 4 * self.pixels()];
                fill(&*self.dataset, self.store.kept[index], self.size, &mut pair)?;
                Ok(Cow::Owned(pair))
            }
        }
    }

    fn pixels(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize
    }
}

/// Writes pair `index` at `size` (height, width) into `out`: image, then mask.
fn fill(
    dataset: &dyn SegmentationDataset,
    index: usize,
    (height, width): (u32, u32),
    out: &mut [u8],
) -> Result<(), DataError> {
    let (image, mask) = (dataset.image(index)?, dataset.mask(index)?);
    if image.dimensions() != mask.dimensions() {
        let (image_size, mask_size) = (image.dimensions(), mask.dimensions());
        let problem = ImageProblem::SizesDiffer { image: dataset.name(index), image_size, mask_size };
        return Err(DataError::BadImage(BadImage { image: dataset.mask_name(index), problem }));
    }
    let (image_out, mask_out) = out.split_at_mut(height as usize * width as usize * 3);
    stretch_into(&image, width, height, image_out);
    nearest_into(&mask, width, height, mask_out);
    Ok(())
}

/// Number of pixels of each class, and of ignored pixels.
pub(crate) fn count(mask: &[u8], classes: usize) -> (Vec<u64>, u64) {
    let mut counts = [0u64; 256];
    mask.iter().for_each(|&id| counts[usize::from(id)] += 1);
    (counts.iter().take(classes).copied().collect(), counts[usize::from(IGNORED)])
}

/// Prepared pairs for the loader: the normalized image (H, W, 3), and labels (H, W) with 255 for ignored pixels.
pub struct SegmentationSource {
    prepared: Arc<PreparedPairs>,
    table: Box<[[f32; 256]; 3]>,
    augmentation: Option<Arc<Augmentation>>,
}

impl SegmentationSource {
    /// Pairs of `prepared`, images normalized.
    pub fn new(prepared: Arc<PreparedPairs>, normalization: &Normalization) -> Self {
        Self { prepared, table: Box::new(normalization.table()), augmentation: None }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }
}

impl Source for SegmentationSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let pixels = self.prepared.pixels();
        SampleLayout { image: 3 * pixels, labels: pixels, targets: 0 }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let halves = self.prepared.store.get(index).map(|pair| pair.split_at(3 * self.prepared.pixels()));
        Some(Identity {
            name: self.prepared.name(index),
            mask: Some(self.prepared.dataset.mask_name(self.prepared.store.kept[index])),
            image_digest: halves.map(|(image, _)| digest(image)),
            mask_digest: halves.map(|(_, mask)| digest(mask)),
            ..Identity::default()
        })
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let pair = self.prepared.pair(index)?;
        let (rgb, mask) = pair.split_at(3 * self.prepared.pixels());
        let mut write = |rgb: &[u8], mask: &[u8]| {
            normalize(&self.table, rgb, sample.image);
            sample.labels.iter_mut().zip(mask).for_each(|(label, &id)| *label = u32::from(id));
        };
        match &self.augmentation {
            None => write(rgb, mask),
            Some(augmentation) => {
                let (height, width) = self.prepared.size;
                let size = (height as usize, width as usize);
                augmentation.with(Picture { size, rgb, mask }, epoch, index, write);
            }
        }
        Ok(())
    }
}
