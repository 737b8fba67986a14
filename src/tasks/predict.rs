//! Predictions of a trained model for single images.

use image::RgbImage;

use super::TaskError;
use super::explain::Explain;
use super::prediction::Prediction;
use crate::data::Bands;

/// A trained model that predicts for single images.
pub trait Predictor {
    /// Images per batch.
    fn batch(&self) -> usize {
        1
    }

    /// How the network takes pictures at their own size and the memory for it, in words; `None` for resized pictures.
    fn note(&self) -> Option<String> {
        None
    }

    /// Channels of the images: 1, 3 or 4.
    fn channels(&self) -> usize {
        3
    }

    /// Whether predictions are written as pictures.
    fn writes(&self) -> bool {
        false
    }

    /// The prediction for each of at most [`Predictor::batch`] images.
    ///
    /// # Errors
    /// When the device is lost.
    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError>;

    /// [`Predictor::predict`] for images with the [`channels`](Predictor::channels) that the network takes.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    fn predict_bands(&mut self, images: Vec<Bands>) -> Result<Vec<Prediction>, TaskError> {
        let images: Vec<RgbImage> = images.into_iter().map(|image| image.rgb).collect();
        self.predict(&images)
    }

    /// Whether [`Predictor::explain`] is supported.
    fn explains(&self) -> bool {
        false
    }

    /// [`Predictor::predict_bands`] with a picture of the parts of each image that decide about a class; empty if
    /// [`Predictor::explains`] is false.
    ///
    /// # Errors
    /// When a class or layer does not exist, a patch does not fit, or the device is lost.
    fn explain(&mut self, images: Vec<Bands>, how: &Explain) -> Result<Vec<Prediction>, TaskError> {
        let _ = (images, how);
        Ok(vec![])
    }
}
