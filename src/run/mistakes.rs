//! The wrong predictions with the highest confidence, in `errors/errors.csv` with two pictures of each. Their labels are often
//! wrong.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use serde::{Deserialize, Serialize};

use crate::text::defused;

use super::error::RunError;
use super::folder::RunDir;
use super::pictures;

/// Longest side of the pictures, in pixels: small print on a sign stays readable.
const SIDE: u32 = 1200;
/// Longest side of a picture that is kept without loss. Larger ones are JPEG files, which take a tenth of the bytes.
const LOSSLESS: u32 = 384;
/// Quality of JPEG files, of 100.
const QUALITY: u8 = 88;

/// The pictures of a mistake, of at most [`SIDE`] pixels a side.
pub struct Pictures {
    own: RgbImage,
    seen: RgbImage,
}

impl Pictures {
    /// The image of the file, and the image as the network sees it.
    pub fn new(own: RgbImage, seen: RgbImage) -> Self {
        Pictures { own: reduced(own), seen: reduced(seen) }
    }
}

/// Name of the picture as the network sees it, beside that of the image: `01-seen.png`.
pub fn seen(picture: &str) -> String {
    let bare = [".png", ".jpg"].iter().find_map(|end| picture.strip_suffix(end));
    format!("{}-seen.png", bare.unwrap_or(picture))
}

/// A wrong prediction: a row of `errors/errors.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Name of its picture, in the same folder.
    pub picture: String,
    /// The image: its path, or its number in the set.
    pub image: String,
    /// Its true class.
    pub truth: String,
    /// Its predicted class.
    pub prediction: String,
    /// Probability of the predicted class.
    pub probability: f64,
}

/// Writes mistakes, the most confident first, with two pictures each into `errors/`, and sets the names of the pictures. Without
/// mistakes it writes nothing.
///
/// # Errors
/// When the disk refuses.
pub fn write(run: &RunDir, mistakes: Vec<(Mistake, Pictures)>) -> Result<(), RunError> {
    if mistakes.is_empty() {
        return Ok(());
    }
    let folder = run.make_errors_folder()?;
    let mut csv = csv::Writer::from_writer(vec![]);
    for (place, (mistake, Pictures { own, seen: small })) in mistakes.into_iter().enumerate() {
        let is_small = own.width().max(own.height()) <= LOSSLESS;
        let mistake =
            Mistake { picture: format!("{:02}.{}", place + 1, if is_small { "png" } else { "jpg" }), ..mistake };
        let path = folder.join(&mistake.picture);
        if is_small {
            pictures::save_png(&own, &path)?;
        } else {
            pictures::save_jpeg(&own, &path, QUALITY)?;
        }
        pictures::save_png(&small, &folder.join(seen(&mistake.picture)))?;
        let Mistake { image, truth, prediction, .. } = &mistake;
        let [image, truth, prediction] = [image, truth, prediction].map(|name| defused(name));
        // Writing into memory does not fail.
        let _ = csv.serialize(Mistake { image, truth, prediction, ..mistake });
    }
    let table = csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    run.write_file("errors/errors.csv", &table)
}

/// A picture of at most [`SIDE`] pixels a side.
fn reduced(image: RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    let scaled = |side: u32| (side * SIDE / longest.max(1)).max(1);
    if longest > SIDE { resize(&image, scaled(width), scaled(height), FilterType::Triangle) } else { image }
}

/// The mistakes in a run folder; empty without the file.
///
/// # Errors
/// When the file exists and cannot be read.
pub fn read(run: &RunDir) -> Result<Vec<Mistake>, RunError> {
    let Some(text) = run.read_file("errors/errors.csv")? else { return Ok(vec![]) };
    let rows: Result<_, csv::Error> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.map_err(|source| RunError::Table { path: run.path().join("errors/errors.csv"), source })
}
