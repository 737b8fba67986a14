//! The graphs of colorization and their inputs.

use std::sync::Arc;

use super::evaluation::ColorizeEvaluation;
use super::output::{ColorOutput, bin_values, bins_type};
use super::{Colorize, ColorizeConfig};
use crate::data::color::AB_SCALE;
use crate::data::color_bins::bin_of;
use crate::data::{Batch, ColorSpace, PreparedImages};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::label::IGNORED;
use crate::nn::Mode;
use crate::ops::{self, CrossEntropyOptions, Regression};
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;
use crate::tasks::{Task, TaskError};
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective};

/// Name of the input with the colors of the classes.
const BINS: &str = "color_bins";

/// The loss of training.
#[derive(Clone, Debug)]
enum Loss {
    /// A loss of color values.
    Regression(Regression),
    /// Cross entropy, with one weight per class of colors.
    Classes(Vec<f32>),
}

/// The loss and the update of training.
#[derive(Clone, Debug)]
struct Training {
    loss: Loss,
    update: Update,
}

/// Options of the cross entropy. Pixels without a target are ignored.
const IGNORING: CrossEntropyOptions = CrossEntropyOptions {
    label_smoothing: 0.0,
    ignore_index: Some(IGNORED),
    reduction: ops::Reduction::Mean,
    log_probabilities: false,
    soft_labels: false,
    focal_gamma: 0.0,
};

/// Colorization: a regression of the colors of all pixels, or a classification.
pub struct Colorization {
    card: ModelCard,
    task_card: TaskCard,
    output: ColorOutput,
    training: Option<Training>,
    /// The evaluated images.
    images: Option<Arc<PreparedImages>>,
}

impl Colorization {
    /// The objective for evaluation and prediction with a trained model. `images` are the evaluated images.
    ///
    /// # Errors
    /// When the model was trained for another task.
    pub fn trained(card: ModelCard, images: Option<Arc<PreparedImages>>) -> Result<Self, TaskError> {
        if card.task != Colorize.name() {
            return Err(TaskError::OtherTask { task: card.task, wanted: Colorize.name() });
        }
        let output = ColorOutput::of(&card);
        Ok(Colorization { card, task_card: Colorize.card(), output, training: None, images })
    }

    /// The objective for training. `weights` are those of the classes of colors.
    pub(super) fn training(
        card: ModelCard,
        config: &ColorizeConfig,
        weights: Vec<f32>,
        images: Option<Arc<PreparedImages>>,
    ) -> Self {
        let loss = config.loss.regression().map_or(Loss::Classes(weights), Loss::Regression);
        let update = config.settings().update_of(&card.network);
        let training = Some(Training { loss, update });
        Colorization { card, task_card: Colorize.card(), output: config.output(), training, images }
    }

    /// The predicted values.
    pub fn space(&self) -> ColorSpace {
        self.output.space()
    }

    /// The labels of a graph for `n` images: a class of colors per pixel.
    fn labels(&self, g: &mut Graph, n: usize) -> Value {
        g.input(port::LABELS, TensorType::flat(n * self.card.pixels()))
    }

    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<Value, GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 1]));
        self.card.network.apply(g, images, mode)
    }
}

impl Objective for Colorization {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn task_card(&self) -> &TaskCard {
        &self.task_card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let training = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let predicted = self.network(&mut g, n, Mode::Train)?;
        let [loss, totals] = match &training.loss {
            &Loss::Regression(loss) => {
                let targets = g.input(port::TARGETS, g.ty(predicted).clone());
                ops::regression_loss(&mut g, predicted, targets, loss)?
            }
            Loss::Classes(weights) => {
                let labels = self.labels(&mut g, n);
                let weights = g.input(port::CLASS_WEIGHTS, TensorType::channels([weights.len()]));
                ops::softmax_cross_entropy(&mut g, predicted, labels, Some(weights), IGNORING)?
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
        let outputs = self.network(&mut g, n, Mode::Eval)?;
        if self.output == ColorOutput::Bins {
            let labels = self.labels(&mut g, n);
            let [_, totals] = ops::softmax_cross_entropy(&mut g, outputs, labels, None, IGNORING)?;
            g.output(port::TOTALS, totals);
        }
        let predicted = self.output.prediction(&mut g, outputs, |g| g.input(BINS, bins_type()))?;
        g.output(port::PREDICTIONS, predicted);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let len = n * self.card.pixels();
        session.write(plan, port::IMAGES, &filled(&batch.images, len))?;
        let takes = |session: &Session<AnyEngine>, name| session.plan(plan).input(name).is_some();
        if takes(session, port::TARGETS) {
            session.write(plan, port::TARGETS, &filled(&batch.targets, len * self.space().channels()))?;
        }
        if takes(session, port::LABELS) {
            let bin = |&[a, b]: &[f32; 2]| bin_of([a * AB_SCALE, b * AB_SCALE]) as f32;
            let mut labels: Vec<f32> = batch.targets.as_chunks().0.iter().map(bin).collect();
            labels.resize(len, IGNORED as f32);
            session.write(plan, port::LABELS, &labels)?;
        }
        if takes(session, BINS) {
            session.write(plan, BINS, &bin_values())?;
        }
        match self.training.as_ref().map(|training| &training.loss) {
            Some(Loss::Classes(weights)) if takes(session, port::CLASS_WEIGHTS) => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn begin(&self, samples: usize) -> Box<dyn Evaluation> {
        let regression = match self.training.as_ref().map(|training| &training.loss) {
            Some(&Loss::Regression(loss)) => Some(loss),
            Some(Loss::Classes(_)) => None,
            None => (self.output != ColorOutput::Bins).then_some(Regression::L1),
        };
        let (space, size) = (self.space(), self.card.image_size);
        Box::new(ColorizeEvaluation::new(space, size, regression, samples, self.images.clone()))
    }
}
