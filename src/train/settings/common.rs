//! The settings that all tasks share.

use std::path::{Path, PathBuf};

use super::error::{ConfigError, Needs};
use super::optimizer::Optimizer;
use super::rule::Rule;
use crate::data::{Augment, Sampler};
use crate::interop::pretrained::table;
use crate::nn::Network;
use crate::precision::Precision;
use crate::ranks::Wire;
use crate::run::ImageSize;
use crate::setting::{Kind, SettingValue};
use crate::train::schedule::{Schedule, ScheduleOptions};
use crate::train::step::Update;

/// Name of the published weights that `pretrained` stands for.
const PRETRAINED: &str = "imagenet";

/// Maximum number of images in a batch. No device holds more, and products of sizes stay far from overflowing.
pub const MAX_BATCH_SIZE: usize = 1_000_000;

impl SettingValue for ImageSize {
    const KIND: Kind = Kind::Parsed(|text| ImageSize::parse(text).map(drop));
}

impl SettingValue for Augment {
    const KIND: Kind = Kind::Parsed(|text| text.parse::<Augment>().map(drop).map_err(|e| e.to_string()));
}

/// Settings that every task has. The help of a task's training explains each.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the help of each stands in `task_settings!`")]
pub struct TrainSettings {
    pub data: Option<PathBuf>,
    pub scenes: usize,
    pub out: Option<PathBuf>,
    pub init: Option<PathBuf>,
    pub pretrained: bool,
    pub offline: bool,
    pub limit: Option<usize>,
    pub resume: Option<PathBuf>,
    pub allow_changed_data: bool,
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
    pub finetune: bool,
    pub head_epochs: f64,
    pub lr_decay_layers: f64,
    pub freeze_statistics: bool,
    pub freeze: Vec<String>,
    pub log_norms: bool,
    pub profile: bool,
    pub val_split: f64,
    pub seed: u64,
    pub device: String,
    pub shuffle: bool,
    pub sampler: Sampler,
    pub skip_bad: bool,
    pub augment: Augment,
    pub tensorboard: bool,
    pub loader_threads: usize,
    pub precision: Precision,
    pub shards: Option<usize>,
    pub shares: Option<Vec<usize>>,
    pub wire: Wire,
    pub check_every: u64,
}

