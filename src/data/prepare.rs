//! Looking at every image once before training: what cannot be read is found now, all of it, and
//! not one by one in the middle of an epoch.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::resize::{bytes as image_bytes, square, square_into};
use super::{BadImage, ClassificationDataset, DataError, Layout, Normalization, PixelSums, SampleMut, Source};

/// How to prepare images.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Side of the square that every image is brought to, in pixels; at least 1.
    pub image_size: u32,
    /// Leave out images that cannot be read instead of failing.
    pub skip_bad: bool,
    /// Bytes of resized images that may be kept in memory, over all data sets prepared together.
    /// A data set that does not fit in what is left is decoded again whenever it is needed.
    pub memory_budget: u64,
}

impl PrepareOptions {
    /// Images of `image_size`, bad ones refused, 2 GiB of memory.
    pub fn new(image_size: u32) -> Self {
        Self { image_size, skip_bad: false, memory_budget: 2 << 30 }
    }
}

/// Told `(images done, images in all)` after each image, from any thread.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A data set whose every image has been read once and is known to be good.
pub struct Prepared {
    dataset: Arc<dyn ClassificationDataset>,
    image_size: u32,
    /// Index in `dataset` of each image that was kept.
    kept: Vec<usize>,
    /// Resized images one after another, where they fit in memory.
    pixels: Option<Vec<u8>>,
    bad: Vec<BadImage>,
    sums: PixelSums,
}

/// Prepares data sets together: one budget, one progress, one list of what is bad.
///
/// Uses all cores of rayon's pool; the result does not depend on how many there are. Pass the
/// training data first: it has the first claim on the memory.
///
/// # Errors
/// [`DataError::BadImages`] with every image that cannot be read, unless `skip_bad`; then an error
/// only where a data set, or a class of the first one, has nothing left.
pub fn prepare(
    datasets: &[Arc<dyn ClassificationDataset>],
    options: &PrepareOptions,
    progress: Progress<'_>,
) -> Result<Vec<Prepared>, DataError> {
    if options.image_size == 0 {
        return Err(DataError::Setting { name: "image_size", value: "0".into(), expected: "at least 1" });
    }
    let total = datasets.iter().map(|d| d.len()).sum();
    let done = AtomicUsize::new(0);
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
    let mut budget = options.memory_budget;
    let mut prepared = Vec::with_capacity(datasets.len());
    for dataset in datasets {
        let one = Prepared::read(Arc::clone(dataset), options.image_size, budget, &step)?;
        budget -= one.pixels.as_ref().map_or(0, |p| p.len() as u64);
        prepared.push(one);
    }
    let bad: Vec<BadImage> = prepared.iter().flat_map(|p| p.bad.iter().cloned()).collect();
    if !bad.is_empty() && !options.skip_bad {
        return Err(DataError::BadImages { checked: total, bad });
    }
    for (place, one) in prepared.iter().enumerate() {
        if one.is_empty() {
            return Err(DataError::NothingLeft { checked: one.dataset.len(), bad: one.bad.clone() });
        }
        if place == 0 {
            one.require_every_class()?;
        }
    }
    Ok(prepared)
}

