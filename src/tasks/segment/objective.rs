//! The graphs of segmentation and their inputs.

use std::sync::Arc;

use rayon::prelude::*;

use super::evaluation::SegmentEvaluation;
use super::explain::sheet;
use super::own_masks::OwnMasks;
use super::scores::task_card;
use super::settings::{SegmentConfig, SegmentLoss};
use super::tiles::{Logits, Tiles};
use crate::data::{Bands, Batch, DataError, PreparedPairs, Source};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::{IGNORED, IGNORED_BYTE};
use crate::nn::Mode;
use crate::ops::{self, CrossEntropyOptions, DiceOptions};
use crate::run::card::ModelCard;
use crate::run::pictures::Drawn;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;
use crate::tasks::TaskError;
use crate::tasks::data::typed_one;
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective, SizedPlans, TrainError};

/// Bytes of pictures that an evaluation decodes ahead, on all cores.
const DECODED: usize = 64 << 20;

/// The loss and the update of training.
#[derive(Clone, Debug)]
struct Training {
    loss: SegmentLoss,
    /// γ of focal loss; 0 for the other losses.
    focal_gamma: f32,
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
    /// Their masks at their own sizes, if one differs from the images that the network sees.
    own_masks: Option<Arc<OwnMasks>>,
}

impl Segmentation {
    /// The objective for evaluation and prediction with a trained model. Predictions for some of `shown` are kept.
    ///
    /// # Errors
    /// When the model was trained for another task.
    pub fn trained(card: ModelCard, shown: Option<Arc<PreparedPairs>>) -> Result<Self, TaskError> {
        if card.task != SegmentConfig::TASK {
            return Err(TaskError::OtherTask { task: card.task, wanted: SegmentConfig::TASK });
        }
        if card.palette.len() != card.classes.len() {
            return Err(TaskError::BadCard { key: "palette", expected: "a color for each class" });
        }
        Ok(Segmentation::of(card, None, shown))
    }

    /// The objective for training.
    pub(super) fn training(
        card: ModelCard,
        config: &SegmentConfig,
        class_weights: Option<Vec<f32>>,
        shown: Option<Arc<PreparedPairs>>,
    ) -> Self {
        let update = config.settings().update_of(&card.network);
        let (loss, focal_gamma) = (config.loss, config.gamma() as f32);
        let training = Training { loss, focal_gamma, class_weights, update };
        Segmentation::of(card, Some(training), shown)
    }

    fn of(card: ModelCard, training: Option<Training>, shown: Option<Arc<PreparedPairs>>) -> Self {
        let own_masks = shown.as_ref().and_then(|pairs| OwnMasks::beside(pairs, &card));
        Segmentation { card, task_card: task_card(SegmentConfig::TASK), training, shown, own_masks }
    }

    /// Whether the evaluation graph has the output [`port::LOGITS`]: for masks at their own size, and for predictions.
    fn outputs_logits(&self) -> bool {
        self.own_masks.is_some() || self.shown.is_none()
    }

