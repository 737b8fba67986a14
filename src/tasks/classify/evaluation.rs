//! Results of one pass over a set of classified images.

use std::fmt::Write;
use std::sync::Arc;

use image::RgbImage;

use super::ACCURACY;
use crate::data::{Batch, PreparedClasses, one_line};
use crate::run::confusion::ConfusionMatrix;
use crate::run::mistakes::{self, Mistake};
use crate::run::pictures::{self, Cell, Sheet, spread};
use crate::run::verdict::yardstick::binomial;
use crate::run::{Baseline, Score, Yardstick};
use crate::tasks::explain::{SHOWN, Shown};
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

/// Number of mistakes that a run keeps.
const MISTAKES: usize = 24;

/// Predictions for a set of images.
#[derive(Clone)]
pub struct ClassifyEvaluation {
    classes: Vec<String>,
    loss: f64,
    /// Counts of truth and prediction.
    pub confusion: ConfusionMatrix,
    /// Prediction and its probability for each image of the set, in the order of the set.
    pub predictions: Vec<(usize, f32)>,
    shown: Option<Arc<PreparedClasses>>,
}

impl ClassifyEvaluation {
    pub(super) fn new(classes: Vec<String>, samples: usize, shown: Option<Arc<PreparedClasses>>) -> Self {
        let confusion = ConfusionMatrix::new(classes.len());
        ClassifyEvaluation { classes, loss: 0.0, confusion, predictions: vec![(0, 0.0); samples], shown }
    }

    /// Share of the images that are predicted correctly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy().unwrap_or(0.0)
    }

    /// Indices of the right and of the wrong predictions. The wrong ones have the most confident first.
    fn by_outcome(&self, images: &PreparedClasses) -> [Vec<usize>; 2] {
        let right = |&i: &usize| self.predictions[i].0 == images.label(i) as usize;
        let (right, mut wrong): (Vec<_>, Vec<_>) = (0..images.len()).partition(right);
        wrong.sort_by(|&a, &b| self.predictions[b].1.total_cmp(&self.predictions[a].1));
        [right, wrong]
    }

    /// The most confident wrong predictions, then right ones from the whole set.
    pub(super) fn explained(&self) -> Result<Vec<Shown>, TrainError> {
        let Some(images) = &self.shown else { return Ok(vec![]) };
        let [right, wrong] = self.by_outcome(images);
        let right = spread(right.len(), SHOWN).map(|place| right[place]);
        let shown =
            |index: usize| Ok(Shown { index, class: self.predictions[index].0, cell: self.cell(images, index)? });
        wrong.iter().take(SHOWN).copied().chain(right).map(shown).collect()
    }

    /// An image with its prediction.
    fn cell(&self, images: &PreparedClasses, index: usize) -> Result<Cell, TrainError> {
        let (class, p) = self.predictions[index];
        let truth = &self.classes[images.label(index) as usize];
        Ok(pictures::prediction_cell(picture(images, index)?, &self.classes[class], truth, f64::from(p)))
    }

    /// The wrong predictions with the highest probabilities, with their images.
    fn mistakes(&self, images: &PreparedClasses) -> Result<Vec<(Mistake, RgbImage)>, TrainError> {
        let [_, mut indices] = self.by_outcome(images);
        indices.truncate(MISTAKES);
        let mistake = |i: usize| {
            let (class, probability) = self.predictions[i];
            let mistake = Mistake {
                picture: String::new(),
                image: images.name(i),
                truth: self.classes[images.label(i) as usize].clone(),
                prediction: self.classes[class].clone(),
                probability: f64::from(probability),
            };
            Ok((mistake, picture(images, i)?))
        };
        indices.into_iter().map(mistake).collect()
    }
}

impl Evaluation for ClassifyEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let classes = self.classes.len();
        self.loss += Totals::of(outputs).loss;
        let rows = outputs.get(port::LOGITS).chunks_exact(classes);
        for ((row, &truth), &index) in rows.zip(&batch.labels).zip(&batch.indices) {
            let p = softmax(row);
            let best = (0..classes).fold(0, |best, k| if p[k] > p[best] { k } else { best });
            self.predictions[index] = (best, p[best]);
            // Both are below `classes`: opening the data checks the labels.
            let _ = self.confusion.add(truth as usize, best);
        }
        Ok(())
    }

    fn loss(&self) -> f64 {
        self.loss / self.confusion.total().max(1) as f64
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        vec![(ACCURACY, self.accuracy())]
    }

    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        let total = self.confusion.total();
        let largest = (0..self.classes.len()).max_by_key(|&class| self.confusion.row_total(class));
        let baseline = largest.filter(|_| total > 0).map(|class| Baseline {
            name: format!("always “{}”", one_line(&self.classes[class])),
            value: self.confusion.row_total(class) as f64 / total as f64,
        });
        Ok(Yardstick { sigma: binomial(self.accuracy(), total), baseline })
    }

    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        results.picture("confusion.png", || Ok(pictures::confusion_picture(&self.confusion, &self.classes)?));
        results.run().write_confusion(&self.confusion, &self.classes)?;
        let Some(images) = &self.shown else { return Ok(()) };
        let cells = spread(images.len(), 24).map(|i| self.cell(images, i)).collect::<Result<_, _>>()?;
        let title = format!("Validation images after epoch {epoch}: prediction (truth)");
        let sheet = Sheet { title, columns: 6, cell_size: 192, cells };
        results.picture("samples.png", || Ok(sheet.draw()?));
        results.file("errors/", |run| {
            let mistakes = self.mistakes(images)?;
            let any = !mistakes.is_empty();
            mistakes::write(run, mistakes)?;
            Ok(any)
        });
        Ok(())
    }

    fn summary(&self) -> String {
        let (images, loss, accuracy) = (self.predictions.len(), self.loss(), 100.0 * self.accuracy());
        let mut text = format!("{images} images, loss {loss:.4}, accuracy {accuracy:.2} %\n\n");
        text += &format!("{:<24} {:>7} {:>9} {:>9}", "class", "images", "recall", "precision");
        let percent = |v: Option<f64>| v.map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
        for (k, name) in self.classes.iter().enumerate() {
            let (recall, precision) = (percent(self.confusion.recall(k)), percent(self.confusion.precision(k)));
            let (name, count) = (one_line(name), self.confusion.row_total(k));
            // Writing into memory does not fail.
            let _ = write!(text, "\n{name:<24} {count:>7} {recall:>9} {precision:>9}");
        }
        text
    }
}

/// An image as the network sees it.
pub(super) fn picture(images: &PreparedClasses, index: usize) -> Result<RgbImage, TrainError> {
    let (height, width) = images.size();
    Ok(RgbImage::from_raw(width, height, images.sample(index)?.into_owned()).unwrap_or_default())
}

/// Probabilities from logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f32> = logits.iter().map(|&v| (v - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
