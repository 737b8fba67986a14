//! Results of one pass over a set of images and masks.

use std::fmt::Write;
use std::sync::Arc;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use super::boundary::{BoundaryScores, TOLERANCE, boundary_f1};
use super::metrics::{ClassCounts, SegmentationScores, image_iou};
use super::own_masks::OwnMasks;
use super::picture::{Picture, pair};
use super::scores::{OWN_SCORES, SCORES};
use super::upscale::classes_at;
use crate::data::{Batch, PreparedPairs, nearest_into, one_line};
use crate::label::IGNORED_BYTE;
use crate::run::card::ModelCard;
use crate::run::confusion::ConfusionMatrix;
use crate::run::pictures::{self, PictureTable, spread};
use crate::run::verdict::yardstick::bootstrap;
use crate::run::{Baseline, ClassTrust, Score, Trust, Yardstick};
use crate::text::defused;
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

/// Number of images whose predictions are shown.
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
    /// Counts of truth and prediction at the size of the images that the network sees, over all pixels that are not ignored.
    pub confusion: ConfusionMatrix,
    /// The same counts at the masks' own sizes, if one differs.
    pub own_confusion: Option<ConfusionMatrix>,
    own_masks: Option<Arc<OwnMasks>>,
    /// Whether the network sees pictures at their own sizes. The main scores then are at these sizes.
    sees_own_pixels: bool,
    /// Pixels per class of each image, at the size of the main scores.
    counted: Vec<ClassCounts>,
    /// Boundary F1, at the size of the main scores.
    boundaries: BoundaryScores,
    /// Index and predicted classes of the images that are shown.
    pub shown: Vec<(usize, Vec<u8>)>,
    wanted: Vec<usize>,
    pairs: Option<Arc<PreparedPairs>>,
}

