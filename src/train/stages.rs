//! Learning rates of the stages of a network: the head alone at first, then every stage with a rate below that of the next one
//! (discriminative fine-tuning and gradual unfreezing, Howard & Ruder 2018).

use std::fmt::Write;

use super::TrainError;
use super::masks::Masks;
use super::settings::TrainSettings;
use super::step::{Span, port, spans};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::graph::StateTable;
use crate::nn::{Network, Stages};
use crate::ops::{Hyper, SpanRate};

/// The values of a step that are inputs of its plan, besides the batch.
pub struct StepInputs {
    hyper: Hyper,
    /// Rows of [`port::RATES`]; empty for one rate, and for a step of rate 0.
    rates: Vec<f32>,
    masks: Masks,
}

impl StepInputs {
    /// A step that changes nothing, with the dropout masks of another one.
    pub fn none(masks: Masks) -> Self {
        StepInputs { hyper: Hyper::default(), rates: vec![], masks }
    }

    /// The dropout masks.
    pub(super) fn masks(&self) -> Masks {
        self.masks
    }

    /// Writes the values into the plan of a step.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn write(&self, session: &mut Session<AnyEngine>, plan: PlanId) -> Result<(), ExecError> {
        self.masks.write(session, plan)?;
        session.write(plan, port::HYPER, &self.hyper.values())?;
        let Some(len) = session.plan(plan).input(port::RATES).map(|port| port.ty.shape.elements()) else {
            return Ok(());
        };
        let mut rates = self.rates.clone();
        rates.resize(len, 0.0);
        session.write(plan, port::RATES, &rates)
    }
}

/// Learning rates of the stages over a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StageRates {
    spans: Vec<Span>,
    /// Factor of each stage's rate, the head's last.
    factors: Vec<f64>,
    names: Vec<String>,
    /// Optimizer steps that train the head alone.
    head_steps: u64,
    /// Steps after those over which the rates of the stages rise.
    warmup_steps: u64,
    betas: [f64; 2],
}

impl StageRates {
    /// The rates of a run; `None` if all parameters have one rate.
    ///
    /// # Errors
    /// [`TrainError::NoStages`] when a setting needs the stages of a network that has none.
    pub fn of(
        settings: &TrainSettings,
        network: &Network,
        states: &StateTable,
        steps_per_epoch: usize,
    ) -> Result<Option<Self>, TrainError> {
        let stages = network.architecture().stages;
        if let Some(setting) = settings.of_stages().filter(|_| stages.is_empty()) {
            return Err(TrainError::NoStages { setting, network: network.name() });
        }
        let update = settings.update_of(network);
        if update.stages.is_empty() {
            return Ok(None);
        }
        let steps = |epochs: f64| (epochs * steps_per_epoch.max(1) as f64).round() as u64;
        let factor = |stage: usize| settings.lr_decay_layers.powi((stages.len() - stage) as i32);
        Ok(Some(StageRates {
            spans: spans(states, stages),
            factors: (0..=stages.len()).map(factor).collect(),
            names: names(stages),
            head_steps: steps(settings.head_epochs),
            warmup_steps: steps(settings.schedule.warmup),
            betas: update.optimizer.betas(),
        }))
    }

    /// The same rates, training all layers from the first step on.
    pub fn of_all_layers(self) -> Self {
        StageRates { head_steps: 0, ..self }
    }

    /// Whether optimizer step `step`, from 1, trains the head alone.
    pub fn head_alone(&self, step: u64) -> bool {
        step <= self.head_steps
    }

    /// Values of a step, from 1, at which the head has the rate `lr`. The moments of the stages begin with their first step, so
    /// their bias corrections count from it, as PyTorch's do.
    pub fn values(&self, lr: f64, step: u64) -> Vec<f32> {
        let head = self.factors.len() - 1;
        let rate = |span: &Span| {
            let own = if span.stage == head { step } else { step.saturating_sub(self.head_steps) };
            let rising = span.stage != head && self.head_steps > 0 && own <= self.warmup_steps;
            let rise = if rising { own as f64 / (self.warmup_steps + 1) as f64 } else { 1.0 };
            let hyper = || Hyper::new(lr * self.factors[span.stage] * rise, self.betas, own);
            SpanRate { end: span.end, trained: (own > 0).then(hyper) }.row()
        };
        self.spans.iter().flat_map(rate).collect()
    }

    /// The rate of each stage with parameters, the head's first.
    pub fn listed(&self, lr: f64) -> Vec<(String, f64)> {
        let trained = |stage: &usize| self.spans.iter().any(|span| span.stage == *stage);
        let stages = (0..self.factors.len()).rev().filter(trained);
        stages.map(|stage| (self.names[stage].clone(), lr * self.factors[stage])).collect()
    }

    /// The `config.toml` of a run with its rates as a comment.
    pub fn noted(&self, toml: String, lr: f64) -> String {
        format!("{toml}\n# Learning rates: {}\n", self.line(lr))
    }

    /// The rates as a line of text.
    pub fn line(&self, lr: f64) -> String {
        let rates: Vec<String> = self.listed(lr).iter().map(|(name, rate)| format!("{name} {rate:.3e}")).collect();
        let mut line = rates.join(", ");
        if self.head_steps > 0 {
            // Writing into memory does not fail.
            let _ = write!(line, "; the first {} steps train the head alone", self.head_steps);
        }
        line
    }
}

/// Name of each stage, and of the head.
fn names(stages: Stages) -> Vec<String> {
    stages.iter().map(|patterns| patterns.join("+")).chain(["head".to_owned()]).collect()
}

impl StepInputs {
    /// The inputs of a step, from 1.
    pub(super) fn new(hyper: Hyper, stages: Option<&StageRates>, (lr, step): (f64, u64), masks: Masks) -> Self {
        StepInputs { hyper, rates: stages.map(|stages| stages.values(lr, step)).unwrap_or_default(), masks }
    }
}
