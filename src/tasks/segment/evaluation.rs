//! Results of one pass over a set of images and masks.

use std::fmt::Write;
use std::sync::Arc;

use image::GrayImage;

use super::metrics::{ClassCounts, SegmentationScores, image_iou};
use super::{MEAN_IOU, PIXEL_ACCURACY, WEIGHTED_IOU, pair};
use crate::data::{Batch, PreparedPairs, nearest_into, one_line};
use crate::label::IGNORED_BYTE;
use crate::run::card::ModelCard;
use crate::run::confusion::ConfusionMatrix;
use crate::run::pictures::{self, PictureTable, spread};
use crate::run::verdict::yardstick::bootstrap;
use crate::run::{Baseline, Score, Yardstick};
use crate::text::defused;
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

/// Images whose predictions are shown.
const SHOWN: usize = 6;

/// Predictions for the pixels of a set of images.
#[derive(Clone)]
pub struct SegmentEvaluation {
    classes: Vec<String>,
    palette: Vec<[u8; 3]>,
    /// Height and width of the predictions.
    size: [usize; 2],
    samples: usize,
    totals: Totals,
    /// Counts of truth and prediction, over all pixels of the set that are not ignored.
    pub confusion: ConfusionMatrix,
    /// Pixels per class of each image.
    counted: Vec<ClassCounts>,
    /// Index and predicted classes of the images that are shown.
    pub shown: Vec<(usize, Vec<u8>)>,
    wanted: Vec<usize>,
    pairs: Option<Arc<PreparedPairs>>,
}

impl SegmentEvaluation {
    pub(super) fn new(card: &ModelCard, samples: usize, pairs: Option<Arc<PreparedPairs>>) -> Self {
        SegmentEvaluation {
            classes: card.classes.clone(),
            palette: card.palette.clone(),
            size: card.image_size,
            samples,
            totals: Totals::default(),
            confusion: ConfusionMatrix::new(card.classes.len()),
            counted: vec![],
            shown: vec![],
            wanted: if pairs.is_some() { spread(samples, SHOWN).collect() } else { vec![] },
            pairs,
        }
    }

    fn size_u32(&self) -> (u32, u32) {
        (self.size[0] as u32, self.size[1] as u32)
    }

    /// A predicted mask at another height and width.
    fn scaled(&self, mask: Vec<u8>, (height, width): (u32, u32)) -> Vec<u8> {
        let (own_height, own_width) = self.size_u32();
        let mask = GrayImage::from_raw(own_width, own_height, mask).unwrap_or_default();
        let mut scaled = vec![0; height as usize * width as usize];
        nearest_into(&mask, width, height, &mut scaled);
        scaled
    }

    /// Counts the pixels of a mask that are not ignored.
    fn count(&mut self, truth: &[u8], predicted: &[u8]) {
        for (&truth, &predicted) in truth.iter().zip(predicted).filter(|(truth, _)| **truth != IGNORED_BYTE) {
            // Both are classes of the model: the set was opened with its classes.
            let _ = self.confusion.add(truth.into(), predicted.into());
        }
    }

    /// The scores of the whole set and of each class.
    pub fn class_scores(&self) -> SegmentationScores {
        SegmentationScores::of(&self.confusion)
    }

