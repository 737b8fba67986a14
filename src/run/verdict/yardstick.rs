//! The scale on which a score is judged: its uncertainty and a baseline.

use serde::{Deserialize, Serialize};

use crate::random::{Random, op};

/// Uncertainty and baseline of the score that decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Yardstick {
    /// Standard error of the score: its deviation over validation sets of this size.
    pub sigma: Option<f64>,
    /// Score of a model that learned nothing.
    pub baseline: Option<Baseline>,
    /// The value that the true outputs have in a score without a better direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<Truth>,
}

/// A score of the true outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the score, such as `colorfulness`.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// Score of a model that learned nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// That model, such as `always “bees”`.
    pub name: String,
    /// Its score.
    pub value: f64,
    /// Standard error of the gain over the baseline, image by image. It is far below that of the score, because images
    /// differ more than models. If `None`, the standard error of the score counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_sigma: Option<f64>,
}

/// Number of resamples of a bootstrap.
const RESAMPLES: u64 = 200;

/// Standard error of a share, such as an accuracy, of which k of n images are right: the posterior standard deviation
/// under a uniform prior (Laplace), `sqrt(p (1 − p) / (n + 3))` with `p = (k + 1) / (n + 2)`. Unlike `sqrt(p (1 − p) / n)` it is not 0 if all images are
/// right.
pub fn binomial(share: f64, count: u64) -> Option<f64> {
    let n = count as f64;
    let p = (share * n + 1.0) / (n + 2.0);
    (count > 0).then(|| (p * (1.0 - p) / (n + 3.0)).sqrt())
}

/// Largest difference of two scores that counts as chance: two standard errors of a difference, each score with the error `sigma`.
pub(crate) fn within_chance(sigma: f64) -> f64 {
    2.0 * 2f64.sqrt() * sigma
}

/// Standard error of the mean of values; `None` below two values.
pub fn of_mean(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// Standard error of a score of `images` images by the bootstrap (Efron 1979): the deviation of the score over 200 sets, each
/// drawn from the images with replacement. `score` takes the images of a set. `None` below two images.
pub fn bootstrap(images: usize, mut score: impl FnMut(&[usize]) -> Option<f64>) -> Option<f64> {
    let mut drawn = vec![0; images];
    let mut scores = vec![];
    for resample in 0..RESAMPLES {
        let mut random = Random::new(0, 0, resample, op::BOOTSTRAP);
        drawn.iter_mut().for_each(|index| *index = random.below(images));
        scores.extend(score(&drawn));
    }
    // The deviation of the resamples, not of their mean.
    of_mean(&scores).filter(|_| images > 1).map(|error| error * (scores.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.beta(648, 354).std()`, `scipy.stats.beta(41, 1).std()`.
    #[test]
    fn standard_errors_are_those_of_the_formulas() {
        assert!((binomial(0.647, 1000).unwrap() - 0.015_092_839).abs() < 1e-8);
        assert!((binomial(1.0, 40).unwrap() - 0.023_249_221).abs() < 1e-8);
        assert_eq!(binomial(0.5, 0), None);
        // scipy.stats.sem([20, 22, 25, 21]) = 1.0801234
        assert!((of_mean(&[20.0, 22.0, 25.0, 21.0]).unwrap() - 1.080_123_4).abs() < 1e-6);
        assert_eq!(of_mean(&[1.0]), None);
    }

    #[test]
    fn the_bootstrap_of_a_mean_is_near_its_standard_error() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i * i % 37)).collect();
        let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
        let (found, expected) = (bootstrap(values.len(), mean).unwrap(), of_mean(&values).unwrap());
        // 200 resamples scatter by 5 %.
        assert!((found / expected - 1.0).abs() < 0.15, "{found} for {expected}");
        assert_eq!(bootstrap(1, |_| Some(1.0)), None);
    }
}
