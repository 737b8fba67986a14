//! Reads every sample of a data set once before training. All unreadable files are named then, and not one by one in the
//! middle of an epoch. Resized samples stay in memory where they fit.
//!
//! | set | sample | brought to size by | counted |
//! |---|---|---|---|
//! | images with a class or with labels | RGB | covering, centre kept | sums of the channels |
//! | images | RGB | covering, centre kept | images without color |
//! | images with masks | RGB, then classes | stretching; nearest for the mask | sums of the channels, pixels of each class |

mod images;
mod labeled;
mod pairs;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use images::is_grey;
pub use images::{ColorizationSource, PreparedImages};
pub use labeled::{ClassificationSource, Labeled, LabeledSource, MultiLabelSource, PreparedClasses, PreparedLabels};
pub use pairs::{PairFacts, PreparedPairs, SegmentationSource};
pub(crate) use pairs::{count, no_pixel};

use image::RgbImage;

use super::augment::Picture;
use super::resize::cover_into;
use super::store::{Store, settle};
use super::{Augmentation, BadImage, DataError, SampleDepth};

/// How to prepare a data set.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Height that every sample is brought to, in pixels; at least 1.
    pub height: u32,
    /// Width that every sample is brought to, in pixels; at least 1.
    pub width: u32,
    /// Leave out samples that cannot be read instead of failing.
    pub skip_bad: bool,
    /// Bytes of resized samples that may be kept in memory, over all data sets prepared together. A data set that does
    /// not fit in the rest is decoded again whenever it is needed.
    pub memory_budget: u64,
}

impl PrepareOptions {
    /// `height` by `width` pixels, bad samples refused, 2 GiB of memory.
    pub fn new(height: u32, width: u32) -> Self {
        Self { height, width, skip_bad: false, memory_budget: 2 << 30 }
    }

    /// [`Self::new`] for squares of `side` pixels.
    pub fn square(side: u32) -> Self {
        Self::new(side, side)
    }

    /// Pixels of a sample.
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

/// A kind of data set, as [`prepare`] reads it. Cloning is cheap: a clone shares its images.
pub trait SampleSet: Clone + Send + Sync {
    /// Bytes of a sample for each of its pixels: 3 of RGB, and 1 where there is a mask.
    const BYTES: usize = 3;
    /// What is counted in a sample.
    type Count: Send;
    /// What is counted over all good samples.
    type Facts: Send + Sync;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What to call sample `index` to a person.
    fn name(&self, index: usize) -> String;

    /// How 16-bit samples are read, where there may be any.
    fn depth(&self) -> Option<&SampleDepth>;

    /// The image of sample `index` at its native size, decoded now.
    ///
    /// # Errors
    /// [`DataError::BadImage`] where its file cannot be read.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// Writes sample `index`, brought to `size` (height, width), into `out`: the image, scaled to cover the size, its centre.
    ///
    /// # Errors
    /// [`DataError::BadImage`] where a file of it cannot be read.
    fn fill(&self, index: usize, (height, width): (u32, u32), out: &mut [u8]) -> Result<(), DataError> {
        cover_into(&self.image(index)?, width, height, out);
        Ok(())
    }

    /// Counts in one sample.
    fn count(&self, sample: &[u8]) -> Self::Count;

    /// Counts over all good samples, given those of each, in order.
    fn facts(&self, counts: Vec<Self::Count>) -> Self::Facts;

    /// Refuses sets of which all files are good, but nothing can be learned or measured. The first is the training part.
    ///
    /// # Errors
    /// Says what is lacking.
    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError>;
}

/// A data set whose every sample has been read once and is known to be good.
pub struct Prepared<S: SampleSet> {
    set: S,
    /// Height and width.
    size: (u32, u32),
    /// The resized samples.
    store: Store,
    facts: S::Facts,
}

/// Prepares the parts of a data set together: one memory budget, one progress, one list of bad samples. Pass the training
/// part first: it has the first claim on the memory.
///
/// It uses all cores of rayon's pool; the result does not depend on how many there are. Parts whose 16-bit samples turn out
/// to use fewer bits are read a second time.
///
/// # Errors
/// [`DataError::BadImages`] with every sample that cannot be read, unless `skip_bad`. [`DataError::NothingLeft`] where a part
/// has no good sample. Else where nothing can be learned: [`DataError::ClassLost`] for a class of the training part without a
/// good image, [`DataError::NoColor`] for training images without color, [`DataError::NothingCounts`] for a part of which
/// all pixels are ignored.
pub fn prepare<S: SampleSet>(
    parts: &[S],
    options: &PrepareOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared<S>>, DataError> {
    let bytes = S::BYTES * options.pixels()?;
    let mut prepared = read(parts, options, bytes, progress)?;
    // Every part settles, although any one of them is reason enough.
    let changed = parts.iter().filter_map(S::depth).filter(|depth| depth.settle()).count();
    if changed > 0 {
        prepared = read(parts, options, bytes, progress)?;
    }
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.set.len())).collect();
    settle(&stores, options.skip_bad)?;
    S::check(&prepared)?;
    Ok(prepared)
}

/// Reads all samples once. Each has `bytes` bytes.
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
    for set in parts {
        let (store, counts) = Store::read(set.len(), bytes, budget, |index, slot| {
            let outcome = set.fill(index, size, slot).map(|()| set.count(slot));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            outcome
        })?;
        budget -= store.bytes();
        prepared.push(Prepared { set: set.clone(), size, store, facts: set.facts(counts) });
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

    /// Pixels of a sample.
    fn pixels(&self) -> usize {
        self.size.0 as usize * self.size.1 as usize
    }

    /// What to call good sample `index` to a person.
    pub fn name(&self, index: usize) -> String {
        self.set.name(self.original_index(index))
    }

    /// The data set that was prepared.
    pub fn dataset(&self) -> &S {
        &self.set
    }

    /// Index of good sample `index` in [`Self::dataset`].
    pub fn original_index(&self, index: usize) -> usize {
        self.store.kept[index]
    }

    /// Samples that were left out, with the reason.
    pub fn bad(&self) -> &[BadImage] {
        &self.store.bad
    }

    /// What was counted over all good samples.
    pub fn facts(&self) -> &S::Facts {
        &self.facts
    }

    /// How 16-bit samples are read, in words; `None` where there are none or all bits are used.
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

    /// Good sample `index`, resized: RGB bytes (H, W, 3); then, where there are masks, train ids (H, W), 255 ignored.
    ///
    /// # Errors
    /// Where it is not in memory and its files can no longer be read.
    pub fn sample(&self, index: usize) -> Result<Cow<'_, [u8]>, DataError> {
        match self.store.get(index) {
            Some(sample) => Ok(Cow::Borrowed(sample)),
            None => {
                let mut sample = vec![0; S::BYTES * self.pixels()];
                self.set.fill(self.original_index(index), self.size, &mut sample)?;
                Ok(Cow::Owned(sample))
            }
        }
    }

    /// Hands the RGB bytes and the mask of good sample `index` to `take`, changed at random by `augmentation`.
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

/// Changes at random, of a source that may have none.
type Augmenting = Option<Arc<Augmentation>>;
