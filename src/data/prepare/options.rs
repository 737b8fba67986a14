//! Options of the preparation.

use crate::data::DataError;

/// Options of the preparation.
#[derive(Debug, Clone)]
pub struct PrepareOptions {
    /// Height of the resized samples, in pixels; at least 1.
    pub height: u32,
    /// Width of the resized samples, in pixels; at least 1.
    pub width: u32,
    /// An image without a mask is scaled to cover the sample's size times this factor (at least 1), and cropped to the
    /// center. 256 / 224 is torchvision's `Resize(256)` before `CenterCrop(224)`. Of several parts, the first
    /// (training) has the factor 1.
    pub margin: f64,
    /// Leave out samples that cannot be read, instead of an error.
    pub skip_bad: bool,
    /// Bytes of resized samples that may be kept in memory, over all data sets prepared together. Sets that do not fit
    /// are read on demand; see [`prepare`](super::prepare).
    pub memory_budget: u64,
}

impl PrepareOptions {
    /// Samples of `height` by `width` pixels, an error for bad samples, 2 GiB of memory.
    pub fn new(height: u32, width: u32) -> Self {
        Self { height, width, margin: 1.0, skip_bad: false, memory_budget: 2 << 30 }
    }

    /// [`Self::new`] for squares of `side` pixels.
    pub fn square(side: u32) -> Self {
        Self::new(side, side)
    }

    /// Number of pixels of a sample.
    pub(super) fn pixels(&self) -> Result<usize, DataError> {
        let Self { height, width, .. } = *self;
        let in_range = |side: u32| (1..=1 << 15).contains(&side);
        if in_range(height) && in_range(width) {
            return Ok(height as usize * width as usize);
        }
        let value = if height == width { height.to_string() } else { format!("{height}x{width}") };
        Err(DataError::Setting { name: "image_size", value, expected: "HEIGHTxWIDTH, each from 1 to 32768" })
    }
}
