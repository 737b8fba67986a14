//! Checks a set of images with a class each.

use std::path::Path;
use std::sync::Arc;

use super::report::{CheckReport, ClassCount, Fault};
use super::{CheckOptions, Checked, Parts, Sample, unopened};
use crate::data::{ClassificationDataset, DataError, SampleDepth, open_classification};

/// Reads every image of the classification set at `path`. It reports unreadable files, images that are in two parts or
/// classes, and classes without readable images.
///
/// # Errors
/// Where there is nothing at `path`. Other faults are in the report.
pub fn check_classification(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let open = options.open_options();
    let splits = match open_classification(path, &open) {
        Ok(splits) => splits,
        Err(reason) => return unopened(path, "classify", reason, options),
    };
    let report = CheckReport::new("classify", path, splits.format).with(splits.decisions);
    let Parts { sets, read, mut report } =
        Parts::read(report, (splits.train, splits.val, splits.test), options.progress)?;
    let names = sets[0].class_names();
    let mut classes: Vec<ClassCount> =
        names.iter().map(|name| ClassCount { name: name.clone(), counts: vec![0; sets.len()] }).collect();
    for (place, (part, set)) in read.iter().zip(&sets).enumerate() {
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

impl Checked for Arc<dyn ClassificationDataset> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn depth(&self) -> Option<&SampleDepth> {
        (**self).depth()
    }

    fn sample(&self, index: usize) -> Result<Sample, DataError> {
        let label = self.class_names().get(self.label(index) as usize).cloned();
        Sample::of(self.describe(index), label, self.image(index))
    }
}
