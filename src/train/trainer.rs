//! The loop that all tasks share: epochs of steps, validation, checkpoints, curves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::data::{Batch, Loader, LoaderOptions, Source};
use crate::exec::PlanId;
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::ops::Hyper;
use crate::plan::PlanOptions;
use crate::run::facts::RunFacts;
use crate::run::history::{EpochRow, NormRow, Score};
use crate::run::pictures;
use crate::run::run_dir::RunDir;
use crate::train::TrainError;
use crate::train::config::TrainSettings;
use crate::train::model::{Checkpoint, Model};
pub use crate::train::observer::{Observer, Outcome, StepProgress};
use crate::train::resume::{self, Exact, ImageOrder, Progress};
use crate::train::schedule::LrSchedule;
use crate::train::step::Phase;
use crate::train::task::Task;
use crate::train::trace::{Results, Trace};

/// A step under way: its ticket, its batch (for a diagnosis), its place.
pub(crate) struct Pending {
    results: Results,
    plan: PlanId,
    pub batch: Batch,
    pub step: usize,
    /// Optimizer step and its learning rate, where this batch ends one.
    update: Option<(u64, f64)>,
}

/// The best epoch, with what its evaluation found, unless that was before the run was resumed.
struct Best<E> {
    row: EpochRow,
    found: Option<E>,
}

/// A run under way.
pub struct Trainer<T: Task> {
    pub(crate) task: T,
    pub(crate) settings: TrainSettings,
    pub(crate) model: Model,
    pub(crate) run: RunDir,
    pub(crate) train_loader: Loader,
    pub(crate) val_loader: Loader,
    /// Training batches of an epoch: without a last one of a single image that BatchNorm cannot be trained on.
    pub(crate) batches: usize,
    rows: Vec<EpochRow>,
    best: Option<Best<T::Evaluation>>,
    pub(crate) progress: Progress,
    /// Learning rate of the last step.
    pub(crate) lr: f64,
    schedule: LrSchedule,
    norms: Vec<NormRow>,
    pub(crate) trace: Option<Trace>,
    start: Instant,
}

impl<T: Task> Trainer<T> {
    /// Prepares a run over a training and a validation source. The plans are made here, so that what the device cannot
    /// hold is found out before anything is written. `resumed` is where a run that goes on stands.
    ///
    /// # Errors
    /// When the device cannot hold the plans, the run directory cannot be made, or the model is not that of the run
    /// that is to go on.
    pub fn new(
        task: T,
        settings: TrainSettings,
        mut model: Model,
        [train, val]: [Arc<dyn Source>; 2],
        make_run: impl FnOnce(&TrainSettings) -> Result<RunDir, TrainError>,
        resumed: Option<(Progress, TensorFile)>,
    ) -> Result<Self, TrainError> {
        let without_last = model.load_plans(&task, &settings, [train.len(), val.len()])?;
        let loader = |source, shuffle| {
            let options = LoaderOptions {
                shuffle,
                threads: settings.loader_threads,
                ..LoaderOptions::new(settings.batch_size, settings.seed)
            };
            Loader::new(source, options)
        };
        let (train_loader, val_loader) = (loader(train, settings.shuffle)?, loader(val, false)?);
        let batches = train_loader.batches() - usize::from(without_last);
        let steps_per_epoch = batches.div_ceil(settings.accumulate);
        let schedule = LrSchedule::new(settings.schedule.clone(), steps_per_epoch, settings.epochs);
        let order = ImageOrder {
            batch_size: settings.batch_size,
            images: train_loader.source().len(),
            seed: settings.seed,
            shuffle: settings.shuffle,
        };
        // Before anything is written: a model that is not that of the run leaves the run as it is.
        if let Some((progress, file)) = &resumed {
            let path = settings.resume.as_deref().unwrap_or(std::path::Path::new(""));
            progress.check(order, settings.epochs, path)?;
            resume::restore(&mut model, file, path)?;
        }
        let run = make_run(&settings)?;
        run.write_facts(&RunFacts::of(task.card(), &model, [&train_loader, &val_loader]))?;
        let mut trainer = Trainer {
            task,
            model,
            run,
            train_loader,
            val_loader,
            batches,
            rows: vec![],
            best: None,
            progress: Progress { epoch: 1, order: Some(order), ..Progress::default() },
            lr: settings.lr,
            schedule,
            norms: vec![],
            trace: settings.profile.then(Trace::new),
            start: Instant::now(),
            settings,
        };
        match resumed {
            Some((progress, _)) => trainer.resume(progress)?,
            None if trainer.settings.ema > 0.0 => trainer.model.start_average()?,
            None => {}
        }
        Ok(trainer)
    }