impl Prepared {
    fn read(
        dataset: Arc<dyn ClassificationDataset>,
        image_size: u32,
        budget: u64,
        step: &(dyn Fn() + Sync),
    ) -> Result<Self, DataError> {
        let length = image_bytes(image_size);
        let mut pixels = reserve(dataset.len(), length, budget);
        let read = |index: usize, slot: Option<&mut [u8]>| {
            let outcome = dataset.image(index).map(|image| match slot {
                Some(slot) => {
                    square_into(&image, image_size, slot);
                    PixelSums::of(slot)
                }
                None => PixelSums::of(&square(&image, image_size)),
            });
            step();
            outcome
        };
        let outcomes: Vec<Result<PixelSums, DataError>> = match &mut pixels {
            Some(pixels) => {
                pixels.par_chunks_exact_mut(length).enumerate().map(|(index, slot)| read(index, Some(slot))).collect()
            }
            None => (0..dataset.len()).into_par_iter().map(|index| read(index, None)).collect(),
        };
        let mut result =
            Self { dataset, image_size, kept: Vec::new(), pixels, bad: Vec::new(), sums: PixelSums::default() };
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(sums) => result.keep(index, sums),
                Err(DataError::BadImage(bad)) => result.bad.push(bad),
                Err(other) => return Err(other),
            }
        }
        let left = result.kept.len() * length;
        if let Some(pixels) = &mut result.pixels {
            pixels.truncate(left);
        }
        Ok(result)
    }

    fn keep(&mut self, index: usize, sums: PixelSums) {
        let (length, place) = (image_bytes(self.image_size), self.kept.len());
        if let Some(pixels) = &mut self.pixels
            && place != index
        {
            // Close the gap that bad images left.
            pixels.copy_within(index * length..(index + 1) * length, place * length);
        }
        self.kept.push(index);
        self.sums = self.sums.plus(sums);
    }

    fn require_every_class(&self) -> Result<(), DataError> {
        let mut seen = vec![false; self.class_names().len()];
        for index in 0..self.len() {
            seen[self.label(index) as usize] = true;
        }
        match seen.iter().position(|seen| !seen) {
            Some(class) => Err(DataError::ClassLost { class: self.class_names()[class].clone() }),
            None => Ok(()),
        }
    }

    /// Number of good images.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no image is good.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Side of the images in pixels.
    pub fn image_size(&self) -> u32 {
        self.image_size
    }

    /// Names of the classes.
    pub fn class_names(&self) -> &[String] {
        self.dataset.class_names()
    }

    /// Class of good image `index`.
    pub fn label(&self, index: usize) -> u32 {
        self.dataset.label(self.kept[index])
    }

    /// What to call good image `index` to a person.
    pub fn describe(&self, index: usize) -> String {
        self.dataset.describe(self.kept[index])
    }

    /// The data set that was prepared.
    pub fn dataset(&self) -> &Arc<dyn ClassificationDataset> {
        &self.dataset
    }

    /// Index of good image `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.kept[index]
    }

    /// Images that were left out.
    pub fn bad(&self) -> &[BadImage] {
        &self.bad
    }

    /// Whether the resized images are held in memory.
    pub fn in_memory(&self) -> bool {
        self.pixels.is_some()
    }

    /// Good image `index`, resized: `image_size * image_size * 3` bytes of RGB by rows.
    ///
    /// # Errors
    /// Where it is not in memory and its file can no longer be read.
    pub fn pixels(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let length = image_bytes(self.image_size);
        match &self.pixels {
            Some(pixels) => Ok(Cow::Borrowed(&pixels[index * length..(index + 1) * length])),
            None => {
                let image = self.dataset.image(self.kept[index])?;
                Ok(Cow::Owned(square(&image, self.image_size)))
            }
        }
    }

    /// Exact sums over all good images, resized.
    pub fn sums(&self) -> PixelSums {
        self.sums
    }
}

/// Room for all images, where the budget and the machine have it.
fn reserve(count: usize, length: usize, budget: u64) -> Option<Vec<u8>> {
    let bytes = count.checked_mul(length).filter(|&bytes| bytes as u64 <= budget)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(bytes).ok()?;
    pixels.resize(bytes, 0);
    Some(pixels)
}

/// Prepared images as the loader takes them: normalized, with their class.
pub struct ClassificationSource {
    prepared: Arc<Prepared>,
    table: Box<[[f32; 256]; 3]>,
}

impl ClassificationSource {
    /// Images of `prepared`, normalized.
    pub fn new(prepared: Arc<Prepared>, normalization: &Normalization) -> Self {
        Self { prepared, table: Box::new(normalization.table()) }
    }
}

impl Source for ClassificationSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> Layout {
        Layout { image: image_bytes(self.prepared.image_size), labels: 1, targets: 0 }
    }

    fn load(&self, _epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let pixels = self.prepared.pixels(index)?;
        for (out, rgb) in sample.image.chunks_exact_mut(3).zip(pixels.chunks_exact(3)) {
            for channel in 0..3 {
                out[channel] = self.table[channel][usize::from(rgb[channel])];
            }
        }
        sample.labels[0] = self.prepared.label(index);
        Ok(())
    }
}
