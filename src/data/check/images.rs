//! Checks a set of color images.

use std::path::Path;

use super::report::{CheckReport, Fault};
use super::{CheckOptions, ImageFacts, Sample, collected, duplicates, read_parts, unopened};
use crate::data::{DataError, decode_file, open_images};

/// Reads every image of the colorization set at `path`. It reports unreadable files, images that are in two parts, and
/// images without color.
///
/// # Errors
/// Where there is no folder at `path`. Other faults are in the report.
pub fn check_images(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let splits = match open_images(path, &options.set_options()) {
        Ok(splits) => splits,
        Err(reason) => return unopened(path, "colorize", reason, options),
    };
    let sets = [("train", Some(splits.train)), ("val", Some(splits.val)), ("test", splits.test)];
    let sets: Vec<_> = sets.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))).collect();
    let counts: Vec<_> = sets.iter().map(|(name, set)| (*name, set.len())).collect();
    let read = read_parts(&counts, options.progress, |part, index| {
        let set = &sets[part].1;
        let mut bad = Vec::new();
        let image = collected(set.image(index), &mut bad)?.as_ref().map(ImageFacts::of);
        Ok(Sample { name: set.name(index), label: None, image, class_pixels: None, bad })
    })?;
    let mut report = CheckReport::new("colorize", path, splits.format);
    report.decisions = splits.decisions;
    report.add_parts(&read);
    report.add_depth(sets[0].1.depth());
    duplicates::report(&read, &mut report);
    let grey: Vec<&str> = read
        .iter()
        .flat_map(|part| &part.samples)
        .filter(|sample| sample.image.as_ref().is_some_and(|image| image.grey))
        .map(|sample| sample.name.as_str())
        .collect();
    let train_is_grey = report.parts.first().is_some_and(|train| train.good > 0 && train.grey == train.good);
    if train_is_grey {
        let what = "all training images are grey, so there are no colors to predict; give color images".to_string();
        report.faults.push(Fault::general(what));
    } else if let Some(first) = grey.first() {
        let count = grey.len();
        report.notes.push(format!("{count} images are grey, such as {first}: they train the model to predict grey"));
    }
    Ok(report)
}

/// Reads a single file as a sample.
pub(super) fn read_file(path: &Path) -> Result<Sample, DataError> {
    let mut bad = Vec::new();
    let image = collected(decode_file(path), &mut bad)?.as_ref().map(ImageFacts::of);
    Ok(Sample { name: path.display().to_string(), label: None, image, class_pixels: None, bad })
}
