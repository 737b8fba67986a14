//! The loop that all tasks share: epochs of steps, validation, checkpoints, curves.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::TrainError;
use super::diagnose::{self, Failure};
use super::layers::Layers;
use super::loaders::Loaders;
use super::model::LoadedModel;
use super::objective::{Evaluation, Objective};
use super::observer::{Observer, Outcome, Watch};
use super::orders::Order;
use super::rates::Rates;
use super::record::Record;
use super::replicas::share_states;
use super::results::Results;
use super::settings::TrainSettings;
use super::shared_work::SharedWork;
use super::trace::Tracer;
use crate::graph::Group;
use crate::run::RunDir;
use crate::run::checkpoint::EpochMark;
use crate::run::damage::text_digest;
use crate::run::facts::RunFacts;
use crate::run::fingerprint::DataPrint;
use crate::run::history::EpochRow;
use crate::run::repair::Repairs;
use crate::run::resume::{Kept, Position};
use crate::run::score::TRAIN_ACCURACY;

/// A run whose best validation loss is this many times the loss of its first batch has diverged.
const DIVERGED: f64 = 50.0;
/// Lower bound of the first loss in this rule: a run that starts from trained weights may begin with a tiny loss.
const LEAST_LOSS: f64 = 0.1;

/// A run under way.
pub struct Trainer {
    pub(super) objective: Box<dyn Objective>,
    pub(super) settings: TrainSettings,
    pub(super) model: LoadedModel,
    pub(super) loaders: Loaders,
    pub(super) record: Record,
    pub(super) position: Position,
    /// Lines for the user before the first step.
    pub(super) notes: Vec<String>,
    pub(super) rates: Rates,
    pub(super) work: SharedWork,
    pub(super) tracer: Tracer,
    pub(super) layers: Layers,
}

impl Trainer {
    /// Writes the facts of the run, and gives all ranks the states of rank 0: those of the resumed run, or the first ones.
    pub(super) fn begin(&mut self, resumed: Option<Kept>, repairs: Repairs) -> Result<(), TrainError> {
        let leads = self.work.leads();
        if leads {
            self.record.run.write_facts(&self.facts())?;
        }
        match resumed {
            Some(Kept { position, .. }) => {
                self.record.resume(&position, repairs)?;
                self.rates.set_plateau(position.plateau);
                self.position = Position { order: self.position.order, ..position };
            }
            None if leads && self.settings.ema > 0.0 => self.model.start_average()?,
            None => {}
        }
        share_states(self.work.ranks(), &mut self.model)
    }

    /// The run folder.
    pub fn run(&self) -> &RunDir {
        &self.record.run
    }

    /// The network with its states.
    pub(crate) fn model(&self) -> &LoadedModel {
        &self.model
    }

    /// A line if the last batch of each epoch is dropped.
    pub fn left_out(&self) -> Option<String> {
        self.loaders.without_last().then(|| {
            "note:    the last batch of an epoch would be a single image, on which BatchNorm cannot be trained: it is left out"
                .into()
        })
    }

    /// A line with the learning rates of the stages, if they differ, and whether statistics are fixed.
    pub fn rates(&self) -> Option<String> {
        self.rates.line(self.settings.freeze_statistics)
    }

    /// A line with the shares of the classes, if draws are balanced over them.
    pub fn shares(&self) -> Option<String> {
        self.loaders.line().map(str::to_owned)
    }

