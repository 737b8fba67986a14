//! A network with its states on an engine, and the plans for full and last batches: what training, `eval`, `predict` and
//! `compare` share.

use std::path::Path;

use super::TrainError;
use super::card::ModelCard;
use super::run_dir::RunDir;
use super::step::port;
use super::task::Task;
use crate::data::{Batch, Loader};
use crate::exec::{AnyEngine, PlanId, Session, Ticket};
use crate::graph::{Group, StateTable};
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::plan::PlanOptions;

/// A network with its states on an engine.
pub struct Model {
    /// States and plans.
    pub session: Session<AnyEngine>,
    plans: Vec<(usize, PlanId)>,
    evaluation: Option<(usize, PlanId)>,
}

/// A checkpoint with the description in it.
pub struct Checkpoint {
    /// Tensors and metadata.
    pub file: TensorFile,
    /// Where it was read.
    pub path: std::path::PathBuf,
    /// What it is of.
    pub card: ModelCard,
}

impl Checkpoint {
    /// Opens the best checkpoint of a run directory, or a checkpoint file.
    ///
    /// # Errors
    /// When there is none or it was not written by training here.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let path = checkpoint_path(path)?;
        let file = TensorFile::read(&path)?;
        let card = ModelCard::from_metadata(&file, &path)?;
        Ok(Checkpoint { file, path, card })
    }
}

/// The best checkpoint of a run directory; a file is itself.
///
/// # Errors
/// When there is none.
pub fn checkpoint_path(path: &Path) -> Result<std::path::PathBuf, TrainError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let run = RunDir::open(path)?;
    // `open` has seen one.
    Ok(run.checkpoint().unwrap_or_else(|| run.last_path()))
}

/// Starts from the tensors of a checkpoint, ours or torchvision's, that have the name and shape of one of the model's.
/// Gives a line for people: what was loaded, what is missing, what was left.
///
/// # Errors
/// When the file cannot be read or nothing in it fits.
pub fn start_from(model: &mut Model, path: &Path) -> Result<String, TrainError> {
    let path = checkpoint_path(path)?;
    let file = TensorFile::read(&path)?;
    let found = torchvision::restore_matching(&mut model.session, &file, &path)?;
    Ok(format!("start:   {}: {found}", path.display()))
}

impl Model {
    /// A model for training with start values for `seed`.
    ///
    /// # Errors
    /// When the images are too small for the network or memory runs out.
    pub fn for_training(task: &impl Task, engine: Box<AnyEngine>, batch: usize, seed: u64) -> Result<Self, TrainError> {
        let graph = task.training_graph(StateTable::default(), batch)?;
        Ok(Model { session: Session::new(engine, &graph, seed)?, plans: vec![], evaluation: None })
    }

    /// A trained model from its checkpoint.
    ///
    /// # Errors
    /// When the checkpoint does not fit its own description or memory runs out.
    pub fn trained(task: &impl Task, engine: Box<AnyEngine>, from: &Checkpoint) -> Result<Self, TrainError> {
        let graph = task.evaluation_graph(StateTable::default(), 1)?;
        let mut model = Model { session: Session::new(engine, &graph, 0)?, plans: vec![], evaluation: None };
        torchvision::restore(&mut model.session, &from.file, &from.path)?;
        Ok(model)
    }

    /// Prepares the training plan for a batch of `n` images (kept for later calls).
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn training_plan(&mut self, task: &impl Task, n: usize, options: PlanOptions) -> Result<PlanId, TrainError> {
        if let Some((_, id)) = self.plans.iter().find(|(batch, _)| *batch == n && options.reuse) {
            return Ok(*id);
        }
        let graph = task.training_graph(self.session.states().clone(), n)?;
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.plans.push((n, id));
        }
        Ok(id)
    }

    /// Prepares the evaluation plan for a batch of `n` images (kept for later calls) and gives the size of its batch.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn evaluation_plan(
        &mut self,
        task: &impl Task,
        n: usize,
        options: PlanOptions,
    ) -> Result<(usize, PlanId), TrainError> {
        if let Some(found) = self.evaluation
            && options.reuse
        {
            return Ok(found);
        }
        let graph = task.evaluation_graph(self.session.states().clone(), n)?;
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.evaluation = Some((n, id));
        }
        Ok((n, id))
    }

    /// Starts a training step; its loss and totals come with the ticket.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn start_step(
        &mut self,
        task: &impl Task,
        plan: PlanId,
        batch: &Batch,
        hyper: &[f32],
    ) -> Result<Ticket, TrainError> {
        task.feed(&mut self.session, plan, batch, batch.len())?;
        self.session.write(plan, port::HYPER, hyper)?;
        Ok(self.session.run(plan)?)
    }

    /// Outputs of the evaluation graph for up to `batch_size` samples (the size of the first call counts).
    ///
    /// # Errors
    /// When the device is lost.
    pub fn forward(&mut self, task: &impl Task, batch_size: usize, batch: &Batch) -> Result<Vec<Vec<f32>>, TrainError> {
        let (n, plan) = self.evaluation_plan(task, batch_size, PlanOptions::default())?;
        task.feed(&mut self.session, plan, batch, n)?;
        Ok(self.session.run_now(plan)?)
    }

    /// Evaluates the whole set of a loader, each image exactly once.
    ///
    /// # Errors
    /// When an image cannot be read or the device is lost.
    pub fn evaluate<T: Task>(
        &mut self,
        task: &T,
        loader: &Loader,
        batch_size: usize,
    ) -> Result<T::Evaluation, TrainError> {
        let mut result = task.begin(loader.source().len());
        for batch in loader.epoch(0)? {
            let batch = batch?;
            let outputs = self.forward(task, batch_size, &batch)?;
            task.add(&mut result, &batch, outputs)?;
            loader.recycle(batch);
        }
        Ok(result)
    }

    /// The first parameter that holds a value that is not finite. Running statistics are left out: training does not
    /// depend on them, and layers show where they went wrong.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn parameter_not_finite(&mut self) -> Result<Option<String>, TrainError> {
        let parameters: Vec<_> = self.session.states().of(Group::Parameters).map(|(_, s)| s.name.clone()).collect();
        for name in parameters {
            if self.session.read_state(&name)?.iter().any(|v| !v.is_finite()) {
                return Ok(Some(format!("the parameter `{name}`")));
            }
        }
        Ok(None)
    }

    /// The first parameter, else the first layer of `plan` as it last ran, that holds a value that is not finite.
    /// `plan` must keep all values (`reuse: false`).
    ///
    /// # Errors
    /// When the device is lost.
    pub fn first_not_finite(&mut self, plan: PlanId) -> Result<Option<String>, TrainError> {
        if let Some(parameter) = self.parameter_not_finite()? {
            return Ok(Some(parameter));
        }
        for port in self.session.plan(plan).values.clone() {
            if self.session.read(plan, &port)?.iter().any(|v| !v.is_finite()) {
                return Ok(Some(format!("the layer `{}`", port.name)));
            }
        }
        Ok(None)
    }
}
