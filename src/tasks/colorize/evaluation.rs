//! Results of one pass over a set of color images.

use std::sync::Arc;

use image::RgbImage;

use super::metrics::{ImageScores, psnr};
use super::{COLORFULNESS, DELTA_E, PSNR, SSIM, grey, picture, truth};
use crate::data::{Batch, ColorSpace, PreparedImages};
use crate::ops::Regression;
use crate::run::pictures::{PictureTable, spread};
use crate::run::verdict::yardstick::of_mean;
use crate::run::{Baseline, Score, Truth, Yardstick};
use crate::tasks::TaskError;
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

/// Number of images whose predictions are shown.
const SHOWN: usize = 6;
/// Maximum number of images of the baseline.
const COUNTED: usize = 500;

/// Scores of the colors predicted for a set of images.
#[derive(Clone)]
pub struct ColorizeEvaluation {
    space: ColorSpace,
    /// Height and width of the predictions.
    size: [usize; 2],
    /// The loss of color values; `None` for a cross entropy, whose totals the graph gives.
    regression: Option<Regression>,
    /// Sum of the mean losses of all images.
    loss: f64,
    totals: Totals,
    /// Scores of each image, in the order of the batches.
    pub images: Vec<ImageScores>,
    /// Index and colorized picture of the images that are shown.
    pub shown: Vec<(usize, RgbImage)>,
    wanted: Vec<usize>,
    set: Option<Arc<PreparedImages>>,
}

impl ColorizeEvaluation {
    pub(super) fn new(
        space: ColorSpace,
        size: [usize; 2],
        regression: Option<Regression>,
        samples: usize,
        set: Option<Arc<PreparedImages>>,
    ) -> Self {
        let wanted = spread(samples, SHOWN).collect();
        let totals = Totals::default();
        ColorizeEvaluation { space, size, regression, loss: 0.0, totals, images: vec![], shown: vec![], wanted, set }
    }

    fn figure(&self, set: &PreparedImages, epoch: u32) -> Result<PictureTable, TaskError> {
        let title = format!("Validation images after epoch {epoch}");
        let mut figure = PictureTable::new(title, ["grey", "prediction", "truth"].map(String::from).to_vec());
        for (index, predicted) in &self.shown {
            let truth = truth(set, *index)?;
            let scores = ImageScores::of(&truth, predicted)?;
            let caption = format!("{:.1} dB, SSIM {:.3}", scores.psnr, scores.ssim);
            let grey = grey(&truth);
            figure.row([grey, predicted.clone(), truth].into_iter().zip([String::new(), caption, String::new()]));
        }
        Ok(figure)
    }
}

impl Evaluation for ColorizeEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let Some(set) = &self.set else { return Ok(()) };
        let totals = Totals::of(outputs);
        self.totals.loss += totals.loss;
        self.totals.counted += totals.counted;
        let [height, width] = self.size;
        let is_scaled = set.size() != (height as u32, width as u32);
        let (len, channels) = (height * width, self.space.channels());
        let predicted = outputs.get(port::PREDICTIONS).chunks_exact(len * channels);
        let images = batch.images.chunks_exact(len).zip(predicted);
        for ((input, predicted), (&index, target)) in
            images.zip(batch.indices.iter().zip(batch.targets.chunks_exact(len * channels)))
        {
            if let Some(regression) = self.regression {
                let terms = predicted.iter().zip(target).map(|(&p, &t)| regression.of(f64::from(p - t)));
                self.loss += terms.sum::<f64>() / (len * channels) as f64;
            }
            let truth = truth(set, index)?;
            let picture = match is_scaled {
                true => self.space.recolor(&truth, predicted, (height, width))?,
                false => picture(set.size(), self.space.decode(input, predicted)),
            };
            self.images.push(ImageScores::of(&truth, &picture).map_err(TaskError::from)?);
            if self.wanted.contains(&index) {
                self.shown.push((index, picture));
            }
        }
        Ok(())
    }

    fn loss(&self) -> f64 {
        match self.regression {
            Some(_) => self.loss / self.images.len().max(1) as f64,
            None => self.totals.loss / self.totals.counted.max(1.0),
        }
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        let Some(mean) = ImageScores::mean(&self.images) else { return vec![] };
        vec![(PSNR, mean.psnr), (SSIM, mean.ssim), (DELTA_E, mean.delta_e), (COLORFULNESS, mean.colorfulness)]
    }

    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        let values: Vec<f64> = self.images.iter().map(|scores| scores.psnr).collect();
        let (mut grey_scores, mut gains) = (vec![], vec![]);
        if let Some(set) = &self.set {
            for index in spread(set.len(), COUNTED) {
                let truth = truth(set, index)?;
                let grey = psnr(&truth, &grey(&truth)).map_err(TaskError::from)?;
                grey_scores.push(grey);
                gains.extend(values.get(index).map(|value| value - grey));
            }
        }
        let mean = grey_scores.iter().sum::<f64>() / grey_scores.len() as f64;
        let gain_sigma = of_mean(&gains);
        let baseline =
            (!grey_scores.is_empty()).then(|| Baseline { name: "the grey picture".into(), value: mean, gain_sigma });
        let truth = ImageScores::mean(&self.images)
            .map(|mean| Truth { name: COLORFULNESS.name.to_string(), value: mean.true_colorfulness });
        Ok(Yardstick { sigma: of_mean(&values), baseline, truth })
    }

    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        let Some(set) = &self.set else { return Ok(()) };
        results.picture("samples.png", || Ok(self.figure(set, epoch)?.draw()?));
        Ok(())
    }

    fn summary(&self) -> String {
        let mean = ImageScores::mean(&self.images).unwrap_or_default();
        format!(
            "{} images, PSNR {:.2} dB, SSIM {:.4}, ΔE {:.2}, colorfulness {:.2} (truth {:.2})",
            self.images.len(),
            mean.psnr,
            mean.ssim,
            mean.delta_e,
            mean.colorfulness,
            mean.true_colorfulness
        )
    }
}
