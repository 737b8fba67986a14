//! A mask as stored, in values or colors before they are mapped to classes.

use image::DynamicImage;
use image::metadata::Orientation;

/// A decoded mask, not yet mapped to classes.
#[derive(Debug, Clone)]
pub(crate) struct RawMask {
    pub width: u32,
    pub height: u32,
    pub stored: Stored,
}

/// The pixels of a mask.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    /// One value per pixel, by rows: a grey level or an index into the palette.
    Values(Vec<u8>, Option<Vec<[u8; 3]>>),
    /// One color per pixel.
    Colors(Vec<[u8; 3]>),
}

impl RawMask {
    /// The mask turned by an EXIF orientation.
    pub fn turned(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let RawMask { width, height, stored } = self;
        let turn = |mut picture: DynamicImage| {
            picture.apply_orientation(orientation);
            picture
        };
        match stored {
            Stored::Values(values, palette) => {
                let grey = image::GrayImage::from_raw(width, height, values).unwrap_or_default();
                let grey = turn(grey.into()).into_luma8();
                let (width, height) = grey.dimensions();
                RawMask { width, height, stored: Stored::Values(grey.into_raw(), palette) }
            }
            Stored::Colors(colors) => {
                let rgb = image::RgbImage::from_raw(width, height, colors.into_flattened()).unwrap_or_default();
                let rgb = turn(rgb.into()).into_rgb8();
                let (width, height) = rgb.dimensions();
                RawMask { width, height, stored: Stored::Colors(rgb.pixels().map(|p| p.0).collect()) }
            }
        }
    }
}
