//! Settings of a training.

use super::update::{Optimizer, Update};
use crate::ops::{AdamOptions, SgdOptions};
use crate::precision::Precision;

/// Settings of a [`Training`](super::Training). Start from [`TrainingOptions::adam`], [`TrainingOptions::adamw`] or
/// [`TrainingOptions::sgd`], and change fields:
///
/// ```
/// use shadegrad::training::TrainingOptions;
/// let options = TrainingOptions { clip: Some(1.0), freeze: vec!["conv1".into()], ..TrainingOptions::adamw(1e-3, 0.05) };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingOptions {
    /// Rule of the update.
    pub optimizer: Optimizer,
    /// Learning rate of the first step; [`Training::set_learning_rate`](super::Training::set_learning_rate) changes it.
    pub learning_rate: f64,
    /// Largest L2 norm of all gradients together; larger ones are scaled down to it.
    pub clip: Option<f32>,
    /// Decay of a moving average of the parameters, such as 0.999. At step t it is at most `(1 + t) / (10 + t)`, so that the
    /// average leaves the random start quickly. [`Training::with_average`](super::Training::with_average) uses it.
    pub average: Option<f64>,
    /// Parameters that are not trained: names, layers that they belong to, or either with `*` for any characters.
    pub freeze: Vec<String>,
    /// Width of activations and their gradients. [`Precision::F16`] scales the loss and needs a device with 16-bit floats.
    pub precision: Precision,
    /// Seed of the start values and of dropout.
    pub seed: u64,
    /// Measure the L2 norm of the gradients of each step: [`Step::gradient_norm`](super::Step::gradient_norm).
    pub gradient_norm: bool,
}

impl TrainingOptions {
    /// This optimizer and learning rate; nothing clipped, frozen or averaged; 32 bits; seed 0.
    pub fn new(optimizer: Optimizer, learning_rate: f64) -> Self {
        TrainingOptions {
            optimizer,
            learning_rate,
            clip: None,
            average: None,
            freeze: vec![],
            precision: Precision::F32,
            seed: 0,
            gradient_norm: false,
        }
    }

    /// Adam (Kingma & Ba 2015) with the paper's settings.
    pub fn adam(learning_rate: f64) -> Self {
        Self::new(Optimizer::Adam(AdamOptions::default()), learning_rate)
    }

    /// AdamW (Loshchilov & Hutter 2019): Adam with decoupled weight decay.
    pub fn adamw(learning_rate: f64, weight_decay: f32) -> Self {
        let options = AdamOptions { weight_decay, decoupled: true, ..AdamOptions::default() };
        Self::new(Optimizer::Adam(options), learning_rate)
    }

    /// SGD with momentum 0.9.
    pub fn sgd(learning_rate: f64) -> Self {
        Self::new(Optimizer::Sgd(SgdOptions::default()), learning_rate)
    }

    /// How the graph of a step uses the gradients.
    pub(super) fn update(&self) -> Update {
        Update {
            optimizer: self.optimizer,
            clip: self.clip,
            accumulate: false,
            average: self.average.is_some(),
            norms: self.gradient_norm,
            precision: self.precision,
            stages: &[],
        }
    }
}
