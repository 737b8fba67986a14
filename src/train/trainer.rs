//! The loop that all tasks share: epochs of steps, validation, checkpoints, curves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::TrainError;
use super::agree::agree;
use super::changed::{self, Resumption};
use super::diagnose;
use super::layers::Layers;
use super::loaders::Loaders;
use super::log::Log;
use super::model::LoadedModel;
use super::objective::{Evaluation, Objective};
use super::observer::{Observer, Outcome, Watch};
use super::orders::Order;
use super::plans::load_plans;
use super::rates::Rates;
use super::replicas::share_states;
use super::results::Results;
use super::settings::TrainSettings;
use super::shared_work::SharedWork;
use super::trace::Tracer;
use crate::data::{Decisions, Source};
use crate::ranks::Ranks;
use crate::run::checkpoint::EpochMark;
use crate::run::damage::text_digest;
use crate::run::facts::RunFacts;
use crate::run::fingerprint::DataPrint;
use crate::run::history::EpochRow;
use crate::run::repair::Repairs;
use crate::run::resume::{Kept, Origin, Position};
use crate::run::score::TRAIN_ACCURACY;
use crate::run::{FolderLock, RunDir};

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
    pub(super) run: RunDir,
    /// Keeps other processes out of the run's folder.
    _lock: Option<FolderLock>,
    pub(super) log: Log,
    pub(super) position: Position,
    pub(super) origin: Origin,
    /// How the data set was read.
    pub(super) decisions: Decisions,
    /// Lines for the user on a resumed run.
    notes: Vec<String>,
    /// Entries of the last evaluation for a checkpoint's metadata.
    pub(super) entries: BTreeMap<String, String>,
    pub(super) rates: Rates,
    pub(super) work: SharedWork,
    pub(super) tracer: Tracer,
    pub(super) layers: Layers,
    pub(super) start: Instant,
}

/// The parts of a run before its first step.
pub(super) struct Beginning {
    pub objective: Box<dyn Objective>,
    pub settings: TrainSettings,
    pub model: LoadedModel,
    /// Training and validation images.
    pub sources: [Arc<dyn Source>; 2],
    /// How the data set was read.
    pub decisions: Decisions,
    /// The settings as the run's `config.toml`.
    pub toml: String,
    /// Position of a resumed run.
    pub resumed: Option<Kept>,
    /// The processes that train it.
    pub ranks: Arc<dyn Ranks>,
}

/// A run's folder, held by rank 0.
pub(super) type HeldRun = (RunDir, Option<FolderLock>);

impl Trainer {
    /// Prepares a run. It makes the plans before anything is written, so that a device without room for them is refused first.
    ///
    /// # Errors
    /// When the device cannot hold the plans, the run folder cannot be made, or the resumed run has another model.
    pub(super) fn new(
        from: Beginning,
        make_run: impl FnOnce(&TrainSettings, &str) -> Result<HeldRun, TrainError>,
    ) -> Result<Self, TrainError> {
        let Beginning { objective, settings, mut model, sources, decisions, toml, resumed, ranks } = from;
        let lens = sources.each_ref().map(|source| source.len());
        let parts = sources.each_ref().map(|source| &**source);
        let data = DataPrint::of(&objective.card().classes, parts, settings.data.as_deref());
        let mut work = SharedWork::of(&settings, &*objective, ranks);
        let without_last = load_plans(&mut model, &*objective, (&settings, work.sharded()), lens)?;
        let mut loaders = Loaders::new(sources, &settings, &objective.card().classes, without_last)?;
        let order = loaders.order(&settings);
        let steps_per_epoch = loaders.batches().div_ceil(settings.accumulate);
        let (network, states) = (&objective.card().network, model.session.states());
        let rates = Rates::of(&settings, network, states, steps_per_epoch)?;
        let toml = rates.noted(toml);
        // This comes before any write, so that a refused run does not change.
        let (mut notes, repairs) = match &resumed {
            Some(kept) => {
                let now = Resumption { settings: &settings, toml: &toml, data: &data, order, steps_per_epoch };
                changed::examine(kept, &mut model, &*objective, &now)?
            }
            None => Default::default(),
        };
        agree(work.ranks(), &toml, &data)?;
        let shares = work.divide(&settings, (&mut model, &*objective), &mut loaders)?;
        let (run, lock) = make_run(&settings, &toml)?;
        let (decisions, doubts) = with_doubts(decisions.summary(), &data);
        notes.extend(doubts);
        notes.extend(shares);
        notes.extend(lock.iter().filter_map(FolderLock::note));
        let mut trainer = Trainer {
            objective,
            model,
            run,
            _lock: lock,
            origin: Origin { data: Some(data), settings: Some(toml), epochs: None },
            notes,
            decisions,
            loaders,
            log: Log::new(settings.lr),
            position: Position { epoch: 1, order: Some(order), ..Position::default() },
            entries: BTreeMap::new(),
            rates,
            work,
            tracer: Tracer::new(settings.profile),
            layers: Layers::default(),
            start: Instant::now(),
            settings,
        };
        trainer.begin(resumed, repairs)?;
        Ok(trainer)
    }

