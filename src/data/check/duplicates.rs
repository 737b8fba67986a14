//! The same picture in two parts: what is measured on was learnt by heart.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use image::RgbImage;

use super::report::{CheckReport, Fault};
use super::{PartRead, Sample};

/// Hash of size and pixels, so that the same picture in another file format is found. 64 bits: among
/// a million different pictures two agree by chance once in thirty million sets.
pub(super) fn hash_of(image: &RgbImage) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.dimensions().hash(&mut hasher);
    image.as_raw().hash(&mut hasher);
    hasher.finish()
}

/// Adds a fault for each picture that is in more than one part, and a note about those that are in
/// one part several times.
pub(super) fn report(parts: &[PartRead], report: &mut CheckReport) {
    let mut places: BTreeMap<u64, Vec<(&'static str, &Sample)>> = BTreeMap::new();
    for part in parts {
        for sample in &part.samples {
            if let Some(image) = &sample.image {
                places.entry(image.hash).or_default().push((part.name, sample));
            }
        }
    }
    let mut repeated = Vec::new();
    let mut faults = Vec::new();
    for places in places.values().filter(|places| places.len() > 1) {
        let (first_part, first) = places[0];
        for (part, sample) in &places[1..] {
            if *part == first_part {
                repeated.push(sample.name.clone());
            } else {
                let what = format!(
                    "is in the {part} part and the same picture as {}, which is in the {first_part} part; remove one",
                    first.name
                );
                faults.push(Fault { file: sample.name.clone(), what });
            }
        }
    }
    faults.sort_by(|a, b| a.file.cmp(&b.file));
    report.faults.extend(faults);
    if let Some(first) = repeated.iter().min() {
        let count = repeated.len();
        report.notes.push(format!("{count} images repeat another one of the same part, such as {first}"));
    }
}
