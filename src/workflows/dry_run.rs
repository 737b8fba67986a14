//! A dry run: the plan of a training, from a rehearsal that keeps nothing.

use std::path::{Path, PathBuf};
#[cfg(feature = "cli")]
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tempfile::TempDir;

use crate::interop::files::FileError;
use crate::interop::pretrained::PretrainedError;
use crate::ranks::{Alone, Ranks};
use crate::run::history::EpochRow;
use crate::run::{Doubt, Next, Prospect, RunDir};
use crate::setting::Setting;
use crate::tasks::Task;
pub use crate::train::rehearsal::RankWork;
use crate::train::rehearsal::{Rehearsal, Speed};
use crate::train::settings::{Given, Origin, Resolved};
use crate::train::{Fetching, Observer, StepProgress, TrainError, Trainer};

/// The plan of a training.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// Name of the task.
    pub task: String,
    /// Name of the device.
    pub device: String,
    /// Folder of the run; a new one in `runs/` for `None`.
    pub out: Option<PathBuf>,
    /// Lines about the data and the weights, as at the start of a training.
    pub lines: Vec<String>,
    /// Number of training images.
    pub training_images: usize,
    /// Number of validation images.
    pub validation_images: usize,
    /// Height and width of the network's input, in pixels.
    pub image_size: [usize; 2],
    /// The classes or color channels.
    pub classes: Vec<ClassShare>,
    /// All settings that have a value.
    pub settings: Vec<SettingValue>,
    /// Name of the network.
    pub network: &'static str,
    /// Number of trained parameters.
    pub parameters: usize,
    /// The ranks; empty if there is only one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<RankWork>,
    /// Memory of a training step, in bytes.
    pub memory: Memory,
    /// Floating-point operations of a training step.
    pub flops_per_batch: u64,
    /// Batches of an epoch.
    pub batches_per_epoch: usize,
    /// Optimizer steps of the whole training.
    pub steps: usize,
    /// Expected time.
    pub time: ExpectedTime,
    /// Doubts, the most important first.
    pub doubts: Vec<Doubt>,
    /// Steps that answer the doubts, or the training itself.
    pub next: Vec<Next>,
}

/// A class and how often the data has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassShare {
    /// Its name.
    pub name: String,
    /// Training images, if images have classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_images: Option<usize>,
    /// Validation images, if images have classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_images: Option<usize>,
    /// Share of the pixels of the first training batches, if pixels have classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<f64>,
}

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingValue {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: toml::Value,
    /// Where the value came from.
    pub from: From,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// Given directly.
    Given,
    /// The config file.
    File,
    /// The data.
    Data,
    /// The weights that training starts from.
    Weights,
    /// The defaults of fine-tuning.
    Finetuning,
    /// The device.
    Device,
    /// The default.
    Default,
}

/// Memory of a training step, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Weights, moments and statistics.
    pub states: usize,
    /// Inputs and gradients.
    pub fixed: usize,
    /// Activations and their gradients.
    pub activations: usize,
}

/// The expected time of a training, from timed batches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExpectedTime {
    /// Seconds of the whole training.
    pub seconds: f64,
    /// Mean seconds of a training batch, including the wait for its images.
    pub batch_seconds: f64,
    /// Timed training batches.
    pub timed_batches: usize,
    /// Seconds of the validation after an epoch; `None` if one batch cannot predict it; then `seconds` lacks it.
    pub validation_seconds: Option<f64>,
}

/// Prepares a training and times a few batches. Nothing is written into the folder of the run: the rehearsal has a
/// temporary folder. Published weights are not fetched: random ones replace missing ones.
///
/// # Errors
/// Everything for which the training itself would be refused.
pub fn dry_run(task: &dyn Task, given: &Given, observer: &dyn Observer) -> Result<DryRun, TrainError> {
    let ranks: Arc<dyn Ranks> = Arc::new(Alone(0));
    dry_run_on(&ranks, task, given, observer)
}

/// As [`dry_run`], on several ranks. It is for rank 0; the others call [`follow_dry_run`].
///
/// # Errors
/// As [`dry_run`], and when a rank does not answer.
pub(crate) fn dry_run_on(
    ranks: &Arc<dyn Ranks>,
    task: &dyn Task,
    given: &Given,
    observer: &dyn Observer,
) -> Result<DryRun, TrainError> {
    let settings = task.resolve(given)?;
    settings.common.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
    let lines = Lines { inner: observer, lines: Mutex::default() };
    let scratch = scratch()?;
    let (trainer, note) = open(task, (&settings, ranks), scratch.path(), &lines)?;
    let rehearsal = trainer.rehearse()?;
    let mut lines = lines.lines.into_inner().unwrap_or_default();
    lines.retain(|line| !line.starts_with("run:") && !line.starts_with("device:"));
    lines.extend(note);
    Ok(described(task, given, &settings, rehearsal, lines))
}

/// Computes this rank's part of a dry run. It is for all ranks but rank 0.
///
/// # Errors
/// As [`dry_run_on`].
#[cfg(feature = "cli")]
pub(crate) fn follow_dry_run(
    ranks: &Arc<dyn Ranks>,
    task: &dyn Task,
    given: &Given,
    observer: &dyn Observer,
) -> Result<(), TrainError> {
    let settings = task.resolve(given)?;
    let lines = Lines { inner: observer, lines: Mutex::default() };
    let scratch = scratch()?;
    let (trainer, _) = open(task, (&settings, ranks), scratch.path(), &lines)?;
    trainer.train(&lines, &AtomicBool::new(false)).map(drop)
}

fn scratch() -> Result<TempDir, TrainError> {
    Ok(tempfile::tempdir().map_err(|e| FileError::writing(&std::env::temp_dir(), e))?)
}

