//! Images as the published evaluations of ImageNet's classifiers see them: sizes and positions are whole pixels, as in
//! torchvision. [`cover_with_margin_into`](super::resize::cover_with_margin_into) cuts the same area to fractions of a
//! pixel.

use std::sync::Arc;

use image::{RgbImage, imageops};

use super::batch::{SampleLayout, SampleMut, Source};
use super::normalize::normalize;
use super::resize::stretch_into;
use super::{ClassificationDataset, DataError, Normalization};

/// Sizes of the preprocessing, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CenterCrop {
    /// Length that the shorter side is scaled to.
    pub resize: u32,
    /// Side of the square that is cut from the middle; at most `resize`.
    pub crop: u32,
}

impl CenterCrop {
    /// Scales and crops as torchvision's `ImageClassification` preset does for Pillow's images. The longer side is rounded
    /// down. The filter is bilinear, and widened when it shrinks an image. If the margins cannot be equal, the one at the
    /// end is a pixel wider.
    ///
    /// # Panics
    /// When `crop` is larger than `resize`, or one is 0; both are defects of the caller.
    pub fn apply(self, image: &RgbImage) -> RgbImage {
        let CenterCrop { resize, crop } = self;
        assert!(0 < crop && crop <= resize, "a crop of {crop} from {resize} pixels");
        let (width, height) = image.dimensions();
        let longer = |long: u32, short: u32| (u64::from(resize) * u64::from(long) / u64::from(short)) as u32;
        let (to_width, to_height) =
            if width <= height { (resize, longer(height, width)) } else { (longer(width, height), resize) };
        let mut scaled = RgbImage::new(to_width, to_height);
        stretch_into(image, to_width, to_height, &mut scaled);
        let start = |side: u32| half_to_even(side - crop);
        imageops::crop_imm(&scaled, start(to_width), start(to_height), crop, crop).to_image()
    }
}

/// Half of a number; n + 1/2 becomes the even neighbor, as Python's `round` does.
fn half_to_even(number: u32) -> u32 {
    let half = number / 2;
    if number % 2 == 1 { half + half % 2 } else { half }
}

/// Labeled images, decoded, scaled, cropped and normalized when they are loaded.
pub struct CenterCropped {
    parts: Vec<Arc<dyn ClassificationDataset>>,
    size: CenterCrop,
    table: [[f32; 256]; 3],
}

impl CenterCropped {
    /// The images of several parts of one data set, one part after the other.
    pub fn new(parts: Vec<Arc<dyn ClassificationDataset>>, size: CenterCrop, normalization: &Normalization) -> Self {
        CenterCropped { parts, size, table: normalization.table() }
    }

    /// The part of an image, and its number there.
    fn at(&self, mut index: usize) -> (&dyn ClassificationDataset, usize) {
        let (last, first) = self.parts.split_last().expect("a data set has a part");
        for part in first {
            match index.checked_sub(part.len()) {
                Some(rest) => index = rest,
                None => return (part.as_ref(), index),
            }
        }
        (last.as_ref(), index)
    }
}

impl Source for CenterCropped {
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    fn layout(&self) -> SampleLayout {
        let side = self.size.crop as usize;
        SampleLayout { image: 3 * side * side, labels: 1, targets: 0 }
    }

    fn load(&self, _: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let (part, index) = self.at(index);
        normalize(&self.table, self.size.apply(&part.image(index)?).as_raw(), sample.image);
        sample.labels[0] = part.label(index);
        Ok(())
    }
}
