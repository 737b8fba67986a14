//! Checks a set of images with several labels each.

use std::path::Path;

use super::report::{CheckReport, ClassCount};
use super::{CheckOptions, Checked, Parts, Sample, unopened};
use crate::data::{DataError, MultiLabelSet, SampleDepth, open_multi_label};

/// Reads every image of the multi-label set at `path`. It reports unreadable files, and images that are in two parts or
/// have two lists of labels.
///
/// # Errors
/// Where there is nothing at `path`. Other faults are in the report.
pub fn check_multi_label(path: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, DataError> {
    let open = options.open_options();
    let splits = match open_multi_label(path, &open) {
        Ok(splits) => splits,
        Err(reason) => return unopened(path, "multi-label", reason, options),
    };
    let report = CheckReport::new("multi-label", path, splits.format).with(splits.decisions);
    let Parts { sets, mut report, .. } =
        Parts::read(report, (splits.train, splits.val, splits.test), options.progress)?;
    let counts: Vec<Vec<usize>> = sets.iter().map(MultiLabelSet::positives).collect();
    let class = |(k, name): (usize, &String)| {
        let counts = counts.iter().map(|part| part[k] as u64).collect();
        ClassCount { name: name.clone(), counts }
    };
    report.classes = sets[0].class_names().iter().enumerate().map(class).collect();
    report.unit = "labels";
    Ok(report)
}

impl Checked for MultiLabelSet {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        Self::depth(self)
    }

    fn sample(&self, index: usize) -> Result<Sample, DataError> {
        Sample::of(self.name(index), Some(labels_of(self, index)), self.image(index))
    }
}

/// The labels of an image, in words.
fn labels_of(set: &MultiLabelSet, index: usize) -> String {
    let names: Vec<&str> = set.labels(index).iter().map(|&label| set.class_names()[label as usize].as_str()).collect();
    if names.is_empty() { "no label".into() } else { names.join(", ") }
}
