//! Trained models on a data set: what evaluation and comparison share.

use std::path::{Path, PathBuf};

use super::WorkflowError;
use crate::data::{BadImage, Loader, LoaderOptions};
use crate::exec;
use crate::interop::files::read_text;
use crate::run::{Checkpoint, ImageSize, RunError};
pub use crate::tasks::data::Part;
use crate::tasks::data::{Chosen, DataSource, ImageSet};
use crate::tasks::{self, Task, TaskError};
use crate::train::settings::Given;
use crate::train::{Evaluation, Model};

/// What to evaluate on, and how.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Data set; that of the run when not given: the built-in scenes where it was trained on them.
    pub data: Option<PathBuf>,
    /// Its part; the test part where there is one, else the validation part, when not given.
    pub part: Option<Part>,
    /// Share of a split that the data does not bring; that of the run when not given.
    pub val_split: Option<f64>,
    /// Seed of such a split; that of the run when not given.
    pub seed: Option<u64>,
    /// Leave out what cannot be read.
    pub skip_bad: bool,
    /// Where to compute.
    pub device: String,
    /// Images at a time.
    pub batch_size: usize,
}

impl Default for EvalOptions {
    /// The run's own data, 8 images at a time, on the best device.
    fn default() -> Self {
        let (data, part, val_split, seed, skip_bad) = (None, None, None, None, false);
        EvalOptions { data, part, val_split, seed, skip_bad, device: "auto".into(), batch_size: 8 }
    }
}

/// What an evaluation finds.
pub struct Evaluated {
    /// The data set and its part, in words.
    pub on: String,
    /// Images that were left out.
    pub skipped: Vec<BadImage>,
    /// Loss and scores.
    pub found: Box<dyn Evaluation>,
}

/// Evaluates a trained model.
///
/// # Errors
/// When the data cannot be read or does not fit the model, or the device fails.
pub fn evaluate(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Evaluated, WorkflowError> {
    let source = data_source(checkpoint, options)?;
    let Chosen { set, part, .. } = task_of(checkpoint)?.image_set(&checkpoint.card, &source, options.part)?;
    let found = measure(checkpoint, &*set, None, options)?;
    let on = format!("{}, {} part", source.name(), part.name());
    Ok(Evaluated { on, skipped: set.skipped().to_vec(), found })
}

/// The task that a checkpoint was trained for.
///
/// # Errors
/// When there is none of its name.
pub(super) fn task_of(checkpoint: &Checkpoint) -> Result<&'static dyn Task, TaskError> {
    tasks::task(&checkpoint.card.task)
}

/// What a model finds in a set of images. `own` holds the same images at the model's own image size, where that is another one.
pub(super) fn measure(
    checkpoint: &Checkpoint,
    set: &dyn ImageSet,
    own: Option<&dyn ImageSet>,
    options: &EvalOptions,
) -> Result<Box<dyn Evaluation>, WorkflowError> {
    let (objective, mut source) = set.measure(&checkpoint.card)?;
    if let Some(own) = own {
        source = own.measure(&checkpoint.card)?.1;
    }
    let mut model = Model::trained(&*objective, exec::open(&options.device)?, checkpoint)?;
    let loading = LoaderOptions { shuffle: false, ..LoaderOptions::new(options.batch_size, 0) };
    let loader = Loader::new(source, loading)?;
    Ok(model.evaluate(&*objective, &loader, options.batch_size.min(set.len()))?)
}

/// The data that a model is measured on: that of its run, under what is asked for. A checkpoint that lies in no run has the
/// task's defaults.
///
/// # Errors
/// When the settings beside the checkpoint cannot be read, or its data set is no longer there.
pub(super) fn data_source(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<DataSource, WorkflowError> {
    require_settings(checkpoint, options)?;
    let given = Given { config: checkpoint.config_path(), ..Given::default() };
    let own = task_of(checkpoint)?.resolve(&given)?.common;
    let [height, width] = checkpoint.card.image_size;
    Ok(DataSource {
        data: data_of(checkpoint, own.data.clone(), options.data.as_deref())?,
        val_split: options.val_split.unwrap_or(own.val_split),
        seed: options.seed.unwrap_or(own.seed),
        skip_bad: options.skip_bad,
        ..DataSource::of(&own, ImageSize { height, width })
    })
}

/// Refuses a `config.toml` that is cut off: what it lacks would be taken for the defaults, such as the built-in scenes for the
/// data. Where all that matters here is asked for, nothing is missing.
///
/// # Errors
/// [`RunError::Damaged`].
fn require_settings(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<(), RunError> {
    let Some(path) = checkpoint.config_path() else { return Ok(()) };
    let table = read_text(&path, 1 << 20)?.parse::<toml::Table>().unwrap_or_default();
    let asked = options.data.is_some() && options.val_split.is_some() && options.seed.is_some();
    let lacks = ["epochs", "val_split", "seed"].into_iter().find(|key| !table.contains_key(*key));
    match lacks.filter(|_| !asked) {
        Some(key) => {
            let reason = format!(
                "it has no `{key}`, which every run's settings have; restore it from a copy, or name the data and its split"
            );
            Err(RunError::Damaged { path, reason })
        }
        None => Ok(()),
    }
}

/// The data set that is asked for, else that of the run. Training may have named it from another folder, or it has moved.
///
/// # Errors
/// When the run's own data set is not there.
pub(super) fn data_of(
    checkpoint: &Checkpoint,
    own: Option<PathBuf>,
    asked: Option<&Path>,
) -> Result<Option<PathBuf>, TaskError> {
    match (asked, own) {
        (Some(asked), _) => Ok(Some(asked.to_owned())),
        (None, Some(data)) if !data.exists() => Err(TaskError::DataMoved { data, checkpoint: checkpoint.path.clone() }),
        (None, own) => Ok(own),
    }
}
