//! Reads a whole data set before training, to report all faults at once.

mod classification;
mod duplicates;
mod images;
mod json;
mod multilabel;
mod near;
mod report;
mod segmentation;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use rayon::prelude::*;

use super::{BadImage, DataError, Hints, OpenOptions, ProgressFn, SampleDepth, SetOptions};
pub use classification::check_classification;
pub(super) use duplicates::hash_of;
pub use images::check_images;
pub use multilabel::check_multi_label;
pub use report::{CheckReport, ClassCount, Fault, PartCount};
pub use segmentation::check_segmentation;

/// Options of a check.
#[derive(Clone)]
pub struct CheckOptions<'a> {
    /// Share held out for validation if the data set has no validation part.
    pub val_split: f32,
    /// Seed of that split.
    pub seed: u64,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Called with the number of samples read and the number of all samples.
    pub progress: ProgressFn<'a>,
}

impl Default for CheckOptions<'_> {
    /// 20 % for validation, seed 0, no hints, no progress reports.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0, hints: Hints::default(), progress: &|_, _| () }
    }
}

impl CheckOptions<'_> {
    /// Opening continues past incomplete parts and reports them.
    pub(super) fn set_options(&self) -> SetOptions {
        let hints = self.hints.clone();
        SetOptions { val_split: self.val_split, seed: self.seed, skip_bad: true, hints, ..SetOptions::default() }
    }

    pub(super) fn open_options(&self) -> OpenOptions {
        let hints = self.hints.clone();
        OpenOptions { val_split: self.val_split, seed: self.seed, hints, ..OpenOptions::default() }
    }
}

/// Facts of a sample that was read.
struct Sample {
    name: String,
    /// Name of its class, if the image has one as a whole.
    label: Option<String>,
    /// Facts of the image, if it could be read.
    image: Option<ImageFacts>,
    /// Pixels of each class in its mask, if that could be read.
    class_pixels: Option<Vec<u64>>,
    /// Faults of its image and its mask.
    bad: Vec<BadImage>,
}

impl Sample {
    /// An image with its label, if it has one. A fault of the file is recorded.
    ///
    /// # Errors
    /// Errors that are not about the image.
    fn of(name: String, label: Option<String>, image: Result<RgbImage, DataError>) -> Result<Self, DataError> {
        let mut bad = Vec::new();
        let image = collected(image, &mut bad)?.as_ref().map(ImageFacts::of);
        Ok(Self { name, label, image, class_pixels: None, bad })
    }
}

/// A part of a data set, as a check reads it.
trait Checked: Sync {
    fn len(&self) -> usize;
    fn depth(&self) -> Option<&SampleDepth>;
    fn sample(&self, index: usize) -> Result<Sample, DataError>;
}

/// The existing parts of a data set with their samples, and the report so far.
struct Parts<S> {
    sets: Vec<S>,
    read: Vec<PartRead>,
    report: CheckReport,
}

impl<S: Checked> Parts<S> {
    /// Reads the training, validation and test part, and reports what all tasks have in common.
    fn read(
        mut report: CheckReport,
        (train, val, test): (S, S, Option<S>),
        progress: ProgressFn<'_>,
    ) -> Result<Self, DataError> {
        let named = [("train", Some(train)), ("val", Some(val)), ("test", test)];
        let (names, sets): (Vec<_>, Vec<S>) =
            named.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))).unzip();
        let counts: Vec<_> = names.into_iter().zip(sets.iter().map(S::len)).collect();
        let read = read_parts(&counts, progress, |part, index| sets[part].sample(index))?;
        report.add_parts(&read);
        report.add_depth(sets[0].depth());
        duplicates::report(&read, &mut report);
        near::report(&read, &mut report);
        Ok(Self { sets, read, report })
    }
}

/// Facts of an image.
struct ImageFacts {
    size: (u32, u32),
    /// Hash of size and pixels.
    hash: u64,
    grey: bool,
    /// `None` for an image that is too small or too flat.
    look: Option<near::Look>,
}

impl ImageFacts {
    fn of(image: &RgbImage) -> Self {
        let (size, hash) = (image.dimensions(), hash_of(image));
        Self { size, hash, grey: super::prepare::is_grey(image.as_raw()), look: near::Look::of(image) }
    }
}

/// One part of a data set with its samples in order.
struct PartRead {
    name: &'static str,
    samples: Vec<Sample>,
}

/// Reads the parts (name, number of samples) on all cores.
///
/// # Errors
/// Errors of `read` that are not about single samples.
fn read_parts(
    parts: &[(&'static str, usize)],
    progress: ProgressFn<'_>,
    read: impl Fn(usize, usize) -> Result<Sample, DataError> + Sync,
) -> Result<Vec<PartRead>, DataError> {
    let total = parts.iter().map(|(_, count)| count).sum();
    let done = AtomicUsize::new(0);
    let one = |part: usize, index: usize| {
        let sample = read(part, index);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        sample
    };
    let part = |(place, &(name, count)): (usize, &(&'static str, usize))| {
        let samples: Result<Vec<Sample>, DataError> = (0..count).into_par_iter().map(|i| one(place, i)).collect();
        samples.map(|samples| PartRead { name, samples })
    };
    parts.iter().enumerate().map(part).collect()
}

/// The result, or `None` with the fault recorded. Errors that are not about one file are returned.
fn collected<T>(result: Result<T, DataError>, bad: &mut Vec<BadImage>) -> Result<Option<T>, DataError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(DataError::BadImage(one)) => {
            bad.push(one);
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// The report on a data set that cannot be opened: the reason, and every image below `path` that cannot be read.
fn unopened(
    path: &Path,
    task: &'static str,
    reason: DataError,
    options: &CheckOptions<'_>,
) -> Result<CheckReport, DataError> {
    // Without a folder there is nothing to report.
    if matches!(reason, DataError::NotFound(_) | DataError::Setting { .. }) {
        return Err(reason);
    }
    let files = if path.is_dir() { super::listing::images_below(path)? } else { Vec::new() };
    let read = read_parts(&[("all", files.len())], options.progress, |_, index| images::read_file(&files[index]))?;
    let mut report = CheckReport::new(task, path, "not recognized");
    report.faults.push(Fault { hint: reason.hint(), ..Fault::general(reason.to_string()) });
    report.add_parts(&read);
    Ok(report)
}
