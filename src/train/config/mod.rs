//! Settings of the training verbs: defaults, then a TOML file, then flags.

mod classify;
mod colorize;
mod image_size;
mod segment;
mod settings;

use std::fmt::Display;
use std::path::{Path, PathBuf};

pub use classify::{ClassifyConfig, ClassifyOverrides, Model};
pub use colorize::{ColorizeConfig, ColorizeLoss, ColorizeModel, ColorizeOverrides};
pub use image_size::ImageSize;
pub use segment::{SegmentConfig, SegmentLoss, SegmentModel, SegmentOverrides};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use super::schedule::Schedule;
use super::schedule::ScheduleOptions;
use super::step::{self, Update};
use crate::interop::files::{FileError, read_text};
use crate::ops::{AdamOptions, SgdOptions};
use crate::precision::Precision;

/// A config file is a page of text; anything longer is a mistaken path.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Largest side of the images that a network is given, in pixels.
pub const MAX_IMAGE_SIZE: usize = 8192;

/// Most images in a batch; no device holds more, and products of sizes stay far from overflowing.
pub const MAX_BATCH_SIZE: usize = 1_000_000;

/// The rule that turns gradients into new weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", value(rename_all = "lowercase"))]
pub enum Optimizer {
    /// Adam; weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled weight decay, not applied to norms and biases.
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// Which per-channel mean and deviation the images are normalised with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// Measured on the training images.
    Dataset,
    /// ImageNet's published values, for torchvision's weights.
    Imagenet,
    /// Pixels stay in 0..1.
    None,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// A config file.
    File(PathBuf),
    /// Set in code or left at its default.
    Code,
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The config file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The config file is not TOML, or a value in it has the wrong type.
    #[error("{}: {}", path.display(), in_words(source))]
    Toml {
        /// The config file.
        path: PathBuf,
        /// Line, column and what was expected there.
        source: Box<toml::de::Error>,
    },
    /// The config file has a key that means nothing.
    #[error("{}: unknown key `{key}`{} Known keys: {}",
        path.display(), did_you_mean(*nearest), keys.join(", "))]
    UnknownKey {
        /// The config file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The known key most like it, when one is.
        nearest: Option<&'static str>,
        /// All known keys.
        keys: &'static [&'static str],
    },
    /// The settings have no form as TOML, so that the run could not be repeated from its `config.toml`.
    #[error("the settings cannot be kept in a config.toml: {0}; give paths that are valid Unicode")]
    NoToml(toml::ser::Error),
    /// A value is outside the range that makes sense.
    #[error("{}: expected {expected}", describe(key, value, origin))]
    Value {
        /// The setting's key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Where the value came from.
        origin: Origin,
        /// What would be accepted.
        expected: &'static str,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ".".into(), |key| format!(": did you mean `{key}`?"))
}

/// The parser's message with Rust's type names said in words.
fn in_words(error: &toml::de::Error) -> String {
    let message = error.to_string();
    let message = message.trim_end().replace("expected f64", "expected a number");
    ["expected usize", "expected u64"]
        .iter()
        .fold(message, |text, name| text.replace(name, "expected a whole number, 0 or more"))
}

fn describe(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::Flag => format!("--{} {value}", key.replace('_', "-")),
        Origin::File(path) => format!("{}: {key} = {value}", path.display()),
        Origin::Code => format!("{key} = {value}"),
    }
}

/// How a value is checked: key, value, whether it holds, what was expected.
type Rule<'a> = &'a dyn Fn(&'static str, &dyn Display, bool, &'static str) -> Result<(), ConfigError>;

/// The number of built-in scenes.
fn check_scenes(rule: Rule<'_>, scenes: usize) -> Result<(), ConfigError> {
    rule("scenes", &scenes, (10..=10_000_000).contains(&scenes), "10 to 10000000")
}