    /// Logits and labels of a graph for `n` images.
    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<[Value; 2], GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, self.card.channels()]));
        let labels = g.input(port::LABELS, TensorType::flat(n * h * w));
        Ok([self.card.network.apply(g, images, mode)?, labels])
    }

    /// Pairs whose predictions are shown.
    pub(super) fn shown(&self) -> Option<&PreparedPairs> {
        self.shown.as_deref()
    }

    /// A picture of a set, with the channels that the network takes.
    ///
    /// # Errors
    /// When it can no longer be read.
    pub(super) fn bands(&self, pairs: &PreparedPairs, index: usize) -> Result<Bands, DataError> {
        let (set, at) = (pairs.dataset(), pairs.original_index(index));
        match self.card.channels() {
            4 => Ok(set.bands(at)?.into()),
            _ => Ok(Bands { rgb: set.image(at)?, fourth: None }),
        }
    }

    /// Evaluates pictures at their own sizes.
    fn evaluate_pictures(
        &self,
        plans: &mut SizedPlans<'_>,
        pairs: &PreparedPairs,
    ) -> Result<SegmentEvaluation, TrainError> {
        let mut found = SegmentEvaluation::new(&self.card, pairs.len(), self.shown.clone(), self.own_masks.clone());
        let mut tiles = Tiles::new(self);
        let largest = pairs.own_sizes().iter().map(|&(h, w)| 3 * h as usize * w as usize).max();
        let together = (DECODED / largest.unwrap_or(1).max(1)).clamp(1, 16);
        for first in (0..pairs.len()).step_by(together) {
            let indices = first..(first + together).min(pairs.len());
            let read = |index: usize| Ok::<_, DataError>((index, self.bands(pairs, index)?));
            for (index, image) in indices.into_par_iter().map(read).collect::<Result<Vec<_>, _>>()? {
                let mut picture = found.picture(index)?;
                tiles.run(self, plans, &image, |top, rows| picture.add(top, rows))?;
                found.add_picture(picture)?;
                plans.watch.evaluated(index + 1, pairs.len())?;
            }
        }
        Ok(found)
    }
}

impl Logits for Segmentation {
    /// Logits of one picture of a height and width: the output [`port::LOGITS`] `[1,H,W,classes]`.
    fn logits_graph(&self, states: StateTable, [h, w]: [usize; 2]) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let images = g.input(port::IMAGES, TensorType::channels([1, h, w, self.card.channels()]));
        let logits = self.card.network.apply(&mut g, images, Mode::Eval)?;
        g.output(port::LOGITS, logits);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
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
        let focal_gamma = training.focal_gamma;
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), focal_gamma, ..Default::default() };
        let [cross_entropy, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, weights, options)?;
        let mut dice = || {
            let options = DiceOptions { ignore_index: Some(IGNORED), ..Default::default() };
            ops::dice_loss(&mut g, logits, labels, options)
        };
        let loss = match training.loss {
            SegmentLoss::CrossEntropy | SegmentLoss::Focal => cross_entropy,
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
        if self.outputs_logits() {
            g.output(port::LOGITS, logits);
        }
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let label = |&l: &u32| if l == u32::from(IGNORED_BYTE) { IGNORED as f32 } else { l as f32 };
        let pixels = n * self.card.pixels();
        let mut labels: Vec<f32> = batch.labels.iter().map(label).collect();
        labels.resize(pixels, IGNORED as f32);
        session.write(plan, port::IMAGES, &filled(&batch.images, self.card.channels() * pixels))?;
        session.write(plan, port::LABELS, &labels)?;
        match self.training.as_ref().and_then(|t| t.class_weights.as_ref()) {
            Some(weights) if session.plan(plan).input(port::CLASS_WEIGHTS).is_some() => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn evaluate_alone(&self, plans: &mut SizedPlans<'_>) -> Option<Result<Box<dyn Evaluation>, TrainError>> {
        let pairs = self.shown.clone().filter(|_| self.card.sees_own_pixels())?;
        Some(self.evaluate_pictures(plans, &pairs).map(|found| Box::new(found) as Box<dyn Evaluation>))
    }

    fn scores_images(&self) -> bool {
        false
    }

    fn begin(&self, samples: usize) -> Box<dyn Evaluation> {
        Box::new(SegmentEvaluation::new(&self.card, samples, self.shown.clone(), self.own_masks.clone()))
    }

    fn explains(&self) -> bool {
        self.shown.is_some()
    }

    fn explain(
        &self,
        session: &mut Session<AnyEngine>,
        found: &dyn Evaluation,
        _: (&dyn Source, usize),
    ) -> Result<Option<Drawn>, TrainError> {
        let (Some(found), Some(pairs)) = (typed_one::<SegmentEvaluation>(found), self.shown()) else { return Ok(None) };
        if found.shown.is_empty() {
            return Ok(None);
        }
        let shown = found.shown.iter().map(|(index, _)| *index);
        sheet(session, &self.card, shown, |index| self.bands(pairs, index))
    }
}
