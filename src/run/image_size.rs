//! Height and width of images as text, in settings and checkpoints: `64` or `192x256`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Smallest side of input images, in pixels.
pub const MIN_IMAGE_SIZE: usize = 5;
/// Largest side of input images, in pixels.
pub const MAX_IMAGE_SIZE: usize = 8192;

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The expected form, for errors.
const EXPECTED: &str = "HEIGHTxWIDTH in pixels, such as 192x256, or one number for a square";

impl ImageSize {
    /// Reads `64` or `192x256`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |t: &str| t.trim().parse::<usize>().map_err(|_| format!("`{text}` is not {EXPECTED}"));
        let (height, width) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
        Ok(ImageSize { height: number(height)?, width: number(width)? })
    }

    /// Both sides are from `least` to `most`.
    pub fn within(self, least: usize, most: usize) -> bool {
        [self.height, self.width].iter().all(|side| (least..=most).contains(side))
    }
}

/// How a picture is fitted to an image size of other proportions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is stretched to the size.
    Stretched,
    /// It is scaled to cover the size, and the excess is cut off.
    Cut,
}

impl ImageSize {
    /// A line about the resize of a picture of a height and width to this size. If the proportions change, it names a size
    /// of about as many pixels that keeps them.
    pub(crate) fn fit_line(self, [height, width]: [usize; 2], fit: Fit) -> String {
        let (h, w) = (height.max(1) as f64, width.max(1) as f64);
        let ratio = (self.width as f64 / self.height as f64) / (w / h);
        let how = match fit {
            _ if (ratio - 1.0).abs() < 0.02 => {
                return format!("size:    pictures such as {height}x{width} become {self}");
            }
            Fit::Stretched if ratio > 1.0 => format!("{:.0} % wider than they are", 100.0 * (ratio - 1.0)),
            Fit::Stretched => format!("{:.0} % higher than they are", 100.0 * (1.0 / ratio - 1.0)),
            Fit::Cut if ratio > 1.0 => format!("without {:.0} % of their height", 100.0 * (1.0 - 1.0 / ratio)),
            Fit::Cut => format!("without {:.0} % of their width", 100.0 * (1.0 - ratio)),
        };
        // About as many pixels, in multiples of 16, which 4 halvings divide evenly.
        let step = |side: f64| ((side / 16.0).round() as usize).max(1) * 16;
        let scale = ((self.height * self.width) as f64 / (h * w)).sqrt();
        let kept = ImageSize { height: step(h * scale), width: step(w * scale) };
        format!(
            "size:    pictures such as {height}x{width} become {self}, {how}; image size {kept} keeps their proportions"
        )
    }
}

impl FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl Serialize for ImageSize {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ImageSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<ImageSize, E> {
                ImageSize::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: Error>(self, side: i64) -> Result<ImageSize, E> {
                self.visit_str(&side.to_string())
            }
            fn visit_u64<E: Error>(self, side: u64) -> Result<ImageSize, E> {
                self.visit_str(&side.to_string())
            }
        }
        from.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_size_does_to_a_picture_is_said() {
        let size = ImageSize { height: 96, width: 128 };
        let line = |shape, fit| size.fit_line(shape, fit);
        assert!(line([480, 640], Fit::Cut).ends_with("480x640 become 96x128"));
        let square = line([512, 512], Fit::Stretched);
        assert!(square.contains("33 % wider than they are; image size 112x112 keeps"), "{square}");
        assert!(line([512, 512], Fit::Cut).contains("without 25 % of their height"));
        assert!(line([100, 300], Fit::Cut).contains("without 56 % of their width"));
        assert!(line([100, 300], Fit::Stretched).contains("125 % higher than they are"));
    }
}
