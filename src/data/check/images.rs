//! Checks a set of color images.

use std::path::Path;
use std::sync::Arc;

use super::report::{CheckReport, Fault};
use super::{CheckOptions, Checked, Parts, Sample, unopened};
use crate::data::{DataError, ImageDataset, SampleDepth, decode_file, open_images};

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
    let report = CheckReport::new("colorize", path, splits.format).with(splits.decisions);
    let Parts { read, mut report, .. } =
        Parts::read(report, (splits.train, splits.val, splits.test), options.progress)?;
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

impl Checked for Arc<dyn ImageDataset> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn depth(&self) -> Option<&SampleDepth> {
        (**self).depth()
    }

    fn sample(&self, index: usize) -> Result<Sample, DataError> {
        Sample::of(self.name(index), None, self.image(index))
    }
}

/// Reads a single file as a sample.
pub(super) fn read_file(path: &Path) -> Result<Sample, DataError> {
    Sample::of(path.display().to_string(), None, decode_file(path))
}
