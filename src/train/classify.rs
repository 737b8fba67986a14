//! `train classify`: data in, trained ResNet18 in a run directory out.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::TrainError;
use super::classifier::{Classifier, Evaluation, ModelCard};
use super::config::{self, ClassifyConfig};
use super::metrics::EpochRow;
use super::pictures::{self, Sheet};
use super::run_dir::RunDir;
use super::step::{Optimizer, StepOptions, port};
use crate::data::scenes::SceneDataset;
use crate::data::{
    Batch, ClassificationSource, Loader, LoaderOptions, Normalization, OpenOptions, PrepareOptions, Prepared, Splits,
    open_classification, prepare,
};
use crate::exec::{self, AnyEngine, Ticket};
use crate::fuse::FuseOptions;
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::nn::{ResNet18, Stem};
use crate::ops::{AdamOptions, CrossEntropyOptions, HYPER_LEN, SgdOptions, hyper_values};
use crate::plan::PlanOptions;

/// Validation images of the built-in scenes.
const SCENES_VAL: usize = 500;
/// Tells the seeds of the two parts of the built-in scenes apart.
const SCENES_VAL_SEED: u64 = 0x5eed_0000_0000;

/// What is told while a run goes on. All methods may do nothing.
pub trait Observer: Sync {
    /// Images are being read: so many of so many.
    fn reading(&self, done: usize, total: usize);
    /// The run begins, with a line for people each.
    fn begins(&self, lines: &[String]);
    /// A step of an epoch (from 1) is done; means so far, and the images per second of the epoch.
    fn step(&self, epoch: usize, step: usize, steps: usize, loss: f64, accuracy: f64, images_per_s: f64);
    /// An epoch is done.
    fn epoch(&self, row: &EpochRow, epochs: usize);
}

/// Nobody watches.
impl Observer for () {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: usize, _: usize, _: usize, _: f64, _: f64, _: f64) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

/// What a finished run says.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run directory.
    pub run: PathBuf,
    /// All epochs.
    pub rows: Vec<EpochRow>,
    /// Best validation accuracy and its epoch.
    pub best: Option<(f64, u32)>,
    /// It was interrupted, and ended after a step.
    pub interrupted: bool,
}

impl ClassifyConfig {
    fn optimizer(&self) -> Optimizer {
        let weight_decay = self.weight_decay as f32;
        match self.optimizer {
            config::Optimizer::Sgd => Optimizer::Sgd(SgdOptions {
                momentum: self.momentum as f32,
                nesterov: self.nesterov,
                weight_decay,
                decay_all: true,
            }),
            kind => Optimizer::Adam(AdamOptions {
                betas: [0.9, 0.999],
                eps: 1e-8,
                weight_decay,
                decoupled: kind == config::Optimizer::AdamW,
                decay_all: kind == config::Optimizer::Adam,
            }),
        }
    }

    /// The graph options of a full batch.
    pub fn step_options(&self) -> StepOptions {
        StepOptions {
            images: [self.batch_size, self.image_size, self.image_size, 3],
            loss: CrossEntropyOptions { label_smoothing: self.label_smoothing as f32, ..Default::default() },
            optimizer: self.optimizer(),
            clip: self.clip_norm().map(|c| c as f32),
            fuse: FuseOptions::default(),
        }
    }

    /// Refuses images that the network would shrink to nothing.
    ///
    /// # Errors
    /// [`TrainError::ImageTooSmall`].
    pub fn require_large_images(&self) -> Result<(), TrainError> {
        let (size, least) = (self.image_size, ResNet18::MIN_IMAGE_SIZE);
        if size < least { Err(TrainError::ImageTooSmall { size, least }) } else { Ok(()) }
    }

    /// The stem as the network knows it.
    pub fn network_stem(&self) -> Stem {
        match self.stem {
            config::Stem::Imagenet => Stem::ImageNet,
            config::Stem::Cifar => Stem::Cifar,
        }
    }
}

