//! Height and width of images as text, in settings and checkpoints: `64`, `192x256`, or `auto` if the data decides.

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
/// How [`ImageSize::AUTO`] is written.
const AUTO: &str = "auto";
/// The multiple of [`ImageSize::STEP`] nearest to a side, at least `least` steps.
fn in_steps(side: f64, least: usize) -> usize {
    ((side / ImageSize::STEP as f64).round() as usize).max(least) * ImageSize::STEP
}

impl ImageSize {
    /// Stands for the size that the data decides, see [`Self::decided`].
    pub const AUTO: Self = ImageSize { height: usize::MAX, width: usize::MAX };
    /// Size at which built-in street scenes are drawn by default.
    pub const STREETS: Self = ImageSize { height: 96, width: 128 };
    /// Most pixels of a chosen size on a GPU, for pictures whose pixels get classes or colors. A picture of it is usual for a UNet.
    pub(crate) const MOST_ON_GPU: Self = ImageSize { height: 256, width: 256 };
    /// The same on a processor.
    pub(crate) const MOST_ON_PROCESSOR: Self = ImageSize { height: 192, width: 256 };
    /// Chosen sides are multiples of this, so that UNets of depth up to 4 halve them evenly.
    pub(crate) const STEP: usize = 16;
    /// Largest chosen side of squares: that of published weights, usual for photographs.
    pub(crate) const MOST_OF_SQUARE: usize = 224;
    /// Smallest chosen side of squares for a ResNet: it ends in a map of 2×2 pixels, since its stride is 32.
    pub(crate) const LEAST_OF_RESNET: usize = 64;

    /// Whether the data decides.
    pub fn is_auto(self) -> bool {
        self == Self::AUTO
    }

    /// The size of training images. `picture` is the height and width of the data's typical picture, `None` for built-in scenes.
    ///
    /// | this size | result |
    /// |---|---|
    /// | a height and width | the same |
    /// | [`Self::AUTO`], scenes | [`Self::STREETS`] |
    /// | [`Self::AUTO`], pictures | the picture's proportions, about the area of [`Self::STREETS`], sides in steps of 16 |
    pub fn decided(self, picture: Option<[usize; 2]>) -> Self {
        match picture {
            _ if !self.is_auto() => self,
            None => Self::STREETS,
            Some(picture) => Self::STREETS.with_proportions(picture),
        }
    }

    /// A size of about as many pixels with the proportions of a picture of this height and width.
    fn with_proportions(self, [height, width]: [usize; 2]) -> Self {
        let (h, w) = (height.max(1) as f64, width.max(1) as f64);
        let scale = (self.pixels() as f64 / (h * w)).sqrt();
        let side = |side: f64| in_steps(side * scale, 1).min(MAX_IMAGE_SIZE);
        ImageSize { height: side(h), width: side(w) }
    }

    /// The size of a picture in steps of 16, at least 32. One with more pixels than this size gets about as many as this size has.
    pub(crate) fn of_picture_at_most(self, [height, width]: [usize; 2]) -> Self {
        let own = [height, width].map(|side| in_steps(side as f64, 2));
        let own = ImageSize { height: own[0], width: own[1] };
        if own.pixels() > self.pixels() { self.with_proportions([height, width]) } else { own }
    }

    /// Number of its pixels.
    pub(crate) fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Reads `64`, `192x256` or `auto`.
    ///
    /// # Errors
    /// The expectation, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == AUTO {
            return Ok(Self::AUTO);
        }
        let number = |t: &str| t.trim().parse::<usize>().map_err(|_| format!("`{text}` is not {EXPECTED}"));
        let (height, width) = text.split_once(['x', 'X', '×']).unwrap_or((text, text));
        Ok(ImageSize { height: number(height)?, width: number(width)? })
    }

    /// Whether both sides are from `least` to `most`.
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
    /// As [`Fit::Cut`], for a size that must be square.
    Square,
}