/// The run in a temporary folder, and a note if its published weights are missing.
fn open(
    task: &dyn Task,
    (settings, ranks): (&Resolved, &Arc<dyn Ranks>),
    scratch: &Path,
    observer: &Lines<'_>,
) -> Result<(Trainer, Option<String>), TrainError> {
    let mut table = settings.table.clone();
    table.insert("out".into(), scratch.join("run").to_string_lossy().into_owned().into());
    table.insert("offline".into(), true.into());
    let open = |table: &toml::Table| {
        let mut settings = task.resolve(&Given::of_table(table.clone(), Path::new("the settings")))?;
        settings.ranks = ranks.clone();
        task.open(&settings, observer)
    };
    match open(&table) {
        Err(TrainError::Pretrained(PretrainedError::Offline { .. })) if !settings.common.offline => {
            ["init", "pretrained"].iter().for_each(|key| drop(table.remove(*key)));
            // All published weights were trained on pixels normalized by ImageNet's mean and deviation.
            if table.get("normalize").is_some_and(|normalize| normalize.as_str() == Some("auto")) {
                table.insert("normalize".into(), "imagenet".into());
            }
            let note = "start:   published weights, which the training fetches first; random ones stand for them here";
            Ok((open(&table)?, Some(note.to_owned())))
        }
        opened => Ok((opened?, None)),
    }
}

fn described(task: &dyn Task, given: &Given, settings: &Resolved, of: Rehearsal, lines: Vec<String>) -> DryRun {
    let Rehearsal { facts, class_counts, pixels, pixel_shares, memory, speed, batches, steps, .. } = of;
    let class = |(index, name): (usize, &String)| {
        let count = class_counts.as_ref().map(|counts| counts[index]);
        ClassShare {
            name: name.clone(),
            training_images: count.map(|count| count[0]),
            validation_images: count.map(|count| count[1]),
            pixels: pixel_shares.as_ref().map(|shares| shares[index]),
        }
    };
    let prospect = Prospect {
        task: &of.task,
        outputs: &facts.outputs,
        // The settings of the command. Those of the rehearsal name random weights if published ones are missing.
        settings: &settings.table,
        training_images: facts.training_images,
        validation_images: facts.validation_images,
        class_counts: class_counts.as_deref(),
        class_pixels: pixel_shares.as_deref(),
        pixels: pixels.as_ref(),
        steps,
        batch_norm: of.batch_norm,
        image_size: facts.image_size,
        picture: facts.decisions.as_ref().and_then(|decisions| decisions.picture),
    };
    let doubts = prospect.doubts();
    let mut next = prospect.next(&doubts);
    if next.is_empty() {
        next.push(Next::Train(vec![]));
    }
    DryRun {
        task: task.name().to_owned(),
        device: facts.device,
        out: settings.common.out.clone(),
        lines,
        training_images: facts.training_images,
        validation_images: facts.validation_images,
        image_size: facts.image_size,
        classes: facts.outputs.iter().enumerate().map(class).collect(),
        settings: values(task, given, settings, &of.settings),
        network: of.network,
        parameters: facts.parameters,
        ranks: of.ranks,
        memory: Memory { states: memory.states, fixed: memory.fixed, activations: memory.pool },
        flops_per_batch: of.flops,
        batches_per_epoch: batches,
        steps,
        time: expected(speed, batches, settings.common.epochs),
        doubts,
        next,
    }
}

fn expected(speed: Speed, batches: usize, epochs: usize) -> ExpectedTime {
    let epoch = speed.batch * batches as f64 + speed.validation.unwrap_or(0.0);
    ExpectedTime {
        seconds: epoch * epochs as f64,
        batch_seconds: speed.batch,
        timed_batches: speed.timed,
        validation_seconds: speed.validation,
    }
}

/// Settings with other defaults in fine-tuning.
const FINETUNED: [&str; 4] = ["head_epochs", "lr_decay_layers", "schedule", "warmup"];

/// All settings with their values and origins. `decided` holds those that the data, the weights and the device decided.
pub(crate) fn values(task: &dyn Task, given: &Given, settings: &Resolved, decided: &toml::Table) -> Vec<SettingValue> {
    let starts = settings.common.start().is_some();
    let value = |setting: &Setting| {
        let key = setting.key;
        let stated = settings.table.get(key)?;
        // The rehearsal has other values of these settings.
        let now = decided.get(key).filter(|_| !["out", "offline", "init", "pretrained"].contains(&key));
        let value = now.unwrap_or(stated).clone();
        let from = match given.origin(key) {
            _ if value != *stated => match key {
                "precision" => From::Device,
                "normalize" if starts => From::Weights,
                _ => From::Data,
            },
            Origin::Given => From::Given,
            Origin::File(_) => From::File,
            Origin::Code if settings.common.finetune && FINETUNED.contains(&key) => From::Finetuning,
            Origin::Code => From::Default,
        };
        Some(SettingValue { key, value, from })
    };
    task.settings().iter().filter_map(value).collect()
}

/// Forwards the reports of opening a run, and keeps the lines that describe the run.
struct Lines<'a> {
    inner: &'a dyn Observer,
    lines: Mutex<Vec<String>>,
}

impl Observer for Lines<'_> {
    fn reading(&self, done: usize, total: usize) {
        self.inner.reading(done, total);
    }

    fn fetching(&self, progress: &Fetching<'_>) {
        self.inner.fetching(progress);
    }

    fn begins(&self, lines: &[String]) {
        if let Ok(mut kept) = self.lines.lock() {
            *kept = lines.to_vec();
        }
    }

    fn step(&self, _: &StepProgress) {}

    fn epoch(&self, _: &EpochRow, _: usize) {}
}
