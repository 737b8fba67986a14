//! Checks a set of images with masks.

use std::path::Path;

use super::report::{CheckReport, ClassCount, Fault};
use super::{CheckOptions, ImageFacts, PartRead, Sample, collected, duplicates, read_parts, unopened};
use crate::data::open::open_with;
use crate::data::prepare::count;
use crate::data::prepare::no_pixels;
use crate::data::{BadImage, DataError, ImageProblem, SegmentationDataset};

/// Reads every image and mask of the segmentation set at `path`. It reports
///
/// - images without mask and masks without image,
/// - list lines that name no file,
/// - unreadable files,
/// - masks of another size than their image,
/// - mask values outside of the classes, with their number of pixels,
/// - classes without training pixels,
/// - images that are in two parts.
///
/// # Errors
/// Where there is no folder at `path`. Other faults are in the report.
pub fn check_segmentation(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let mut faults = Vec::new();
    let splits = match open_with(path, &options.set_options(), &mut faults) {
        Ok(splits) => splits,
        Err(reason) => {
            let mut report = unopened(path, "segment", reason, options)?;
            report.faults.extend(faults.iter().map(Fault::from));
            return Ok(report);
        }
    };
    let sets = [("train", Some(splits.train)), ("val", Some(splits.val)), ("test", splits.test)];
    let sets: Vec<_> = sets.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))).collect();
    let counts: Vec<_> = sets.iter().map(|(name, set)| (*name, set.len())).collect();
    let read = read_parts(&counts, options.progress, |part, index| sample(&*sets[part].1, index))?;
    let mut report = CheckReport::new("segment", path, splits.format);
    report.unit = "pixels";
    report.decisions = splits.decisions;
    report.faults.extend(faults.iter().map(Fault::from));
    report.add_parts(&read);
    duplicates::report(&read, &mut report);
    report.notes.insert(0, sets[0].1.classes().to_string());
    report.add_depth(sets[0].1.depth());
    add_classes(&sets[0].1.classes().names, &read, &mut report);
    for (part, counted) in read.iter().enumerate() {
        let pixels: u64 = report.classes.iter().map(|class| class.counts[part]).sum();
        if pixels == 0 && counted.samples.iter().any(|sample| sample.class_pixels.is_some()) {
            let what = format!(
                "every pixel of the {} part is ignored, so the part serves neither training nor scores",
                counted.name
            );
            report.faults.push(Fault::general(what));
        }
    }
    Ok(report)
}

/// Reads a pair. A fault of one file does not stop the reading of the other.
fn sample(set: &dyn SegmentationDataset, index: usize) -> Result<Sample, DataError> {
    let mut bad = Vec::new();
    let image = collected(set.image(index), &mut bad)?.as_ref().map(ImageFacts::of);
    let mask = collected(set.mask(index), &mut bad)?;
    if let (Some(image), Some(mask)) = (&image, &mask)
        && image.size != mask.dimensions()
    {
        let (image_size, mask_size) = (image.size, mask.dimensions());
        let problem = ImageProblem::SizesDiffer { image: set.name(index), image_size, mask_size };
        bad.push(BadImage { image: set.mask_name(index), problem });
    }
    let class_pixels = mask.map(|mask| count(&mask, set.classes().len()).0);
    Ok(Sample { name: set.name(index), label: None, image, class_pixels, bad })
}

fn add_classes(names: &[String], parts: &[PartRead], report: &mut CheckReport) {
    let pixels = |class: usize, part: &PartRead| {
        part.samples.iter().filter_map(|sample| sample.class_pixels.as_ref()).map(|pixels| pixels[class]).sum()
    };
    for (class, name) in names.iter().enumerate() {
        let counts = parts.iter().map(|part| pixels(class, part)).collect();
        report.classes.push(ClassCount { name: name.clone(), counts });
    }
    for (place, part) in parts.iter().enumerate() {
        let counted = report.classes.iter().map(|class| (class.name.as_str(), class.counts[place]));
        report.notes.extend(no_pixels(counted, part.name));
    }
}
