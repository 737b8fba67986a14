//! Duplicate images: in two parts (training data in the validation set), or with two labels (one of them is wrong).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use image::RgbImage;

use super::report::{CheckReport, Fault};
use super::{PartRead, Sample};

/// Hash of size and pixels. It finds the same image in another file format. With 64 bits, two of a million different
/// images agree by chance in one of thirty million sets.
pub(super) fn hash_of(image: &RgbImage) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.dimensions().hash(&mut hasher);
    image.as_raw().hash(&mut hasher);
    hasher.finish()
}

/// Adds a fault for each image that is in more than one part or has more than one label, and a note on other
/// duplicates.
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
            let contradictory = sample.label != first.label;
            if *part == first_part && !contradictory {
                repeated.push(sample.name.clone());
                continue;
            }
            let place = |part: &str, sample: &Sample| match &sample.label {
                Some(label) if contradictory => format!("in the {part} part as '{label}'"),
                _ => format!("in the {part} part"),
            };
            let (here, there) = (place(part, sample), place(first_part, first));
            let what = format!("is {here} and the same picture as {}, which is {there}; remove one", first.name);
            faults.push(Fault { file: sample.name.clone(), what });
        }
    }
    faults.sort_by(|a, b| a.file.cmp(&b.file));
    report.faults.extend(faults);
    if let Some(first) = repeated.iter().min() {
        let count = repeated.len();
        report.notes.push(format!("{count} images repeat another one of the same part, such as {first}"));
    }
}
