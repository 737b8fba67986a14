//! Prediction of colors for single images.

use image::RgbImage;
use serde_json::{Map, Value as Json, json};

use super::Colorization;
use crate::data::{Batch, lightness, stretch_into};
use crate::exec::AnyEngine;
use crate::run::Checkpoint;
use crate::run::pictures::png_bytes;
use crate::tasks::TaskError;
use crate::tasks::predict::Predictor;
use crate::tasks::prediction::Prediction;
use crate::train::step::port;
use crate::train::{LoadedModel, Objective, TrainError};

/// A trained colorization model.
pub struct ColorizePredictor {
    objective: Colorization,
    model: LoadedModel,
}

impl ColorizePredictor {
    /// The model of a checkpoint.
    ///
    /// # Errors
    /// When the checkpoint belongs to another task, or its tensors do not fit its metadata.
    pub fn new(checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Self, TaskError> {
        let objective = Colorization::trained(checkpoint.card.clone(), None)?;
        let model = LoadedModel::trained(&objective, engine, checkpoint)?;
        Ok(ColorizePredictor { objective, model })
    }

    /// A photograph of any size with predicted colors and its own lightness.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn colorize(&mut self, photo: &RgbImage) -> Result<RgbImage, TrainError> {
        let [h, w] = self.objective.card().image_size;
        let mut small = vec![0; 3 * h * w];
        stretch_into(photo, w as u32, h as u32, &mut small);
        let batch = Batch { images: lightness(&small), indices: vec![0], ..Batch::default() };
        let outputs = self.model.forward(&self.objective, 1, &batch)?;
        Ok(self.objective.space().recolor(photo, outputs.get(port::PREDICTIONS), (h, w))?)
    }
}

impl Predictor for ColorizePredictor {
    fn writes(&self) -> bool {
        true
    }

    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError> {
        let one = |image: &RgbImage| {
            let picture = png_bytes(&self.colorize(image)?)?;
            let json = [("classes".to_owned(), json!([])), ("shares".to_owned(), Json::Object(Map::new()))];
            let files = vec![("color", picture)];
            Ok(Prediction { files, text: String::new(), json: json.into_iter().collect() })
        };
        images.iter().map(one).collect()
    }
}
