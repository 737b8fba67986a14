//! What the loop trains: the graphs with binary cross entropy, and the evaluation of their probabilities.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::metrics::Scored;
use super::{results, scores};
use crate::data::{Batch, PreparedLabels};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::nn::Mode;
use crate::ops::{self, BinaryCrossEntropyOptions};
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::run::{RunDir, Score};
use crate::shape::TensorType;
use crate::train::TrainError;
use crate::train::objective::{Evaluation, Objective};
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::{Phase, Update, append_training, port};

/// Target of the elements that do not count: those of the rows that fill up a last batch.
const IGNORED: i32 = -1;

/// What is minimised, and how.
pub(super) struct Training {
    pub label_smoothing: f32,
    /// Weight of each class's positive part of the loss; `None` for 1.
    pub positive_weights: Option<Vec<f32>>,
    pub update: Update,
}

/// Multi-label classification as the loop sees it.
pub(super) struct MultiLabel {
    pub card: ModelCard,
    pub task_card: TaskCard,
    pub training: Option<Training>,
    /// Thresholds that decide in an evaluation; `None` for those that are best on its images.
    pub thresholds: Option<Vec<f32>>,
    /// The images of an evaluation.
    pub images: Option<Arc<PreparedLabels>>,
}

impl MultiLabel {
    /// Logits and targets of a graph for `n` images.
    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<[Value; 2], GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
        let logits = self.card.network.apply(g, images, mode)?;
        let targets = g.input(port::TARGETS, g.ty(logits).clone());
        Ok([logits, targets])
    }
}

impl Objective for MultiLabel {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn task_card(&self) -> &TaskCard {
        &self.task_card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let training = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let [logits, targets] = self.network(&mut g, n, Mode::Train)?;
        let weights = training.positive_weights.as_ref();
        let weights = weights.map(|w| g.input(port::CLASS_WEIGHTS, TensorType::channels([w.len()])));
        let options = BinaryCrossEntropyOptions { label_smoothing: training.label_smoothing, ..Default::default() };
        let [loss, totals] = ops::binary_cross_entropy(&mut g, logits, targets, weights, options)?;
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &training.update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let [logits, targets] = self.network(&mut g, n, Mode::Eval)?;
        let options = BinaryCrossEntropyOptions { ignore_target: Some(IGNORED), ..Default::default() };
        let [_, totals] = ops::binary_cross_entropy(&mut g, logits, targets, None, options)?;
        g.output(port::LOGITS, logits);
        g.output(port::TOTALS, totals);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let filled = |values: &[f32], len: usize, with: f32| {
            let mut values = values.to_vec();
            values.resize(len, with);
            values
        };
        session.write(plan, port::IMAGES, &filled(&batch.images, n * 3 * self.card.pixels(), 0.0))?;
        // Images to predict come without targets.
        session.write(plan, port::TARGETS, &filled(&batch.targets, n * self.card.classes.len(), IGNORED as f32))?;
        match self.training.as_ref().and_then(|t| t.positive_weights.as_ref()) {
            Some(weights) if session.plan(plan).input(port::CLASS_WEIGHTS).is_some() => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn begin(&self, _samples: usize) -> Box<dyn Evaluation> {
        Box::new(Found {
            classes: self.card.classes.clone(),
            scored: Scored::new(self.card.classes.len()),
            images: self.images.clone(),
            indices: vec![],
            fixed: self.thresholds.clone(),
            totals: Totals::default(),
        })
    }
}

/// Probability of a label, given its logit.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Result of an evaluation.
pub struct Found {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Probabilities against the truth, in the order of the batches.
    pub scored: Scored,
    /// The images, where they are at hand.
    pub(super) images: Option<Arc<PreparedLabels>>,
    /// Index in the images of each row of `scored`.
    pub(super) indices: Vec<usize>,
    /// Thresholds of the model; `None` where it has none yet.
    fixed: Option<Vec<f32>>,
    totals: Totals,
}

impl Found {
    /// The thresholds that decide: those of the model, else those that are best on these images.
    pub fn thresholds(&self) -> Vec<f32> {
        self.fixed.clone().unwrap_or_else(|| self.scored.best_thresholds())
    }

    /// Whether the thresholds were found on these images.
    pub(super) fn found_here(&self) -> bool {
        self.fixed.is_none()
    }
}

impl Evaluation for Found {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let (classes, totals) = (self.classes.len(), Totals::of(outputs));
        self.totals.loss += totals.loss;
        self.totals.weight += totals.weight;
        let rows = outputs.get(port::LOGITS).chunks_exact(classes).zip(batch.targets.chunks_exact(classes));
        for ((logits, targets), &index) in rows.zip(&batch.indices) {
            let labels: Vec<u32> = (0..).zip(targets).filter(|(_, target)| **target > 0.5).map(|(label, _)| label).collect();
            let probabilities: Vec<f32> = logits.iter().map(|&logit| sigmoid(logit)).collect();
            self.scored.add(&labels, &probabilities);
            self.indices.push(index);
        }
        Ok(())
    }

    fn loss(&self) -> f64 {
        self.totals.loss / self.totals.weight.max(1.0)
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        let thresholds = self.thresholds();
        let list = [
            (scores::MEAN_AVERAGE_PRECISION, self.scored.mean_average_precision()),
            (scores::MICRO_AVERAGE_PRECISION, self.scored.micro_average_precision()),
            (scores::MACRO_F1, self.scored.macro_f1(&thresholds)),
            (scores::MICRO_F1, self.scored.micro_f1(&thresholds)),
        ];
        list.into_iter().filter_map(|(score, value)| Some((score, value?))).collect()
    }

    fn metadata(&self) -> BTreeMap<String, String> {
        [("thresholds".to_owned(), serde_json::json!(self.thresholds()).to_string())].into()
    }

    fn write(&self, run: &RunDir, epoch: u32) -> Result<Vec<&'static str>, TrainError> {
        results::write(self, run, epoch)
    }

    fn summary(&self) -> String {
        results::summary(self)
    }
}
