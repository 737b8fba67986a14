//! Numbers that say how far predictions can be trusted: scores of each class and calibration, in `trust.json`.

use serde::{Deserialize, Serialize};

use super::verdict::yardstick::binomial;

/// Numbers of a whole set. Fields that a task does not have are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Scores of each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassTrust>,
    /// Share of the images whose class is among the five most probable ones, if there are more than five classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// Confidence compared with accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Mean boundary F1 of the images, and its tolerance as a share of an image's diagonal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<[f64; 2]>,
}

/// Scores of a class. A score without a positive sample, or without a prediction, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassTrust {
    /// The class.
    pub class: String,
    /// Its images or pixels.
    pub count: u64,
    /// Share of its predictions that are right.
    pub precision: Option<f64>,
    /// Share of its images or pixels that are found.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Area under the ROC curve of this class against the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auroc: Option<f64>,
    /// Mean boundary F1 of the images that have the class (Csurka et al. 2013).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary_f1: Option<f64>,
}

/// Number of bins of a [`Calibration`].
pub const BINS: usize = 15;

/// Confidence compared with accuracy (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Bin m of M holds the
/// predictions with a confidence above (m − 1) / M and up to m / M.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error: Σ n_m / n · |accuracy_m − confidence_m|.
    pub ece: f64,
    /// Mean confidence.
    pub confidence: f64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// The bins, from low confidence to high.
    pub bins: Vec<Bin>,
}

/// Predictions of similar confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Number of predictions.
    pub count: u64,
    /// Their mean confidence; 0 without any.
    pub confidence: f64,
    /// Share of them that are right; 0 without any.
    pub accuracy: f64,
}

impl Calibration {
    /// The calibration of predictions, each given as its confidence and whether it is right. `None` without a
    /// prediction.
    pub fn of(predictions: impl Iterator<Item = (f64, bool)>) -> Option<Self> {
        let mut bins = vec![Bin::default(); BINS];
        for (confidence, right) in predictions {
            // NaN counts in the first bin.
            let place = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            bins[place].count += 1;
            bins[place].confidence += confidence;
            bins[place].accuracy += f64::from(u8::from(right));
        }
        let total: u64 = bins.iter().map(|bin| bin.count).sum();
        let mean = |value: fn(&Bin) -> f64| bins.iter().map(value).sum::<f64>() / total as f64;
        let (confidence, accuracy) = (mean(|bin| bin.confidence), mean(|bin| bin.accuracy));
        let ece = mean(|bin| (bin.accuracy - bin.confidence).abs());
        for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
            bin.confidence /= bin.count as f64;
            bin.accuracy /= bin.count as f64;
        }
        (total > 0).then_some(Calibration { ece, confidence, accuracy, bins })
    }

    /// The error in words.
    pub fn words(&self) -> String {
        let Calibration { ece, confidence, accuracy, .. } = self;
        let (more, percent) = (confidence - accuracy, |share: f64| format!("{:.1} %", 100.0 * share));
        let count: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let chance = 2.0 * binomial(*accuracy, count).unwrap_or(0.0);
        let kind = match more {
            more if more.is_nan() => "some probabilities are no numbers",
            _ if *ece < 0.05 => "probabilities can be taken as they are",
            more if more.abs() < chance => "confidence and accuracy differ by less than two standard errors",
            more if more > 0.0 => "the model is overconfident",
            _ => "the model is underconfident",
        };
        format!(
            "expected calibration error {} ({BINS} bins): mean confidence {}, accuracy {}; {kind}",
            percent(*ece),
            percent(*confidence),
            percent(*accuracy)
        )
    }
}

/// Area under the ROC curve: the probability that a positive sample has a higher score than a negative one, where equal scores
/// count one half (the statistic of Mann and Whitney). `None` unless there are positive and negative samples.
pub fn auroc(samples: impl Iterator<Item = (f32, bool)>) -> Option<f64> {
    let mut samples: Vec<(f32, bool)> = samples.collect();
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = samples.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = samples.len() as f64 - positives;
    // Ranks begin at 1; equal scores share the mean of their ranks.
    let (mut ranks, mut below) = (0.0, 0);
    for equal in samples.chunk_by(|a, b| a.0 == b.0) {
        let rank = below as f64 + (equal.len() + 1) as f64 / 2.0;
        ranks += rank * equal.iter().filter(|(_, positive)| *positive).count() as f64;
        below += equal.len();
    }
    (positives > 0.0 && negatives > 0.0)
        .then(|| (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Whether fewer than `k` classes are more probable than the true one. Of classes with equal probabilities, the first
/// counts as more probable.
pub fn is_among(probabilities: &[f32], truth: usize, k: usize) -> bool {
    let own = probabilities.get(truth).copied().unwrap_or(f32::NEG_INFINITY);
    let above = |(class, &p): (usize, &f32)| p > own || (p == own && class < truth);
    probabilities.iter().enumerate().filter(|&one| above(one)).count() < k
}
