//! The common parts of both tasks of labeled images: checks of settings, built-in validation images, pictures.

use std::fmt::Display;
use std::path::PathBuf;

use image::RgbImage;

use super::samples::{Sample, Samples};
use crate::data::augment::Keeps;
use crate::data::{DataError, Mix, Prepared, SampleSet, square_into};
use crate::run::ImageSize;
use crate::run::image_size::MAX_IMAGE_SIZE;
use crate::train::TrainError;
use crate::train::settings::{ConfigError, Needs, Rule};

/// Validation images of the built-in scenes.
pub(super) const SCENES_VAL: usize = 500;
/// Difference between the seeds of training and validation scenes.
pub(super) const SCENES_VAL_SEED: u64 = 0x5eed_0000_0000;

/// Training samples as the network sees them before augmentation. `read` gives an image and its labels in words.
pub(super) fn squares(
    (count, side): (usize, usize),
    keeps: Keeps,
    mix: Mix,
    read: impl Fn(usize) -> Result<(RgbImage, String), DataError> + 'static,
) -> Samples {
    let read = move |index: usize| {
        let (image, name) = read(index)?;
        let (own, mut rgb) = ((image.height() as usize, image.width() as usize), vec![0; 3 * side * side]);
        square_into(&image, side as u32, &mut rgb);
        Ok(Sample { index, name, rgb, mask: vec![], size: (side, side), own })
    };
    let (size, mix) = (ImageSize { height: side, width: side }, Some(mix).filter(Mix::is_on));
    Samples { count, size, legend: vec![], crops: None, keeps, mix, read: Box::new(read) }
}

/// An image as the network sees it.
///
/// # Errors
/// When it is not in memory and its file cannot be read.
pub(super) fn picture<S: SampleSet>(images: &Prepared<S>, index: usize) -> Result<RgbImage, TrainError> {
    let (height, width) = images.size();
    Ok(RgbImage::from_raw(width, height, images.sample(index)?.into_owned()).unwrap_or_default())
}

/// Refuses columns and the folder of a table if no data is given.
pub(super) fn check_table(
    rule: Rule<'_>,
    has_data: bool,
    [path_column, label_column]: [&Option<String>; 2],
    image_root: &Option<PathBuf>,
) -> Result<(), ConfigError> {
    let root = image_root.as_ref().map(|root| root.display());
    let columns = [("path_column", path_column), ("label_column", label_column)];
    let columns = columns.into_iter().map(|(key, column)| (key, column.as_ref().map(|text| text as &dyn Display)));
    for (key, value) in columns.chain([("image_root", root.as_ref().map(|root| root as &dyn Display))]) {
        if let Some(value) = value {
            rule.effect(key, value, has_data, Needs::Set(&["data"]))?;
        }
    }
    Ok(())
}

/// Refuses a label smoothing, a mixing and an image size out of range.
pub(super) fn check_images(
    rule: Rule<'_>,
    label_smoothing: f64,
    mix: &Mix,
    image_size: usize,
) -> Result<(), ConfigError> {
    let smoothing = (0.0..1.0).contains(&label_smoothing);
    rule.range("label_smoothing", &label_smoothing, smoothing, "0 or more and below 1")?;
    for (key, alpha) in [("mixup", mix.mixup), ("cutmix", mix.cutmix)] {
        rule.range(key, &alpha, alpha == 0.0 || (0.01..=100.0).contains(&alpha), "0, or an α from 0.01 to 100")?;
    }
    rule.range("image_size", &image_size, (1..=MAX_IMAGE_SIZE).contains(&image_size), "1 to 8192 pixels")
}
