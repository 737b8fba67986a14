//! Preparation of a data set: each sample is read once before training. All unreadable files are reported at once, not
//! one by one in the middle of an epoch. Resized samples stay in memory if they fit.
//!
//! | set | sample | resized by | counted |
//! |---|---|---|---|
//! | images with a class or with labels | RGB | covering and cropping to the center | sums of the channels |
//! | images | RGB | covering and cropping to the center | images without color |
//! | images with masks | RGB, then classes | stretching; nearest for the mask | sums of the channels, pixels of each class |

mod crops;
mod images;
mod labeled;
mod pairs;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use crops::{CropSource, Crops, Place};
pub(crate) use images::is_grey;
pub use images::{ColorizationSource, PreparedImages};
pub use labeled::{ClassificationSource, Labeled, LabeledSource, MultiLabelSource, PreparedClasses, PreparedLabels};
pub use pairs::{PairFacts, PreparedPairs, SegmentationSource};
pub(crate) use pairs::{count, no_pixels};

use image::{RgbImage, RgbaImage};

use super::augment::Picture;
use super::resize::cover_with_margin_into;
use super::store::{Store, settle};
use super::{Augmentation, BadImage, DataError, SampleDepth};

/// Options of the preparation.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Height of the resized samples, in pixels; at least 1.
    pub height: u32,
    /// Width of the resized samples, in pixels; at least 1.
    pub width: u32,
    /// Factor, at least 1, by which images without a mask cover more than the samples, which are their center. 256 / 224 is
    /// torchvision's `Resize(256)` before `CenterCrop(224)`. Of several parts, the first (training) has the factor 1.
    pub margin: f64,
    /// Leave out samples that cannot be read, instead of an error.
    pub skip_bad: bool,
    /// Bytes of resized samples that may be kept in memory, over all data sets prepared together. A data set that does
    /// not fit is decoded on each use.
    pub memory_budget: u64,
}

impl PrepareOptions {
    /// Samples of `height` by `width` pixels, an error for bad samples, 2 GiB of memory.
    pub fn new(height: u32, width: u32) -> Self {
        Self { height, width, margin: 1.0, skip_bad: false, memory_budget: 2 << 30 }
    }

    /// [`Self::new`] for squares of `side` pixels.
    pub fn square(side: u32) -> Self {
        Self::new(side, side)
    }

    /// Number of pixels of a sample.
    fn pixels(&self) -> Result<usize, DataError> {
        let Self { height, width, .. } = *self;
        let in_range = |side: u32| (1..=1 << 15).contains(&side);
        if in_range(height) && in_range(width) {
            return Ok(height as usize * width as usize);
        }
        let value = if height == width { height.to_string() } else { format!("{height}x{width}") };
        Err(DataError::Setting { name: "image_size", value, expected: "HEIGHTxWIDTH, each from 1 to 32768" })
    }
}

/// Called with `(samples done, all samples)` after each sample, from any thread.
pub type ProgressFn<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// A kind of data set for [`prepare`]. Cloning is cheap: a clone shares the images.
pub trait SampleSet: Clone + Send + Sync {
    /// Bytes per pixel of a sample: 3 of RGB, and 1 of a mask.
    const BYTES: usize = 3;
    /// Counts of one sample.
    type Count: Send;
    /// Counts over all good samples.
    type Facts: Send + Sync;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether the set has no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of sample `index` in messages.
    fn name(&self, index: usize) -> String;

    /// How 16-bit samples are read, if the set may have any.
    fn depth(&self) -> Option<&SampleDepth>;

    /// The image of sample `index` at its native size, decoded now.
    ///
    /// # Errors
    /// [`DataError::BadImage`] if its file cannot be read.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// The same image with its four channels as stored.
    ///
    /// # Errors
    /// [`DataError::BadImage`], also for an image that has no four channels.
    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        Err(DataError::no_fourth(self.name(index)))
    }

    /// Writes sample `index`, resized to (height, width), into `out`: the image is scaled to cover the size times the margin,
    /// and cropped to the center. Returns height and width of the image before.
    ///
    /// # Errors
    /// [`DataError::BadImage`] if one of its files cannot be read.
    fn fill(&self, index: usize, (size, margin): (Size, f64), out: &mut [u8]) -> Result<Size, DataError> {
        let image = self.image(index)?;
        cover_with_margin_into(&image, size, margin, out);
        Ok((image.height(), image.width()))
    }

    /// The counts of one sample.
    fn count(&self, sample: &[u8]) -> Self::Count;

    /// The counts over all good samples, from those of each, in order.
    fn facts(&self, counts: Vec<Self::Count>) -> Self::Facts;

    /// Refuses parts of good files on which a network cannot be trained or measured. The first is the training part.
    ///
    /// # Errors
    /// The missing class, color or pixels; see [`prepare`].
    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError>;
}

/// Height and width in pixels.
type Size = (u32, u32);

/// A data set of samples that were all read once and are good.
pub struct Prepared<S: SampleSet> {
    set: S,
    size: Size,
    /// See [`PrepareOptions::margin`].
    margin: f64,
    /// Height and width of each good image before.
    own_sizes: Vec<Size>,
    /// The resized samples.
    store: Store,
    facts: S::Facts,
}

