//! Checks a set of images with masks.

use std::path::Path;
use std::sync::Arc;

use super::report::{CheckReport, ClassCount, Fault};
use super::{CheckOptions, Checked, PartRead, Parts, Sample, collected, unopened};
use crate::data::open::open_with;
use crate::data::prepare::count;
use crate::data::prepare::no_pixels;
use crate::data::{DataError, SampleDepth, SegmentationDataset};

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
            // The causes are reported before their consequence.
            report.faults.splice(0..0, faults.iter().map(Fault::from));
            return Ok(report);
        }
    };
    let mut report = CheckReport::new("segment", path, splits.format).with(splits.decisions);
    report.unit = "pixels";
    report.faults.extend(faults.iter().map(Fault::from));
    let Parts { sets, read, mut report } =
        Parts::read(report, (splits.train, splits.val, splits.test), options.progress)?;
    report.notes.insert(0, sets[0].classes().to_string());
    add_classes(&sets[0].classes().names, &read, &mut report);
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

impl Checked for Arc<dyn SegmentationDataset> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn depth(&self) -> Option<&SampleDepth> {
        (**self).depth()
    }

    /// Reads a pair. A fault of one file does not stop the reading of the other.
    fn sample(&self, index: usize) -> Result<Sample, DataError> {
        let mut sample = Sample::of(self.name(index), None, self.image(index))?;
        let mask = collected(self.mask(index), &mut sample.bad)?;
        if let (Some(image), Some(mask)) = (&sample.image, &mask) {
            sample.bad.extend(self.other_size(index, image.size, mask.dimensions()));
        }
        sample.class_pixels = mask.map(|mask| count(&mask, self.classes().len()).0);
        Ok(sample)
    }
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
