//! Prediction of labels for single images.

use image::RgbImage;
use serde_json::{Map, Value as Json, json};

use super::MultiLabelClassification;
use super::labels::{labels_above, sigmoid};
use super::metrics::DEFAULT_THRESHOLD;
use crate::data::{Bands, Batch, one_line, square};
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

/// A trained multi-label classifier.
pub struct MultiLabelPredictor {
    objective: MultiLabelClassification,
    model: LoadedModel,
    thresholds: Vec<f32>,
    /// Plans for explanations.
    plans: Plans,
}

impl MultiLabelPredictor {
    /// The classifier of a checkpoint, with its thresholds. Without thresholds, each is 0.5.
    ///
    /// # Errors
    /// When the checkpoint belongs to another task, or its tensors do not fit its metadata.
    pub fn new(checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Self, TaskError> {
        let objective = MultiLabelClassification::trained(checkpoint.card.clone())?;
        let model = LoadedModel::trained(&objective, engine, checkpoint)?;
        let thresholds =
            objective.thresholds().map_or(vec![DEFAULT_THRESHOLD; checkpoint.card.classes.len()], <[f32]>::to_vec);
        Ok(MultiLabelPredictor { objective, model, thresholds, plans: Plans::default() })
    }

    /// Probabilities of all labels for at most 16 normalized images of the card's size, `[N,H,W,3]`.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn probabilities(&mut self, images: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError> {
        let card = self.objective.card();
        let (n, classes) = (images.len() / (3 * card.pixels()), card.classes.len());
        let batch = Batch { images, indices: (0..n).collect(), ..Batch::default() };
        let outputs = self.model.forward(&self.objective, BATCH, &batch)?;
        let rows = outputs.get(port::LOGITS).chunks_exact(classes).take(n);
        Ok(rows.map(|row| row.iter().map(|&logit| sigmoid(logit)).collect()).collect())
    }

    fn prediction(&self, p: &[f32]) -> Prediction {
        let classes = &self.objective.card().classes;
        let mut labels = labels_above(classes, p, &self.thresholds);
        labels.sort_by(|a, b| b.1.total_cmp(&a.1));
        let word = |(name, p): &(&str, f32)| format!("{} {:.1} %", one_line(name), 100.0 * p);
        let text = match labels.as_slice() {
            [] => "no label".to_owned(),
            labels => labels.iter().map(word).collect::<Vec<_>>().join(", "),
        };
        let by_class = |values: &[f32]| {
            let entries = classes.iter().zip(values).map(|(class, &value)| (class.clone(), Json::from(value)));
            Json::Object(entries.collect())
        };
        let names: Vec<&str> = labels.into_iter().map(|(name, _)| name).collect();
        let json: Map<String, Json> = [
            ("labels".to_owned(), json!(names)),
            ("probabilities".to_owned(), by_class(p)),
            ("thresholds".to_owned(), by_class(&self.thresholds)),
        ]
        .into_iter()
        .collect();
        Prediction { files: vec![], text, json }
    }
}

impl Predictor for MultiLabelPredictor {
    fn batch(&self) -> usize {
        BATCH
    }

    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError> {
        let images: Vec<Bands> = images.iter().map(|rgb| Bands { rgb: rgb.clone(), fourth: None }).collect();
        let pixels = self.pixels(&images);
        Ok(self.probabilities(pixels)?.iter().map(|p| self.prediction(p)).collect())
    }

    fn explains(&self) -> bool {
        true
    }

    fn explain(&mut self, images: Vec<Bands>, how: &Explain) -> Result<Vec<Prediction>, TaskError> {
        explain(self, &images, how)
    }
}

impl Classifier for MultiLabelPredictor {
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
        let (size, table) = (card.image_size[0] as u32, card.normalization.table());
        let mut pixels = Vec::new();
        for image in images {
            pixels.extend(square(&image.rgb, size).iter().enumerate().map(|(i, &v)| table[i % 3][usize::from(v)]));
        }
        pixels
    }

    fn probabilities(&mut self, pixels: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError> {
        MultiLabelPredictor::probabilities(self, pixels)
    }

    fn prediction(&self, probabilities: &[f32]) -> Prediction {
        MultiLabelPredictor::prediction(self, probabilities)
    }
}
