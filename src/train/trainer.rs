//! The loop that all tasks share: epochs of steps, validation, checkpoints, curves.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::TrainError;
use super::config::TrainSettings;
use super::facts::RunFacts;
use super::history::{EpochRow, Score};
use super::model::Model;
use super::pictures;
use super::run_dir::RunDir;
use super::schedule::LrSchedule;
use super::task::Task;
use crate::data::{Batch, Loader, LoaderOptions, Source};
use crate::exec::{PlanId, Ticket};
use crate::interop::torchvision;
use crate::ops::{HYPER_LEN, hyper_values};
use crate::plan::PlanOptions;

/// What is told while a run goes on. All methods may do nothing.
pub trait Observer: Sync {
    /// Images are being read: so many of so many.
    fn reading(&self, done: usize, total: usize);
    /// The run begins, with a line for people each.
    fn begins(&self, lines: &[String]);
    /// A step is done.
    fn step(&self, progress: &StepProgress);
    /// An epoch is done.
    fn epoch(&self, row: &EpochRow, epochs: usize);
}

/// Where an epoch stands.
#[derive(Clone, Copy, Debug)]
pub struct StepProgress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step in the epoch, from 1.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Mean loss so far.
    pub loss: f64,
    /// Share predicted rightly so far, where the task counts that.
    pub accuracy: Option<f64>,
    /// Images per second so far.
    pub images_per_s: f64,
}

/// Nobody watches.
impl Observer for () {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

/// What a finished run says.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run directory.
    pub run: PathBuf,
    /// All epochs.
    pub rows: Vec<EpochRow>,
    /// The best epoch by the task's first score.
    pub best: Option<EpochRow>,
    /// Pictures in the run directory.
    pub pictures: Vec<&'static str>,
    /// It was interrupted, and ended after a step.
    pub interrupted: bool,
}

/// A step under way: its ticket, its batch (for a diagnosis), its place.
struct Pending {
    ticket: Ticket,
    plan: PlanId,
    batch: Batch,
    step: usize,
}

/// Sums over an epoch.
#[derive(Default)]
struct Sums {
    loss: f64,
    right: f64,
    counted: f64,
    images: f64,
}

impl Sums {
    fn loss(&self) -> f64 {
        self.loss / self.images.max(1.0)
    }
    fn accuracy(&self) -> f64 {
        self.right / self.counted.max(1.0)
    }
}

/// A run under way.
pub struct Trainer<'a, T: Task> {
    task: T,
    settings: &'a TrainSettings,
    model: Model,
    run: RunDir,
    train_loader: Loader,
    val_loader: Loader,
    rows: Vec<EpochRow>,
    best: Option<(EpochRow, T::Evaluation)>,
    /// Optimizer steps so far.
    steps: u64,
    /// Learning rate of the last of them.
    lr: f64,
    schedule: LrSchedule,
    start: Instant,
}

impl<'a, T: Task> Trainer<'a, T> {
    /// Prepares a run over a training and a validation source. Both plans are made here, so that what the device cannot
    /// hold is found out before anything is written.
    ///
    /// # Errors
    /// When the device cannot hold the plans, or the run directory cannot be made.
    pub fn new(
        task: T,
        settings: &'a TrainSettings,
        mut model: Model,
        [train, val]: [Arc<dyn Source>; 2],
        make_run: impl FnOnce() -> Result<RunDir, TrainError>,
    ) -> Result<Self, TrainError> {
        model.training_plan(&task, settings.batch_size.min(train.len()), PlanOptions::default())?;
        model.evaluation_plan(&task, settings.batch_size.min(val.len()), PlanOptions::default())?;
        let loader = |source, shuffle| {
            let options = LoaderOptions {
                shuffle,
                threads: settings.loader_threads,
                ..LoaderOptions::new(settings.batch_size, settings.seed)
            };
            Loader::new(source, options)
        };
        let (train_loader, val_loader) = (loader(train, settings.shuffle)?, loader(val, false)?);
        let schedule = LrSchedule::new(settings.schedule.clone(), train_loader.batches(), settings.epochs);
        let (run, rows, lr, start) = (make_run()?, vec![], settings.lr, Instant::now());
        run.write_facts(&RunFacts::of(task.card(), &model, [&train_loader, &val_loader]))?;
        Ok(Trainer {
            task,
            settings,
            model,
            run,
            train_loader,
            val_loader,
            rows,
            best: None,
            steps: 0,
            lr,
            schedule,
            start,
        })
    }

