//! Height and width on the command line, in a config file and in a checkpoint: `64` or `192x256`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Smallest side of the images that a network is given, in pixels.
pub const MIN_IMAGE_SIZE: usize = 5;
/// Largest side of the images that a network is given, in pixels.
pub const MAX_IMAGE_SIZE: usize = 8192;

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// What is expected where the text is something else.
const EXPECTED: &str = "HEIGHTxWIDTH in pixels, such as 192x256, or one number for a square";

impl ImageSize {
    /// From `64` or `192x256`.
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
