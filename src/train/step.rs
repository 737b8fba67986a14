//! The end of a training graph, and the names of its inputs and outputs.

pub use crate::training::spans::{Span, spans, stage_of};
pub use crate::training::update::{Optimizer, Phase, Update, append_training, append_update, update_graph};

/// Names of inputs and outputs.
pub mod port {
    pub use crate::training::port::*;

    /// Output `[C,C]` of an evaluation: pixels by truth and prediction.
    pub const COUNTS: &str = "counts";
    /// Output of an evaluation: a class number for each pixel, or colors.
    pub const PREDICTIONS: &str = "predictions";
    /// Output `[N,classes]` of an evaluation.
    pub const LOGITS: &str = "logits";
}