/// Weights that a run starts from, as its settings name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOf<'a> {
    /// Those of a file, a folder or a run.
    Path(&'a Path),
    /// Published weights of the encoder, by their name.
    Published(&'a str),
}

impl<'a> StartOf<'a> {
    /// The weights that a path or a name of published weights stands for.
    pub fn of(path: &'a Path) -> Self {
        let name = path.to_str().filter(|name| table::names().contains(name));
        name.map_or(StartOf::Path(path), StartOf::Published)
    }
}

impl TrainSettings {
    /// The weights that a run starts from; a resumed run has its own.
    pub fn start(&self) -> Option<StartOf<'_>> {
        if self.resume.is_some() {
            return None;
        }
        match (&self.init, self.pretrained) {
            (Some(path), _) => Some(StartOf::of(path)),
            (None, true) => Some(StartOf::Published(PRETRAINED)),
            (None, false) => None,
        }
    }

    /// Parts of a batch.
    pub fn shards(&self) -> usize {
        self.shards.unwrap_or(1)
    }

    /// The largest global gradient norm, or `None` when clipping is off.
    pub fn clip_norm(&self) -> Option<f64> {
        (self.clip > 0.0).then_some(self.clip)
    }

    /// The update that a training graph ends with.
    pub fn update(&self) -> Update {
        Update {
            optimizer: self.optimizer.rule(self.momentum, self.nesterov, self.weight_decay),
            clip: self.clip_norm().map(|c| c as f32),
            accumulate: self.accumulate > 1,
            average: self.ema > 0.0,
            norms: self.log_norms,
            precision: self.precision,
            stages: &[],
        }
    }

    /// [`Self::update`] for a network, with its stages if they have different learning rates.
    pub fn update_of(&self, network: &Network) -> Update {
        let by_stage = self.head_epochs > 0.0 || self.lr_decay_layers < 1.0;
        Update { stages: if by_stage { network.architecture().stages } else { &[] }, ..self.update() }
    }

    /// The first setting that needs a network with stages.
    pub fn of_stages(&self) -> Option<&'static str> {
        let settings = [
            ("finetune", self.finetune),
            ("head_epochs", self.head_epochs > 0.0),
            ("lr_decay_layers", self.lr_decay_layers < 1.0),
            ("freeze_statistics", self.freeze_statistics),
        ];
        settings.into_iter().find(|(_, set)| *set).map(|(key, _)| key)
    }

    /// Refuses settings that change nothing beside the others; see [`Rule::effect`].
    fn check_effects(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        use Schedule::{Multistep, Plateau, Step};
        const FALLS: Needs = Needs::OneOf("schedule", &["step", "multistep", "plateau"]);
        const SGD: Needs = Needs::OneOf("optimizer", &["sgd"]);
        let (kind, sgd) = (self.schedule.kind, self.optimizer == Optimizer::Sgd);
        let falls = [Step, Multistep, Plateau].contains(&kind);
        rule.effect("gamma", &self.schedule.gamma, falls, FALLS)?;
        rule.effect("step_size", &self.schedule.step_size, kind == Step, Needs::OneOf("schedule", &["step"]))?;
        let milestones = format!("{:?}", self.schedule.milestones);
        rule.effect("milestones", &milestones, kind == Multistep, Needs::OneOf("schedule", &["multistep"]))?;
        rule.effect("patience", &self.schedule.patience, kind == Plateau, Needs::OneOf("schedule", &["plateau"]))?;
        rule.effect("momentum", &self.momentum, sgd, SGD)?;
        rule.effect("nesterov", &self.nesterov, sgd, SGD)?;
        let free = self.sampler == Sampler::All || self.shuffle;
        rule.effect("shuffle", &self.shuffle, free, Needs::OneOf("sampler", &["all"]))?;
        rule.effect(
            "finetune",
            &self.finetune,
            !self.finetune || self.init.is_some() || self.pretrained,
            Needs::Set(&["pretrained", "init"]),
        )?;
        rule.effect("scenes", &self.scenes, self.data.is_none(), Needs::Unset("data"))
    }

    /// Refuses start weights that can be read in two ways.
    fn check_start(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        let Some(path) = self.init.as_ref().filter(|_| self.resume.is_none()) else { return Ok(()) };
        let published = matches!(StartOf::of(path), StartOf::Published(_));
        let expected = "a file, without `pretrained`, or `pretrained` alone";
        rule.range("init", &path.display(), published || !self.pretrained, expected)?;
        let expected = "one reading: the name stands for published weights, and here is also a file or folder of this name, \
                        which a path with a slash would name, such as ./imagenet";
        rule.range("init", &path.display(), !(published && path.exists()), expected)
    }

    /// Refuses learning rates and values of the schedule out of range.
    fn check_rates(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        let lr = self.lr > 0.0 && self.lr <= f64::from(f32::MAX);
        rule.range("lr", &self.lr, lr, "a finite number above 0, such as 0.001")?;
        let schedule = &self.schedule;
        rule.range("warmup", &schedule.warmup, at_least_0(schedule.warmup), "a number of epochs, 0 or more")?;
        rule.range("head_epochs", &self.head_epochs, at_least_0(self.head_epochs), "a number of epochs, 0 or more")?;
        let decay = self.lr_decay_layers > 0.0 && self.lr_decay_layers <= 1.0;
        rule.range("lr_decay_layers", &self.lr_decay_layers, decay, "a factor above 0, at most 1, such as 0.5")?;
        rule.range("step_size", &schedule.step_size, schedule.step_size >= 1, "at least 1 epoch")?;
        let gamma = schedule.gamma > 0.0 && schedule.gamma < 1.0;
        rule.range("gamma", &schedule.gamma, gamma, "a factor above 0 and below 1, for example 0.1")?;
        let milestones = format!("{:?}", schedule.milestones);
        let needed = schedule.kind != Schedule::Multistep || !schedule.milestones.is_empty();
        rule.range(
            "milestones",
            &milestones,
            needed,
            "the epochs after which the multistep schedule lowers the learning rate",
        )
    }

    /// Checks the range of every value.
    ///
    /// # Errors
    /// The first value that is out of range.
    pub(super) fn check(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        let scenes = (10..=10_000_000).contains(&self.scenes);
        rule.range("scenes", &self.scenes, scenes, "10 to 10000000")?;
        rule.range("epochs", &self.epochs, self.epochs >= 1, "at least 1")?;
        if let Some(limit) = self.limit {
            rule.range("limit", &limit, limit >= 1, "at least 1 image")?;
        }
        let batch_sizes = 1..=MAX_BATCH_SIZE;
        rule.range(
            "batch_size",
            &self.batch_size,
            batch_sizes.contains(&self.batch_size),
            "at least 1, at most 1000000",
        )?;
        let shards = self.shards();
        let cut = shards >= 1 && self.batch_size.is_multiple_of(shards);
        rule.range("shards", &shards, cut, "a divisor of batch_size")?;
        if let Some(shares) = &self.shares {
            let in_range = !shares.is_empty() && shares.iter().all(|share| (1..=1_000_000).contains(share));
            rule.range("shares", &format!("{shares:?}"), in_range, "a whole number from 1 for each rank, such as 3,1")?;
        }
        self.check_rates(rule)?;
        rule.range("momentum", &self.momentum, (0.0..1.0).contains(&self.momentum), "0 or more and below 1")?;
        rule.range("weight_decay", &self.weight_decay, at_least_0(self.weight_decay), "0 to 3.4e38, such as 1e-4")?;
        rule.range("clip", &self.clip, at_least_0(self.clip), "a finite number above 0, or 0 for no clipping")?;
        rule.range("accumulate", &self.accumulate, (1..=4096).contains(&self.accumulate), "1 to 4096 batches")?;
        rule.range(
            "ema",
            &self.ema,
            (0.0..1.0).contains(&self.ema),
            "a decay of 0 or more and below 1, such as 0.999",
        )?;
        let share = self.val_split > 0.0 && self.val_split < 1.0;
        rule.range("val_split", &self.val_split, share, "a share above 0 and below 1, for example 0.2")?;
        rule.range("seed", &self.seed, i64::try_from(self.seed).is_ok(), "0 to 9223372036854775807")?;
        let device = format!("{:?}", self.device);
        rule.range("device", &device, !self.device.trim().is_empty(), "auto, gpu, cpu, a name or an index")?;
        let nesterov_has_momentum = !(self.nesterov && self.optimizer == Optimizer::Sgd) || self.momentum > 0.0;
        rule.range("nesterov", &self.nesterov, nesterov_has_momentum, "a momentum above 0 with it")?;
        self.check_start(rule)?;
        self.check_effects(rule)
    }
}

/// Whether a number is finite, also as f32, and not negative. NaN fails all comparisons of these checks.
fn at_least_0(x: f64) -> bool {
    x >= 0.0 && x <= f64::from(f32::MAX)
}