impl SegmentEvaluation {
    pub(super) fn new(
        card: &ModelCard,
        samples: usize,
        pairs: Option<Arc<PreparedPairs>>,
        own_masks: Option<Arc<OwnMasks>>,
    ) -> Self {
        SegmentEvaluation {
            classes: card.classes.clone(),
            palette: card.palette.clone(),
            size: card.image_size,
            samples,
            totals: Totals::default(),
            confusion: ConfusionMatrix::new(card.classes.len()),
            own_confusion: own_masks.is_some().then(|| ConfusionMatrix::new(card.classes.len())),
            own_masks,
            sees_own_pixels: card.sees_own_pixels(),
            counted: vec![],
            boundaries: BoundaryScores::new(card.classes.len()),
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

    /// Counts a batch at the masks' own sizes.
    fn count_own(&mut self, batch: &Batch, logits: &[f32]) -> Result<(), TrainError> {
        let (Some(masks), Some(confusion)) = (&self.own_masks, &mut self.own_confusion) else { return Ok(()) };
        let ([height, width], classes) = (self.size, self.classes.len());
        let of_image = |(logits, &index): (&[f32], &usize)| {
            let mask = masks.get(index)?;
            let (mask_width, mask_height) = mask.dimensions();
            let mut predicted = vec![0; mask.as_raw().len()];
            let size = (mask_height as usize, mask_width as usize);
            classes_at(logits, [height, width, classes], size, &mut predicted);
            Ok(counted(mask.as_raw(), &predicted, classes))
        };
        let images = logits.par_chunks_exact(height * width * classes).zip(&batch.indices);
        let counts = images.map(of_image).collect::<Result<Vec<_>, TrainError>>()?;
        counts.iter().for_each(|counts| confusion.merge(counts));
        Ok(())
    }

    /// A picture of the set before its logits, for a network that sees it at its own size.
    ///
    /// # Errors
    /// When its mask can no longer be read.
    pub(super) fn picture(&self, index: usize) -> Result<Picture, TrainError> {
        let mask = match (&self.own_masks, &self.pairs) {
            (Some(masks), _) => masks.get(index)?,
            (None, Some(pairs)) => Arc::new(pairs.dataset().mask(pairs.original_index(index))?),
            (None, None) => Arc::default(),
        };
        Ok(Picture::new(index, mask, self.classes.len()))
    }

    /// Adds a picture with all its logits.
    ///
    /// # Errors
    /// When its resized mask can no longer be read.
    pub(super) fn add_picture(&mut self, picture: Picture) -> Result<(), TrainError> {
        let Picture { index, mask, predicted, totals, .. } = picture;
        self.totals.loss += totals.loss;
        self.totals.counted += totals.counted;
        let classes = self.classes.len();
        self.counted.push(ClassCounts::of(mask.as_raw(), &predicted, classes));
        self.boundaries.add(&boundary_f1(mask.as_raw(), &predicted, mask.width() as usize, classes));
        if let Some(own) = &mut self.own_confusion {
            own.merge(&counted(mask.as_raw(), &predicted, classes));
        }
        let Some(pairs) = self.pairs.clone() else { return Ok(()) };
        let (height, width) = pairs.size();
        let predicted = GrayImage::from_raw(mask.width(), mask.height(), predicted).unwrap_or_default();
        let mut scaled = vec![0; height as usize * width as usize];
        nearest_into(&predicted, width, height, &mut scaled);
        self.confusion.merge(&counted(&pair(&pairs, index)?.1, &scaled, classes));
        if self.wanted.contains(&index) {
            self.shown.push((index, scaled));
        }
        Ok(())
    }

    /// The counts of the main scores: at the size of the images that the network sees.
    fn main(&self) -> &ConfusionMatrix {
        self.own_confusion.as_ref().filter(|_| self.sees_own_pixels).unwrap_or(&self.confusion)
    }

    /// The counts at the masks' own sizes, if they are not the main ones.
    fn beside(&self) -> Option<&ConfusionMatrix> {
        self.own_confusion.as_ref().filter(|_| !self.sees_own_pixels)
    }

    /// The scores of the whole set and of each class, at the size of the prepared images.
    pub fn class_scores(&self) -> SegmentationScores {
        SegmentationScores::of(&self.confusion)
    }

    /// [`Self::class_scores`] at the masks' own sizes.
    pub fn own_scores(&self) -> SegmentationScores {
        SegmentationScores::of(self.own_confusion.as_ref().unwrap_or(&self.confusion))
    }

    /// `iou.csv`: class, pixels, IoU (empty if the truth lacks the class); then pixels and IoU at the masks' own sizes.
    fn iou_table(&self) -> String {
        let mut csv = csv::Writer::from_writer(vec![]);
        let counts: Vec<_> = std::iter::once(self.main()).chain(self.beside()).collect();
        let scores: Vec<_> = counts.iter().map(|counts| SegmentationScores::of(counts)).collect();
        // Writing into memory does not fail.
        let _ = csv.write_record(["class", "pixels", "iou", "own_pixels", "own_iou"].iter().take(1 + 2 * counts.len()));
        for (class, name) in self.classes.iter().enumerate() {
            let mut record = vec![defused(name)];
            for (counts, scores) in counts.iter().zip(&scores) {
                let iou = scores.iou[class].map_or(String::new(), |iou| format!("{iou:.4}"));
                record.extend([counts.row_total(class).to_string(), iou]);
            }
            let _ = csv.write_record(record);
        }
        csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Images, true masks and predicted masks side by side.
    fn figure(&self, pairs: &PreparedPairs, epoch: u32) -> Result<PictureTable, TrainError> {
        let title = format!("Validation images after epoch {epoch}");
        let columns = ["image", "truth", "prediction", "errors in red"].map(String::from);
        let mut figure = PictureTable::new(title, columns.to_vec());
        figure.legend = self.classes.iter().cloned().zip(self.palette.iter().copied()).collect();
        let mut ignored = false;
        for (index, predicted) in &self.shown {
            let (image, truth) = pair(pairs, *index)?;
            let iou = image_iou(&truth, predicted, self.classes.len());
            ignored |= truth.contains(&IGNORED_BYTE);
            let masks = [&truth, predicted].map(|mask| pictures::tinted(&image, mask, &self.palette));
            let (errors, share) = errors(&image, &truth, predicted);
            let captions = [
                String::new(),
                String::new(),
                format!("mean IoU {:.3}", iou.unwrap_or(0.0)),
                format!("{:.1} % of the pixels", 100.0 * share),
            ];
            figure.row([image].into_iter().chain(masks).chain([errors]).zip(captions));
        }
        figure.legend.extend(ignored.then(|| ("void: not counted".to_owned(), pictures::VOID)));
        Ok(figure)
    }
}

/// The image in grey with wrong pixels in red and ignored ones in white, and the share of wrong pixels.
fn errors(image: &RgbImage, truth: &[u8], predicted: &[u8]) -> (RgbImage, f64) {
    // Each pixel is right (0), wrong (1) or ignored.
    let kind = |(&truth, &predicted): (&u8, &u8)| match truth {
        IGNORED_BYTE => IGNORED_BYTE,
        truth => u8::from(truth != predicted),
    };
    let kinds: Vec<u8> = truth.iter().zip(predicted).map(kind).collect();
    let [right, wrong] = [0, 1].map(|kind| kinds.iter().filter(|&&k| k == kind).count());
    (pictures::marked(image, &kinds), wrong as f64 / (right + wrong).max(1) as f64)
}

/// Counts of the pixels of a mask that are not ignored.
fn counted(truth: &[u8], predicted: &[u8], classes: usize) -> ConfusionMatrix {
    let mut confusion = ConfusionMatrix::new(classes);
    for (&truth, &predicted) in truth.iter().zip(predicted).filter(|(truth, _)| **truth != IGNORED_BYTE) {
        // Both are classes of the model: the set was opened with its classes.
        let _ = confusion.add(truth.into(), predicted.into());
    }
    confusion
}

impl Evaluation for SegmentEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let totals = Totals::of(outputs);
        self.totals.loss += totals.loss;
        self.totals.counted += totals.counted;
        self.count_own(batch, outputs.get(port::LOGITS))?;
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
                    self.confusion.merge(&counted(&truth, &predicted, self.classes.len()));
                    truth
                }
                None => labels.iter().map(|&label| label as u8).collect(),
            };
            self.counted.push(ClassCounts::of(&truth, &predicted, self.classes.len()));
            let width = scaled_to.as_ref().map_or(self.size[1], |pairs| pairs.size().1 as usize);
            self.boundaries.add(&boundary_f1(&truth, &predicted, width, self.classes.len()));
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
        let own = self.beside().map(|counts| (OWN_SCORES, SegmentationScores::of(counts)));
        let listed = std::iter::once((SCORES, SegmentationScores::of(self.main()))).chain(own);
        let values = listed.flat_map(|(names, scores)| names.into_iter().zip(scores.three()));
        values.map(|(score, value)| (score, value.unwrap_or(0.0))).collect()
    }

    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        let sum = |drawn: &mut dyn Iterator<Item = &ClassCounts>| {
            drawn.fold(ClassCounts::new(self.classes.len()), ClassCounts::plus)
        };
        let sigma =
            bootstrap(self.counted.len(), |drawn| sum(&mut drawn.iter().map(|&image| &self.counted[image])).mean_iou());
        let all = sum(&mut self.counted.iter());
        let baseline = all.largest().map(|(class, value)| Baseline {
            name: format!("“{}” everywhere", one_line(&self.classes[class])),
            value,
            gain_sigma: None,
        });
        Ok(Yardstick { sigma, baseline, truth: None })
    }

    fn trust(&self) -> Option<Trust> {
        let counts = self.main();
        let class = |(class, name): (usize, &String)| ClassTrust {
            class: name.clone(),
            count: counts.row_total(class),
            precision: counts.precision(class),
            recall: counts.recall(class),
            f1: counts.f1(class),
            auroc: None,
            boundary_f1: self.boundaries.of_class(class),
        };
        let classes = self.classes.iter().enumerate().map(class).collect();
        let boundary = self.boundaries.mean().map(|mean| [mean, TOLERANCE]);
        Some(Trust { classes, boundary, ..Trust::default() })
    }

    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        // The list of results omits it, because the picture shows it.
        results.file("confusion.csv", |run| Ok(run.write_confusion(self.main(), &self.classes).map(|()| false)?));
        if let Some(pairs) = &self.pairs {
            results.picture("samples.png", || Ok(self.figure(pairs, epoch)?.draw()?));
        }
        let matrix = || Ok(pictures::confusion_picture(self.main(), &self.classes, "pixels")?);
        results.picture("confusion.png", matrix);
        results.file("iou.csv", |run| Ok(run.write_file("iou.csv", &self.iou_table()).map(|()| true)?));
        Ok(())
    }

    fn summary(&self) -> String {
        let (images, loss, scores) = (self.samples, self.loss(), SegmentationScores::of(self.main()));
        let text = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.4}"));
        let [mean, weighted, accuracy] = scores.three().map(text);
        let mut summary = format!(
            "{images} images, loss {loss:.4}, mean IoU {mean}, weighted IoU {weighted}, pixel accuracy {accuracy}\n"
        );
        let own = self.beside().map(SegmentationScores::of);
        if let Some(own) = &own {
            let [mean, weighted, accuracy] = own.three().map(text);
            let _ = writeln!(
                summary,
                "at the masks' own size: mean IoU {mean}, weighted IoU {weighted}, pixel accuracy {accuracy}"
            );
        }
        let tolerance = 100.0 * TOLERANCE;
        let _ = writeln!(summary, "boundary F1 {}, within {tolerance} % of the diagonal", text(self.boundaries.mean()));
        let _ = write!(summary, "\n{:<24} {:>12} {:>8} {:>11}", "class", "pixels", "IoU", "boundary F1");
        let _ = own.as_ref().map(|_| write!(summary, " {:>8}", "own IoU"));
        for (k, name) in self.classes.iter().enumerate() {
            let (name, pixels) = (one_line(name), self.main().row_total(k));
            // Writing into memory does not fail.
            let (iou, outline) = (text(scores.iou[k]), text(self.boundaries.of_class(k)));
            let _ = write!(summary, "\n{name:<24} {pixels:>12} {iou:>8} {outline:>11}");
            let _ = own.as_ref().map(|own| write!(summary, " {:>8}", text(own.iou[k])));
        }
        summary
    }
}
