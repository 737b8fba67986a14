//! The graphs of classification and their inputs.

use std::sync::Arc;

use super::evaluation::ClassifyEvaluation;
use super::graphs::{append_loss, evaluation_graph};
use super::{Classify, ClassifyConfig};
use crate::data::{Batch, PreparedClasses, Source};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable};
use crate::label::IGNORED;
use crate::ops::CrossEntropyOptions;
use crate::run::card::ModelCard;
use crate::run::pictures::Drawn;
use crate::run::task_card::TaskCard;
use crate::tasks::data::typed_one;
use crate::tasks::explain::sheet;
use crate::tasks::{Task, TaskError};
use crate::train::objective::filled;
use crate::train::settings::TaskSettings;
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::{Evaluation, Objective, TrainError};

/// Classification: cross entropy over the classes of an image.
pub struct Classification {
    card: ModelCard,
    task_card: TaskCard,
    training: Option<(CrossEntropyOptions, Update)>,
    /// Images whose predictions a run shows.
    shown: Option<Arc<PreparedClasses>>,
}

impl Classification {
    /// The objective for evaluation and prediction with a trained model.
    ///
    /// # Errors
    /// When the model was trained for another task.
    pub fn trained(card: ModelCard) -> Result<Self, TaskError> {
        if card.task != Classify.name() {
            return Err(TaskError::OtherTask { task: card.task, wanted: Classify.name() });
        }
        Ok(Classification { card, task_card: Classify.card(), training: None, shown: None })
    }

    /// The objective for training.
    pub(super) fn training(card: ModelCard, config: &ClassifyConfig, shown: Option<Arc<PreparedClasses>>) -> Self {
        let loss = CrossEntropyOptions {
            label_smoothing: config.label_smoothing as f32,
            soft_labels: config.mix().is_on(),
            focal_gamma: config.gamma() as f32,
            ..Default::default()
        };
        let update = config.settings().update_of(&card.network);
        Classification { card, task_card: Classify.card(), training: Some((loss, update)), shown }
    }
}

impl Objective for Classification {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn task_card(&self) -> &TaskCard {
        &self.task_card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let (loss, update) = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let ([h, w], mut g) = (self.card.image_size, Graph::with_states(states));
        let network = |g: &mut Graph, x, mode| self.card.network.apply(g, x, mode);
        let ends = append_loss(&mut g, &network, [n, h, w, self.card.channels()], *loss)?;
        append_training(&mut g, ends, update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let [h, w] = self.card.image_size;
        let network = |g: &mut Graph, x, mode| self.card.network.apply(g, x, mode);
        evaluation_graph(states, &network, [n, h, w, self.card.channels()], FuseOptions::default())
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        // Images for prediction have no labels.
        let mut labels: Vec<f32> = batch.labels.iter().map(|&l| l as f32).collect();
        labels.resize(n, IGNORED as f32);
        session.write(plan, port::IMAGES, &filled(&batch.images, n * self.card.channels() * self.card.pixels()))?;
        if !batch.targets.is_empty() {
            return session.write(plan, port::TARGETS, &batch.targets);
        }
        session.write(plan, port::LABELS, &labels)
    }

    fn scores_images(&self) -> bool {
        false
    }

    fn begin(&self, samples: usize) -> Box<dyn Evaluation> {
        Box::new(ClassifyEvaluation::new(self.card.classes.clone(), samples, self.shown.clone()))
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
        let shown = typed_one::<ClassifyEvaluation>(found).map(ClassifyEvaluation::explained).transpose()?;
        sheet(session, &self.card, source, batch, shown.unwrap_or_default())
    }
}
