//! Settings of `train classify`: defaults, then a TOML file, then flags.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::settings::settings;
use crate::interop::files::{FileError, read_text};

/// A config file is a page of text; anything longer is a mistaken path.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Largest side of the images that a network is given, in pixels.
pub const MAX_IMAGE_SIZE: usize = 8192;

/// Most images in a batch; no device holds more, and products of sizes stay far from overflowing.
pub const MAX_BATCH_SIZE: usize = 1_000_000;

/// The networks that classify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// ResNet with [2, 2, 2, 2] basic blocks.
    Resnet18,
}

/// The rule that turns gradients into new weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[value(rename_all = "lowercase")]
pub enum Optimizer {
    /// Adam; weight decay is added to the gradient.
    Adam,
    /// Adam with decoupled weight decay, not applied to norms and biases.
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// How the learning rate changes over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays as it is.
    Constant,
    /// It falls along half a cosine to 0 at the end (Loshchilov & Hutter 2017), which settles the weights.
    Cosine,
}

impl Schedule {
    /// The share of the learning rate that step `step` (from 0) of `steps` has.
    pub fn factor(self, step: u64, steps: u64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos()),
        }
    }
}

/// Which per-channel mean and deviation the images are normalised with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// Measured on the training images.
    Dataset,
    /// ImageNet's published values, for torchvision's weights.
    Imagenet,
    /// Pixels stay in 0..1.
    None,
}

/// The first layers of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7×7 convolution of stride 2, then max pooling: a quarter of the size.
    Imagenet,
    /// 3×3 convolution of stride 1, no pooling: for images of about 32 pixels.
    Cifar,
}

