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
mod options;
mod pairs;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use crops::{CropSource, Crops, Place};
pub(crate) use images::is_grey;
pub use images::{ColorizationSource, PreparedImages};
pub use labeled::{ClassificationSource, Labeled, LabeledSource, MultiLabelSource, PreparedClasses, PreparedLabels};
pub use options::PrepareOptions;
pub use pairs::{PairFacts, PreparedPairs, SegmentationSource};
pub(crate) use pairs::{count, no_pixels};

use image::{RgbImage, RgbaImage};

use super::augment::Picture;
use super::batch::digest;
use super::depth::Basis;
use super::resize::cover_with_margin_into;
use super::store::{Memory, Store, settle};
use super::{Augmentation, BadImage, DataError, SampleDepth};
use crate::random;

/// Largest number of samples of a part that are read before training, where the parts do not fit into memory.
pub const SAMPLED: usize = 512;

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

    /// The image of sample `index` with its four channels as stored.
    ///
    /// # Errors
    /// [`DataError::BadImage`], also for an image that has no four channels.
    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        Err(DataError::no_fourth(self.name(index)))
    }

    /// Writes sample `index`, resized to (height, width), into `out`: the image is scaled to cover the size times the
    /// margin, and cropped to the center. Returns size and digest of the pixels before resizing.
    ///
    /// # Errors
    /// [`DataError::BadImage`] if one of its files cannot be read.
    fn fill(&self, index: usize, (size, margin): (Size, f64), out: &mut [u8]) -> Result<Own, DataError> {
        let image = self.image(index)?;
        cover_with_margin_into(&image, size, margin, out);
        Ok(Own { size: (image.height(), image.width()), digest: digest(image.as_raw()) })
    }

    /// The counts of one sample.
    fn count(&self, sample: &[u8]) -> Self::Count;

    /// The counts over all good samples, from the index and the counts of each, in order.
    fn facts(&self, counts: Vec<(usize, Self::Count)>) -> Self::Facts;

    /// Refuses parts whose files are good, but on which a network cannot be trained or measured. The first part is for
    /// training.
    ///
    /// # Errors
    /// The missing class, color or pixels; see [`prepare`].
    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError>;
}

/// Height and width in pixels.
type Size = (u32, u32);

/// Facts of the files of a sample, at their own size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// Height and width of the image, in pixels.
    pub size: (u32, u32),
    /// Digest of the pixels, with those of the mask.
    pub digest: u64,
}

/// A data set of good samples: all were read once, or a sample of them where the set is read on demand.
pub struct Prepared<S: SampleSet> {
    set: S,
    size: Size,
    /// See [`PrepareOptions::margin`].
    margin: f64,
    /// Height and width of each image that was read, before it was resized.
    own_sizes: Vec<Size>,
    /// Digests of the same images at these sizes.
    own_digests: Vec<u64>,
    /// Whether only a sample was read.
    is_sampled: bool,
    /// The resized samples.
    store: Store,
    facts: S::Facts,
}

