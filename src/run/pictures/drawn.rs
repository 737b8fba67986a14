//! A drawn figure and the places of the photographs in it. On a dark page, paper and text change their lightness, and photographs stay.

use std::ops::Deref;
use std::path::Path;

use image::RgbImage;

use super::PictureError;
use crate::interop::files::write_atomic;

/// Keyword of the PNG text that holds the places.
const KEYWORD: &str = "photographs";

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The whole figure.
    pub picture: RgbImage,
    /// Its photographs, and other parts whose colors have a meaning.
    pub photographs: Vec<Place>,
}

impl From<RgbImage> for Drawn {
    fn from(picture: RgbImage) -> Self {
        Drawn { picture, photographs: vec![] }
    }
}

impl Deref for Drawn {
    type Target = RgbImage;

    fn deref(&self) -> &RgbImage {
        &self.picture
    }
}

impl Drawn {
    /// The figure as PNG. The text `photographs` has `x y width height` of each, separated by semicolons.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let place = |Place { x, y, width, height }: &Place| format!("{x} {y} {width} {height}");
        let places: Vec<String> = self.photographs.iter().map(place).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.picture.width(), self.picture.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let text = encoder.add_text_chunk(KEYWORD.to_owned(), places.join(";"));
        text.and_then(|()| encoder.write_header())
            .and_then(|mut png| png.write_image_data(&self.picture))
            .map_err(PictureError::EncodeFigure)?;
        Ok(bytes)
    }

    /// Saves the figure as PNG, atomically.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn save(&self, path: &Path) -> Result<(), PictureError> {
        let png = self.png()?;
        Ok(write_atomic(path, |writer| writer.write_all(&png))?)
    }
}

/// Width and height of a PNG, and the photographs that [`Drawn::png`] noted in it; empty for other pictures. `None` for
/// a file that is not PNG.
pub fn photographs(png: &[u8]) -> Option<([u32; 2], Vec<Place>)> {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().ok()?;
    let info = reader.info();
    let text = info.uncompressed_latin1_text.iter().find(|text| text.keyword == KEYWORD);
    let place = |text: &str| {
        let numbers: Vec<u32> = text.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let &[x, y, width, height] = &numbers[..] else { return None };
        Some(Place { x, y, width, height })
    };
    let places = text.map_or(vec![], |text| text.text.split(';').filter_map(place).collect());
    Some(([info.width, info.height], places))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_names_its_photographs() {
        let mut drawn = Drawn::from(RgbImage::new(30, 20));
        assert_eq!(photographs(&drawn.png().expect("a PNG")), Some(([30, 20], vec![])));
        drawn.photographs =
            vec![Place { x: 1, y: 2, width: 3, height: 4 }, Place { x: 10, y: 0, width: 20, height: 20 }];
        let png = drawn.png().expect("a PNG");
        assert_eq!(photographs(&png), Some(([30, 20], drawn.photographs.clone())));
        assert_eq!(image::load_from_memory(&png).expect("a picture").to_rgb8(), drawn.picture);
        assert_eq!(photographs(b"no PNG"), None);
    }
}
