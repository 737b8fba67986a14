//! Prepared images with several labels each, and their source for the loader.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::MultiLabelSet;
use crate::data::augment::Picture;
use crate::data::batch::{Identity, digest};
use crate::data::normalize::normalize;
use crate::data::resize::{bytes as image_bytes, square, square_into};
use crate::data::store::{Store, settle};
use crate::data::{
    Augmentation, BadImage, DataError, Mix, Normalization, PixelSums, PrepareOptions, ProgressFn, SampleLayout,
    SampleMut, Source,
};

/// A set of images that were all read once and are good.
pub struct PreparedLabels {
    set: MultiLabelSet,
    image_size: u32,
    store: Store,
    sums: PixelSums,
}

/// Prepares sets together, with one memory budget, one progress and one list of bad images. The training set comes
/// first: it has the first claim on the memory.
///
/// # Errors
/// [`DataError::BadImages`] with every image that cannot be read, unless `skip_bad`. With `skip_bad` a set without any
/// good image.
pub fn prepare_multi_label(
    sets: &[MultiLabelSet],
    options: &PrepareOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<PreparedLabels>, DataError> {
    if options.image_size == 0 {
        return Err(DataError::Setting { name: "image_size", value: "0".into(), expected: "at least 1" });
    }
    let total = sets.iter().map(MultiLabelSet::len).sum();
    let (done, mut budget) = (AtomicUsize::new(0), options.memory_budget);
    let mut prepared: Vec<PreparedLabels> = Vec::with_capacity(sets.len());
    for set in sets {
        let (store, sums) = Store::read(set.len(), image_bytes(options.image_size), budget, |index, slot| {
            let outcome = set.image(index).map(|image| {
                square_into(&image, options.image_size, slot);
                PixelSums::of(slot)
            });
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            outcome
        })?;
        budget -= store.bytes();
        let sums = sums.into_iter().fold(PixelSums::default(), PixelSums::plus);
        prepared.push(PreparedLabels { set: set.clone(), image_size: options.image_size, store, sums });
    }
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.set.len())).collect();
    settle(&stores, options.skip_bad)?;
    Ok(prepared)
}

impl PreparedLabels {
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
        self.set.class_names()
    }

    /// Classes of good image `index`, ascending.
    pub fn labels(&self, index: usize) -> &[u32] {
        self.set.labels(self.store.kept[index])
    }

    /// Number of good images of each class.
    pub fn positives(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_names().len()];
        (0..self.len()).flat_map(|index| self.labels(index)).for_each(|&label| counts[label as usize] += 1);
        counts
    }

    /// Fails where a class has no good image, because it cannot be learned.
    ///
    /// # Errors
    /// [`DataError::ClassLost`].
    pub fn require_every_class(&self) -> Result<(), DataError> {
        match self.positives().iter().position(|&positives| positives == 0) {
            Some(class) => Err(DataError::ClassLost { class: self.class_names()[class].clone() }),
            None => Ok(()),
        }
    }

    /// Name of good image `index` for messages.
    pub fn name(&self, index: usize) -> String {
        self.set.name(self.store.kept[index])
    }

    /// Images that were left out.
    pub fn bad(&self) -> &[BadImage] {
        &self.store.bad
    }

    /// Good image `index`, resized: `image_size * image_size * 3` bytes of RGB by rows.
    ///
    /// # Errors
    /// Where the image is not in memory and its file can no longer be read.
    pub fn pixels(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(pixels) => Ok(Cow::Borrowed(pixels)),
            None => Ok(Cow::Owned(square(&self.set.image(self.store.kept[index])?, self.image_size))),
        }
    }

    /// Exact sums over all good images, resized.
    pub fn sums(&self) -> PixelSums {
        self.sums
    }
}

/// Prepared images for the loader: normalized (H, W, 3) as input, 1 or 0 for each class as targets.
pub struct MultiLabelSource {
    prepared: Arc<PreparedLabels>,
    table: Box<[[f32; 256]; 3]>,
    augmentation: Option<Arc<Augmentation>>,
    mix: Mix,
}

thread_local! {
    /// The image that is mixed into another.
    static OTHER: RefCell<Vec<f32>> = RefCell::default();
}

impl MultiLabelSource {
    /// Images of `prepared`, normalized.
    pub fn new(prepared: Arc<PreparedLabels>, normalization: &Normalization) -> Self {
        Self { prepared, table: Box::new(normalization.table()), augmentation: None, mix: Mix::default() }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }

    /// The same, with mixing. Targets are then shares from 0 to 1. A set of one image is not mixed.
    pub fn mixed(self, mix: Mix) -> Self {
        Self { mix, ..self }
    }

    /// Writes the image of sample `index` without mixing.
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

impl Source for MultiLabelSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let targets = self.prepared.class_names().len();
        SampleLayout { image: image_bytes(self.prepared.image_size), labels: 0, targets }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let names = self.prepared.class_names();
        let labels = self.prepared.labels(index).iter().filter_map(|&label| names.get(label as usize));
        let label = labels.map(String::as_str).collect::<Vec<_>>().join("; ");
        let image_digest = self.prepared.store.get(index).map(digest);
        Some(Identity { name: self.prepared.name(index), label, image_digest, ..Identity::default() })
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        self.image(epoch, index, sample.image)?;
        sample.targets.fill(0.0);
        let mut add = |index: usize, share: f32| {
            self.prepared.labels(index).iter().for_each(|&label| sample.targets[label as usize] += share);
        };
        if !self.mix.is_on() || self.len() == 1 {
            add(index, 1.0);
            return Ok(());
        }
        let side = self.prepared.image_size as usize;
        let mixed = self.mix.draw(epoch, index, self.len(), (side, side));
        add(index, mixed.share);
        add(mixed.other, 1.0 - mixed.share);
        OTHER.with_borrow_mut(|other| {
            other.resize(sample.image.len(), 0.0);
            self.image(epoch, mixed.other, other)?;
            mixed.apply(sample.image, other, side, 3);
            Ok(())
        })
    }
}
