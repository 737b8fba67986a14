//! Preparation of images: each image is read once before training. All unreadable images are reported at once, not one
//! by one in the middle of an epoch.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::augment::Picture;
use super::batch::{Identity, digest};
use super::normalize::normalize;
use super::resize::{bytes as image_bytes, square, square_into};
use super::store::{Store, settle};
use super::{
    Augmentation, BadImage, ClassificationDataset, DataError, Mix, Normalization, PixelSums, SampleDepth, SampleLayout,
    SampleMut, Source,
};

/// Options of the preparation.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Side of the square that every image is scaled to, in pixels; at least 1.
    pub image_size: u32,
    /// Leave out images that cannot be read, instead of an error.
    pub skip_bad: bool,
    /// Bytes of resized images that may be kept in memory, over all data sets prepared together. A data set that does
    /// not fit is decoded on each use.
    pub memory_budget: u64,
}

impl PrepareOptions {
    /// Images of `image_size`, an error for bad images, 2 GiB of memory.
    pub fn new(image_size: u32) -> Self {
        Self { image_size, skip_bad: false, memory_budget: 2 << 30 }
    }
}

/// Called with `(images done, all images)` after each image, from any thread.
pub type ProgressFn<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A data set of images that were all read once and are good.
pub struct Prepared {
    dataset: Arc<dyn ClassificationDataset>,
    image_size: u32,
    /// The resized images.
    store: Store,
    sums: PixelSums,
}

/// Prepares data sets together, with one memory budget, one progress and one list of bad images.
///
/// It uses all cores of rayon's pool. The result does not depend on their number. The training set comes first: it has
/// the first claim on the memory.
///
/// # Errors
/// [`DataError::BadImages`] with every image that cannot be read, unless `skip_bad`. With `skip_bad` a data set, or a
/// class of the first one, without any good image.
pub fn prepare(
    datasets: &[Arc<dyn ClassificationDataset>],
    options: &PrepareOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared>, DataError> {
    if options.image_size == 0 {
        return Err(DataError::Setting { name: "image_size", value: "0".into(), expected: "at least 1" });
    }
    let total = datasets.iter().map(|d| d.len()).sum();
    let prepared = with_depth(
        |set: &Prepared| set.dataset.depth(),
        || {
            let done = AtomicUsize::new(0);
            let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            let mut budget = options.memory_budget;
            let mut prepared = Vec::with_capacity(datasets.len());
            for dataset in datasets {
                let one = Prepared::read(Arc::clone(dataset), options.image_size, budget, &step)?;
                budget -= one.store.bytes();
                prepared.push(one);
            }
            Ok(prepared)
        },
    )?;
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.dataset.len())).collect();
    settle(&stores, options.skip_bad)?;
    if let Some(first) = prepared.first() {
        first.require_every_class()?;
    }
    Ok(prepared)
}

/// Reads sets once, and a second time if their 16-bit samples use fewer bits.
pub(crate) fn with_depth<T>(
    depth: impl Fn(&T) -> Option<&SampleDepth>,
    read: impl Fn() -> Result<Vec<T>, DataError>,
) -> Result<Vec<T>, DataError> {
    let sets = read()?;
    // Every set settles, although one change is enough.
    let changed = sets.iter().filter_map(&depth).filter(|depth| depth.settle()).count();
    if changed > 0 { read() } else { Ok(sets) }
}

impl Prepared {
    fn read(
        dataset: Arc<dyn ClassificationDataset>,
        image_size: u32,
        budget: u64,
        step: &(dyn Fn() + Sync),
    ) -> Result<Self, DataError> {
        let (store, sums) = Store::read(dataset.len(), image_bytes(image_size), budget, |index, slot| {
            let outcome = dataset.image(index).map(|image| {
                square_into(&image, image_size, slot);
                PixelSums::of(slot)
            });
            step();
            outcome
        })?;
        let sums = sums.into_iter().fold(PixelSums::default(), PixelSums::plus);
        Ok(Self { dataset, image_size, store, sums })
    }

    /// Refuses a set in which all images of a class are unreadable. A class without images is no fault here: the
    /// opening of the set noted it.
    fn require_every_class(&self) -> Result<(), DataError> {
        let [mut listed, mut read] = [(); 2].map(|()| vec![false; self.class_names().len()]);
        (0..self.dataset.len()).for_each(|index| listed[self.dataset.label(index) as usize] = true);
        (0..self.len()).for_each(|index| read[self.label(index) as usize] = true);
        match listed.iter().zip(&read).position(|(listed, read)| *listed && !read) {
            Some(class) => Err(DataError::ClassLost { class: self.class_names()[class].clone() }),
            None => Ok(()),
        }
    }

