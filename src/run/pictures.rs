//! PNG pictures of a run: curves over epochs, the confusion matrix, sheets of images with captions.
//!
//! The bundled font has Latin, Greek and Cyrillic letters, and draws them alike on every machine. A letter of another
//! script is drawn with a font of the system, or as its number if no font has it.

mod axis;
mod canvas;
mod comparison;
mod confusion;
mod curves;
mod drawn;
mod fonts;
mod heat;
mod script;
mod sheet;
mod vector;

use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, ImageFormat, RgbImage};
use thiserror::Error;

pub use axis::{Axis, Scale, drawable};
pub use canvas::Color;
pub use comparison::{PictureTable, VOID, faded, marked, painted, reduced, tinted};
pub use confusion::confusion_picture;
pub use curves::{curves_picture, curves_svg, lr_picture};
pub use drawn::{Drawn, Place, photographs};
pub use fonts::take_missing;
pub use heat::{heat_overlay, shaded};
pub use sheet::{Cell, Sheet, prediction_cell};

use crate::interop::files::{FileError, write_atomic};

/// Errors of pictures.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The operating system refused an access.
    #[error(transparent)]
    File(#[from] FileError),
    /// A picture without content.
    #[error("cannot draw {what}: it is empty")]
    Empty {
        /// The picture.
        what: &'static str,
    },
    /// A picture beyond the size limit.
    #[error("cannot draw {what}: it would have {width} x {height} pixels; draw fewer cells")]
    TooLarge {
        /// The picture.
        what: &'static str,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },
    /// The picture cannot be encoded.
    #[error("cannot encode a picture: {0}")]
    Encode(image::ImageError),
    /// The figure cannot be encoded.
    #[error("cannot encode a figure as PNG: {0}")]
    EncodeFigure(png::EncodingError),
    /// The mask cannot be encoded.
    #[error("cannot encode a mask as PNG: {0}")]
    EncodeMask(png::EncodingError),
    /// The number of names differs from the number of classes.
    #[error("cannot draw the confusion matrix: {names} class names for {classes} classes")]
    ClassNames {
        /// Number of names.
        names: usize,
        /// Number of classes of the matrix.
        classes: usize,
    },
}

/// Colors that people with any color vision can distinguish (Okabe and Ito), and quiet grays.
pub mod palette {
    use super::Color;

    /// Validation curves.
    pub const ORANGE: Color = Color(0xd5, 0x5e, 0x00);
    /// Training curves, and the shade of the confusion matrix.
    pub const BLUE: Color = Color(0x00, 0x72, 0xb2);
    /// A correct prediction.
    pub const RIGHT: Color = Color(0x00, 0x7f, 0x5f);
    /// A wrong prediction.
    pub const WRONG: Color = Color(0xc0, 0x39, 0x1b);
    /// Text.
    pub const INK: Color = Color(0x22, 0x26, 0x2b);
    /// Secondary text.
    pub const FAINT: Color = Color(0x5c, 0x64, 0x6d);
    /// Axes and frames.
    pub const LINE: Color = Color(0xa9, 0xb0, 0xb8);
    /// Grid lines.
    pub const GRID: Color = Color(0xe4, 0xe7, 0xea);
    /// Background.
    pub const PAPER: Color = Color(0xff, 0xff, 0xff);
}

/// A picture as PNG.
///
/// # Errors
/// When it cannot be encoded.
pub fn png_bytes(picture: &RgbImage) -> Result<Vec<u8>, PictureError> {
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(PictureError::Encode)?;
    Ok(png.into_inner())
}

/// Class numbers as an 8-bit PNG whose palette holds the colors of the classes.
///
/// # Errors
/// When it cannot be encoded.
pub fn mask_png(mask: &GrayImage, palette: &[[u8; 3]]) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, mask.width(), mask.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.write_header().and_then(|mut png| png.write_image_data(mask)).map_err(PictureError::EncodeMask)?;
    Ok(bytes)
}

/// Saves a picture as PNG, atomically.
///
/// # Errors
/// When it cannot be encoded or written.
pub fn save_png(picture: &RgbImage, path: &Path) -> Result<(), PictureError> {
    let png = png_bytes(picture)?;
    Ok(write_atomic(path, |writer| writer.write_all(&png))?)
}

/// Writes a photograph as a JPEG file.
///
/// # Errors
/// When it cannot be encoded or written.
pub fn save_jpeg(picture: &RgbImage, path: &Path, quality: u8) -> Result<(), PictureError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(picture).map_err(PictureError::Encode)?;
    Ok(write_atomic(path, |writer| writer.write_all(&jpeg))?)
}

/// `count` indices spread evenly over a set, because sets are often sorted by class.
pub fn spread(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let shown = len.min(count);
    (0..shown).map(move |i| i * len / shown)
}