    /// Lines on differences from the resumed run, and on damaged files that are restored.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Trains to the end, or until `stop`. The loop then finishes its step and writes a checkpoint. A stop ends an
    /// evaluation and the results at once, and a resumed run begins with them.
    ///
    /// # Errors
    /// See [`TrainError`]. Files that are written stay.
    pub fn train(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        if !self.work.leads() {
            return self.follow(stop);
        }
        let watch = Watch { observer, stop };
        let mut ended_early = self.position.stops_early(self.settings.early_stop);
        observer.first_step();
        while self.position.epoch <= self.settings.epochs && !ended_early {
            let epoch = self.position.epoch;
            let start = Instant::now();
            self.epoch(epoch, observer, stop)?;
            self.position.sums.seconds += start.elapsed().as_secs_f64();
            self.record.run.append_norms(&self.record.log.take_norms())?;
            let validated = if watch.stops() { Err(TrainError::Interrupted) } else { self.validate(epoch, watch) };
            match validated {
                Ok(early) => ended_early = early,
                // The position is that before the validation, with which a resumed run begins.
                Err(TrainError::Interrupted) => self.save_unvalidated(epoch)?,
                Err(error) => return Err(error),
            }
            if watch.stops() || observer.pauses_after(epoch) {
                break;
            }
        }
        // The state is saved by now, so results may replace the weights by those of the best epoch.
        let has_ended = self.position.epoch > self.settings.epochs || ended_early;
        let (pictures, mut left_out) = self.write_results(watch)?;
        let interrupted = !has_ended || watch.stops();
        left_out.extend(self.layers.left_out.take());
        let first_loss = self.position.first_loss.map_or(f64::INFINITY, |loss| loss.0);
        let limit = DIVERGED * first_loss.max(LEAST_LOSS);
        let diverged = self.record.log.best_row().is_some_and(|best| best.val_loss > limit);
        let mut verdict = None;
        if !interrupted {
            let metrics = EpochRow::csv(self.record.log.rows());
            let (metrics_digest, result_digests) = (Some(text_digest(&metrics)), self.record.run.result_digests());
            let mut facts = RunFacts { metrics_digest, result_digests, ..self.facts() };
            self.record.judge(&mut facts, (&self.model, &*self.objective, &self.loaders), diverged, &mut left_out);
            self.record.run.write_facts(&facts)?;
            self.record.run.finish()?;
            verdict = facts.verdict;
        }
        self.work.order(Order::End { interrupted })?;
        let (run, example) = (self.record.run.path().to_owned(), self.loaders.example());
        let (rows, best) = self.record.log.into_rows();
        Ok(Outcome { run, best, diverged, left_out, interrupted, ended_early, rows, verdict, example, pictures })
    }

    /// Evaluates, and writes metrics and checkpoints. True if training is to end early.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] when the evaluation was stopped; then nothing is written, and the position stays.
    fn validate(&mut self, epoch: usize, watch: Watch<'_>) -> Result<bool, TrainError> {
        self.work.compare(&mut self.model, (epoch, self.position.steps))?;
        let found = self.evaluate_epoch(watch)?;
        let (val_loss, mut scores) = (found.loss(), found.scores());
        if let Some(first) = self.record.log.rows().first() {
            // A run of an earlier version keeps the columns that it began with.
            scores.retain(|(score, _)| first.score(score).is_some());
        }
        if !val_loss.is_finite() {
            // Nothing is saved: the checkpoints of earlier epochs are the last good ones.
            let layer = diagnose::layer_in_validation(&mut self.model, &*self.objective, &self.loaders.val);
            let step = self.loaders.batches();
            return Err(self.failure(step, epoch).error("validation loss", val_loss as f32, layer));
        }
        self.require_finite(epoch)?;
        self.record.entries = found.entries();
        let merit = scores.first().map(|(score, value)| score.merit(*value));
        self.rates.epoch_done(merit, val_loss);
        let decisive = scores.first().map(|(score, _)| score.clone());
        let sums = std::mem::take(&mut self.position.sums);
        if self.objective.counts_right() {
            scores.insert(0, (TRAIN_ACCURACY, sums.accuracy()));
        }
        let row = EpochRow {
            epoch: epoch as u32,
            train_loss: sums.loss(),
            val_loss,
            scores,
            lr: self.record.log.lr,
            images_per_s: sums.images_per_s(),
            data_wait: sums.data_wait(),
            seconds: self.record.seconds(&self.position),
        };
        self.record.run.append_metrics(&row)?;
        if self.settings.tensorboard {
            self.record.run.append_event(&row)?;
        }
        let better = self.record.log.is_better(&row, decisive.as_ref());
        let mark = EpochMark { epoch: row.epoch, val_loss };
        let (record, at) = (&self.record, (self.objective.card(), self.position.steps));
        self.model.with_average(self.settings.ema != 0.0, |model| {
            record.save(model, at, &record.run.last_path(), Some(mark))?;
            if better { record.save(model, at, &record.run.best_path(), Some(mark)) } else { Ok(()) }
        })?;
        if better {
            self.position.best = Some(row.epoch);
            // `watch` shows it during the run. A picture that cannot be drawn is noted at the end.
            let _ = found.write(&mut Results::only(&self.record.run, "samples.png"), row.epoch);
            self.record.log.set_best(row.clone(), found);
        }
        watch.observer.epoch(&row, self.settings.epochs);
        self.record.log.push(row);
        self.record.run.write_json_lines(self.record.log.rows())?;
        self.record_layers(epoch);
        (self.position.epoch, self.position.batch) = (epoch + 1, 0);
        self.save_position()?;
        Ok(self.position.stops_early(self.settings.early_stop))
    }