    /// The run directory.
    pub fn run(&self) -> &RunDir {
        &self.run
    }
    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Trains to the end, or until `stop`, after which the current step is finished and a checkpoint written.
    ///
    /// # Errors
    /// See [`TrainError`]; whatever had been written stays.
    pub fn train(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        for epoch in 1..=self.settings.epochs {
            let start = Instant::now();
            let sums = self.epoch(epoch, observer, stop)?;
            let seconds = start.elapsed().as_secs_f64();
            if stop.load(Ordering::Relaxed) {
                self.require_finite(epoch)?;
                self.save(&self.run.last_path())?;
                break;
            }
            self.validate(epoch, &sums, seconds, observer)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let pictures = self.draw()?;
        Ok(Outcome {
            run: self.run.path().to_owned(),
            best: self.best.map(|(row, _)| row),
            interrupted: self.rows.len() < self.settings.epochs,
            rows: self.rows,
            pictures,
        })
    }

    /// Evaluates, and writes metrics and checkpoints.
    fn validate(&mut self, epoch: usize, sums: &Sums, seconds: f64, observer: &dyn Observer) -> Result<(), TrainError> {
        let batch_size = self.settings.batch_size.min(self.val_loader.source().len());
        let found = self.model.evaluate(&self.task, &self.val_loader, batch_size)?;
        let (val_loss, mut scores) = self.task.scores(&found);
        if !val_loss.is_finite() {
            // Nothing is saved: the checkpoints of the epochs before are the last good ones.
            return Err(self.diagnose_validation(epoch, val_loss));
        }
        self.schedule.epoch_done(val_loss);
        let score = scores.first().map_or(-val_loss, |(_, v)| *v);
        let first = scores.first().map(|(s, _)| *s);
        if self.task.counts_right() {
            scores.insert(0, (Score::TrainAccuracy, sums.accuracy()));
        }
        let row = EpochRow {
            epoch: epoch as u32,
            train_loss: sums.loss(),
            val_loss,
            scores,
            lr: self.lr,
            images_per_s: sums.images / seconds,
            seconds: self.start.elapsed().as_secs_f64(),
        };
        self.run.append_metrics(&row)?;
        if self.settings.tensorboard {
            self.run.append_event(&row)?;
        }
        self.save(&self.run.last_path())?;
        let known = |row: &EpochRow| first.and_then(|s| row.score(s)).unwrap_or(-row.val_loss);
        if self.best.as_ref().is_none_or(|(best, _)| score > known(best)) {
            self.save(&self.run.best_path())?;
            self.best = Some((row.clone(), found));
        }
        observer.epoch(&row, self.settings.epochs);
        self.rows.push(row);
        Ok(())
    }

    /// One pass over the training images. A step's loss is read while the next step runs.
    fn epoch(&mut self, epoch: usize, observer: &dyn Observer, stop: &AtomicBool) -> Result<Sums, TrainError> {
        let mut sums = Sums::default();
        let (start, steps) = (Instant::now(), self.train_loader.batches());
        let betas = self.settings.update().optimizer.betas();
        let mut pending: Option<Pending> = None;
        for (index, batch) in self.train_loader.epoch(epoch as u64)?.enumerate() {
            let batch = batch?;
            self.steps += 1;
            self.lr = self.settings.lr * self.schedule.factor(self.steps - 1);
            let hyper = hyper_values(self.lr, betas, self.steps);
            let plan = self.model.training_plan(&self.task, batch.len(), PlanOptions::default())?;
            let ticket = self.model.start_step(&self.task, plan, &batch, &hyper)?;
            let previous = pending.replace(Pending { ticket, plan, batch, step: index + 1 });
            if let Some(done) = previous {
                self.finish(epoch, done, &mut sums)?;
            }
            observer.step(&StepProgress {
                epoch,
                step: index + 1,
                steps,
                loss: sums.loss(),
                accuracy: self.task.counts_right().then(|| sums.accuracy()),
                images_per_s: sums.images / start.elapsed().as_secs_f64(),
            });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if let Some(done) = pending {
            self.finish(epoch, done, &mut sums)?;
        }
        Ok(sums)
    }

    /// Takes a step's results and adds them up.
    fn finish(&mut self, epoch: usize, done: Pending, sums: &mut Sums) -> Result<(), TrainError> {
        let results = self.model.session.take(done.plan, done.ticket)?;
        let (loss, totals) = (results[0][0], &results[1]);
        if !loss.is_finite() {
            return Err(self.diagnose(epoch, &done, loss));
        }
        let n = done.batch.len() as f64;
        sums.loss += f64::from(loss) * n;
        sums.right += f64::from(totals[2]);
        sums.counted += f64::from(totals[3]);
        sums.images += n;
        self.train_loader.recycle(done.batch);
        Ok(())
    }

    /// Runs the step again with every value kept, to name the first layer that is not finite. The optimizer leaves the
    /// weights alone when the loss is not finite, so the values are those of the failed step.
    fn diagnose(&mut self, epoch: usize, done: &Pending, loss: f32) -> TrainError {
        let layer = self.first_not_finite(|model, task, options| {
            let plan = model.training_plan(task, done.batch.len(), options)?;
            let ticket = model.start_step(task, plan, &done.batch, &[0.0; HYPER_LEN])?;
            model.session.take(plan, ticket)?;
            Ok(plan)
        });
        self.not_finite("loss", loss, (done.step, epoch), layer)
    }

    /// The same for the validation images, with the first batch of them.
    fn diagnose_validation(&mut self, epoch: usize, loss: f64) -> TrainError {
        let batch = self.val_loader.epoch(0).ok().and_then(|mut batches| batches.next()).transpose();
        let layer = self.first_not_finite(|model, task, options| {
            let batch = batch?.unwrap_or_default();
            let (n, plan) = model.evaluation_plan(task, batch.len(), options)?;
            task.feed(&mut model.session, plan, &batch, n)?;
            model.session.run_now(plan)?;
            Ok(plan)
        });
        let step = self.train_loader.batches();
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

    /// The last step's loss can be finite and its update not: such weights must not replace good ones.
    fn require_finite(&mut self, epoch: usize) -> Result<(), TrainError> {
        let Some(parameter) = self.model.parameter_not_finite()? else { return Ok(()) };
        let step = (self.steps as usize - 1) % self.train_loader.batches() + 1;
        Err(self.not_finite("update", f32::NAN, (step, epoch), parameter))
    }

    fn not_finite(&self, what: &'static str, loss: f32, (step, epoch): (usize, usize), layer: String) -> TrainError {
        let kept = match self.run.checkpoint() {
            Some(path) => format!("the last good weights are in {}", path.with_file_name("last.safetensors").display()),
            None => "no checkpoint had been written yet".into(),
        };
        TrainError::NotFinite { what, loss, step, epoch, lr: self.lr, layer, kept }
    }

    fn save(&mut self, path: &std::path::Path) -> Result<(), TrainError> {
        let metadata = self.task.card().to_metadata();
        let file = torchvision::collect(&mut self.model.session, self.steps, metadata)?;
        Ok(file.write_atomic(path)?)
    }

    /// The pictures of the run.
    fn draw(&self) -> Result<Vec<&'static str>, TrainError> {
        let Some((row, found)) = &self.best else { return Ok(vec![]) };
        pictures::save_png(&pictures::curves_picture(&self.rows, &self.task.curve())?, &self.run.curves_path())?;
        let mut drawn = vec!["curves.png"];
        drawn.extend(self.task.draw(&self.run, row, found)?);
        Ok(drawn)
    }
}
