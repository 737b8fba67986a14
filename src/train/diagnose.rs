//! Names what went wrong when a number of a run is not finite any more.

use crate::exec::PlanId;
use crate::graph::Group;
use crate::ops::{self, Hyper, LOSS_SCALE};
use crate::plan::PlanOptions;
use crate::precision::Precision;
use crate::train::TrainError;
use crate::train::model::Model;
use crate::train::step::Phase;
use crate::train::task::Task;
use crate::train::trainer::{Pending, Trainer};

impl<T: Task> Trainer<T> {
    /// Runs the step again with every value kept, to name the first layer that is not finite. The optimizer leaves the
    /// weights alone when the loss is not finite, so the values are those of the failed step.
    pub(crate) fn diagnose(&mut self, epoch: usize, done: &Pending, loss: f32) -> TrainError {
        let layer = self.first_not_finite(|model, task, options| {
            let plan = model.training_plan(task, (done.batch.len(), Phase::Update), options)?;
            model.feed(task, plan, &done.batch, Hyper::default())?;
            model.session.run_now(plan)?;
            Ok(plan)
        });
        self.not_finite("loss", loss, (done.step, epoch), layer)
    }

    /// The same for the validation images, with the first batch of them.
    pub(crate) fn diagnose_validation(&mut self, epoch: usize, loss: f64) -> TrainError {
        let batch = self.val_loader.epoch(0).ok().and_then(|mut batches| batches.next()).transpose();
        let layer = self.first_not_finite(|model, task, options| {
            let batch = batch?.unwrap_or_default();
            let (n, plan) = model.evaluation_plan(task, batch.len(), options)?;
            task.feed(&mut model.session, plan, &batch, n)?;
            model.session.run_now(plan)?;
            Ok(plan)
        });
        let step = self.batches;
        self.not_finite("validation loss", loss as f32, (step, epoch), layer)
    }

    /// What `run` computes with every value kept, searched for the first layer that is not finite.
    fn first_not_finite(
        &mut self,
        run: impl FnOnce(&mut Model, &T, PlanOptions) -> Result<PlanId, TrainError>,
    ) -> String {
        let found = run(&mut self.model, &self.task, PlanOptions { reuse: false })
            .and_then(|plan| self.model.first_not_finite(plan));
        found.unwrap_or_else(|e| Some(format!("(not found: {e})"))).unwrap_or_else(|| "the loss itself".into())
    }

    /// The losses can be finite and the last update or a running variance not: such weights must not replace good ones.
    pub(crate) fn require_finite(&mut self, epoch: usize) -> Result<(), TrainError> {
        let mut found = self.model.state_not_finite(Group::Parameters)?;
        if found.is_none() {
            found = self.model.state_not_finite(Group::Statistics)?;
        }
        if let Some(parameter) = found {
            return Err(self.not_finite("update", f32::NAN, (self.progress.batch, epoch), parameter));
        }
        if self.settings.precision == Precision::F16
            && ops::loss_scale_is_lowest(&self.model.session.read_state(LOSS_SCALE)?)
        {
            let layer = "the gradients, at every scale of the loss".into();
            return Err(self.not_finite("gradient", f32::NAN, (self.progress.batch, epoch), layer));
        }
        Ok(())
    }

    fn not_finite(&self, what: &'static str, loss: f32, (step, epoch): (usize, usize), layer: String) -> TrainError {
        let kept = match self.run.checkpoint() {
            Some(path) => format!("the last good weights are in {}", path.with_file_name("last.safetensors").display()),
            None => "no checkpoint had been written yet".into(),
        };
        let advice = match self.settings.precision {
            // The search was in 32 bits: where it found nothing, 16 were too few.
            Precision::F16 => {
                "Numbers above 65504 do not fit into 16 bits: train with --precision f32, or lower --lr, set --clip 1"
            }
            Precision::F32 => "Lower --lr, set --clip 1",
        };
        TrainError::NotFinite { what, loss, step, epoch, lr: self.lr, layer, kept, advice }
    }
}
