//! The choice of the optimizer.

use crate::choices;
use crate::ops::{AdamOptions, SgdOptions};
use crate::train::step;

choices! {
    /// The rule that turns gradients into new weights.
    pub enum Optimizer {
        /// Adam. Weight decay is added to the gradient.
        Adam = "adam",
        /// Adam with decoupled weight decay, not applied to norms and biases.
        AdamW = "adamw",
        /// Stochastic gradient descent with momentum.
        Sgd = "sgd",
    }
}

impl Optimizer {
    /// The rule with its usual settings, for a training graph.
    pub fn usual(self) -> step::Optimizer {
        self.rule(0.9, false, 0.0)
    }

    pub(super) fn rule(self, momentum: f64, nesterov: bool, weight_decay: f64) -> step::Optimizer {
        let (momentum, weight_decay) = (momentum as f32, weight_decay as f32);
        match self {
            Optimizer::Sgd => step::Optimizer::Sgd(SgdOptions { momentum, nesterov, weight_decay, decay_all: true }),
            kind => step::Optimizer::Adam(AdamOptions {
                betas: [0.9, 0.999],
                eps: 1e-8,
                weight_decay,
                decoupled: kind == Optimizer::AdamW,
                decay_all: kind == Optimizer::Adam,
            }),
        }
    }
}
