//! Prediction of classes for single images.

use image::RgbImage;
use serde_json::{Map, Value as Json, json};

use super::Classification;
use super::evaluation::softmax;
use crate::data::{Bands, Batch, one_line, square_with_margin};
use crate::exec::{AnyEngine, Session};
use crate::run::Checkpoint;
use crate::run::card::ModelCard;
use crate::tasks::TaskError;
use crate::tasks::explain::{Classifier, Explain, Plans, explain};
use crate::tasks::predict::Predictor;
use crate::tasks::prediction::Prediction;
use crate::train::step::port;
use crate::train::{LoadedModel, Objective, TrainError};

/// Images per batch.
const BATCH: usize = 16;

/// A trained classifier.
pub struct ClassifyPredictor {
    objective: Classification,
    model: LoadedModel,
    /// Plans for explanations.
    plans: Plans,
}

impl ClassifyPredictor {
    /// The classifier of a checkpoint.
    ///
    /// # Errors
    /// When the checkpoint belongs to another task, or its tensors do not fit its metadata.
    pub fn new(checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Self, TaskError> {
        let objective = Classification::trained(checkpoint.card.clone())?;
        let model = LoadedModel::trained(&objective, engine, checkpoint)?;
        Ok(ClassifyPredictor { objective, model, plans: Plans::default() })
    }

    /// Probabilities of all classes for at most 16 normalized images of the card's size, `[N,H,W,channels]`.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn probabilities(&mut self, images: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError> {
        let card = self.objective.card();
        let (n, classes) = (images.len() / (card.channels() * card.pixels()), card.classes.len());
        let batch = Batch { images, indices: (0..n).collect(), ..Batch::default() };
        let outputs = self.model.forward(&self.objective, BATCH, &batch)?;
        Ok(outputs.get(port::LOGITS).chunks_exact(classes).take(n).map(softmax).collect())
    }
}

impl Predictor for ClassifyPredictor {
    fn batch(&self) -> usize {
        BATCH
    }

    fn channels(&self) -> usize {
        self.objective.card().channels()
    }

    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError> {
        self.predict_bands(images.iter().map(|rgb| Bands { rgb: rgb.clone(), fourth: None }).collect())
    }

    fn predict_bands(&mut self, images: Vec<Bands>) -> Result<Vec<Prediction>, TaskError> {
        let pixels = self.pixels(&images);
        let predicted = self.probabilities(pixels)?;
        Ok(predicted.iter().map(|p| prediction(self.objective.card(), p)).collect())
    }

    fn explains(&self) -> bool {
        true
    }

    fn explain(&mut self, images: Vec<Bands>, how: &Explain) -> Result<Vec<Prediction>, TaskError> {
        explain(self, &images, how)
    }
}

impl Classifier for ClassifyPredictor {
    fn card(&self) -> &ModelCard {
        self.objective.card()
    }

    fn session(&mut self) -> &mut Session<AnyEngine> {
        &mut self.model.session
    }

    fn plans(&mut self) -> &mut Plans {
        &mut self.plans
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn pixels(&self, images: &[Bands]) -> Vec<f32> {
        let card = self.objective.card();
        let (size, inputs) = (card.image_size[0] as u32, card.inputs());
        let each = inputs.channels() * card.pixels();
        let mut pixels = vec![0.0; each * images.len()];
        for (image, to) in images.iter().zip(pixels.chunks_exact_mut(each)) {
            let seen = |rgb: &RgbImage| square_with_margin(rgb, size, card.margin());
            inputs.write(&seen(&image.rgb), to);
            if let Some(fourth) = image.fourth_as_rgb() {
                inputs.write_fourth(&seen(&fourth), to);
            }
        }
        pixels
    }

    fn probabilities(&mut self, pixels: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError> {
        ClassifyPredictor::probabilities(self, pixels)
    }

    fn prediction(&self, probabilities: &[f32]) -> Prediction {
        prediction(self.objective.card(), probabilities)
    }
}

fn prediction(card: &ModelCard, p: &[f32]) -> Prediction {
    let classes = &card.classes;
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let top: Vec<_> =
        order.iter().take(3).map(|&k| format!("{} {:.1} %", one_line(&classes[k]), 100.0 * p[k])).collect();
    let all: Map<String, Json> = classes.iter().zip(p).map(|(c, &p)| (c.clone(), p.into())).collect();
    let best = order[0];
    let json = [
        ("class".to_owned(), json!(classes[best])),
        ("probability".to_owned(), json!(p[best])),
        ("probabilities".to_owned(), Json::Object(all)),
    ];
    Prediction { files: vec![], text: top.join(", "), json: json.into_iter().collect() }
}
