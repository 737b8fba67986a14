//! The interface between the loop and a task: the graphs of a step and of an evaluation, their inputs, and their scores.

use std::any::Any;
use std::collections::BTreeMap;

use super::TrainError;
use super::outputs::Outputs;
use super::results::Results;
use super::sized::SizedPlans;
use super::step::Phase;
use crate::data::{Batch, Source};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::graph::{Graph, GraphError, StateTable};
use crate::run::card::ModelCard;
use crate::run::pictures::Drawn;
use crate::run::score::TRAIN_ACCURACY;
use crate::run::task_card::TaskCard;
use crate::run::{Score, Trust, Yardstick};

/// A task with its network, as the loop trains and evaluates it.
pub trait Objective: Send {
    /// The description of the model.
    fn card(&self) -> &ModelCard;

    /// The description of the task's runs.
    fn task_card(&self) -> &TaskCard;

    /// A whole training step for a batch of `n`, with the outputs [`port::LOSS`](super::step::port::LOSS) `[1]` and
    /// [`port::TOTALS`](super::step::port::TOTALS) `[4]`. The phase decides the use of the gradients;
    /// [`append_training`](super::step::append_training) appends them.
    ///
    /// # Errors
    /// When the network does not fit the images.
    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError>;

    /// The evaluation of a batch of `n`.
    ///
    /// # Errors
    /// When the network does not fit the images.
    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError>;

    /// Writes a batch of up to `n` samples into the inputs of a plan for `n`; missing samples are ignored.
    ///
    /// # Errors
    /// When the device is lost.
    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError>;

    /// An evaluation of `samples` samples, to which batches are added.
    fn begin(&self, samples: usize) -> Box<dyn Evaluation>;

    /// Evaluates the whole set picture by picture, for a task whose pictures differ in size. `None`: batches of the loader are
    /// evaluated.
    fn evaluate_alone(&self, plans: &mut SizedPlans<'_>) -> Option<Result<Box<dyn Evaluation>, TrainError>> {
        let _ = plans;
        None
    }

    /// Whether [`Evaluation::add`] reads the images of a batch. Ranks then send them to rank 0.
    fn scores_images(&self) -> bool {
        true
    }

    /// Whether [`Objective::explain`] is supported.
    fn explains(&self) -> bool {
        false
    }

    /// A picture of the parts of validation images that decide about their predictions. The states are those of the best
    /// epoch, whose evaluation is `found`; `source` has the images, and `batch` of them fit into memory at once.
    ///
    /// # Errors
    /// When an image cannot be read again or the device is lost.
    fn explain(
        &self,
        session: &mut Session<AnyEngine>,
        found: &dyn Evaluation,
        (source, batch): (&dyn Source, usize),
    ) -> Result<Option<Drawn>, TrainError> {
        let _ = (session, found, source, batch);
        Ok(None)
    }

    /// Whether the totals of a training step count right predictions. The task then shows the training accuracy.
    fn counts_right(&self) -> bool {
        self.task_card().known_scores().any(|score| *score == TRAIN_ACCURACY)
    }
}

/// The evaluation of a set of images, in one pass.
pub trait Evaluation: Any + Send {
    /// Adds a batch, given the outputs of the evaluation graph.
    ///
    /// # Errors
    /// When an image is needed again and can no longer be read.
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError>;

    /// Mean loss.
    fn loss(&self) -> f64;

    /// The task's scores. The first one decides which epoch is best. A score without a sample is not listed.
    fn scores(&self) -> Vec<(Score, f64)>;

    /// Uncertainty of the first score, and the score of a model that learned nothing.
    ///
    /// # Errors
    /// When an image cannot be read again.
    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        Ok(Yardstick::default())
    }

    /// Scores of each class and calibration, if the task has them.
    fn trust(&self) -> Option<Trust> {
        None
    }

    /// Entries for the metadata of the checkpoint that was evaluated, such as thresholds.
    fn entries(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Writes pictures and tables of the best epoch, besides the curves.
    ///
    /// # Errors
    /// When an image cannot be read again. A picture that cannot be drawn is noted in `results`.
    fn write(&self, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        let _ = (results, epoch);
        Ok(())
    }

    /// Loss and scores in words, of the whole set and, if the task has them, of each class.
    fn summary(&self) -> String {
        let scores = self.scores().into_iter().map(|(score, value)| format!("{} {}", score.name, score.format(value)));
        std::iter::once(format!("loss {:.4}", self.loss())).chain(scores).collect::<Vec<_>>().join(", ")
    }
}

/// Values followed by zeros up to a length: a last, smaller batch in the inputs of a plan for a full one.
pub fn filled(values: &[f32], len: usize) -> std::borrow::Cow<'_, [f32]> {
    if values.len() == len {
        return values.into();
    }
    let mut filled = values.to_vec();
    filled.resize(len, 0.0);
    filled.into()
}