impl ImageSize {
    /// The effect of this size on a picture of a height and width, in words. If the proportions change and the size need not be square,
    /// the words name a size of about as many pixels that keeps the proportions.
    pub(crate) fn fit_line(self, [height, width]: [usize; 2], fit: Fit) -> String {
        let (h, w) = (height.max(1) as f64, width.max(1) as f64);
        let ratio = (self.width as f64 / self.height as f64) / (w / h);
        let how = match fit {
            _ if self.height == height && self.width == width => {
                return format!("pictures of {height}x{width} stay as they are");
            }
            _ if (ratio - 1.0).abs() < 0.02 => {
                return format!("pictures such as {height}x{width} become {self}");
            }
            Fit::Stretched if ratio > 1.0 => format!("{:.0} % wider than they are", 100.0 * (ratio - 1.0)),
            Fit::Stretched => format!("{:.0} % higher than they are", 100.0 * (1.0 / ratio - 1.0)),
            _ if ratio > 1.0 => format!("without {:.0} % of their height", 100.0 * (1.0 - 1.0 / ratio)),
            _ => format!("without {:.0} % of their width", 100.0 * (1.0 - ratio)),
        };
        // Other programs write the width first.
        let swapped = ratio * (self.height as f64 / self.width as f64).powi(2);
        let is_swapped = self.height != self.width && (swapped - 1.0).abs() < 0.1;
        let meant = if is_swapped { " (the height comes first in sizes)" } else { "" };
        let words = format!("pictures such as {height}x{width} become {self}{meant}, {how}");
        if fit == Fit::Square {
            return words;
        }
        let kept = self.with_proportions([height, width]);
        if kept == self {
            return words;
        }
        format!("{words}; image size {kept} keeps their proportions")
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
        if self.is_auto() { f.write_str(AUTO) } else { write!(f, "{}x{}", self.height, self.width) }
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
    fn the_data_decides_a_size_of_its_proportions() {
        let auto = ImageSize::parse("auto").unwrap();
        assert_eq!((auto, auto.to_string().as_str()), (ImageSize::AUTO, "auto"));
        assert!(!auto.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE) && !ImageSize::parse("0").unwrap().is_auto());
        for (picture, decided) in [
            (None, "96x128"),
            (Some([480, 640]), "96x128"),
            (Some([512, 512]), "112"),
            (Some([1024, 2048]), "80x160"),
            (Some([640, 480]), "128x96"),
            (Some([1, 9000]), "16x8192"),
        ] {
            assert_eq!(auto.decided(picture), ImageSize::parse(decided).unwrap(), "{picture:?}");
            assert_eq!(ImageSize { height: 7, width: 9 }.decided(picture), ImageSize { height: 7, width: 9 });
        }
    }

    #[test]
    fn what_a_size_does_to_a_picture_is_said() {
        let size = ImageSize { height: 96, width: 128 };
        let line = |shape, fit| size.fit_line(shape, fit);
        assert!(line([480, 640], Fit::Cut).ends_with("480x640 become 96x128"));
        let square = line([512, 512], Fit::Stretched);
        assert!(square.contains("33 % wider than they are; image size 112x112 keeps"), "{square}");
        assert!(line([512, 512], Fit::Cut).contains("without 25 % of their height"));
        assert!(line([100, 300], Fit::Cut).contains("without 56 % of their width"));
        // No size in steps of 16 keeps these proportions better.
        assert!(
            ImageSize { height: 112, width: 112 }
                .fit_line([100, 110], Fit::Cut)
                .ends_with("without 9 % of their width")
        );
        let tall = ImageSize { height: 128, width: 96 }.fit_line([480, 640], Fit::Stretched);
        assert!(tall.contains("become 128x96 (the height comes first in sizes), 78 % higher"), "{tall}");
        assert!(!line([512, 512], Fit::Cut).contains("comes first"));
        assert!(line([100, 300], Fit::Square).ends_with("without 56 % of their width"));
        assert!(line([100, 300], Fit::Stretched).contains("125 % higher than they are"));
    }
}
