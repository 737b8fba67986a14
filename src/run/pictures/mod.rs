//! PNG pictures of a run: curves over epochs, the confusion matrix, sheets of images with captions.
//!
//! Everything is drawn with a bundled font, so pictures look the same on every machine. The font has
//! Latin, Greek and Cyrillic letters; other scripts show as boxes.

mod axis;
mod canvas;
mod comparison;
mod confusion;
mod curves;
mod sheet;

use std::path::Path;

use image::{ImageFormat, RgbImage};
use thiserror::Error;

pub use axis::{Axis, Scale, drawable};
pub use canvas::Colour;
pub use comparison::{Comparison, painted};
pub use confusion::confusion_picture;
pub use curves::{Curve, curves_picture, lr_picture};
pub use sheet::{Cell, Sheet, prediction_cell};

use crate::interop::files::{FileError, write_atomic};

/// Why a picture could not be drawn or saved.
#[derive(Debug, Error)]
pub enum PictureError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to draw.
    #[error("cannot draw {what}: there is nothing in it")]
    Empty {
        /// The picture.
        what: &'static str,
    },
    /// The picture would be larger than can be drawn.
    #[error("cannot draw {what}: it would have {width} x {height} pixels; draw fewer cells")]
    TooLarge {
        /// The picture.
        what: &'static str,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },
    /// The names given do not match the numbers given.
    #[error("cannot draw the confusion matrix: {names} class names for {classes} classes")]
    ClassNames {
        /// How many names were given.
        names: usize,
        /// How many classes the matrix has.
        classes: usize,
    },
}

/// Colours that people with any colour vision tell apart (Okabe and Ito), and quiet greys.
pub mod palette {
    use super::Colour;

    /// Validation curves.
    pub const ORANGE: Colour = Colour(0xd5, 0x5e, 0x00);
    /// Training curves, and the shade of the confusion matrix.
    pub const BLUE: Colour = Colour(0x00, 0x72, 0xb2);
    /// A right prediction.
    pub const RIGHT: Colour = Colour(0x00, 0x7f, 0x5f);
    /// A wrong prediction.
    pub const WRONG: Colour = Colour(0xc0, 0x39, 0x1b);
    /// Text.
    pub const INK: Colour = Colour(0x22, 0x26, 0x2b);
    /// Secondary text.
    pub const FAINT: Colour = Colour(0x5c, 0x64, 0x6d);
    /// Axes and frames.
    pub const LINE: Colour = Colour(0xa9, 0xb0, 0xb8);
    /// Grid lines.
    pub const GRID: Colour = Colour(0xe4, 0xe7, 0xea);
    /// Background.
    pub const PAPER: Colour = Colour(0xff, 0xff, 0xff);
}

/// Saves a picture as PNG, all or nothing.
pub fn save_png(picture: &RgbImage, path: &Path) -> Result<(), PictureError> {
    let mut png = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|error| FileError::writing(path, std::io::Error::other(error)))?;
    Ok(write_atomic(path, |writer| writer.write_all(png.get_ref()))?)
}
