//! The graphs of multi-label classification and their inputs.

use std::sync::Arc;

use super::evaluation::MultiLabelEvaluation;
use super::labels::THRESHOLDS;
use super::results::explained;
use super::scores::task_card;
use super::settings::MultiLabelConfig;
use crate::data::{Batch, PreparedLabels, Source};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::IGNORED;
use crate::nn::Mode;
use crate::ops::{self, BinaryCrossEntropyOptions};
use crate::run::card::ModelCard;
use crate::run::pictures::Drawn;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;
use crate::tasks::TaskError;
use crate::tasks::data::typed_one;
use crate::tasks::explain::sheet;
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective, TrainError};

/// The loss and the update.
struct Training {
    label_smoothing: f32,
    /// γ of focal loss; 0 for cross entropy.
    focal_gamma: f32,
    /// Weight of each class in images that have it; `None` for 1.
    positive_weights: Option<Vec<f32>>,
    update: Update,
}

/// Multi-label classification: binary cross entropy over the classes of an image.
pub struct MultiLabelClassification {
    card: ModelCard,
    task_card: TaskCard,
    training: Option<Training>,
    /// Thresholds of a trained model.
    thresholds: Option<Vec<f32>>,
    /// Images whose predictions a run shows.
    shown: Option<Arc<PreparedLabels>>,
}

impl MultiLabelClassification {
    /// The objective for evaluation and prediction with a trained model.
    ///
    /// # Errors
    /// When the model was trained for another task, or its thresholds are not one number per class.
    pub fn trained(card: ModelCard) -> Result<Self, TaskError> {
        if card.task != MultiLabelConfig::TASK {
            return Err(TaskError::OtherTask { task: card.task, wanted: MultiLabelConfig::TASK });
        }
        let thresholds = card.own.get(THRESHOLDS).map(|text| thresholds(text, card.classes.len())).transpose()?;
        Ok(MultiLabelClassification {
            card,
            task_card: task_card(MultiLabelConfig::TASK),
            training: None,
            thresholds,
            shown: None,
        })
    }

    /// The objective for training.
    pub(super) fn training(
        card: ModelCard,
        config: &MultiLabelConfig,
        positive_weights: Option<Vec<f32>>,
        shown: Arc<PreparedLabels>,
    ) -> Self {
        let (label_smoothing, update) = (config.label_smoothing as f32, config.settings().update_of(&card.network));
        let focal_gamma = config.gamma() as f32;
        let training = Some(Training { label_smoothing, focal_gamma, positive_weights, update });
        MultiLabelClassification {
            card,
            task_card: task_card(MultiLabelConfig::TASK),
            training,
            thresholds: None,
            shown: Some(shown),
        }
    }

    /// Thresholds of a trained model, one per class. `None` for a model saved before its first evaluation.
    pub fn thresholds(&self) -> Option<&[f32]> {
        self.thresholds.as_deref()
    }

    /// Logits and targets of a graph for `n` images.
    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<[Value; 2], GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
        let logits = self.card.network.apply(g, images, mode)?;
        let targets = g.input(port::TARGETS, g.ty(logits).clone());
        Ok([logits, targets])
    }
}

/// Thresholds from a checkpoint's metadata.
fn thresholds(text: &str, classes: usize) -> Result<Vec<f32>, TaskError> {
    let parsed: Option<Vec<f32>> = serde_json::from_str(text).ok();
    let fitting = parsed.filter(|t| t.len() == classes && t.iter().all(|t| t.is_finite()));
    fitting.ok_or_else(|| {
        TaskError::Own(format!("the checkpoint's entry `{THRESHOLDS}` is {text}: expected {classes} numbers").into())
    })
}

impl Objective for MultiLabelClassification {
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
        let (label_smoothing, focal_gamma) = (training.label_smoothing, training.focal_gamma);
        let options = BinaryCrossEntropyOptions { label_smoothing, focal_gamma, ..Default::default() };
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
        session.write(plan, port::IMAGES, &filled(&batch.images, n * 3 * self.card.pixels()))?;
        // Images for prediction have no targets. Rows that pad a batch are ignored.
        let mut targets = batch.targets.clone();
        targets.resize(n * self.card.classes.len(), IGNORED as f32);
        session.write(plan, port::TARGETS, &targets)?;
        match self.training.as_ref().and_then(|t| t.positive_weights.as_ref()) {
            Some(weights) if session.plan(plan).input(port::CLASS_WEIGHTS).is_some() => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn scores_images(&self) -> bool {
        false
    }

    fn begin(&self, _samples: usize) -> Box<dyn Evaluation> {
        let (classes, fixed) = (self.card.classes.clone(), self.thresholds.clone());
        Box::new(MultiLabelEvaluation::new(classes, fixed, self.shown.clone()))
    }

    fn explains(&self) -> bool {
        self.shown.is_some()
    }

    fn explain(
        &self,
        session: &mut Session<AnyEngine>,
        found: &dyn Evaluation,
        (source, batch): (&dyn Source, usize),
    ) -> Result<Option<Drawn>, TrainError> {
        let shown = typed_one::<MultiLabelEvaluation>(found).map(explained).transpose()?;
        sheet(session, &self.card, source, batch, shown.unwrap_or_default())
    }
}
