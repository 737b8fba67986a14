//! Results of one pass over a set of images with several labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::metrics::Scored;
use super::objective::{THRESHOLDS, sigmoid};
use super::results::{self, labels_above};
use super::{MACRO_F1, MEAN_AVERAGE_PRECISION, MICRO_AVERAGE_PRECISION, MICRO_F1};
use crate::data::{Batch, PreparedLabels};
use crate::run::Score;
use crate::train::Results;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, TrainError};

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
    totals: Totals,
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

impl Evaluation for MultiLabelEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let (classes, totals) = (self.classes.len(), Totals::of(outputs));
        self.totals.loss += totals.loss;
        self.totals.weight += totals.weight;
        let rows = outputs.get(port::LOGITS).chunks_exact(classes).zip(batch.targets.chunks_exact(classes));
        for ((logits, targets), &index) in rows.zip(&batch.indices) {
            let present = (0..).zip(targets).filter(|(_, target)| **target > 0.5);
            let labels: Vec<u32> = present.map(|(label, _)| label).collect();
            let probabilities: Vec<f32> = logits.iter().map(|&logit| sigmoid(logit)).collect();
            self.scored.add(&labels, &probabilities);
            self.indices.push(index);
        }
        Ok(())
    }

    /// Mean binary cross entropy of all (image, class) pairs.
    fn loss(&self) -> f64 {
        self.totals.loss / self.totals.weight.max(1.0)
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        let thresholds = self.thresholds();
        let list = [
            (MEAN_AVERAGE_PRECISION, self.scored.mean_average_precision()),
            (MICRO_AVERAGE_PRECISION, self.scored.micro_average_precision()),
            (MACRO_F1, self.scored.macro_f1(&thresholds)),
            (MICRO_F1, self.scored.micro_f1(&thresholds)),
        ];
        list.into_iter().filter_map(|(score, value)| Some((score, value?))).collect()
    }

    fn entries(&self) -> BTreeMap<String, String> {
        [(THRESHOLDS.to_owned(), serde_json::json!(self.thresholds()).to_string())].into()
    }

    fn write(&self, to: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        results::write(self, to, epoch)
    }

    fn summary(&self) -> String {
        results::summary(self)
    }
}
