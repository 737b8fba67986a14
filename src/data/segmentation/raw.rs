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

/// How the samples of a mask are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    /// As numbers of classes: as they are stored, without loss.
    Numbers,
    /// As the colors that they show: those of the palette; samples of 1, 2 or 4 bits are scaled.
    Colors,
    /// As brightness from 0 to 255, for a threshold between two classes. Read as colors; JPEG is allowed too.
    Brightness,
}

/// The colors that stored values show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Greys: the value times this number, which is 1 for samples of 8 bits.
    Greys(u8),
    /// The colors of a palette.
    Palette(Vec<[u8; 3]>),
}

impl Shown {
    /// The colors of a palette. A palette that shows each value as the grey of that value equals a grey file.
    pub fn by_palette(palette: Vec<[u8; 3]>) -> Self {
        let is_grey_of_value = |(value, color): (usize, &[u8; 3])| color.iter().all(|&c| usize::from(c) == value);
        if palette.iter().enumerate().all(is_grey_of_value) { Self::Greys(1) } else { Self::Palette(palette) }
    }

    /// The color of a value; black for one without an entry in the palette.
    pub fn color(&self, value: u8) -> [u8; 3] {
        match self {
            Self::Greys(scale) => [value.saturating_mul(*scale); 3],
            Self::Palette(palette) => palette.get(usize::from(value)).copied().unwrap_or_default(),
        }
    }

    pub fn palette(&self) -> Option<&Vec<[u8; 3]>> {
        if let Self::Palette(palette) = self { Some(palette) } else { None }
    }
}

/// The pixels of a mask.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    /// One value per pixel, by rows: a grey level or an index into the palette.
    Values(Vec<u8>, Shown),
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
            Stored::Values(values, shown) => {
                let grey = image::GrayImage::from_raw(width, height, values).unwrap_or_default();
                let grey = turn(grey.into()).into_luma8();
                let (width, height) = grey.dimensions();
                RawMask { width, height, stored: Stored::Values(grey.into_raw(), shown) }
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
