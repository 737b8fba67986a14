//! Trained models on a data set: what `eval` and `compare` share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::TrainError;
use super::card::ModelCard;
use super::classify::{Classification, Evaluation, SCENES_VAL, SCENES_VAL_SEED};
use super::colorize::{Colorization, ColorizeEvaluation};
use super::config::{ClassifyConfig, ColorizeConfig, SegmentConfig};
use super::model::{Checkpoint, Model};
use super::segment::{STREETS_VAL, SegmentEvaluation, Segmentation};
use crate::data::scenes::SceneDataset;
use crate::data::{
    ClassificationDataset, ClassificationSource, ColorizationSource, ImageDataset, ImageSplits, Loader, LoaderOptions,
    OpenOptions, PrepareOptions, Prepared, PreparedImages, PreparedPairs, SegmentationDataset, SegmentationSource,
    SegmentationSplits, SetOptions, SizeOptions, Source, open_classification, open_images, open_segmentation, prepare,
    prepare_images, prepare_segmentation,
};
use crate::exec;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The training part
    Train,
    /// The validation part
    Val,
    /// The test part
    Test,
}

/// What to evaluate on, and how.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Data set; the built-in scenes of the run when not given.
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
    /// The built-in scenes, 8 at a time, on the best device.
    fn default() -> Self {
        let (data, part, val_split, seed, skip_bad) = (None, None, None, None, false);
        EvalOptions { data, part, val_split, seed, skip_bad, device: "auto".into(), batch_size: 8 }
    }
}

/// Share and seed of the split that a run was trained with: under another one, images that it has learned would count as
/// validation images.
fn split_of(options: &EvalOptions, trained: Option<(f64, u64)>) -> SetOptions {
    let (val_split, seed) = trained.unwrap_or((0.2, 0));
    let val_split = options.val_split.unwrap_or(val_split) as f32;
    SetOptions { val_split, seed: options.seed.unwrap_or(seed), skip_bad: options.skip_bad }
}

/// The settings of the run that a checkpoint lies in, if it lies in one.
pub(super) fn config_beside(checkpoint: &Path) -> Option<PathBuf> {
    checkpoint.parent().map(|folder| folder.join("config.toml")).filter(|path| path.is_file())
}

fn size(card: &ModelCard, skip_bad: bool) -> SizeOptions {
    let [h, w] = card.image_size;
    SizeOptions { skip_bad, ..SizeOptions::new(h as u32, w as u32) }
}

/// Numbers of built-in street scenes, and their size, for a model.
fn streets(card: &ModelCard) -> ([usize; 3], (u32, u32)) {
    let [h, w] = card.image_size.map(|side| side as u32);
    ([1, STREETS_VAL, 0], (h, w))
}

/// One of the parts of a data set.
fn choose<T>(options: &EvalOptions, train: T, val: T, test: Option<T>) -> Result<T, TrainError> {
    let data = || options.data.as_deref().map_or_else(|| "the built-in data".into(), |d| d.display().to_string());
    match (options.part, test) {
        (Some(Part::Train), _) => Ok(train),
        (Some(Part::Val), _) | (None, None) => Ok(val),
        (Some(Part::Test) | None, Some(test)) => Ok(test),
        (Some(Part::Test), None) => Err(TrainError::NoTestPart { data: data() }),
    }
}

/// The images to evaluate a classifier on.
///
/// # Errors
/// When the data cannot be read or has other classes than the model.
pub fn classified(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Arc<Prepared>, TrainError> {
    let config = config_beside(&checkpoint.path).map(|path| ClassifyConfig::from_file(&path)).transpose()?;
    let split = split_of(options, config.map(|c| (c.val_split, c.seed)));
    let side = checkpoint.card.image_size[0] as u32;
    let set: Arc<dyn ClassificationDataset> = match &options.data {
        Some(path) => {
            let splits = open_classification(path, &OpenOptions { val_split: split.val_split, seed: split.seed })?;
            choose(options, splits.train, splits.val, splits.test)?
        }
        None => Arc::new(SceneDataset::new(split.seed ^ SCENES_VAL_SEED, SCENES_VAL, side)),
    };
    if set.class_names() != checkpoint.card.classes {
        let (data, model) = (set.class_names().to_vec(), checkpoint.card.classes.clone());
        return Err(TrainError::OtherClasses { data, model });
    }
    let preparing = PrepareOptions { skip_bad: options.skip_bad, ..PrepareOptions::new(side) };
    Ok(Arc::new(prepare(&[set], &preparing, &|_, _| {})?.remove(0)))
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
pub fn pairs(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Arc<PreparedPairs>, TrainError> {
    let config = config_beside(&checkpoint.path).map(|path| SegmentConfig::from_file(&path)).transpose()?;
    let trained = config.map(|c| (c.val_split, c.seed));
    let split = split_of(options, trained);
    let card = &checkpoint.card;
    let set: Arc<dyn SegmentationDataset> = match &options.data {
        Some(path) => {
            let splits = open_segmentation(path, &split)?;
            choose(options, splits.train, splits.val, splits.test)?
        }
        None => {
            let (counts, size) = streets(card);
            SegmentationSplits::streets(split.seed, counts, size).val
        }
    };
    if set.classes().names != card.classes {
        let (data, model) = (set.classes().names.clone(), card.classes.clone());
        return Err(TrainError::OtherClasses { data, model });
    }
    Ok(Arc::new(prepare_segmentation(&[set], &size(card, options.skip_bad), &|_, _| {})?.remove(0)))
}

/// The images to evaluate a colorization model on.
///
/// # Errors
/// When the data cannot be read.
pub fn images(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Arc<PreparedImages>, TrainError> {
    let config = config_beside(&checkpoint.path).map(|path| ColorizeConfig::from_file(&path)).transpose()?;
    let trained = config.map(|c| (c.val_split, c.seed));
    let split = split_of(options, trained);
    let set: Arc<dyn ImageDataset> = match &options.data {
        Some(path) => {
            let splits = open_images(path, &split)?;
            choose(options, splits.train, splits.val, splits.test)?
        }
        None => {
            let (counts, size) = streets(&checkpoint.card);
            ImageSplits::streets(split.seed, counts, size).val
        }
    };
    Ok(Arc::new(prepare_images(&[set], &size(&checkpoint.card, options.skip_bad), &|_, _| {})?.remove(0)))
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