/// Settings that every task has; see the help of a training verb for what they mean.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "documented where the verbs declare them")]
pub struct TrainSettings {
    pub data: Option<PathBuf>,
    pub out: Option<PathBuf>,
    pub init: Option<PathBuf>,
    pub resume: Option<PathBuf>,
    pub epochs: usize,
    pub batch_size: usize,
    pub lr: f64,
    pub schedule: ScheduleOptions,
    pub optimizer: Optimizer,
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
    pub clip: f64,
    pub accumulate: usize,
    pub ema: f64,
    pub early_stop: usize,
    pub freeze: Vec<String>,
    pub log_norms: bool,
    pub profile: bool,
    pub val_split: f64,
    pub seed: u64,
    pub device: String,
    pub shuffle: bool,
    pub skip_bad: bool,
    pub tensorboard: bool,
    pub loader_threads: usize,
    pub precision: Precision,
}

impl TrainSettings {
    /// The largest global gradient norm, or `None` when clipping is off.
    pub fn clip_norm(&self) -> Option<f64> {
        (self.clip > 0.0).then_some(self.clip)
    }

    /// The update as the graph knows it.
    pub fn update(&self) -> Update {
        let weight_decay = self.weight_decay as f32;
        let optimizer = match self.optimizer {
            Optimizer::Sgd => step::Optimizer::Sgd(SgdOptions {
                momentum: self.momentum as f32,
                nesterov: self.nesterov,
                weight_decay,
                decay_all: true,
            }),
            kind => step::Optimizer::Adam(AdamOptions {
                betas: [0.9, 0.999],
                eps: 1e-8,
                weight_decay,
                decoupled: kind == Optimizer::AdamW,
                decay_all: kind == Optimizer::Adam,
            }),
        };
        Update {
            optimizer,
            clip: self.clip_norm().map(|c| c as f32),
            accumulate: self.accumulate > 1,
            average: self.ema > 0.0,
            norms: self.log_norms,
            precision: self.precision,
        }
    }

    fn check(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        // Comparisons are written so that NaN fails them.
        let at_least_0 = |x: f64| x >= 0.0 && x.is_finite();
        rule("epochs", &self.epochs, self.epochs >= 1, "at least 1")?;
        let batch_sizes = 1..=MAX_BATCH_SIZE;
        rule("batch_size", &self.batch_size, batch_sizes.contains(&self.batch_size), "at least 1, at most 1000000")?;
        rule("lr", &self.lr, self.lr > 0.0 && self.lr.is_finite(), "a finite number above 0")?;
        let schedule = &self.schedule;
        rule("warmup", &schedule.warmup, at_least_0(schedule.warmup), "a number of epochs, 0 or more")?;
        rule("step_size", &schedule.step_size, schedule.step_size >= 1, "at least 1 epoch")?;
        let gamma = schedule.gamma > 0.0 && schedule.gamma < 1.0;
        rule("gamma", &schedule.gamma, gamma, "a factor above 0 and below 1, for example 0.1")?;
        let milestones = format!("{:?}", schedule.milestones);
        let needed = schedule.kind != Schedule::Multistep || !schedule.milestones.is_empty();
        rule("milestones", &milestones, needed, "the epochs after which the rate falls, for --schedule multistep")?;
        rule("momentum", &self.momentum, (0.0..1.0).contains(&self.momentum), "0 or more and below 1")?;
        rule("weight_decay", &self.weight_decay, at_least_0(self.weight_decay), "a finite number, 0 or more")?;
        rule("clip", &self.clip, at_least_0(self.clip), "a finite number above 0, or 0 for no clipping")?;
        rule("accumulate", &self.accumulate, (1..=4096).contains(&self.accumulate), "1 to 4096 batches")?;
        rule("ema", &self.ema, (0.0..1.0).contains(&self.ema), "a decay of 0 or more and below 1, such as 0.999")?;
        let share = self.val_split > 0.0 && self.val_split < 1.0;
        rule("val_split", &self.val_split, share, "a share above 0 and below 1, for example 0.2")?;
        rule("seed", &self.seed, i64::try_from(self.seed).is_ok(), "0 to 9223372036854775807")?;
        let device = format!("{:?}", self.device);
        rule("device", &device, !self.device.trim().is_empty(), "auto, gpu, cpu, a name or an index")?;
        let nesterov_has_momentum = !(self.nesterov && self.optimizer == Optimizer::Sgd) || self.momentum > 0.0;
        rule("nesterov", &self.nesterov, nesterov_has_momentum, "a momentum above 0 with it")
    }
}

