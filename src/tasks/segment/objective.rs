//! The graphs of segmentation and their inputs.

use std::sync::Arc;

use super::evaluation::SegmentEvaluation;
use super::{Segment, SegmentConfig, SegmentLoss};
use crate::data::{Batch, PreparedPairs};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::{IGNORED, IGNORED_BYTE};
use crate::nn::Mode;
use crate::ops::{self, CrossEntropyOptions, DiceOptions};
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;
use crate::tasks::{Task, TaskError};
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective};

/// The loss and the update of training.
#[derive(Clone, Debug)]
struct Training {
    loss: SegmentLoss,
    /// One weight per class; `None` for 1.
    class_weights: Option<Vec<f32>>,
    update: Update,
}

/// Segmentation: a loss over the classes of all pixels.
pub struct Segmentation {
    card: ModelCard,
    task_card: TaskCard,
    training: Option<Training>,
    /// Pairs whose predictions are shown.
    shown: Option<Arc<PreparedPairs>>,
}

impl Segmentation {
    /// For evaluation and prediction with a trained model. Predictions for some of `shown` are kept.
    ///
    /// # Errors
    /// When the model was trained for another task.
    pub fn trained(card: ModelCard, shown: Option<Arc<PreparedPairs>>) -> Result<Self, TaskError> {
        if card.task != Segment.name() {
            return Err(TaskError::OtherTask { task: card.task, wanted: Segment.name() });
        }
        if card.palette.len() != card.classes.len() {
            return Err(TaskError::BadCard { key: "palette", expected: "a color for each class" });
        }
        Ok(Segmentation { card, task_card: Segment.card(), training: None, shown })
    }

    /// For training.
    pub(super) fn training(
        card: ModelCard,
        config: &SegmentConfig,
        class_weights: Option<Vec<f32>>,
        shown: Option<Arc<PreparedPairs>>,
    ) -> Self {
        let training =
            Training { loss: config.loss, class_weights, update: config.settings().update_of(&card.network) };
        Segmentation { card, task_card: Segment.card(), training: Some(training), shown }
    }

    /// Logits and labels of a graph for `n` images.
    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<[Value; 2], GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
        let labels = g.input(port::LABELS, TensorType::flat(n * h * w));
        Ok([self.card.network.apply(g, images, mode)?, labels])
    }
}

impl Objective for Segmentation {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn task_card(&self) -> &TaskCard {
        &self.task_card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let training = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let [logits, labels] = self.network(&mut g, n, Mode::Train)?;
        let weights = training.class_weights.as_ref();
        let weights = weights.map(|w| g.input(port::CLASS_WEIGHTS, TensorType::channels([w.len()])));
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
        let [cross_entropy, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, weights, options)?;
        let mut dice = || {
            let options = DiceOptions { ignore_index: Some(IGNORED), ..Default::default() };
            ops::dice_loss(&mut g, logits, labels, options)
        };
        let loss = match training.loss {
            SegmentLoss::CrossEntropy => cross_entropy,
            SegmentLoss::Dice => dice()?,
            SegmentLoss::Both => {
                let dice = dice()?;
                ops::add(&mut g, cross_entropy, dice)?
            }
        };
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &training.update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let [logits, labels] = self.network(&mut g, n, Mode::Eval)?;
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
        let [_, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, None, options)?;
        let predictions = ops::argmax(&mut g, logits)?;
        let counts = ops::confusion(&mut g, labels, predictions, self.card.classes.len())?;
        g.output(port::TOTALS, totals);
        g.output(port::COUNTS, counts);
        g.output(port::PREDICTIONS, predictions);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let label = |&l: &u32| if l == u32::from(IGNORED_BYTE) { IGNORED as f32 } else { l as f32 };
        let pixels = n * self.card.pixels();
        let mut labels: Vec<f32> = batch.labels.iter().map(label).collect();
        labels.resize(pixels, IGNORED as f32);
        session.write(plan, port::IMAGES, &filled(&batch.images, 3 * pixels))?;
        session.write(plan, port::LABELS, &labels)?;
        match self.training.as_ref().and_then(|t| t.class_weights.as_ref()) {
            Some(weights) if session.plan(plan).input(port::CLASS_WEIGHTS).is_some() => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn begin(&self, samples: usize) -> Box<dyn Evaluation> {
        Box::new(SegmentEvaluation::new(&self.card, samples, self.shown.clone()))
    }
}
