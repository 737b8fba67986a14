//! Checks a set of images with a class each.

use std::path::Path;

use super::report::{CheckReport, ClassCount, Fault};
use super::{CheckOptions, ImageFacts, Sample, collected, duplicates, read_parts, unopened};
use crate::data::{DataError, OpenOptions, open_classification};

/// Reads every image of the classification set at `path`. It reports unreadable files, images that are in two parts or
/// classes, and classes without readable images.
///
/// # Errors
/// Where there is nothing at `path`. Other faults are in the report.
pub fn check_classification(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let open = OpenOptions { val_split: options.val_split, seed: options.seed };
    let splits = match open_classification(path, &open) {
        Ok(splits) => splits,
        Err(reason) => return unopened(path, "classify", reason, options),
    };
    let sets = [("train", Some(splits.train)), ("val", Some(splits.val)), ("test", splits.test)];
    let sets: Vec<_> = sets.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))).collect();
    let counts: Vec<_> = sets.iter().map(|(name, set)| (*name, set.len())).collect();
    let read = read_parts(&counts, options.progress, |part, index| {
        let set = &sets[part].1;
        let mut bad = Vec::new();
        let image = collected(set.image(index), &mut bad)?.as_ref().map(ImageFacts::of);
        let label = set.class_names().get(set.label(index) as usize).cloned();
        Ok(Sample { name: set.describe(index), label, image, class_pixels: None, bad })
    })?;
    let mut report = CheckReport::new("classify", path, splits.format);
    report.decisions = splits.decisions;
    report.add_parts(&read);
    report.add_depth(sets[0].1.depth());
    duplicates::report(&read, &mut report);
    let names = sets[0].1.class_names();
    let mut classes: Vec<ClassCount> =
        names.iter().map(|name| ClassCount { name: name.clone(), counts: vec![0; sets.len()] }).collect();
    for (place, (part, (_, set))) in read.iter().zip(&sets).enumerate() {
        for (index, _) in part.samples.iter().enumerate().filter(|(_, sample)| sample.bad.is_empty()) {
            classes[set.label(index) as usize].counts[place] += 1;
        }
    }
    for class in &classes {
        let what = format!("class '{}' has no readable training image; add images or remove the class", class.name);
        report.faults.extend((class.counts[0] == 0).then(|| Fault::general(what)));
    }
    report.classes = classes;
    Ok(report)
}
