//! A prepared picture with its mask, and its classes and loss at its own size, from logits that come in rows.

use std::sync::Arc;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use crate::data::PreparedPairs;
use crate::label::IGNORED_BYTE;
use crate::train::TrainError;
use crate::train::outputs::Totals;

/// A picture under evaluation.
pub(super) struct Picture {
    pub index: usize,
    /// Its true mask.
    pub mask: Arc<GrayImage>,
    /// Predicted classes.
    pub predicted: Vec<u8>,
    pub totals: Totals,
    classes: usize,
}

impl Picture {
    pub fn new(index: usize, mask: Arc<GrayImage>, classes: usize) -> Self {
        let predicted = vec![0; mask.as_raw().len()];
        Picture { index, mask, predicted, totals: Totals::default(), classes }
    }

    /// Adds the logits `[rows,W,classes]` of rows from `top` on.
    pub fn add(&mut self, top: usize, logits: &[f32]) {
        let (width, classes) = (self.mask.width() as usize, self.classes);
        let start = top * width;
        let truth = self.mask.as_raw()[start..].par_chunks_exact(width);
        let predicted = self.predicted[start..].par_chunks_exact_mut(width);
        let rows = logits.par_chunks_exact(width * classes).zip(truth).zip(predicted);
        let of_row = |((logits, truth), predicted): ((&[f32], &[u8]), &mut [u8])| {
            first_largest(logits, classes, predicted);
            let counted = logits.chunks_exact(classes).zip(truth).filter(|(_, class)| **class != IGNORED_BYTE);
            counted
                .fold((0.0, 0.0), |(loss, n), (logits, &class)| (loss + cross_entropy(logits, class.into()), n + 1.0))
        };
        // Rows are summed in their order, whatever the number of threads.
        let sums: Vec<(f64, f64)> = rows.map(of_row).collect();
        for (loss, counted) in sums {
            self.totals.loss += loss;
            self.totals.counted += counted;
        }
    }
}

/// Writes the first channel with the largest logit of each pixel.
pub(super) fn first_largest(logits: &[f32], classes: usize, to: &mut [u8]) {
    for (to, logits) in to.iter_mut().zip(logits.chunks_exact(classes)) {
        let mut best = 0;
        for (class, logit) in logits.iter().enumerate() {
            if *logit > logits[best] {
                best = class;
            }
        }
        *to = best as u8;
    }
}

/// `ln Σ exp(logits) − logits[class]`.
fn cross_entropy(logits: &[f32], class: usize) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    f64::from(most + sum.ln() - logits.get(class).copied().unwrap_or(most))
}

/// Image and mask of a prepared pair.
///
/// # Errors
/// When it is not in memory and its file cannot be read.
pub(super) fn pair(pairs: &PreparedPairs, index: usize) -> Result<(RgbImage, Vec<u8>), TrainError> {
    let (height, width) = pairs.size();
    let pair = pairs.sample(index)?;
    let (image, mask) = pair.split_at(3 * (height * width) as usize);
    Ok((RgbImage::from_raw(width, height, image.to_vec()).unwrap_or_default(), mask.to_vec()))
}