    /// The run directory.
    pub fn run(&self) -> &RunDir {
        &self.run
    }
    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Says so where the last batch of each epoch is left out.
    pub fn left_out(&self) -> Option<String> {
        (self.batches < self.train_loader.batches()).then(|| {
            "note:   the last batch of an epoch would be a single image, on which BatchNorm cannot be trained: it is left out"
                .into()
        })
    }

    /// Goes on where a run stood; what it had written after that is dropped, since it will be written again.
    fn resume(&mut self, progress: Progress) -> Result<(), TrainError> {
        self.rows = self.run.read_metrics()?;
        self.rows.retain(|row| (row.epoch as usize) < progress.epoch);
        self.run.rewrite_metrics(&self.rows)?;
        self.run.rewind(progress.epoch, progress.steps)?;
        let best = self.rows.iter().find(|row| Some(row.epoch) == progress.best);
        self.best = best.map(|row| Best { row: row.clone(), found: None });
        self.schedule.set_plateau(progress.plateau);
        self.progress = Progress { order: self.progress.order, ..progress };
        Ok(())
    }

    /// Trains to the end, or until `stop`, after which the current step is finished and a checkpoint written.
    ///
    /// # Errors
    /// See [`TrainError`]; whatever had been written stays.
    pub fn train(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let mut ended_early = false;
        observer.first_step();
        while self.progress.epoch <= self.settings.epochs && !ended_early {
            let epoch = self.progress.epoch;
            let start = Instant::now();
            let before = self.progress.sums.images.0;
            self.epoch(epoch, observer, stop)?;
            let images_per_s = (self.progress.sums.images.0 - before) / start.elapsed().as_secs_f64();
            self.run.append_norms(&self.norms)?;
            self.norms.clear();
            if stop.load(Ordering::Relaxed) {
                self.require_finite(epoch)?;
                self.with_average(|trainer| trainer.save(&trainer.run.last_path()))?;
                self.save_progress()?;
                break;
            }
            ended_early = self.validate(epoch, images_per_s, start.elapsed().as_secs_f64(), observer)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let interrupted = self.progress.epoch <= self.settings.epochs && !ended_early;
        let pictures = self.draw()?;
        if !interrupted {
            self.run.forget_progress()?;
        }
        let (run, best) = (self.run.path().to_owned(), self.best.map(|best| best.row));
        Ok(Outcome { run, best, interrupted, ended_early, rows: self.rows, pictures })
    }

    /// Evaluates, and writes metrics and checkpoints. True if it is time to end.
    fn validate(
        &mut self,
        epoch: usize,
        images_per_s: f64,
        seconds: f64,
        observer: &dyn Observer,
    ) -> Result<bool, TrainError> {
        let batch_size = self.settings.batch_size.min(self.val_loader.source().len());
        let found = self.with_average(|t| t.model.evaluate(&t.task, &t.val_loader, batch_size))?;
        let (val_loss, mut scores) = self.task.scores(&found);
        if !val_loss.is_finite() {
            // Nothing is saved: the checkpoints of the epochs before are the last good ones.
            return Err(self.diagnose_validation(epoch, val_loss));
        }
        self.require_finite(epoch)?;
        self.schedule.epoch_done(scores.first().map(|(_, v)| *v), val_loss);
        let score = scores.first().map_or(-val_loss, |(_, v)| *v);
        let first = scores.first().map(|(s, _)| *s);
        let sums = std::mem::take(&mut self.progress.sums);
        if self.task.counts_right() {
            scores.insert(0, (Score::TrainAccuracy, sums.accuracy()));
        }
        let row = EpochRow {
            epoch: epoch as u32,
            train_loss: sums.loss(),
            val_loss,
            scores,
            lr: self.lr,
            images_per_s,
            data_wait: sums.waited.0 / seconds.max(f64::MIN_POSITIVE),
            seconds: self.seconds(),
        };
        self.run.append_metrics(&row)?;
        if self.settings.tensorboard {
            self.run.append_event(&row)?;
        }
        let known = |row: &EpochRow| first.and_then(|s| row.score(s)).unwrap_or(-row.val_loss);
        let better = self.best.as_ref().is_none_or(|best| score > known(&best.row));
        self.with_average(|trainer| {
            trainer.save(&trainer.run.last_path())?;
            if better { trainer.save(&trainer.run.best_path()) } else { Ok(()) }
        })?;
        if better {
            self.best = Some(Best { row: row.clone(), found: Some(found) });
            self.progress.best = Some(row.epoch);
        }
        observer.epoch(&row, self.settings.epochs);
        self.rows.push(row);
        (self.progress.epoch, self.progress.batch) = (epoch + 1, 0);
        if epoch < self.settings.epochs {
            self.save_progress()?;
        }
        let waited = epoch - self.progress.best.map_or(0, |best| best as usize);
        Ok(self.settings.early_stop > 0 && waited >= self.settings.early_stop)
    }

    /// One pass over the training images, or what is left of it. A step's loss is read while the next step runs.
    fn epoch(&mut self, epoch: usize, observer: &dyn Observer, stop: &AtomicBool) -> Result<(), TrainError> {
        let (start, steps, first) = (Instant::now(), self.batches, self.progress.batch);
        let before = self.progress.sums.images.0;
        let mut pending: Option<Pending> = None;
        let mut batches = self.train_loader.epoch_from(epoch as u64, first)?;
        for index in first..steps {
            let asked = Instant::now();
            let Some(batch) = batches.next() else { break };
            self.progress.sums.waited += asked.elapsed().as_secs_f64();
            self.trace_span("wait for data", asked);
            let started = self.start_step(index, batch?)?;
            self.progress.batch = index + 1;
            let previous = pending.replace(started);
            if let Some(done) = previous {
                self.finish(epoch, done)?;
            }
            let sums = &self.progress.sums;
            observer.step(&StepProgress {
                epoch,
                step: index + 1,
                steps,
                loss: (sums.images.0 > before).then(|| sums.loss()),
                accuracy: self.task.counts_right().then(|| sums.accuracy()),
                images_per_s: (sums.images.0 - before) / start.elapsed().as_secs_f64(),
            });
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        pending.map_or(Ok(()), |done| self.finish(epoch, done))?;
        self.write_trace()
    }

    /// Starts on a batch: the last one of a step updates the parameters, those before it add their gradients.
    fn start_step(&mut self, index: usize, batch: Batch) -> Result<Pending, TrainError> {
        let each = self.settings.accumulate;
        let last = (index + 1).is_multiple_of(each) || index + 1 == self.batches;
        self.lr = self.settings.lr * self.schedule.factor(self.progress.steps);
        let step = self.progress.steps + 1;
        let hyper = self.hyper(self.lr, step, !index.is_multiple_of(each));
        let phase = if last { Phase::Update } else { Phase::Accumulate };
        let plan = self.model.training_plan(&self.task, (batch.len(), phase), PlanOptions::default())?;
        let started = Instant::now();
        self.model.feed(&self.task, plan, &batch, hyper)?;
        self.trace_span("hand over data", started);
        let results = self.run_step(plan)?;
        let update = last.then_some((step, self.lr));
        if last {
            self.progress.steps = step;
        }
        Ok(Pending { results, plan, batch, step: index + 1, update })
    }

    /// What changes from step to step. The average follows the weights closely at first, with a decay of
    /// (1 + t) / (10 + t) as in TensorFlow, so that a short run is not held back by its random start.
    pub(crate) fn hyper(&self, lr: f64, step: u64, more: bool) -> Hyper {
        let t = step as f64;
        Hyper {
            average_decay: self.settings.ema.min((1.0 + t) / (10.0 + t)) as f32,
            keep: f32::from(u8::from(more)),
            ..Hyper::new(lr, self.settings.update().optimizer.betas(), step)
        }
    }

    /// Takes a step's results and adds them up.
    fn finish(&mut self, epoch: usize, done: Pending) -> Result<(), TrainError> {
        let asked = Instant::now();
        let results = match done.results {
            Results::Awaited(ticket) => self.model.session.take(done.plan, ticket)?,
            Results::There(ref results) => results.clone(),
        };
        self.trace_span("wait for results", asked);
        if self.trace.as_mut().is_some_and(Trace::step_done) {
            self.write_trace()?;
        }
        let (loss, totals) = (results[0][0], &results[1]);
        if !loss.is_finite() {
            return Err(self.diagnose(epoch, &done, loss));
        }
        let n = done.batch.len() as f64;
        let sums = &mut self.progress.sums;
        // A batch in which little counts has little weight in the epoch's mean.
        let weight = f64::from(totals[1]);
        sums.loss += f64::from(loss) * weight;
        sums.weight += weight;
        sums.right += f64::from(totals[2]);
        sums.counted += f64::from(totals[3]);
        sums.images += n;
        if let (Some((step, lr)), [_, _, gradients, weights, ..]) = (done.update, &results[..]) {
            let [gradient_norm, weight_norm] = [gradients[0], weights[0]];
            self.norms.push(NormRow { epoch, step, lr, loss, gradient_norm, weight_norm });
        }
        self.train_loader.recycle(done.batch);
        Ok(())
    }

    /// With the moving average in the place of the parameters, where one is kept.
    fn with_average<R>(&mut self, run: impl FnOnce(&mut Self) -> Result<R, TrainError>) -> Result<R, TrainError> {
        if self.settings.ema == 0.0 {
            return run(self);
        }
        let parameters = self.model.use_average()?;
        let result = run(self)?;
        self.model.set_parameters(&parameters)?;
        Ok(result)
    }

    fn save(&mut self, path: &std::path::Path) -> Result<(), TrainError> {
        let metadata = self.task.card().to_metadata();
        let file = torchvision::collect(&mut self.model.session, self.progress.steps, metadata)?;
        Ok(file.write_atomic(path)?)
    }

    /// Writes where the run stands, for `--resume`.
    fn save_progress(&mut self) -> Result<(), TrainError> {
        (self.progress.plateau, self.progress.seconds) = (self.schedule.plateau(), Exact(self.seconds()));
        self.start = Instant::now();
        resume::save(&mut self.model, &self.progress, &self.run.resume_path())
    }

    /// Seconds of the whole run.
    fn seconds(&self) -> f64 {
        self.progress.seconds.0 + self.start.elapsed().as_secs_f64()
    }

    /// The pictures of the run.
    fn draw(&mut self) -> Result<Vec<&'static str>, TrainError> {
        let Some(best) = &mut self.best else { return Ok(vec![]) };
        if best.found.is_none() {
            let from = Checkpoint::open(&self.run.best_path())?;
            torchvision::restore(&mut self.model.session, &from.file, &from.path)?;
            let batch_size = self.settings.batch_size.min(self.val_loader.source().len());
            best.found = Some(self.model.evaluate(&self.task, &self.val_loader, batch_size)?);
        }
        let Best { row, found: Some(found) } = best else { return Ok(vec![]) };
        pictures::save_png(&pictures::curves_picture(&self.rows, &self.task.curve())?, &self.run.curves_path())?;
        let mut drawn = vec!["curves.png"];
        drawn.extend(self.task.draw(&self.run, row, found)?);
        Ok(drawn)
    }
}