/// The data of a run: what `--data` names, or the built-in scenes.
fn open_data(config: &ClassifyConfig) -> Result<Splits, TrainError> {
    match &config.data {
        Some(path) => {
            let options = OpenOptions { val_split: config.val_split as f32, seed: config.seed };
            Ok(open_classification(path, &options)?)
        }
        None => {
            let size = config.image_size as u32;
            Ok(Splits {
                train: Arc::new(SceneDataset::new(config.seed, config.scenes, size)),
                val: Arc::new(SceneDataset::new(config.seed ^ SCENES_VAL_SEED, SCENES_VAL, size)),
                format: "built-in scenes",
            })
        }
    }
}

/// Trains by `config` and writes everything into a new run directory. `stop` ends it after the current step.
///
/// # Errors
/// See [`TrainError`]; whatever had been written stays.
pub fn train(config: &ClassifyConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    config.validate()?;
    config.require_large_images()?;
    // What can be refused at once comes before the data, which takes a while to read; the run directory comes last, so
    // that a refused run leaves none behind.
    let toml = config.to_toml()?;
    config.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
    let engine = exec::open(&config.device)?;
    let init = config.init.as_ref().map(|path| TensorFile::read(path).map(|file| (file, path))).transpose()?;
    let splits = open_data(config)?;
    let options = PrepareOptions { skip_bad: config.skip_bad, ..PrepareOptions::new(config.image_size as u32) };
    let mut parts = prepare(&[splits.train, splits.val], &options, &|done, total| observer.reading(done, total))?;
    let (val, train) = (Arc::new(parts.remove(1)), Arc::new(parts.remove(0)));
    let normalization = match config.normalize {
        config::Normalize::Dataset => train.sums().normalization(),
        config::Normalize::Imagenet => Normalization::IMAGENET,
        config::Normalize::None => Normalization::NONE,
    };
    let card = ModelCard {
        classes: train.class_names().to_vec(),
        stem: config.network_stem(),
        image_size: config.image_size,
        normalization,
    };
    let mut step = config.step_options();
    step.images[0] = step.images[0].min(train.len());
    let mut classifier = Classifier::new(card, engine, Some(step), config.seed)?;
    if let Some((file, path)) = &init {
        classifier.restore(file, path)?;
    }
    // What the device cannot hold is found out here, too.
    classifier.training_plan(step.images[0], PlanOptions::default())?;
    classifier.evaluation_plan(config.batch_size.min(val.len()), PlanOptions::default())?;
    let run = RunDir::create(config.out.as_deref(), "classify-resnet18")?;
    run.write_config(&toml)?;
    observer.begins(&introduction(classifier.session.engine(), &run, &train, &val, splits.format));
    Run::new(config, classifier, run, [train, val])?.train(observer, stop)
}

fn introduction(engine: &AnyEngine, run: &RunDir, train: &Prepared, val: &Prepared, format: &str) -> Vec<String> {
    let mut lines = vec![
        format!("device: {}", engine.name()),
        format!(
            "data:   {format}, {} training and {} validation images, {} classes",
            train.len(),
            val.len(),
            train.class_names().len()
        ),
        format!("run:    {}", run.path().display()),
    ];
    for bad in train.bad().iter().chain(val.bad()) {
        lines.push(format!("skipped {bad}"));
    }
    lines
}

/// A step under way: its ticket, its batch (for a diagnosis), its place.
struct Pending {
    ticket: Ticket,
    plan: exec::PlanId,
    batch: Batch,
    step: usize,
}

/// Sums over an epoch.
#[derive(Default)]
struct Sums {
    loss: f64,
    right: f64,
    count: f64,
}

/// A run under way.
struct Run<'a> {
    config: &'a ClassifyConfig,
    classifier: Classifier,
    run: RunDir,
    val: Arc<Prepared>,
    train_loader: Loader,
    val_loader: Loader,
    rows: Vec<EpochRow>,
    best: Option<(EpochRow, Evaluation)>,
    /// Optimizer steps so far.
    steps: u64,
    /// Learning rate of the last of them.
    lr: f64,
    start: Instant,
}

