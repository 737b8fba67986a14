//! A network with its states on an engine, and its plans for full and last batches. Training, evaluation, prediction and
//! comparison share it.

use std::path::Path;

use super::TrainError;
use super::objective::{Evaluation, Objective};
use super::observer::Watch;
use super::outputs::Outputs;
use super::settings::TrainSettings;
use super::sized::SizedPlans;
use super::stages::StepInputs;
use super::step::{Phase, Update, update_graph};
use crate::data::{Batch, Loader};
use crate::exec::{AnyEngine, PlanId, Session};
use crate::graph::{Group, StateTable, names};
use crate::interop::torchvision;
use crate::ops::AVERAGE;
use crate::plan::PlanOptions;
use crate::precision::{self, Precision};
use crate::run::Checkpoint;

/// A network with its states on an engine.
pub struct LoadedModel {
    /// States and plans.
    pub session: Session<AnyEngine>,
    plans: Vec<((usize, Phase), PlanId)>,
    evaluation: Option<(usize, PlanId)>,
    /// Plans for one picture of a height and width.
    sized: Vec<([usize; 2], PlanId)>,
    /// Precision of training; an evaluation is in 32 bits.
    precision: Precision,
}

/// Refuses a pattern that matches no parameter, and patterns that freeze every parameter.
fn check_frozen(states: &StateTable, freeze: &[String]) -> Result<(), TrainError> {
    if states.of(Group::Parameters).next().is_none() {
        let reason = "they name every parameter, so that there is nothing left to train".into();
        return Err(TrainError::Freeze { patterns: freeze.join(","), reason });
    }
    for pattern in freeze {
        let frozen = states.of(Group::Frozen).any(|(_, spec)| names(pattern, &spec.name));
        if !frozen {
            let layers = states.of(Group::Parameters).filter_map(|(_, s)| s.name.split('.').next());
            let mut layers: Vec<_> = layers.map(str::to_owned).collect();
            layers.dedup();
            let reason = format!("it names no parameter; the layers are {}", layers.join(", "));
            return Err(TrainError::Freeze { patterns: pattern.clone(), reason });
        }
    }
    Ok(())
}

impl LoadedModel {
    /// A model for training with start values for the settings' seed, `batch` images at a time.
    ///
    /// # Errors
    /// When the images are too small for the network, memory runs out, or `freeze` names nothing or everything.
    pub fn for_training(
        objective: &dyn Objective,
        engine: Box<AnyEngine>,
        batch: usize,
        settings: &TrainSettings,
    ) -> Result<Self, TrainError> {
        let encoder = objective.card().network.architecture().stages.concat();
        let fixed = encoder.iter().filter(|_| settings.freeze_statistics).map(|&pattern| pattern.to_owned()).collect();
        let states = StateTable::freezing(&settings.freeze).fixing_statistics(fixed);
        let graph = objective.training_graph(states, batch, Phase::Update)?;
        check_frozen(graph.states(), &settings.freeze)?;
        let session = Session::new(engine, &graph, settings.seed)?;
        Ok(LoadedModel { session, plans: vec![], evaluation: None, sized: vec![], precision: settings.precision })
    }

    /// A trained model from its checkpoint.
    ///
    /// # Errors
    /// When the checkpoint does not fit its own description or memory runs out.
    pub fn trained(objective: &dyn Objective, engine: Box<AnyEngine>, from: &Checkpoint) -> Result<Self, TrainError> {
        let mut model = Self::for_evaluation(objective, engine)?;
        torchvision::restore(&mut model.session, &from.file, &from.path)?;
        Ok(model)
    }

    /// A trained model from a file of weights, all of which must fit.
    ///
    /// # Errors
    /// When the weights are those of another network or memory runs out.
    pub fn of_weights(objective: &dyn Objective, engine: Box<AnyEngine>, path: &Path) -> Result<Self, TrainError> {
        let mut model = Self::for_evaluation(objective, engine)?;
        model.session.load_weights(path)?;
        Ok(model)
    }

    fn for_evaluation(objective: &dyn Objective, engine: Box<AnyEngine>) -> Result<Self, TrainError> {
        let graph = objective.evaluation_graph(StateTable::default(), 1)?;
        let session = Session::new(engine, &graph, 0)?;
        Ok(LoadedModel { session, plans: vec![], evaluation: None, sized: vec![], precision: Precision::F32 })
    }

