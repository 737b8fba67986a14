//! Trained models on a data set: what `eval` and `compare` share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::{
    ClassificationSource, ColorizationSource, Loader, LoaderOptions, PrepareOptions, Prepared, PreparedImages,
    PreparedPairs, SegmentationSource, SizeOptions, Source, prepare, prepare_images, prepare_segmentation,
};
use crate::exec;
use crate::run::card::{ModelCard, TaskKind};
use crate::tasks::classify::{self, Classification, Evaluation};
use crate::tasks::colorize::{self, Colorization, ColorizeEvaluation};
use crate::tasks::segment::{self, SegmentEvaluation, Segmentation};
use crate::train::TrainError;
use crate::train::config::{ClassifyConfig, ColorizeConfig, ImageSize, SegmentConfig};
use crate::train::model::{Checkpoint, Model};

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Part {
    /// The training part
    Train,
    /// The validation part
    Val,
    /// The test part
    Test,
}

impl Part {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }
}

/// Images to evaluate on, and where they come from.
#[derive(Clone, Debug)]
pub struct Chosen<T> {
    /// The images.
    pub set: T,
    /// The data set, in words.
    pub data: String,
    /// Its part.
    pub part: Part,
    /// Whether that was split off by the run's share and seed, since the data brings no parts.
    pub by_seed: bool,
}

impl<T> fmt::Display for Chosen<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} part", self.data, self.part.name())
    }
}

impl<T> Chosen<T> {
    fn map<U>(self, prepare: impl FnOnce(T) -> Result<U, TrainError>) -> Result<Chosen<U>, TrainError> {
        let Chosen { set, data, part, by_seed } = self;
        Ok(Chosen { set: prepare(set)?, data, part, by_seed })
    }
}

/// What to evaluate on, and how.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Data set; that of the run when not given: the built-in scenes where it was trained on them.
    pub data: Option<PathBuf>,
    /// Its part; the test part where there is one, else the validation part, when not given.
    pub part: Option<Part>,
    /// Share and seed of a split that the data does not bring; those of the run when not given.
    pub val_split: Option<f64>,
    /// See `val_split`.
    pub seed: Option<u64>,
    /// Leave out what cannot be read.
    pub skip_bad: bool,
    /// Where to compute.
    pub device: String,
    /// Images at a time.
    pub batch_size: usize,
}

impl Default for EvalOptions {
    /// The run's own data, 8 at a time, on the best device.
    fn default() -> Self {
        let (data, part, val_split, seed, skip_bad) = (None, None, None, None, false);
        EvalOptions { data, part, val_split, seed, skip_bad, device: "auto".into(), batch_size: 8 }
    }
}

/// The settings of the run that a checkpoint lies in, if it lies in one.
pub(crate) fn config_beside(checkpoint: &Path) -> Option<PathBuf> {
    checkpoint.parent().map(|folder| folder.join("config.toml")).filter(|path| path.is_file())
}

/// The data set that is asked for, else that of the run, which may have been named from another folder, or have moved.
pub(crate) fn data_of(
    checkpoint: &Checkpoint,
    own: Option<PathBuf>,
    asked: Option<&Path>,
) -> Result<Option<PathBuf>, TrainError> {
    match (asked, own) {
        (Some(asked), _) => Ok(Some(asked.to_owned())),
        (None, Some(data)) if !data.exists() => {
            Err(TrainError::DataMoved { data, checkpoint: checkpoint.path.clone() })
        }
        (None, own) => Ok(own),
    }
}

fn size(card: &ModelCard, skip_bad: bool) -> SizeOptions {
    let [h, w] = card.image_size;
    SizeOptions { skip_bad, ..SizeOptions::new(h as u32, w as u32) }
}

fn image_size(card: &ModelCard) -> ImageSize {
    let [height, width] = card.image_size;
    ImageSize { height, width }
}

/// Where the images of a run come from: what it was trained with, under what is asked for. Under another split, images
/// that it has learned would count as validation images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    /// Data set; built-in scenes for `None`.
    pub data: Option<PathBuf>,
    /// Share that is held out where the data brings no parts.
    pub val_split: f64,
    /// Decides which images those are, and what scenes are drawn.
    pub seed: u64,
    /// Training scenes.
    pub scenes: usize,
}