impl<'a> Run<'a> {
    fn new(
        config: &'a ClassifyConfig,
        classifier: Classifier,
        run: RunDir,
        [train, val]: [Arc<Prepared>; 2],
    ) -> Result<Self, TrainError> {
        let loader = |prepared: &Arc<Prepared>, shuffle| {
            let source = ClassificationSource::new(prepared.clone(), &classifier.card.normalization);
            let options = LoaderOptions {
                shuffle,
                threads: config.loader_threads,
                ..LoaderOptions::new(config.batch_size, config.seed)
            };
            Loader::new(Arc::new(source), options)
        };
        let (train_loader, val_loader) = (loader(&train, config.shuffle)?, loader(&val, false)?);
        let (rows, start) = (vec![], Instant::now());
        Ok(Run {
            config,
            classifier,
            run,
            val,
            train_loader,
            val_loader,
            rows,
            best: None,
            steps: 0,
            lr: config.lr,
            start,
        })
    }

    fn train(mut self, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        for epoch in 1..=self.config.epochs {
            let start = Instant::now();
            let sums = self.epoch(epoch, observer, stop)?;
            let seconds = start.elapsed().as_secs_f64();
            if stop.load(Ordering::Relaxed) {
                self.require_finite(epoch)?;
                self.save(&self.run.last_path())?;
                break;
            }
            let batch_size = self.config.batch_size.min(self.val.len());
            let evaluation = self.classifier.evaluate(&self.val_loader, batch_size)?;
            if !evaluation.loss.is_finite() {
                // Nothing is saved: the checkpoints of the epochs before are the last good ones.
                return Err(self.diagnose_validation(epoch, evaluation.loss));
            }
            let row = EpochRow {
                epoch: epoch as u32,
                train_loss: sums.loss / sums.count,
                train_accuracy: sums.right / sums.count,
                val_loss: evaluation.loss,
                val_accuracy: evaluation.accuracy(),
                lr: self.lr,
                images_per_s: sums.count / seconds,
                seconds: self.start.elapsed().as_secs_f64(),
            };
            self.run.append_metrics(&row)?;
            self.save(&self.run.last_path())?;
            if self.best.as_ref().is_none_or(|(best, _)| row.val_accuracy > best.val_accuracy) {
                self.save(&self.run.best_path())?;
                self.best = Some((row, evaluation));
            }
            observer.epoch(&row, self.config.epochs);
            self.rows.push(row);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.draw()?;
        Ok(Outcome {
            run: self.run.path().to_owned(),
            best: self.best.map(|(row, _)| (row.val_accuracy, row.epoch)),
            interrupted: self.rows.len() < self.config.epochs,
            rows: self.rows,
        })
    }

    /// One pass over the training images. A step's loss is read while the next step runs.
    fn epoch(&mut self, epoch: usize, observer: &dyn Observer, stop: &AtomicBool) -> Result<Sums, TrainError> {
        let mut sums = Sums::default();
        let (start, steps) = (Instant::now(), self.train_loader.batches());
        let mut pending: Option<Pending> = None;
        for (index, batch) in self.train_loader.epoch(epoch as u64)?.enumerate() {
            let batch = batch?;
            self.steps += 1;
            let all_steps = (steps * self.config.epochs) as u64;
            self.lr = self.config.lr * self.config.schedule().factor(self.steps - 1, all_steps);
            let hyper = hyper_values(self.lr, self.config.step_options().optimizer.betas(), self.steps);
            let plan = self.classifier.training_plan(batch.len(), PlanOptions::default())?;
            let ticket = self.classifier.start_step(plan, &batch, &hyper)?;
            let previous = pending.replace(Pending { ticket, plan, batch, step: index + 1 });
            if let Some(done) = previous {
                self.finish(epoch, done, &mut sums)?;
            }
            let rate = sums.count / start.elapsed().as_secs_f64();
            let n = sums.count.max(1.0);
            observer.step(epoch, index + 1, steps, sums.loss / n, sums.right / n, rate);
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
        let results = self.classifier.session.take(done.plan, done.ticket)?;
        let (loss, totals) = (results[0][0], &results[1]);
        if !loss.is_finite() {
            return Err(self.diagnose(epoch, &done, loss));
        }
        let n = done.batch.len() as f64;
        sums.loss += f64::from(loss) * n;
        sums.right += f64::from(totals[2]);
        sums.count += n;
        self.train_loader.recycle(done.batch);
        Ok(())
    }

    /// Runs the step again with every value kept, to name the first layer that is not finite. The optimizer leaves the
    /// weights alone when the loss is not finite, so the values are those of the failed step.
    fn diagnose(&mut self, epoch: usize, done: &Pending, loss: f32) -> TrainError {
        let layer = self.first_not_finite(|c, options| {
            let plan = c.training_plan(done.batch.len(), options)?;
            let ticket = c.start_step(plan, &done.batch, &[0.0; HYPER_LEN])?;
            c.session.take(plan, ticket)?;
            Ok(plan)
        });
        self.not_finite("loss", loss, (done.step, epoch), layer)
    }

    /// The same for the validation images, with the first batch of them.
    fn diagnose_validation(&mut self, epoch: usize, loss: f64) -> TrainError {
        let batch = self.val_loader.epoch(0).ok().and_then(|mut batches| batches.next()).transpose();
        let layer = self.first_not_finite(|c, options| {
            let images = batch?.map(|b| b.images).unwrap_or_default();
            let (_, plan) = c.evaluation_plan(images.len() / c.card.pixels(), options)?;
            c.session.write(plan, port::IMAGES, &images)?;
            c.session.run_now(plan)?;
            Ok(plan)
        });
        let step = self.train_loader.batches();
        self.not_finite("validation loss", loss as f32, (step, epoch), layer)
    }

    /// What `run` computes with every value kept, searched for the first layer that is not finite.
    fn first_not_finite(
        &mut self,
        run: impl FnOnce(&mut Classifier, PlanOptions) -> Result<exec::PlanId, TrainError>,
    ) -> String {
        let found = run(&mut self.classifier, PlanOptions { reuse: false })
            .and_then(|plan| self.classifier.first_not_finite(plan));
        found.unwrap_or_else(|e| Some(format!("(not found: {e})"))).unwrap_or_else(|| "the loss itself".into())
    }

    /// The last step's loss can be finite and its update not: such weights must not replace good ones.
    fn require_finite(&mut self, epoch: usize) -> Result<(), TrainError> {
        let Some(parameter) = self.classifier.parameter_not_finite()? else { return Ok(()) };
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
        let metadata = self.classifier.card.to_metadata();
        let file = torchvision::collect(&mut self.classifier.session, self.steps, metadata)?;
        Ok(file.write_atomic(path)?)
    }

    /// The pictures of the run: curves, and the confusion matrix and samples of the best epoch.
    fn draw(&self) -> Result<(), TrainError> {
        let Some((row, evaluation)) = &self.best else { return Ok(()) };
        let classes = &self.classifier.card.classes;
        pictures::save_png(&pictures::curves_picture(&self.rows)?, &self.run.curves_path())?;
        let confusion = pictures::confusion_picture(&evaluation.confusion, classes)?;
        pictures::save_png(&confusion, &self.run.confusion_path())?;
        let shown = self.val.len().min(24);
        let mut cells = Vec::with_capacity(shown);
        // Evenly spread over the set, which is often sorted by class.
        for i in (0..shown).map(|i| i * self.val.len() / shown) {
            let size = self.val.image_size();
            let pixels = self.val.pixels(i)?.into_owned();
            let Some(image) = image::RgbImage::from_raw(size, size, pixels) else { continue };
            let (class, p) = evaluation.predictions[i];
            let truth = &classes[self.val.label(i) as usize];
            cells.push(pictures::prediction_cell(image, &classes[class], truth, f64::from(p)));
        }
        let title = format!("Validation images after epoch {}: prediction (truth)", row.epoch);
        let sheet = Sheet { title, columns: 6, cell_size: 192, cells };
        Ok(pictures::save_png(&sheet.draw()?, &self.run.samples_path())?)
    }
}
