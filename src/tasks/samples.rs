//! Training samples as they are, for a preview of what augmentation does to them.

use super::TaskError;
use crate::data::Mix;
use crate::data::augment::Keeps;
use crate::run::ImageSize;

/// A sample at its size in training.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Place in the training part.
    pub index: usize,
    /// Name: its class, or its file.
    pub name: String,
    /// Red, green and blue of each pixel.
    pub rgb: Vec<u8>,
    /// Class of each pixel, where the task has masks.
    pub mask: Vec<u8>,
}

/// Reads the sample at a place in the training part.
pub type ReadSample = Box<dyn Fn(usize) -> Result<Sample, TaskError>>;

/// The training part of a data set, sample by sample.
pub struct Samples {
    /// Number of samples.
    pub count: usize,
    /// Height and width.
    pub size: ImageSize,
    /// Names and colors of the classes of masks.
    pub legend: Vec<(String, [u8; 3])>,
    /// Which changes keep a sample's truth.
    pub keeps: Keeps,
    /// How samples are mixed, where they are.
    pub mix: Option<Mix>,
    /// Reads a sample.
    pub read: ReadSample,
}