/// Prepares the parts of a data set together, with one memory budget, one progress and one list of bad samples. The training
/// part comes first: it has the first claim on the memory.
///
/// It uses all cores of rayon's pool. The result does not depend on their number. Parts whose 16-bit samples use fewer bits
/// are read twice.
///
/// # Errors
/// | error | cause |
/// |---|---|
/// | [`DataError::BadImages`] | samples that cannot be read, all of them, unless `skip_bad` |
/// | [`DataError::NothingLeft`] | a part without a good sample |
/// | [`DataError::ClassLost`] | a class of the training part without a good image |
/// | [`DataError::NoColor`] | training images without color |
/// | [`DataError::NothingCounts`] | a part whose pixels are all ignored |
pub fn prepare<S: SampleSet>(
    parts: &[S],
    options: &PrepareOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared<S>>, DataError> {
    let bytes = S::BYTES * options.pixels()?;
    let mut prepared = read(parts, options, bytes, progress)?;
    // `count` visits every part, so each settles its depth.
    let changed = parts.iter().filter_map(S::depth).filter(|depth| depth.settle()).count();
    if changed > 0 {
        prepared = read(parts, options, bytes, progress)?;
    }
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.set.len())).collect();
    settle(&stores, options.skip_bad)?;
    S::check(&prepared)?;
    Ok(prepared)
}

/// Reads all samples once, each of `bytes` bytes.
fn read<S: SampleSet>(
    parts: &[S],
    options: &PrepareOptions,
    bytes: usize,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared<S>>, DataError> {
    let total = parts.iter().map(S::len).sum();
    let (done, mut budget) = (AtomicUsize::new(0), options.memory_budget);
    let size = (options.height, options.width);
    let mut prepared = Vec::with_capacity(parts.len());
    for (part, set) in parts.iter().enumerate() {
        let margin = if part == 0 && parts.len() > 1 { 1.0 } else { options.margin };
        let (store, found) = Store::read(set.len(), bytes, budget, |index, slot| {
            let outcome = set.fill(index, (size, margin), slot).map(|own| (own, set.count(slot)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            outcome
        })?;
        budget -= store.bytes();
        let (own_sizes, counts) = found.into_iter().unzip();
        prepared.push(Prepared { set: set.clone(), size, margin, own_sizes, store, facts: set.facts(counts) });
    }
    Ok(prepared)
}

impl<S: SampleSet> Prepared<S> {
    /// Number of good samples.
    pub fn len(&self) -> usize {
        self.store.kept.len()
    }

    /// Whether no sample is good.
    pub fn is_empty(&self) -> bool {
        self.store.kept.is_empty()
    }

    /// Height and width of all samples, in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Height and width of good image `index` as its file has it.
    pub fn own_size(&self, index: usize) -> (u32, u32) {
        self.own_sizes[index]
    }

    /// Whether an image had another size than the samples.
    pub fn is_resized(&self) -> bool {
        self.own_sizes.iter().any(|own| *own != self.size)
    }

    /// Number of pixels of a sample.
    fn pixels(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize
    }

    /// Name of good sample `index` in messages.
    pub fn name(&self, index: usize) -> String {
        self.set.name(self.original_index(index))
    }

    /// The data set before preparation.
    pub fn dataset(&self) -> &S {
        &self.set
    }

    /// Index of good sample `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.store.kept[index]
    }

    /// Samples that were left out, with reasons.
    pub fn bad(&self) -> &[BadImage] {
        &self.store.bad
    }

    /// Counts over all good samples.
    pub fn facts(&self) -> &S::Facts {
        &self.facts
    }

    /// How 16-bit samples are read, in words; `None` without any, or if all bits are used.
    pub fn depth_note(&self) -> Option<String> {
        self.set.depth().and_then(SampleDepth::note)
    }

    /// Number of bits that 16-bit samples are read with, see [`SampleDepth`].
    pub fn sample_bits(&self) -> u8 {
        self.set.depth().map_or(16, SampleDepth::bits)
    }

    /// Whether the resized samples are held in memory.
    pub fn in_memory(&self) -> bool {
        self.store.in_memory()
    }

    /// Good sample `index`, resized: RGB bytes (H, W, 3), then the train ids (H, W) of a mask, 255 for ignored pixels.
    ///
    /// # Errors
    /// Where the sample is not in memory and its files can no longer be read.
    pub fn sample(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(sample) => Ok(Cow::Borrowed(sample)),
            None => {
                let mut sample = vec![0; S::BYTES * self.pixels()];
                self.set.fill(self.original_index(index), (self.size, self.margin), &mut sample)?;
                Ok(Cow::Owned(sample))
            }
        }
    }

    /// Calls `take` with the RGB bytes and the mask of good sample `index`, after `augmentation`.
    fn augmented<R>(
        &self,
        augmentation: Option<&Augmentation>,
        epoch: u64,
        index: usize,
        take: impl FnOnce(&[u8], &[u8]) -> R,
    ) -> Result<R, DataError> {
        let sample = self.sample(index)?;
        let (rgb, mask) = sample.split_at(3 * self.pixels());
        Ok(match augmentation {
            None => take(rgb, mask),
            Some(augmentation) => {
                let size = (self.size.0 as usize, self.size.1 as usize);
                augmentation.with(Picture { size, rgb, mask }, epoch, index, take)
            }
        })
    }
}

/// The augmentation of a source, if any.
type Augmenting = Option<Arc<Augmentation>>;