    /// Prepares the training plan for a batch of `n` images and a phase, and keeps it for later calls.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn training_plan(
        &mut self,
        objective: &dyn Objective,
        key: (usize, Phase),
        options: PlanOptions,
    ) -> Result<PlanId, TrainError> {
        if let Some((_, id)) = self.plans.iter().find(|(known, _)| *known == key && options.reuse) {
            return Ok(*id);
        }
        let mut graph = objective.training_graph(self.session.states().clone(), key.0, key.1)?;
        // Without reuse every value can be read, in 32 bits.
        if self.precision == Precision::F16 && options.reuse {
            precision::halve(&mut graph);
        }
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.plans.push((key, id));
        }
        Ok(id)
    }

    /// Prepares the plan of an update whose gradients are an input, and keeps it for later calls.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub(super) fn update_plan(&mut self, update: &Update, phase: Phase) -> Result<PlanId, TrainError> {
        // An update has no images.
        let key = (0, phase);
        if let Some((_, id)) = self.plans.iter().find(|(known, _)| *known == key) {
            return Ok(*id);
        }
        let graph = update_graph(self.session.states().clone(), update, phase)?;
        let id = self.session.load(&graph, PlanOptions::default())?;
        self.plans.push((key, id));
        Ok(id)
    }

    /// Prepares the evaluation plan for a batch of `n` images (kept for later calls) and returns the size of its batch.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn evaluation_plan(
        &mut self,
        objective: &dyn Objective,
        n: usize,
        options: PlanOptions,
    ) -> Result<(usize, PlanId), TrainError> {
        if let Some(found) = self.evaluation
            && options.reuse
        {
            return Ok(found);
        }
        let graph = objective.evaluation_graph(self.session.states().clone(), n)?;
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.evaluation = Some((n, id));
        }
        Ok((n, id))
    }

    /// The plans for single pictures.
    pub fn sized(&mut self) -> SizedPlans<'_> {
        SizedPlans { session: &mut self.session, plans: &mut self.sized, watch: Watch::nobody() }
    }

    /// Writes the inputs of a training step.
    ///
    /// # Errors
    /// When the device is lost.
    pub(super) fn feed(
        &mut self,
        objective: &dyn Objective,
        plan: PlanId,
        batch: &Batch,
        inputs: &StepInputs,
    ) -> Result<(), TrainError> {
        objective.feed(&mut self.session, plan, batch, batch.len())?;
        Ok(inputs.write(&mut self.session, plan)?)
    }

    /// Outputs of the evaluation graph for up to `batch_size` samples; the size of the first call is kept.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn forward(
        &mut self,
        objective: &dyn Objective,
        batch_size: usize,
        batch: &Batch,
    ) -> Result<Outputs, TrainError> {
        let (n, plan) = self.evaluation_plan(objective, batch_size, PlanOptions::default())?;
        objective.feed(&mut self.session, plan, batch, n)?;
        let values = self.session.run_now(plan)?;
        Ok(Outputs::new(&self.session, plan, values))
    }

    /// Evaluates the whole set of a loader, each image exactly once.
    ///
    /// # Errors
    /// When an image cannot be read, the device is lost or `watch` ends the evaluation.
    pub fn evaluate(
        &mut self,
        objective: &dyn Objective,
        loader: &Loader,
        batch_size: usize,
        watch: Watch<'_>,
    ) -> Result<Box<dyn Evaluation>, TrainError> {
        if let Some(result) = objective.evaluate_alone(&mut SizedPlans { watch, ..self.sized() }) {
            return result;
        }
        let (total, mut done) = (loader.source().len(), 0);
        let mut result = objective.begin(total);
        for batch in loader.epoch(0)? {
            let batch = batch?;
            let outputs = self.forward(objective, batch_size, &batch)?;
            result.add(&batch, &outputs)?;
            done += batch.indices.len();
            watch.evaluated(done, total)?;
            loader.recycle(batch);
        }
        Ok(result)
    }

    /// Whether it has BatchNorm layers, which keep running statistics.
    pub fn has_batch_norm(&self) -> bool {
        self.session.states().of(Group::Statistics).next().is_some()
    }

    /// Starts the moving average at the current parameters.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn start_average(&mut self) -> Result<(), TrainError> {
        let parameters = self.session.read_group(Group::Parameters)?;
        Ok(self.session.write_state(AVERAGE, &parameters)?)
    }

    /// Replaces the parameters by their moving average, and returns them.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn use_average(&mut self) -> Result<Vec<f32>, TrainError> {
        let parameters = self.session.read_group(Group::Parameters)?;
        let average = self.session.read_state(AVERAGE)?;
        self.set_parameters(&average)?;
        Ok(parameters)
    }

    /// Sets all parameters from the flat values that [`LoadedModel::use_average`] returned.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn set_parameters(&mut self, flat: &[f32]) -> Result<(), TrainError> {
        Ok(self.session.write_group(Group::Parameters, flat)?)
    }

    /// Calls `run` with the moving average instead of the parameters, if it is to be `averaged`.
    ///
    /// # Errors
    /// When the device is lost, and those of `run`.
    pub(super) fn with_average<R>(
        &mut self,
        averaged: bool,
        run: impl FnOnce(&mut Self) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        if !averaged {
            return run(self);
        }
        let parameters = self.use_average()?;
        let result = run(self);
        self.set_parameters(&parameters)?;
        result
    }

    /// The first state of a group that holds a value that is not finite.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn state_not_finite(&mut self, group: Group) -> Result<Option<String>, TrainError> {
        let names: Vec<_> = self.session.states().of(group).map(|(_, s)| s.name.clone()).collect();
        for name in names {
            if self.session.read_state(&name)?.iter().any(|v| !v.is_finite()) {
                let kind = if group == Group::Statistics { "running statistic" } else { "parameter" };
                return Ok(Some(format!("the {kind} `{name}`")));
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
        // Running statistics are skipped: training does not depend on them, and the layers show the fault too.
        if let Some(parameter) = self.state_not_finite(Group::Parameters)? {
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
