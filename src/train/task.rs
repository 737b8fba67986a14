//! A task as the common loop sees it: which graphs there are, what goes into them, what is made of their results.

use crate::data::Batch;
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::graph::{Graph, GraphError, StateTable};
use crate::run::card::ModelCard;
use crate::run::history::{EpochRow, Score};
use crate::run::pictures::Curve;
use crate::run::run_dir::RunDir;
use crate::train::TrainError;
use crate::train::step::Phase;

/// What is trained.
pub trait Task {
    /// What one pass over the validation set finds.
    type Evaluation;

    /// The model.
    fn card(&self) -> &ModelCard;

    /// A whole training step for a batch of `n`. Its first two outputs are the loss `[1]` and the totals `[4]` (see
    /// `step::port`). The phase says what becomes of the gradients.
    ///
    /// # Errors
    /// When the network does not fit the images.
    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError>;

    /// The evaluation of a batch of `n`.
    ///
    /// # Errors
    /// When the network does not fit the images.
    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError>;

    /// Writes a batch of up to `n` samples into the inputs of a plan for `n`; the missing ones count for nothing.
    ///
    /// # Errors
    /// When the device is lost.
    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError>;

    /// An evaluation of `samples` samples before the first batch.
    fn begin(&self, samples: usize) -> Self::Evaluation;

    /// Adds what the evaluation graph gave for a batch, in the order of its outputs.
    ///
    /// # Errors
    /// When an image is needed again and can no longer be read.
    fn add(&self, to: &mut Self::Evaluation, batch: &Batch, outputs: Vec<Vec<f32>>) -> Result<(), TrainError>;

    /// Mean loss, and the scores; the first of them decides which epoch is best (the higher the better).
    fn scores(&self, evaluation: &Self::Evaluation) -> (f64, Vec<(Score, f64)>);

    /// True where the totals of a training step count right predictions.
    fn counts_right(&self) -> bool;

    /// The curves beside those of the loss.
    fn curve(&self) -> Curve;

    /// Draws what is shown of the best epoch, and names the files.
    ///
    /// # Errors
    /// When a picture cannot be drawn or written.
    fn draw(&self, run: &RunDir, best: &EpochRow, found: &Self::Evaluation) -> Result<Vec<&'static str>, TrainError>;
}