/// Settings as the `config.toml` of a run.
fn to_toml(settings: &impl Serialize, verb: &str) -> Result<String, ConfigError> {
    // Plain strings, numbers and booleans always have a TOML form except a path that is not Unicode, and an integer
    // above i64::MAX, which `check` refuses.
    let body = toml::to_string(settings).map_err(ConfigError::NoToml)?;
    Ok(format!(
        "# Settings of this run: defaults, then the config file, then flags.\n\
         # To repeat it: shadegrad {verb} --config THIS_FILE --out NEW_FOLDER\n\n{body}"
    ))
}

/// The settings that a TOML file sets: bad TOML, an unknown key (the nearest known one is suggested) and a value of the
/// wrong type are refused.
fn read_overrides<O: DeserializeOwned>(path: &Path, keys: &'static [&'static str]) -> Result<O, ConfigError> {
    let text = read_text(path, MAX_CONFIG_BYTES)?;
    let bad_toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
    let table: toml::Table = toml::from_str(&text).map_err(bad_toml)?;
    check_keys(&table, path, keys)?;
    // Parsed again from the text, not from the table, because only text gives line numbers.
    toml::from_str(&text).map_err(bad_toml)
}

/// The settings that a table sets.
fn overrides_of<O: DeserializeOwned>(
    table: &toml::Table,
    path: &Path,
    keys: &'static [&'static str],
) -> Result<O, ConfigError> {
    check_keys(table, path, keys)?;
    let bad_toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
    table.clone().try_into().map_err(bad_toml)
}

/// Refuses flags that a run that goes on would take no notice of: key and value of each. Its own folder may be named.
fn refuse_beside_resume(
    resume: &Option<PathBuf>,
    flags: [(&'static str, &Option<PathBuf>); 3],
) -> Result<(), ConfigError> {
    let Some(run) = resume else { return Ok(()) };
    let ignored = |key: &str, path: &PathBuf| key != "out" || path != run;
    let mut given = flags.into_iter().filter_map(|(key, flag)| flag.as_ref().map(|path| (key, path)));
    let Some((key, path)) = given.find(|(key, path)| ignored(key, path)) else { return Ok(()) };
    let expected = "nothing of this kind with --resume, which goes on in the run's own folder with its own weights and \
                    config.toml; what is to change is given by flags";
    Err(ConfigError::Value { key, value: path.display().to_string(), origin: Origin::Flag, expected })
}

/// Refuses a key that no setting has.
fn check_keys(table: &toml::Table, path: &Path, keys: &'static [&'static str]) -> Result<(), ConfigError> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let (path, key, nearest) = (path.to_owned(), key.clone(), nearest_key(key, keys));
    Err(ConfigError::UnknownKey { path, key, nearest, keys })
}

/// The known key most like `key`, if any is like it at all.
fn nearest_key(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let written = key.to_lowercase().replace('-', "_");
    // The common long names that no likeness of letters leads to a setting.
    match written.as_str() {
        "learning_rate" => return Some("lr"),
        "workers" | "num_workers" | "threads" => return Some("loader_threads"),
        _ => {}
    }
    let likeness = |candidate: &str| strsim::jaro_winkler(&written, candidate);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(nearest) > 0.75).then_some(nearest)
}
