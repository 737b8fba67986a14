//! Results of one pass over a set of images with several labels.

use std::sync::Arc;

use super::labels::labels_above;
use super::metrics::Scored;
use crate::data::PreparedLabels;
use crate::train::outputs::Totals;

/// Probabilities for a set of images.
#[derive(Clone)]
pub struct MultiLabelEvaluation {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Probabilities and truth, one row per image.
    pub scored: Scored,
    /// Index of the image of each row in the set.
    pub indices: Vec<usize>,
    /// Thresholds of the model, if it has any.
    fixed: Option<Vec<f32>>,
    pub(super) totals: Totals,
    pub(super) shown: Option<Arc<PreparedLabels>>,
}

impl MultiLabelEvaluation {
    pub(super) fn new(classes: Vec<String>, fixed: Option<Vec<f32>>, shown: Option<Arc<PreparedLabels>>) -> Self {
        let scored = Scored::new(classes.len());
        MultiLabelEvaluation { classes, scored, indices: vec![], fixed, totals: Totals::default(), shown }
    }

    /// The thresholds: those of the model, else those with the largest F1 on these images.
    pub fn thresholds(&self) -> Vec<f32> {
        self.fixed.clone().unwrap_or_else(|| self.scored.best_thresholds())
    }

    /// Whether the thresholds were chosen on these images.
    pub fn chooses_thresholds(&self) -> bool {
        self.fixed.is_none()
    }

    /// Labels that the model gives to the image of a row, in the order of the classes.
    pub fn decided(&self, row: usize) -> Vec<&str> {
        let labels = labels_above(&self.classes, self.scored.probabilities(row), &self.thresholds());
        labels.into_iter().map(|(name, _)| name).collect()
    }
}
