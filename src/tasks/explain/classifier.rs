//! A classifier that can be explained.

use super::Plans;
use crate::data::Bands;
use crate::exec::{AnyEngine, Session};
use crate::run::card::ModelCard;
use crate::tasks::prediction::Prediction;
use crate::train::TrainError;

/// A trained classifier whose predictions can be explained.
pub(in crate::tasks) trait Classifier {
    /// The model's description.
    fn card(&self) -> &ModelCard;

    /// The states of its network.
    fn session(&mut self) -> &mut Session<AnyEngine>;

    /// Its plans for explanations.
    fn plans(&mut self) -> &mut Plans;

    /// Images per batch.
    fn batch(&self) -> usize;

    /// Images as the network takes them.
    fn pixels(&self, images: &[Bands]) -> Vec<f32>;

    /// Probabilities of all classes, for at most [`Classifier::batch`] images.
    fn probabilities(&mut self, pixels: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError>;

    /// The prediction in text and JSON.
    fn prediction(&self, probabilities: &[f32]) -> Prediction;
}
