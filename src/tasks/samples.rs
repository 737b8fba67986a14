//! Training samples before augmentation, for a preview.

use super::TaskError;
use crate::data::augment::Keeps;
use crate::data::{Crops, Mix};
use crate::run::ImageSize;

/// A sample: resized as in training, or at its own size where training cuts crops.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Index in the training part.
    pub index: usize,
    /// Name: its class, or its file.
    pub name: String,
    /// Red, green and blue of each pixel.
    pub rgb: Vec<u8>,
    /// Class of each pixel; empty without masks.
    pub mask: Vec<u8>,
    /// Height and width: those of [`Samples::size`], or those of the file where training cuts crops.
    pub size: (usize, usize),
    /// Height and width of its picture as the data holds it.
    pub own: (usize, usize),
}

/// Reads a sample, given its index in the training part.
pub type ReadSample = Box<dyn Fn(usize) -> Result<Sample, TaskError>>;

/// The training part of a data set, sample by sample.
pub struct Samples {
    /// Number of samples.
    pub count: usize,
    /// Height and width in training.
    pub size: ImageSize,
    /// Crops that training cuts from pictures at their own size.
    pub crops: Option<Crops>,
    /// Names and colors of the classes of masks.
    pub legend: Vec<(String, [u8; 3])>,
    /// Augmentations that keep the label of a sample.
    pub keeps: Keeps,
    /// mixup and CutMix, for a task that has them.
    pub mix: Option<Mix>,
    /// Reads a sample.
    pub read: ReadSample,
}
