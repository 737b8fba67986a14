//! The map of an image.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use serde_json::Value as Json;

/// The map of an image: values `[h,w]` that cover it, and how it was made, in words.
pub(super) struct Map {
    pub values: Vec<f64>,
    pub size: [usize; 2],
    pub legend: &'static str,
    pub caption: String,
    pub json: Json,
}

/// A picture enlarged by the largest whole factor that fits a square of `side` pixels.
pub(in crate::tasks) fn enlarged(picture: RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let factor = side / width.max(height).max(1);
    if factor < 2 { picture } else { resize(&picture, width * factor, height * factor, FilterType::Nearest) }
}

/// Whether any part of a map raises its class.
pub(in crate::tasks) fn raised(map: &[f64]) -> bool {
    map.iter().any(|&v| v > 0.0)
}

/// Rows of a map.
pub(in crate::tasks) fn rows(values: &[f64], width: usize) -> Vec<&[f64]> {
    values.chunks(width.max(1)).collect()
}