impl Origin {
    /// Of a checkpoint; that of a run with default settings where it lies in no run.
    ///
    /// # Errors
    /// When the settings beside it cannot be read.
    pub fn of(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Self, TrainError> {
        let path = config_beside(&checkpoint.path);
        let path = path.as_deref();
        macro_rules! settings {
            ($Config:ident) => {{
                let c = path.map_or_else(|| Ok($Config::default()), $Config::from_file)?;
                (c.data, c.val_split, c.seed, c.scenes)
            }};
        }
        let (data, val_split, seed, scenes) = match checkpoint.card.task {
            TaskKind::Classify => settings!(ClassifyConfig),
            TaskKind::Segment => settings!(SegmentConfig),
            TaskKind::Colorize => settings!(ColorizeConfig),
        };
        let data = data_of(checkpoint, data, options.data.as_deref())?;
        Ok(Origin {
            data,
            val_split: options.val_split.unwrap_or(val_split),
            seed: options.seed.unwrap_or(seed),
            scenes,
        })
    }

    /// The data set, in words.
    pub fn name(&self) -> String {
        self.data.as_deref().map_or_else(|| "built-in scenes".into(), |data| data.display().to_string())
    }

    /// One of the parts of what was opened.
    fn choose<T>(
        &self,
        wanted: Option<Part>,
        (train, val, test): (T, T, Option<T>),
        by_seed: bool,
    ) -> Result<Chosen<T>, TrainError> {
        let data = self.name();
        let (set, part) = match (wanted, test) {
            (Some(Part::Train), _) => (train, Part::Train),
            (Some(Part::Val), _) | (None, None) => (val, Part::Val),
            (Some(Part::Test) | None, Some(test)) => (test, Part::Test),
            (Some(Part::Test), None) => return Err(TrainError::NoTestPart { data }),
        };
        Ok(Chosen { set, data, part, by_seed })
    }
}

/// The images to evaluate a classifier on.
///
/// # Errors
/// When the data cannot be read or has other classes than the model.
pub fn classified(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Chosen<Arc<Prepared>>, TrainError> {
    let origin = Origin::of(checkpoint, options)?;
    let Origin { data, val_split, seed, scenes } = origin.clone();
    let image_size = checkpoint.card.image_size[0];
    let splits = classify::open_data(&ClassifyConfig {
        data,
        val_split,
        seed,
        scenes,
        image_size,
        ..ClassifyConfig::default()
    })?;
    let chosen = origin.choose(options.part, (splits.train, splits.val, splits.test), splits.by_seed)?;
    require_classes(chosen.set.class_names(), &checkpoint.card)?;
    let preparing = PrepareOptions { skip_bad: options.skip_bad, ..PrepareOptions::new(image_size as u32) };
    chosen.map(|set| Ok(Arc::new(prepare(&[set], &preparing, &|_, _| {})?.remove(0))))
}

fn require_classes(data: &[String], card: &ModelCard) -> Result<(), TrainError> {
    if data != card.classes {
        return Err(TrainError::OtherClasses { data: data.to_vec(), model: card.classes.clone() });
    }
    Ok(())
}

/// Evaluates a classifier.
///
/// # Errors
/// When the checkpoint is of something else, or the device fails.
pub fn classification(
    checkpoint: &Checkpoint,
    prepared: &Arc<Prepared>,
    options: &EvalOptions,
) -> Result<Evaluation, TrainError> {
    let task = Classification::trained(checkpoint.card.clone())?;
    let mut model = Model::trained(&task, exec::open(&options.device)?, checkpoint)?;
    let loader = loader(ClassificationSource::new(prepared.clone(), &checkpoint.card.normalization), options)?;
    model.evaluate(&task, &loader, options.batch_size.min(prepared.len()))
}

/// The images and masks to evaluate a segmentation model on.
///
/// # Errors
/// When the data cannot be read or has other classes than the model.
pub fn pairs(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Chosen<Arc<PreparedPairs>>, TrainError> {
    let (origin, card, skip_bad) = (Origin::of(checkpoint, options)?, &checkpoint.card, options.skip_bad);
    let Origin { data, val_split, seed, scenes } = origin.clone();
    let image_size = image_size(card);
    let splits = segment::open_data(&SegmentConfig {
        data,
        val_split,
        seed,
        scenes,
        skip_bad,
        image_size,
        ..SegmentConfig::default()
    })?;
    let chosen = origin.choose(options.part, (splits.train, splits.val, splits.test), splits.by_seed)?;
    require_classes(&chosen.set.classes().names, card)?;
    chosen.map(|set| Ok(Arc::new(prepare_segmentation(&[set], &size(card, skip_bad), &|_, _| {})?.remove(0))))
}

/// The images to evaluate a colorization model on.
///
/// # Errors
/// When the data cannot be read.
pub fn images(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Chosen<Arc<PreparedImages>>, TrainError> {
    let (origin, card, skip_bad) = (Origin::of(checkpoint, options)?, &checkpoint.card, options.skip_bad);
    let Origin { data, val_split, seed, scenes } = origin.clone();
    let image_size = image_size(card);
    let splits = colorize::open_data(&ColorizeConfig {
        data,
        val_split,
        seed,
        scenes,
        skip_bad,
        image_size,
        ..ColorizeConfig::default()
    })?;
    let chosen = origin.choose(options.part, (splits.train, splits.val, splits.test), splits.by_seed)?;
    chosen.map(|set| Ok(Arc::new(prepare_images(&[set], &size(card, skip_bad), &|_, _| {})?.remove(0))))
}

fn loader(source: impl Source + 'static, options: &EvalOptions) -> Result<Loader, TrainError> {
    let loading = LoaderOptions { shuffle: false, ..LoaderOptions::new(options.batch_size, 0) };
    Ok(Loader::new(Arc::new(source), loading)?)
}

/// Evaluates a segmentation model.
///
/// # Errors
/// When the checkpoint is of something else, or the device fails.
pub fn segmentation(
    checkpoint: &Checkpoint,
    pairs: &Arc<PreparedPairs>,
    options: &EvalOptions,
) -> Result<SegmentEvaluation, TrainError> {
    let task = Segmentation::trained(checkpoint.card.clone(), Some(pairs.clone()))?;
    let mut model = Model::trained(&task, exec::open(&options.device)?, checkpoint)?;
    let loader = loader(SegmentationSource::new(pairs.clone(), &checkpoint.card.normalization), options)?;
    model.evaluate(&task, &loader, options.batch_size.min(pairs.len()))
}

/// Evaluates a colorization model.
///
/// # Errors
/// When the checkpoint is of something else, or the device fails.
pub fn colorization(
    checkpoint: &Checkpoint,
    images: &Arc<PreparedImages>,
    options: &EvalOptions,
) -> Result<ColorizeEvaluation, TrainError> {
    let task = Colorization::trained(checkpoint.card.clone(), Some(images.clone()))?;
    let mut model = Model::trained(&task, exec::open(&options.device)?, checkpoint)?;
    let loader = loader(ColorizationSource::new(images.clone(), task.space()), options)?;
    model.evaluate(&task, &loader, options.batch_size.min(images.len()))
}
