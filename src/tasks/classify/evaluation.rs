//! Results of one pass over a set of classified images.

use std::fmt::Write;
use std::sync::Arc;

use super::ACCURACY;
use crate::data::{Batch, PreparedClasses, one_line};
use crate::run::confusion::ConfusionMatrix;
use crate::run::mistakes::{self, Mistake, Pictures};
use crate::run::pictures::{self, Cell, Sheet, spread};
use crate::run::trust::{auroc, is_among};
use crate::run::verdict::yardstick::binomial;
use crate::run::{Baseline, Calibration, ClassTrust, Score, Trust, Yardstick};
use crate::tasks::explain::{SHOWN, Shown};
use crate::tasks::labeled_images::picture;
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

/// Number of mistakes that a run keeps.
const MISTAKES: usize = 24;

/// Number of most probable classes that top-5 accuracy counts.
const TOP: usize = 5;
/// Largest number of probabilities that are kept for AUROC; they take 128 MiB.
const MOST_PROBABILITIES: usize = 1 << 25;

/// Predictions for a set of images.
#[derive(Clone)]
pub struct ClassifyEvaluation {
    classes: Vec<String>,
    loss: f64,
    /// Counts of truth and prediction.
    pub confusion: ConfusionMatrix,
    /// Prediction and its probability for each image of the set, in the order of the set.
    pub predictions: Vec<(usize, f32)>,
    /// True class of each image, and whether it is among the five most probable ones.
    truths: Vec<(usize, bool)>,
    /// Probabilities `[images,classes]`, for AUROC; empty for more than [`MOST_PROBABILITIES`].
    probabilities: Vec<f32>,
    shown: Option<Arc<PreparedClasses>>,
}

impl ClassifyEvaluation {
    pub(super) fn new(classes: Vec<String>, samples: usize, shown: Option<Arc<PreparedClasses>>) -> Self {
        let confusion = ConfusionMatrix::new(classes.len());
        let kept = samples.saturating_mul(classes.len());
        let probabilities = vec![0.0; if kept <= MOST_PROBABILITIES { kept } else { 0 }];
        let (predictions, truths) = (vec![(0, 0.0); samples], vec![(0, false); samples]);
        ClassifyEvaluation { classes, loss: 0.0, confusion, predictions, truths, probabilities, shown }
    }

    /// Share of the images that are predicted correctly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy().unwrap_or(0.0)
    }

    /// Indices of the right and of the wrong predictions, the wrong ones from most to least confident.
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
    fn mistakes(&self, images: &PreparedClasses) -> Result<Vec<(Mistake, Pictures)>, TrainError> {
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
            let own = images.dataset().image(images.original_index(i))?;
            Ok((mistake, Pictures::new(own, picture(images, i)?)))
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
            self.truths[index] = (truth as usize, is_among(&p, truth as usize, TOP));
            if !self.probabilities.is_empty() {
                self.probabilities[index * classes..][..classes].copy_from_slice(&p);
            }
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
        let baseline = largest.filter(|_| total > 0).map(|class| {
            let images = self.confusion.row_total(class);
            let alike = (0..self.classes.len()).filter(|&other| self.confusion.row_total(other) == images).count();
            let name = if alike > 1 {
                "always one class".into()
            } else {
                format!("always “{}”", one_line(&self.classes[class]))
            };
            Baseline { name, value: images as f64 / total as f64, gain_sigma: None }
        });
        Ok(Yardstick { sigma: binomial(self.accuracy(), total), baseline, truth: None })
    }

    fn trust(&self) -> Option<Trust> {
        let classes = self.classes.len();
        let rows = || self.probabilities.chunks_exact(classes).zip(&self.truths);
        let class = |class: usize| ClassTrust {
            class: self.classes[class].clone(),
            count: self.confusion.row_total(class),
            precision: self.confusion.precision(class),
            recall: self.confusion.recall(class),
            f1: self.confusion.f1(class),
            auroc: auroc(rows().map(|(p, (truth, _))| (p[class], *truth == class))),
            boundary_f1: None,
        };
        let predictions = self.predictions.iter().zip(&self.truths);
        let sure = predictions.map(|(&(class, p), &(truth, _))| (f64::from(p), class == truth));
        let among = self.truths.iter().filter(|(_, among)| *among).count() as f64;
        Some(Trust {
            classes: (0..classes).map(class).collect(),
            top5: (classes > TOP && !self.truths.is_empty()).then(|| among / self.truths.len() as f64),
            calibration: Calibration::of(sure),
            boundary: None,
        })
    }

    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        let matrix = || Ok(pictures::confusion_picture(&self.confusion, &self.classes, "images")?);
        results.picture("confusion.png", matrix);
        // The list of results omits it, because the picture shows it.
        results.file("confusion.csv", |run| Ok(run.write_confusion(&self.confusion, &self.classes).map(|()| false)?));
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
        let mut text = format!("{images} images, loss {loss:.4}, accuracy {accuracy:.2} %");
        let trust = self.trust().unwrap_or_default();
        // Writing into memory does not fail.
        let _ = trust.top5.map(|share| write!(text, ", top-5 accuracy {:.2} %", 100.0 * share));
        let _ = trust.calibration.map(|calibration| write!(text, "\n{}", calibration.words()));
        let _ = write!(
            text,
            "\n\n{:<24} {:>7} {:>9} {:>6} {:>6} {:>6}",
            "class", "images", "precision", "recall", "F1", "AUROC"
        );
        let share = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.3}"));
        for ClassTrust { class, count, precision, recall, f1, auroc, .. } in trust.classes {
            let name = one_line(&class);
            let [precision, recall, f1, auroc] = [precision, recall, f1, auroc].map(share);
            let _ = write!(text, "\n{name:<24} {count:>7} {precision:>9} {recall:>6} {f1:>6} {auroc:>6}");
        }
        text
    }
}

/// Probabilities from logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f32> = logits.iter().map(|&v| (v - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