    /// `iou.csv`: class, pixels, IoU (empty where the truth lacks the class).
    fn iou_table(&self) -> String {
        let mut csv = csv::Writer::from_writer(vec![]);
        // Writing into memory does not fail.
        let _ = csv.write_record(["class", "pixels", "iou"]);
        for (class, iou) in self.class_scores().iou.iter().enumerate() {
            let iou = iou.map_or(String::new(), |iou| format!("{iou:.4}"));
            let _ = csv.write_record([defused(&self.classes[class]), self.confusion.row_total(class).to_string(), iou]);
        }
        csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Images, true masks and predicted masks side by side.
    fn figure(&self, pairs: &PreparedPairs, epoch: u32) -> Result<PictureTable, TrainError> {
        let title = format!("Validation images after epoch {epoch}");
        let mut figure = PictureTable::new(title, ["image", "truth", "prediction"].map(String::from).to_vec());
        figure.legend = self.classes.iter().cloned().zip(self.palette.iter().copied()).collect();
        for (index, predicted) in &self.shown {
            let (image, truth) = pair(pairs, *index)?;
            let iou = image_iou(&truth, predicted, self.classes.len());
            let masks = [&truth, predicted].map(|mask| pictures::painted(pairs.size(), mask, &self.palette));
            let captions = [String::new(), String::new(), format!("mean IoU {:.3}", iou.unwrap_or(0.0))];
            figure.row(std::iter::once(image).chain(masks).zip(captions));
        }
        Ok(figure)
    }
}

impl Evaluation for SegmentEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let totals = Totals::of(outputs);
        self.totals.loss += totals.loss;
        self.totals.counted += totals.counted;
        let scaled_to = self.pairs.clone().filter(|pairs| pairs.size() != self.size_u32());
        if scaled_to.is_none() {
            self.confusion.add_counts(outputs.get(port::COUNTS));
        }
        let pixels = self.size[0] * self.size[1];
        let images = outputs.get(port::PREDICTIONS).chunks_exact(pixels).zip(batch.labels.chunks_exact(pixels));
        for ((image, labels), &index) in images.zip(&batch.indices) {
            let mut predicted: Vec<u8> = image.iter().map(|&class| class as u8).collect();
            let truth = match &scaled_to {
                Some(pairs) => {
                    predicted = self.scaled(predicted, pairs.size());
                    let truth = pair(pairs, index)?.1;
                    self.count(&truth, &predicted);
                    truth
                }
                None => labels.iter().map(|&label| label as u8).collect(),
            };
            self.counted.push(ClassCounts::of(&truth, &predicted, self.classes.len()));
            if self.wanted.contains(&index) {
                self.shown.push((index, predicted));
            }
        }
        Ok(())
    }

    /// Mean cross entropy of the pixels that are not ignored.
    fn loss(&self) -> f64 {
        self.totals.loss / self.totals.counted.max(1.0)
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        let scores = self.class_scores();
        let list =
            [(MEAN_IOU, scores.mean_iou), (WEIGHTED_IOU, scores.weighted_iou), (PIXEL_ACCURACY, scores.pixel_accuracy)];
        list.into_iter().map(|(s, v)| (s, v.unwrap_or(0.0))).collect()
    }

    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        let sum = |drawn: &mut dyn Iterator<Item = &ClassCounts>| {
            drawn.fold(ClassCounts::new(self.classes.len()), |sum, image| sum.plus(image))
        };
        let sigma =
            bootstrap(self.counted.len(), |drawn| sum(&mut drawn.iter().map(|&image| &self.counted[image])).mean_iou());
        let all = sum(&mut self.counted.iter());
        let baseline = all
            .largest()
            .map(|(class, value)| Baseline {
                name: format!("“{}” everywhere", one_line(&self.classes[class])), value
            });
        Ok(Yardstick { sigma, baseline })
    }

    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        results.run().write_confusion(&self.confusion, &self.classes)?;
        if let Some(pairs) = &self.pairs {
            results.picture("samples.png", || Ok(self.figure(pairs, epoch)?.draw()?));
        }
        results.picture("confusion.png", || Ok(pictures::confusion_picture(&self.confusion, &self.classes)?));
        results.file("iou.csv", |run| Ok(run.write_file("iou.csv", &self.iou_table()).map(|()| true)?));
        Ok(())
    }

    fn summary(&self) -> String {
        let (images, loss, scores) = (self.samples, self.loss(), self.class_scores());
        let text = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.4}"));
        let [mean, weighted, accuracy] = [scores.mean_iou, scores.weighted_iou, scores.pixel_accuracy].map(text);
        let mut summary = format!(
            "{images} images, loss {loss:.4}, mean IoU {mean}, weighted IoU {weighted}, pixel accuracy {accuracy}\n\n"
        );
        summary += &format!("{:<24} {:>12} {:>8}", "class", "pixels", "IoU");
        for (k, (name, iou)) in self.classes.iter().zip(&scores.iou).enumerate() {
            let (name, pixels) = (one_line(name), self.confusion.row_total(k));
            // Writing into memory does not fail.
            let _ = write!(summary, "\n{name:<24} {pixels:>12} {:>8}", text(*iou));
        }
        summary
    }
}
