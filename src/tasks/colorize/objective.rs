//! The graphs of colorization and their inputs.

use std::sync::Arc;

use super::evaluation::ColorizeEvaluation;
use super::{Colorize, ColorizeConfig};
use crate::data::{Batch, ColorSpace, PreparedImages};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::nn::Mode;
use crate::ops::{self, Regression};
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;
use crate::tasks::{Task, TaskError};
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective};

/// Colorization: a regression of the colors of all pixels.
pub struct Colorization {
    card: ModelCard,
    task_card: TaskCard,
    space: ColorSpace,
    training: Option<(Regression, Update)>,
    /// The evaluated images.
    images: Option<Arc<PreparedImages>>,
}

impl Colorization {
    /// For evaluation and prediction with a trained model. `images` are the evaluated images.
    ///
    /// # Errors
    /// When the model was trained for another task.
    pub fn trained(card: ModelCard, images: Option<Arc<PreparedImages>>) -> Result<Self, TaskError> {
        if card.task != Colorize.name() {
            return Err(TaskError::OtherTask { task: card.task, wanted: Colorize.name() });
        }
        let space = ColorSpace::of_channels(card.classes.len());
        Ok(Colorization { card, task_card: Colorize.card(), space, training: None, images })
    }

    /// For training.
    pub(super) fn training(card: ModelCard, config: &ColorizeConfig, images: Option<Arc<PreparedImages>>) -> Self {
        let training = Some((config.loss.regression(), config.settings().update_of(&card.network)));
        Colorization { card, task_card: Colorize.card(), space: config.color_space, training, images }
    }

    /// The predicted values.
    pub fn space(&self) -> ColorSpace {
        self.space
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
        let (loss, update) = self.training.ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let predicted = self.network(&mut g, n, Mode::Train)?;
        let targets = g.input(port::TARGETS, g.ty(predicted).clone());
        let [loss, totals] = ops::regression_loss(&mut g, predicted, targets, loss)?;
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let predicted = self.network(&mut g, n, Mode::Eval)?;
        g.output(port::PREDICTIONS, predicted);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let len = n * self.card.pixels();
        session.write(plan, port::IMAGES, &filled(&batch.images, len))?;
        if session.plan(plan).input(port::TARGETS).is_some() {
            session.write(plan, port::TARGETS, &filled(&batch.targets, len * self.space.channels()))?;
        }
        Ok(())
    }

    fn begin(&self, samples: usize) -> Box<dyn Evaluation> {
        let loss = self.training.map_or(Regression::L1, |(loss, _)| loss);
        Box::new(ColorizeEvaluation::new(self.space, self.card.image_size, loss, samples, self.images.clone()))
    }
}
