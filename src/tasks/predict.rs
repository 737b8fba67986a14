//! Predictions of a trained model for single images.

use image::RgbImage;
use serde_json::{Map, Value as Json};

use super::TaskError;

/// A trained model that predicts.
pub trait Predictor {
    /// Images that are computed together.
    fn batch(&self) -> usize {
        1
    }

    /// Whether predictions are pictures, which are written into a folder.
    fn writes(&self) -> bool {
        false
    }

    /// The prediction for each of at most [`Predictor::batch`] images.
    ///
    /// # Errors
    /// When the device is lost.
    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError>;
}

/// A prediction for an image.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// Files to write: the end of the name (`mask` for `NAME-mask.png`) and the PNG.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// The prediction in a line.
    pub text: String,
    /// The prediction for programs.
    pub json: Map<String, Json>,
}
