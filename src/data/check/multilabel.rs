//! Checks a set of images with several labels each.

use std::path::Path;

use super::report::{CheckReport, ClassCount};
use super::{CheckOptions, ImageFacts, Sample, collected, duplicates, read_parts, unopened};
use crate::data::{DataError, MultiLabelSet, OpenOptions, open_multi_label};

/// Reads every image of the multi-label set at `path`. It reports unreadable files, and images that are in two parts or
/// have two lists of labels.
///
/// # Errors
/// Where there is nothing at `path`. Other faults are in the report.
pub fn check_multi_label(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let open = OpenOptions { val_split: options.val_split, seed: options.seed };
    let splits = match open_multi_label(path, &open) {
        Ok(splits) => splits,
        Err(reason) => return unopened(path, "multi-label", reason, options),
    };
    let sets = [("train", Some(splits.train)), ("val", Some(splits.val)), ("test", splits.test)];
    let sets: Vec<_> = sets.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))).collect();
    let counts: Vec<_> = sets.iter().map(|(name, set)| (*name, set.len())).collect();
    let read = read_parts(&counts, options.progress, |part, index| {
        let set = &sets[part].1;
        let mut bad = Vec::new();
        let image = collected(set.image(index), &mut bad)?.as_ref().map(ImageFacts::of);
        Ok(Sample { name: set.name(index), label: Some(labels_of(set, index)), image, class_pixels: None, bad })
    })?;
    let mut report = CheckReport::new("multi-label", path, splits.format);
    report.decisions = splits.decisions;
    report.add_parts(&read);
    report.add_depth(sets[0].1.depth());
    duplicates::report(&read, &mut report);
    let counts: Vec<Vec<usize>> = sets.iter().map(|(_, set)| set.positives()).collect();
    let class = |(k, name): (usize, &String)| {
        let counts = counts.iter().map(|part| part[k] as u64).collect();
        ClassCount { name: name.clone(), counts }
    };
    report.classes = sets[0].1.class_names().iter().enumerate().map(class).collect();
    report.unit = "labels";
    Ok(report)
}

/// The labels of an image, in words.
fn labels_of(set: &MultiLabelSet, index: usize) -> String {
    let names: Vec<&str> = set.labels(index).iter().map(|&label| set.class_names()[label as usize].as_str()).collect();
    if names.is_empty() { "no label".into() } else { names.join(", ") }
}
