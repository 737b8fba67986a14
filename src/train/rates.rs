//! The learning rates of a run: their course over its steps, and the factors of the network's stages.

use super::TrainError;
use super::masks::Masks;
use super::orders::StepOrder;
use super::schedule::{LrSchedule, RunLength};
use super::settings::TrainSettings;
use super::stages::{StageRates, StepInputs};
use crate::graph::StateTable;
use crate::nn::Network;
use crate::ops::Hyper;
use crate::run::resume::Plateau;

/// The learning rates of a run.
pub(super) struct Rates {
    /// The setting `lr`.
    lr: f64,
    schedule: LrSchedule,
    /// Rates of the stages, if they differ.
    stages: Option<StageRates>,
}

impl Rates {
    /// The rates of a run.
    ///
    /// # Errors
    /// [`TrainError::NoStages`] when a setting needs the stages of a network that has none.
    pub fn of(
        settings: &TrainSettings,
        network: &Network,
        states: &StateTable,
        steps_per_epoch: usize,
    ) -> Result<Self, TrainError> {
        let stages = StageRates::of(settings, network, states, steps_per_epoch)?;
        let length = RunLength { epochs: settings.epochs, steps_per_epoch };
        let schedule = LrSchedule::new(settings.schedule.clone(), length);
        Ok(Rates { lr: settings.lr, schedule, stages })
    }

    /// The rate after `steps` optimizer steps.
    pub fn after(&self, steps: u64) -> f64 {
        self.lr * self.schedule.factor(steps)
    }

    /// Whether optimizer step `step`, from 1, trains the head alone.
    pub fn head_alone(&self, step: u64) -> bool {
        self.stages.as_ref().is_some_and(|stages| stages.head_alone(step))
    }

    /// Trains all layers from the first step on.
    pub fn train_all_layers(&mut self) {
        self.stages = self.stages.take().map(StageRates::of_all_layers);
    }

    /// The values that change from step to step. The decay of the average is at most (1 + t) / (10 + t), as in TensorFlow. So the
    /// average follows the weights closely at first, and the random start does not dominate it in a short run.
    pub fn inputs(&self, settings: &TrainSettings, order: &StepOrder) -> StepInputs {
        let &StepOrder { index, lr, step, more, .. } = order;
        let t = step as f64;
        let hyper = Hyper {
            average_decay: settings.ema.min((1.0 + t) / (10.0 + t)) as f32,
            keep: f32::from(u8::from(more)),
            ..Hyper::new(lr, settings.update().optimizer.betas(), step)
        };
        StepInputs::new(hyper, self.stages.as_ref(), (lr, step), Masks::of_batch(settings.seed, step, index))
    }

    /// Records an epoch's validation: the merit of the task's first score, if there is one, and the loss.
    pub fn epoch_done(&mut self, merit: Option<f64>, val_loss: f64) {
        self.schedule.epoch_done(merit, val_loss);
    }

    /// What the rates depend on besides the number of steps.
    pub fn plateau(&self) -> Plateau {
        self.schedule.plateau()
    }

    /// Continues from an earlier [`Rates::plateau`].
    pub fn set_plateau(&mut self, plateau: Plateau) {
        self.schedule.set_plateau(plateau);
    }

    /// The rates of the stages as a line of text, if they differ.
    pub fn of_stages(&self) -> Option<String> {
        self.stages.as_ref().map(|stages| stages.line(self.lr))
    }

    /// The `config.toml` of a run. Rates of the stages, if they differ, are a comment in it.
    pub fn noted(&self, toml: String) -> String {
        self.stages.iter().fold(toml, |toml, stages| stages.noted(toml, self.lr))
    }

    /// A line for the user with the rates of the stages, if they differ, and whether statistics are fixed.
    pub fn line(&self, fixed: bool) -> Option<String> {
        let statistics = "statistics of the encoder's BatchNorm stay as they are";
        match (self.of_stages().map(|line| format!("rates:   {line}")), fixed) {
            (line, false) => line,
            (None, true) => Some(format!("rates:   {statistics}")),
            (Some(line), true) => Some(format!("{line}; {statistics}")),
        }
    }
}