/// Prepares the parts of a data set together, with one memory budget, one progress and one list of bad samples. The
/// training part comes first.
///
/// | all resized samples | unreadable samples | read now | in memory |
/// |---|---|---|---|
/// | fit the budget | an error, or left out | all | all |
/// | exceed the budget | left out (`skip_bad`) | all | each from its first use, while the budget lasts |
/// | exceed the budget | an error, at the latest at their first use | [`SAMPLED`] of each part, by a fixed seed | each from its first use, while the budget lasts |
///
/// The facts are counts over the samples that were read.
///
/// It uses all cores of rayon's pool. The result does not depend on their number. All parts are read again if their
/// 16-bit samples use fewer bits.
///
/// # Errors
/// | error | cause |
/// |---|---|
/// | [`DataError::BadImages`] | samples that cannot be read, all of them, unless `skip_bad` |
/// | [`DataError::NothingLeft`] | a part without a good sample |
/// | [`DataError::ClassLost`] | a class of the training part without a good image |
/// | [`DataError::NoColor`] | training images without color |
/// | [`DataError::NothingCounts`] | a part whose pixels are all ignored |
/// | [`DataError::DarkForModel`] | 16-bit images of few bits, read for a model of 8-bit images |
pub fn prepare<S: SampleSet>(
    parts: &[S],
    options: &PrepareOptions,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared<S>>, DataError> {
    let bytes = S::BYTES * options.pixels()?;
    let mut prepared = read(parts, options, bytes, progress)?;
    let settle_depth = |(set, one): (&S, &Prepared<S>)| {
        let basis = if one.is_sampled { Basis::Sample } else { Basis::All };
        set.depth().is_some_and(|depth| depth.settle(basis))
    };
    // `count` visits every part, so each settles its depth.
    let changed = parts.iter().zip(&prepared).filter(|pair| settle_depth(*pair)).count();
    if changed > 0 {
        prepared = read(parts, options, bytes, progress)?;
    }
    for depth in parts.iter().filter_map(S::depth) {
        if let Some(problem) = depth.refuse_dark() {
            return Err(DataError::DarkForModel { images: depth.images(), problem });
        }
    }
    let stores: Vec<_> = prepared.iter().map(|one| (&one.store, one.own_sizes.len() + one.store.bad.len())).collect();
    settle(&stores, options.skip_bad)?;
    S::check(&prepared)?;
    Ok(prepared)
}

/// Reads all samples once, each of `bytes` bytes, or [`SAMPLED`] of each part.
fn read<S: SampleSet>(
    parts: &[S],
    options: &PrepareOptions,
    bytes: usize,
    progress: ProgressFn<'_>,
) -> Result<Vec<Prepared<S>>, DataError> {
    let all: usize = parts.iter().map(S::len).sum();
    let needed = all as u128 * bytes as u128;
    let fits = needed <= u128::from(options.memory_budget);
    let places = |set: &S| (!fits && !options.skip_bad && set.len() > SAMPLED).then(|| spread_sample(set.len()));
    let sampled: Vec<Option<Vec<usize>>> = parts.iter().map(places).collect();
    let total = parts.iter().zip(&sampled).map(|(set, places)| places.as_ref().map_or(set.len(), Vec::len)).sum();
    let done = AtomicUsize::new(0);
    let size = (options.height, options.width);
    let mut prepared = Vec::with_capacity(parts.len());
    for (part, (set, places)) in parts.iter().zip(sampled).enumerate() {
        let margin = if part == 0 && parts.len() > 1 { 1.0 } else { options.margin };
        let fill = |index: usize, slot: &mut [u8]| {
            let outcome = set.fill(index, (size, margin), slot).map(|own| (own, set.count(slot)));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            outcome
        };
        // Parts share the budget by their lengths.
        let share = (u128::from(options.memory_budget) * set.len() as u128 / all.max(1) as u128) as u64;
        let memory = if fits { Memory::First } else { Memory::OnDemand(share) };
        let (store, found) = match &places {
            Some(places) => Store::sampled(set.len(), bytes, share, places, fill)?,
            None => Store::read(set.len(), bytes, memory, fill)?,
        };
        let (own, counts): (Vec<Own>, Vec<_>) = found.into_iter().map(|(at, (own, count))| (own, (at, count))).unzip();
        let (own_sizes, own_digests) = own.into_iter().map(|own| (own.size, own.digest)).unzip();
        let (facts, is_sampled) = (set.facts(counts), places.is_some());
        prepared.push(Prepared { set: set.clone(), size, margin, own_sizes, own_digests, is_sampled, store, facts });
    }
    Ok(prepared)
}

/// [`SAMPLED`] of `count` indices, ascending, by a fixed seed.
fn spread_sample(count: usize) -> Vec<usize> {
    let mut places = random::shuffled(count, 0, 0);
    places.truncate(SAMPLED);
    places.sort_unstable();
    places
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

    /// Native height and width of the good images that were read: of all, in order, or of a sample.
    pub fn own_sizes(&self) -> &[(u32, u32)] {
        &self.own_sizes
    }

    /// Whether only a sample of the images was read. The others are read when they are needed, and the facts are those
    /// of the sample.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// Pixels of all good images as their files have them; an estimate where only a sample was read.
    pub fn own_pixels(&self) -> u64 {
        let read: u128 = self.own_sizes.iter().map(|&(h, w)| u128::from(h) * u128::from(w)).sum();
        (read * self.len() as u128 / self.own_sizes.len().max(1) as u128) as u64
    }

    /// Digest of the files of good sample `index` at their own size; `None` where only a sample was read.
    fn own_digest(&self, index: usize) -> Option<u64> {
        if self.is_sampled { None } else { self.own_digests.get(index).copied() }
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

    /// How 16-bit samples are read, and other notes on the files; `None` without a note.
    pub fn depth_note(&self) -> Option<String> {
        let note = self.set.depth().and_then(SampleDepth::note)?;
        Some(if self.is_sampled { format!("of {} images that were read: {note}", self.own_sizes.len()) } else { note })
    }

    /// A note on images that are darker than those on which the model was trained; see [`SampleDepth`].
    pub fn note_for_model(&self) -> Option<String> {
        self.set.depth().and_then(SampleDepth::note_for_model)
    }

    /// Number of bits that 16-bit samples are read with, see [`SampleDepth`].
    pub fn sample_bits(&self) -> u8 {
        self.set.depth().map_or(16, SampleDepth::bits)
    }

    /// [`Self::sample_bits`]; `None` if no 16-bit image was read.
    #[cfg(feature = "tasks")]
    pub(crate) fn known_sample_bits(&self) -> Option<u8> {
        self.set.depth().filter(|depth| depth.images() > 0).map(SampleDepth::bits)
    }

    /// Whether all resized samples are held in memory from the first reading on.
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
                self.store.offer(index, &sample);
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

/// The augmentation of a source; `None` without augmentation.
type Augmenting = Option<Arc<Augmentation>>;
