//! Data sets of small images packed into few files. The files are in memory as stored; images are unpacked on request.

use std::path::Path;
use std::sync::Arc;

use image::RgbImage;

use super::decisions::Decisions;
use super::split::{require_classes, stratified};
use super::{ClassificationDataset, DataError, OpenOptions, Splits};

/// Layout of the bytes of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pixels {
    /// One byte per pixel, by rows.
    Grey,
    /// All of red, then green, then blue, each by rows.
    PlanarRgb,
}

impl Pixels {
    pub(crate) fn bytes(self, width: u32, height: u32) -> usize {
        let planes = match self {
            Self::Grey => 1,
            Self::PlanarRgb => 3,
        };
        width as usize * height as usize * planes
    }
}

/// One part (training or test) of a packed data set.
#[derive(Debug)]
pub(crate) struct PackedDataset {
    pub classes: Arc<[String]>,
    pub labels: Vec<u32>,
    /// Images one after another.
    pub bytes: Vec<u8>,
    pub pixels: Pixels,
    pub width: u32,
    pub height: u32,
    /// `train` or `test`, for the names of its images.
    pub part: &'static str,
}

impl ClassificationDataset for PackedDataset {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let length = self.pixels.bytes(self.width, self.height);
        let stored = &self.bytes[index * length..(index + 1) * length];
        let plane = self.width as usize * self.height as usize;
        Ok(RgbImage::from_fn(self.width, self.height, |x, y| {
            let at = y as usize * self.width as usize + x as usize;
            image::Rgb(match self.pixels {
                Pixels::Grey => [stored[at]; 3],
                Pixels::PlanarRgb => [stored[at], stored[plane + at], stored[2 * plane + at]],
            })
        }))
    }

    fn describe(&self, index: usize) -> String {
        format!("{} images #{index}", self.part)
    }
}

/// The two parts as stored, or the training part split by seed if there is no test part.
pub(crate) fn into_splits(
    train: PackedDataset,
    test: Option<PackedDataset>,
    options: &OpenOptions,
    root: &Path,
    format: &'static str,
) -> Result<Splits, DataError> {
    require_classes(&train.classes, root, options)?;
    for part in [Some(&train), test.as_ref()].into_iter().flatten() {
        if part.is_empty() {
            let split = if part.part == "train" { "train" } else { "validation" };
            let reason = "its file holds no images".to_string();
            return Err(DataError::EmptySplit { path: root.to_path_buf(), split, reason });
        }
    }
    match test {
        Some(test) => {
            let split = "by the training and test files".to_string();
            let decisions = Decisions { split, ..Decisions::default() };
            Ok(Splits { train: Arc::new(train), val: Arc::new(test), test: None, by_seed: false, format, decisions })
        }
        None => stratified(Arc::new(train), options, root, format),
    }
}
