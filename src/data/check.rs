//! Reading a whole data set before any training, to name everything that is wrong with it at once.

mod classification;
mod duplicates;
mod images;
mod multilabel;
mod report;
mod segmentation;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use rayon::prelude::*;

use super::{BadImage, DataError, ProgressFn, SetOptions};
pub use classification::check_classification;
pub use images::check_images;
pub use multilabel::check_multi_label;
pub use report::{CheckReport, ClassCount, Fault, PartCount};
pub use segmentation::check_segmentation;

/// How to check.
#[derive(Clone, Copy)]
pub struct CheckOptions<'a> {
    /// Share held out for validation where the data set brings no validation part.
    pub val_split: f32,
    /// Decides which images those are.
    pub seed: u64,
    /// Called with the number of samples read so far and of all samples.
    pub progress: ProgressFn<'a>,
}

impl Default for CheckOptions<'_> {
    /// A fifth for validation, seed 0, no progress reports.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0, progress: &|_, _| () }
    }
}

impl CheckOptions<'_> {
    /// Opening continues past incomplete parts and reports them.
    fn set_options(&self) -> SetOptions {
        SetOptions { val_split: self.val_split, seed: self.seed, skip_bad: true }
    }
}

/// What is remembered of a sample that was read.
struct Sample {
    name: String,
    /// The name of its class, where it has one as a whole.
    label: Option<String>,
    /// Of the image, where it could be read.
    image: Option<ImageFacts>,
    /// Pixels of each class in its mask, where that could be read.
    class_pixels: Option<Vec<u64>>,
    /// What is wrong with its image, its mask or both.
    bad: Vec<BadImage>,
}

/// What is remembered of an image.
struct ImageFacts {
    size: (u32, u32),
    /// Hash of size and pixels.
    hash: u64,
    grey: bool,
}

impl ImageFacts {
    fn of(image: &RgbImage) -> Self {
        let (size, hash) = (image.dimensions(), duplicates::hash_of(image));
        Self { size, hash, grey: super::prepare_images::is_grey(image.as_raw()) }
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
/// Those of `read`, which are not about single samples.
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

/// The good result, or `None` with the fault noted; errors that are not about one file go up.
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

/// A data set that cannot be opened: the reason, and every image below `path` that cannot be read.
fn unopened(
    path: &Path,
    task: &'static str,
    reason: DataError,
    options: &CheckOptions<'_>,
) -> Result<CheckReport, DataError> {
    // Without a folder there is nothing to report on.
    if matches!(reason, DataError::NotFound(_) | DataError::NotAFolder(_) | DataError::Setting { .. }) {
        return Err(reason);
    }
    let files = if path.is_dir() { super::listing::images_below(path)? } else { Vec::new() };
    let read = read_parts(&[("all", files.len())], options.progress, |_, index| images::read_file(&files[index]))?;
    let mut report = CheckReport::new(task, path, "not recognized");
    report.faults.push(Fault::general(reason.to_string()));
    report.add_parts(&read);
    Ok(report)
}