    /// Writes the facts of the run, and gives all ranks the states of rank 0: those of the resumed run, or the first ones.
    fn begin(&mut self, resumed: Option<Kept>, repairs: Repairs) -> Result<(), TrainError> {
        let leads = self.work.leads();
        if leads {
            self.run.write_facts(&self.facts())?;
        }
        match resumed {
            Some(kept) => self.resume(kept.position, repairs)?,
            None if leads && self.settings.ema > 0.0 => self.model.start_average()?,
            None => {}
        }
        share_states(self.work.ranks(), &mut self.model)
    }

    /// The run folder.
    pub fn run(&self) -> &RunDir {
        &self.run
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
            self.run.append_norms(&self.log.take_norms())?;
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
        let diverged = self.log.best_row().is_some_and(|best| best.val_loss > limit);
        let mut verdict = None;
        if !interrupted {
            let metrics = EpochRow::csv(self.log.rows());
            let (metrics_digest, result_digests) = (Some(text_digest(&metrics)), self.run.result_digests());
            let mut facts = RunFacts { metrics_digest, result_digests, ..self.facts() };
            self.judge(&mut facts, diverged, &mut left_out);
            self.run.write_facts(&facts)?;
            self.run.finish()?;
            verdict = facts.verdict;
        }
        self.work.order(Order::End { interrupted })?;
        let (run, example) = (self.run.path().to_owned(), self.example());
        let (rows, best) = self.log.into_rows();
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
        if let Some(first) = self.log.rows().first() {
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
        self.entries = found.entries();
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
            lr: self.log.lr,
            images_per_s: sums.images_per_s(),
            data_wait: sums.data_wait(),
            seconds: self.seconds(),
        };
        self.run.append_metrics(&row)?;
        if self.settings.tensorboard {
            self.run.append_event(&row)?;
        }
        let better = self.log.is_better(&row, decisive.as_ref());
        let mark = EpochMark { epoch: row.epoch, val_loss };
        self.with_average(|trainer| {
            trainer.save(&trainer.run.last_path(), Some(mark))?;
            if better { trainer.save(&trainer.run.best_path(), Some(mark)) } else { Ok(()) }
        })?;
        if better {
            self.position.best = Some(row.epoch);
            // `watch` shows it during the run. A picture that cannot be drawn is noted at the end.
            let _ = found.write(&mut Results::only(&self.run, "samples.png"), row.epoch);
            self.log.set_best(row.clone(), found);
        }
        watch.observer.epoch(&row, self.settings.epochs);
        self.log.push(row);
        self.run.write_json_lines(self.log.rows())?;
        self.record_layers(epoch);
        (self.position.epoch, self.position.batch) = (epoch + 1, 0);
        self.save_position()?;
        Ok(self.position.stops_early(self.settings.early_stop))
    }

    /// Records the layers after an epoch.
    pub(super) fn record_layers(&mut self, epoch: usize) {
        let (model, training) = (&mut self.model, self.loaders.train.source());
        self.layers.record((&self.run, epoch), (model, &*self.objective), &**training, &self.settings);
    }

    /// Evaluates the weights of all ranks, or their average. Ranks share the images, unless each image has its own size.
    fn evaluate_epoch(&mut self, watch: Watch<'_>) -> Result<Box<dyn Evaluation>, TrainError> {
        if !self.work.shares_evaluations() || self.objective.card().sees_own_pixels() {
            return self.with_average(|trainer| trainer.evaluate(watch));
        }
        self.work.order(Order::Evaluate)?;
        self.with_average(|trainer| match trainer.help_evaluate()? {
            Some(found) => Ok(found),
            None => trainer.evaluate(watch),
        })
    }

    /// Computes this rank's part of an evaluation. Rank 0 has the result.
    pub(super) fn help_evaluate(&mut self) -> Result<Option<Box<dyn Evaluation>>, TrainError> {
        self.work.evaluate(&mut self.model, &*self.objective)
    }

    /// Evaluates the weights of this rank on all images.
    pub(super) fn evaluate(&mut self, watch: Watch<'_>) -> Result<Box<dyn Evaluation>, TrainError> {
        let batch_size = self.settings.batch_size.min(self.loaders.val.source().len());
        self.model.evaluate(&*self.objective, &self.loaders.val, batch_size, watch)
    }
}

/// Decisions with the doubts about the pixels of the data, and a line for each doubt.
fn with_doubts(mut decisions: Decisions, data: &DataPrint) -> (Decisions, Vec<String>) {
    let doubts = [data.shared_images(), data.contradictions()].into_iter().flatten();
    decisions.notes.extend(doubts.clone());
    (decisions, doubts.map(|note| format!("note:    {note}")).collect())
}