    /// Number of good images.
    pub fn len(&self) -> usize {
        self.store.kept.len()
    }

    /// Whether no image is good.
    pub fn is_empty(&self) -> bool {
        self.store.kept.is_empty()
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
        self.dataset.label(self.store.kept[index])
    }

    /// Name of good image `index` for messages.
    pub fn describe(&self, index: usize) -> String {
        self.dataset.describe(self.store.kept[index])
    }

    /// The data set before preparation.
    pub fn dataset(&self) -> &Arc<dyn ClassificationDataset> {
        &self.dataset
    }

    /// Index of good image `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.store.kept[index]
    }

    /// Images that were left out.
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

    /// Whether the resized images are in memory.
    pub fn in_memory(&self) -> bool {
        self.store.in_memory()
    }

    /// Good image `index`, resized: `image_size * image_size * 3` bytes of RGB by rows.
    ///
    /// # Errors
    /// Where the image is not in memory and its file can no longer be read.
    pub fn pixels(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(pixels) => Ok(Cow::Borrowed(pixels)),
            None => {
                let image = self.dataset.image(self.store.kept[index])?;
                Ok(Cow::Owned(square(&image, self.image_size)))
            }
        }
    }

    /// Exact sums over all good images, resized.
    pub fn sums(&self) -> PixelSums {
        self.sums
    }
}

/// Prepared images for the loader: normalized, with their class.
pub struct ClassificationSource {
    prepared: Arc<Prepared>,
    table: Box<[[f32; 256]; 3]>,
    augmentation: Option<Arc<Augmentation>>,
    mix: Mix,
}

thread_local! {
    /// The image that is mixed into another.
    static OTHER: RefCell<Vec<f32>> = RefCell::default();
}

impl ClassificationSource {
    /// Images of `prepared`, normalized.
    pub fn new(prepared: Arc<Prepared>, normalization: &Normalization) -> Self {
        Self { prepared, table: Box::new(normalization.table()), augmentation: None, mix: Mix::default() }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }

    /// The same, with mixing. Targets are then probabilities of all classes. A set of one image is not mixed.
    pub fn mixed(self, mix: Mix) -> Self {
        Self { mix, ..self }
    }

    /// Writes sample `index` without mixing.
    fn image(&self, epoch: u64, index: usize, to: &mut [f32]) -> Result<(), DataError> {
        let pixels = self.prepared.pixels(index)?;
        match &self.augmentation {
            None => normalize(&self.table, &pixels, to),
            Some(augmentation) => {
                let side = self.prepared.image_size as usize;
                let picture = Picture { size: (side, side), rgb: &pixels, mask: &[] };
                augmentation.with(picture, epoch, index, |rgb, _| normalize(&self.table, rgb, to));
            }
        }
        Ok(())
    }
}

impl Source for ClassificationSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let targets = if self.mix.is_on() { self.prepared.class_names().len() } else { 0 };
        SampleLayout { image: image_bytes(self.prepared.image_size), labels: 1, targets }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let label = self.prepared.class_names().get(self.prepared.label(index) as usize).cloned().unwrap_or_default();
        let image_digest = self.prepared.store.get(index).map(digest);
        Some(Identity { name: self.prepared.describe(index), label, image_digest, ..Identity::default() })
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        self.image(epoch, index, sample.image)?;
        let label = self.prepared.label(index);
        sample.labels[0] = label;
        if !self.mix.is_on() {
            return Ok(());
        }
        sample.targets.fill(0.0);
        sample.targets[label as usize] = 1.0;
        if self.len() == 1 {
            return Ok(());
        }
        let side = self.prepared.image_size as usize;
        let mixed = self.mix.draw(epoch, index, self.len(), (side, side));
        sample.targets[label as usize] = mixed.share;
        sample.targets[self.prepared.label(mixed.other) as usize] += 1.0 - mixed.share;
        OTHER.with_borrow_mut(|other| {
            other.resize(sample.image.len(), 0.0);
            self.image(epoch, mixed.other, other)?;
            mixed.apply(sample.image, other, side, 3);
            Ok(())
        })
    }
}
