//! Images of one, three or four channels.
//!
//! | channels | image |
//! |---|---|
//! | 1 | lightness: Pillow's `L`, (299 R + 587 G + 114 B) / 1000 rounded; grey images keep their values |
//! | 3 | red, green and blue; transparent pixels on white |
//! | 4 | the four channels as stored, such as near infrared or transparency beside red, green and blue |

use image::{GrayImage, Luma, Rgb, RgbImage, RgbaImage};

use super::DataError;

/// An image, and its fourth channel where it is read.
#[derive(Clone, Debug)]
pub struct Bands {
    /// Red, green and blue, or three times the lightness.
    pub rgb: RgbImage,
    /// The fourth channel, of the same size.
    pub fourth: Option<GrayImage>,
}

impl From<RgbaImage> for Bands {
    fn from(image: RgbaImage) -> Self {
        let (width, height) = image.dimensions();
        let (mut rgb, mut fourth) = (RgbImage::new(width, height), GrayImage::new(width, height));
        for ((pixel, rgb), fourth) in image.pixels().zip(rgb.pixels_mut()).zip(fourth.pixels_mut()) {
            let [r, g, b, a] = pixel.0;
            (*rgb, *fourth) = (Rgb([r, g, b]), Luma([a]));
        }
        Bands { rgb, fourth: Some(fourth) }
    }
}

impl Bands {
    /// The fourth channel three times, for what takes RGB.
    pub(crate) fn fourth_as_rgb(&self) -> Option<RgbImage> {
        let expand = |plane: &GrayImage| {
            let bytes = plane.as_raw().iter().flat_map(|&value| [value; 3]).collect();
            RgbImage::from_raw(plane.width(), plane.height(), bytes).unwrap_or_default()
        };
        self.fourth.as_ref().map(expand)
    }
}

/// Three times the lightness of an image.
pub(crate) fn greyed(mut image: RgbImage) -> RgbImage {
    for Rgb(pixel) in image.pixels_mut() {
        let [r, g, b] = pixel.map(u32::from);
        *pixel = [((299 * r + 587 * g + 114 * b + 500) / 1000) as u8; 3];
    }
    image
}

/// Images on which the statistics of the fourth channel are measured.
const MEASURED: usize = 500;

/// Mean and standard deviation of the fourth channel for values from 0 to 1, over at most 500 images that are spread
/// over `count`. A constant channel has deviation 1.
///
/// # Errors
/// When an image can no longer be read.
pub fn fourth_statistics(
    count: usize,
    bands: impl Fn(usize) -> Result<RgbaImage, DataError>,
) -> Result<(f32, f32), DataError> {
    let (mut pixels, mut sum, mut squares) = (0u64, 0u64, 0u128);
    let measured = count.min(MEASURED);
    for k in 0..measured {
        for pixel in bands(k * count / measured)?.pixels() {
            let value = u64::from(pixel.0[3]);
            pixels += 1;
            sum += value;
            squares += u128::from(value * value);
        }
    }
    let n = pixels.max(1) as f64;
    let mean = sum as f64 / n;
    let variance = squares as f64 / n - mean * mean;
    let deviation = if variance > 0.0 { variance.sqrt() / 255.0 } else { 1.0 };
    Ok(((mean / 255.0) as f32, deviation as f32))
}
