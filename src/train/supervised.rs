//! The objective of a network that predicts numbers: a loss made of ops between its output and a target of the same shape.

use super::TrainError;
use super::objective::{Evaluation, Objective, filled};
use super::outputs::Outputs;
use super::step::{Phase, Update, append_training, port};
use crate::data::Batch;
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::nn::Mode;
use crate::ops;
use crate::run::Score;
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::shape::TensorType;

/// Appends a loss: output and target of the same shape to the mean loss `[1]`.
pub type AppendLoss = fn(&mut Graph, Value, Value) -> Result<Value, GraphError>;

/// A network that learns to predict [`Batch::targets`].
pub struct Supervised {
    /// The model.
    pub card: ModelCard,
    /// The description of the task's runs.
    pub task_card: TaskCard,
    /// Channels of the images.
    pub channels: usize,
    /// The mean loss of a batch.
    pub loss: AppendLoss,
    /// The update of training.
    pub update: Update,
    /// Loss and scores of an evaluation, from predicted values and targets.
    pub score: fn(&[f32], &[f32]) -> (f64, Vec<(Score, f64)>),
}

impl Supervised {
    fn output(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<Value, GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, self.channels]));
        self.card.network.apply(g, images, mode)
    }
}

impl Objective for Supervised {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn task_card(&self) -> &TaskCard {
        &self.task_card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let output = self.output(&mut g, n, Mode::Train)?;
        let targets = g.input(port::TARGETS, g.ty(output).clone());
        let loss = (self.loss)(&mut g, output, targets)?;
        // The weight of a batch is its number of samples.
        let totals = ops::fill(&mut g, TensorType::flat(4), n as f32)?;
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &self.update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let output = self.output(&mut g, n, Mode::Eval)?;
        g.output(port::PREDICTIONS, output);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        session.write(plan, port::IMAGES, &filled(&batch.images, n * self.channels * self.card.pixels()))?;
        match session.plan(plan).input(port::TARGETS).map(|port| port.ty.shape.elements()) {
            Some(len) => session.write(plan, port::TARGETS, &filled(&batch.targets, len)),
            None => Ok(()),
        }
    }

    fn begin(&self, _: usize) -> Box<dyn Evaluation> {
        Box::new(Predictions { predicted: vec![], targets: vec![], score: self.score })
    }
}

/// Predicted values and targets of a set of images.
struct Predictions {
    predicted: Vec<f32>,
    targets: Vec<f32>,
    score: fn(&[f32], &[f32]) -> (f64, Vec<(Score, f64)>),
}

impl Evaluation for Predictions {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        // Samples that fill up a last, smaller batch are dropped.
        self.predicted.extend(&outputs.get(port::PREDICTIONS)[..batch.targets.len()]);
        self.targets.extend(&batch.targets);
        Ok(())
    }

    fn loss(&self) -> f64 {
        (self.score)(&self.predicted, &self.targets).0
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        (self.score)(&self.predicted, &self.targets).1
    }
}