settings! {
    /// Resolved settings of `train classify`.
    config ClassifyConfig;
    /// Settings as given on the command line or in a TOML file: only those that were set.
    overrides ClassifyOverrides;
    optional {
        /// Folder of images or a supported dataset; built-in scenes when not given
        #[arg(value_name = "DIR")]
        data: PathBuf,
        /// Run folder to create; runs/classify-MODEL-NNN when not given
        #[arg(value_name = "DIR")]
        out: PathBuf,
        /// Checkpoint to start from instead of random weights
        #[arg(value_name = "FILE.safetensors")]
        init: PathBuf,
        /// Course of the learning rate, constant where data is given [default: cosine]
        schedule: Schedule,
    }
    values {
        /// Network to train [default: resnet18]
        model: Model = Model::Resnet18,
        /// Training images drawn where no data is given [default: 3600]
        scenes: usize = 3600,
        /// Passes over the training images [default: 5]
        epochs: usize = 5,
        /// Images per step [default: 32]
        batch_size: usize = 32,
        /// Optimizer [default: adam]
        optimizer: Optimizer = Optimizer::Adam,
        /// Learning rate [default: 0.001]
        lr: f64 = 1e-3,
        /// Momentum of sgd [default: 0.9]
        momentum: f64 = 0.9,
        /// Nesterov momentum for sgd [default: false]
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        nesterov: bool = false,
        /// Weight decay [default: 0.0]
        weight_decay: f64 = 0.0,
        /// Largest global gradient norm; 0 switches clipping off [default: 0.0]
        clip: f64 = 0.0,
        /// Share of the target spread over all classes [default: 0.0]
        label_smoothing: f64 = 0.0,
        /// Per-channel mean and deviation of the images [default: dataset]
        normalize: Normalize = Normalize::Dataset,
        /// Height and width in pixels that images are resized to [default: 64]
        image_size: usize = 64,
        /// First layers of the network [default: imagenet]
        stem: Stem = Stem::Imagenet,
        /// Share of the images kept for validation where the data has no split of its own [default: 0.2]
        val_split: f64 = 0.2,
        /// Seed of initial weights, split and image order [default: 0]
        seed: u64 = 0,
        /// Where to compute: auto, gpu, cpu, an adapter's name or its index [default: auto]
        device: String = "auto".to_owned(),
        /// Draw the training images in a new order each epoch [default: true]
        #[arg(num_args = 0..=1, default_missing_value = "true")]
        shuffle: bool = true,
        /// Leave out unreadable images, listing them, instead of stopping [default: false]
        #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        skip_bad: bool = false,
        /// Threads that decode images; 0 is one per core [default: 0]
        loader_threads: usize = 0,
    }
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
        path.display(), did_you_mean(*nearest), ClassifyConfig::KEYS.join(", "))]
    UnknownKey {
        /// The config file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The known key most like it, when one is.
        nearest: Option<&'static str>,
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

impl ClassifyConfig {
    /// Flags over the file that `--config` names over the defaults, validated.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, a wrong type, or a value out of range.
    pub fn resolve(flags: &ClassifyOverrides) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => ClassifyOverrides::from_file(path)?,
            None => ClassifyOverrides::default(),
        };
        let mut merged = Self::merge(&[flags, &file]);
        merged.schedule = Some(merged.schedule());
        merged.check(|key| match &flags.config {
            _ if flags.sets(key) => Origin::Flag,
            Some(path) if file.sets(key) => Origin::File(path.clone()),
            _ => Origin::Code,
        })?;
        Ok(merged)
    }

    /// The settings in a TOML file, such as a run directory's `config.toml`, over the defaults.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::resolve(&ClassifyOverrides { config: Some(path.to_owned()), ..Default::default() })
    }

    /// Checks every value's range; for settings made in code.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.check(|_| Origin::Code)
    }

    /// The course of the learning rate: as set, or what suits the data.
    pub fn schedule(&self) -> Schedule {
        self.schedule.unwrap_or(if self.data.is_none() { Schedule::Cosine } else { Schedule::Constant })
    }

    /// The largest global gradient norm, or `None` when clipping is off.
    pub fn clip_norm(&self) -> Option<f64> {
        (self.clip > 0.0).then_some(self.clip)
    }

    /// The settings as a TOML file that `--config` reads back to the same settings.
    ///
    /// # Errors
    /// A path that is not Unicode, which TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let header = "# Settings of this run: defaults, then the config file, then flags.\n\
                      # To repeat it: shadegrad train classify --config THIS_FILE --out NEW_FOLDER\n\n";
        // Plain strings, numbers and booleans always have a TOML form except a path that is not Unicode, and
        // an integer above i64::MAX, which `check` refuses.
        let resolved = Self { schedule: Some(self.schedule()), ..self.clone() };
        let body = toml::to_string(&resolved).map_err(ConfigError::NoToml)?;
        Ok(format!("{header}{body}"))
    }

    fn check(&self, origin: impl Fn(&str) -> Origin) -> Result<(), ConfigError> {
        let rule = |key: &'static str, value: &dyn Display, holds: bool, expected: &'static str| {
            if holds {
                return Ok(());
            }
            Err(ConfigError::Value { key, value: value.to_string(), origin: origin(key), expected })
        };
        // Comparisons are written so that NaN fails them.
        let at_least_0 = |x: f64| x >= 0.0 && x.is_finite();
        rule("epochs", &self.epochs, self.epochs >= 1, "at least 1")?;
        rule("scenes", &self.scenes, (10..=10_000_000).contains(&self.scenes), "10 to 10000000")?;
        let batch_sizes = 1..=MAX_BATCH_SIZE;
        rule("batch_size", &self.batch_size, batch_sizes.contains(&self.batch_size), "at least 1, at most 1000000")?;
        rule("lr", &self.lr, self.lr > 0.0 && self.lr.is_finite(), "a finite number above 0")?;
        rule("momentum", &self.momentum, (0.0..1.0).contains(&self.momentum), "0 or more and below 1")?;
        rule("weight_decay", &self.weight_decay, at_least_0(self.weight_decay), "a finite number, 0 or more")?;
        rule("clip", &self.clip, at_least_0(self.clip), "a finite number above 0, or 0 for no clipping")?;
        rule(
            "label_smoothing",
            &self.label_smoothing,
            (0.0..1.0).contains(&self.label_smoothing),
            "0 or more and below 1",
        )?;
        rule("image_size", &self.image_size, (1..=MAX_IMAGE_SIZE).contains(&self.image_size), "1 to 8192 pixels")?;
        rule(
            "val_split",
            &self.val_split,
            self.val_split > 0.0 && self.val_split < 1.0,
            "a share above 0 and below 1, for example 0.2",
        )?;
        rule("seed", &self.seed, i64::try_from(self.seed).is_ok(), "0 to 9223372036854775807")?;
        rule(
            "device",
            &format!("{:?}", self.device),
            !self.device.trim().is_empty(),
            "auto, gpu, cpu, a name or an index",
        )?;
        let nesterov_has_momentum = !(self.nesterov && self.optimizer == Optimizer::Sgd) || self.momentum > 0.0;
        rule("nesterov", &self.nesterov, nesterov_has_momentum, "a momentum above 0 with it")
    }
}

impl ClassifyOverrides {
    /// The settings that a TOML file sets.
    ///
    /// # Errors
    /// An unreadable file, bad TOML, an unknown key (the nearest known one is suggested) or a value
    /// of the wrong type.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path, MAX_CONFIG_BYTES)?;
        let bad_toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
        let table: toml::Table = toml::from_str(&text).map_err(bad_toml)?;
        if let Some(key) = table.keys().find(|key| !ClassifyConfig::KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                key: key.clone(),
                nearest: nearest_key(key, ClassifyConfig::KEYS),
            });
        }
        // Parsed again from the text, not from the table, because only text gives line numbers.
        toml::from_str(&text).map_err(bad_toml)
    }
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