    /// Records the layers after an epoch.
    pub(super) fn record_layers(&mut self, epoch: usize) {
        let (model, training) = (&mut self.model, self.loaders.train.source());
        self.layers.record((&self.record.run, epoch), (model, &*self.objective), &**training, &self.settings);
    }

    /// Evaluates the weights of all ranks, or their average. Ranks share the images, unless each image has its own size.
    fn evaluate_epoch(&mut self, watch: Watch<'_>) -> Result<Box<dyn Evaluation>, TrainError> {
        let (objective, val, batch_size) = (&*self.objective, &self.loaders.val, self.validation_batch());
        let shared = self.work.shares_evaluations() && !objective.card().sees_own_pixels();
        if shared {
            self.work.order(Order::Evaluate)?;
        }
        self.model.with_average(self.settings.ema != 0.0, |model| {
            let found = if shared { self.work.evaluate(model, objective)? } else { None };
            found.map_or_else(|| model.evaluate(objective, val, batch_size, watch), Ok)
        })
    }

    /// Images of a batch of the validation.
    fn validation_batch(&self) -> usize {
        self.settings.batch_size.min(self.loaders.val.source().len())
    }

    /// Facts of the run, for `run.json`.
    pub(super) fn facts(&self) -> RunFacts {
        let (card, states) = (self.objective.card(), self.model.session.states());
        RunFacts {
            version: env!("CARGO_PKG_VERSION").into(),
            task: card.task.clone(),
            device: self.model.session.engine().name(),
            parameters: states.of(Group::Parameters).map(|(_, state)| state.ty.shape.elements()).sum(),
            outputs: card.classes.clone(),
            image_size: card.image_size,
            training_images: self.loaders.train.source().len(),
            validation_images: self.loaders.val.source().len(),
            data: self.record.origin.data.as_ref().map(DataPrint::summary),
            example: self.loaders.example(),
            decisions: Some(self.record.decisions.clone()),
            settings_digest: self.record.origin.settings.as_deref().map(text_digest),
            metrics_digest: None,
            result_digests: BTreeMap::new(),
            yardstick: None,
            verdict: None,
            shown: Some(self.objective.task_card().clone()),
            ranks: self.work.facts().cloned(),
            rates: self.rates.of_stages(),
        }
    }

    /// Writes the curves, and pictures and tables of the best epoch. It is evaluated again if it was before the run was resumed.
    fn write_results(&mut self, watch: Watch<'_>) -> Result<(Vec<&'static str>, Vec<String>), TrainError> {
        let log = &self.record.log;
        if log.best_epoch().is_some() && log.found().is_none() && !watch.stops() {
            self.record.restore_best(&mut self.model)?;
            let (objective, val) = (&*self.objective, &self.loaders.val);
            match self.model.evaluate(objective, val, self.validation_batch(), watch) {
                Ok(found) => self.record.log.set_found(found),
                Err(TrainError::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        let (parts, val) = ((&mut self.model, &*self.objective), self.loaders.val.source());
        self.record.write_results(parts, &**val, &self.settings, watch)
    }

    /// Writes weights and position after all or some steps of an epoch, before its validation.
    fn save_unvalidated(&mut self, epoch: usize) -> Result<(), TrainError> {
        self.require_finite(epoch)?;
        let (record, at) = (&self.record, (self.objective.card(), self.position.steps));
        self.model
            .with_average(self.settings.ema != 0.0, |model| record.save(model, at, &record.run.last_path(), None))?;
        self.save_position()
    }

    /// Writes the state of the unfinished run, which replaces that of a finished one.
    fn save_position(&mut self) -> Result<(), TrainError> {
        self.record.save_position(&mut self.model, &mut self.position, self.rates.plateau())
    }

    /// The place of a failure.
    pub(super) fn failure(&self, step: usize, epoch: usize) -> Failure<'_> {
        self.record.failure(self.settings.precision, (step, epoch))
    }

    /// Refuses states that are not finite: they must not replace good ones in a checkpoint.
    fn require_finite(&mut self, epoch: usize) -> Result<(), TrainError> {
        let place = (self.position.batch, epoch);
        self.record.require_finite(&mut self.model, self.settings.precision, place)
    }
}
