//! Evaluation of trained models on a data set, for `eval` and `compare`.

use std::path::{Path, PathBuf};

use super::WorkflowError;
use crate::data::{BadImage, Hints, Loader, LoaderOptions, TableColumns, holds_table};
use crate::exec;
use crate::interop::files::read_text;
use crate::run::resume::Header;
use crate::run::{Checkpoint, DataPrint, EvaluatedOn, ImageSize, PartPrint, RunDir, RunError};
pub use crate::tasks::data::Part;
use crate::tasks::data::{Chosen, DataSource, ImageSet, kept_copies};
use crate::tasks::{self, Task, TaskError};
use crate::train::settings::Given;
use crate::train::{Evaluation, LoadedModel, Watch};

/// Data, device and batch size of an evaluation.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Data set; by default that of the run, which may be the built-in scenes.
    pub data: Option<PathBuf>,
    /// Part of the data set; by default the test part if there is one, else the validation part.
    pub part: Option<Part>,
    /// Whether a data set other than that of the run is taken whole if it has no parts, because no image of it trained
    /// the model.
    pub whole: bool,
    /// Share held out, for data without a split; by default that of the run.
    pub val_split: Option<f64>,
    /// Seed of that split; by default that of the run.
    pub seed: Option<u64>,
    /// Hints for reading the data. The default is the hints of the run.
    pub hints: Hints,
    /// Whether unreadable images are left out.
    pub skip_bad: bool,
    /// Device.
    pub device: String,
    /// Images per batch.
    pub batch_size: usize,
}

impl Default for EvalOptions {
    /// The run's own data, 8 images per batch, on the best device.
    fn default() -> Self {
        let (data, part, val_split, seed, hints) = (None, None, None, None, Hints::default());
        let (whole, skip_bad) = (false, false);
        EvalOptions { data, part, whole, val_split, seed, hints, skip_bad, device: "auto".into(), batch_size: 8 }
    }
}

/// Results of an evaluation.
pub struct Evaluated {
    /// The data set and its part, in words.
    pub on: String,
    /// Images that were left out.
    pub skipped: Vec<BadImage>,
    /// Remarks on the images: some trained the model, or they are not those of its run.
    pub notes: Vec<String>,
    /// Loss and scores.
    pub found: Box<dyn Evaluation>,
}

/// Evaluates a trained model.
///
/// # Errors
/// When the data cannot be read or does not fit the model, or the device fails.
pub fn evaluate(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<Evaluated, WorkflowError> {
    let source = data_source(checkpoint, options)?;
    let (Chosen { set, part, by_seed }, is_whole) = images(&[checkpoint], checkpoint, &source, options)?;
    let found = measure(checkpoint, &*set, None, options)?;
    let on = format!("{}, {}", source.name(), part_text(&*set, part, is_whole));
    let notes = remarks(checkpoint, &source, &*set, (part, by_seed && !is_whole))?;
    Ok(Evaluated { on, skipped: set.skipped().to_vec(), notes, found })
}

/// The images that models are evaluated on, at the size of the model `common`, and whether they are all images of a set without
/// parts. All images of another data set are new to the models. Of the run's own data set, or a moved copy of it, only
/// the part that seed and share hold out is new.
///
/// # Errors
/// When the data cannot be read or does not fit the models.
pub(super) fn images(
    models: &[&Checkpoint],
    common: &Checkpoint,
    source: &DataSource,
    options: &EvalOptions,
) -> Result<(Chosen, bool), WorkflowError> {
    let open = |source: &DataSource| task_of(common)?.image_set(&common.card, source, options.part);
    if !options.whole || options.data.is_none() {
        return Ok((open(source)?, false));
    }
    let whole = open(&DataSource { undivided: true, ..source.clone() })?;
    if !whole.by_seed {
        return Ok((whole, false));
    }
    // A single image cannot be divided.
    let Ok(held_out) = open(source) else { return Ok((whole, true)) };
    let now = PartPrint::below(&*held_out.set.measure(&common.card)?.1, source.data.as_deref());
    for model in models {
        let is_moved = print_of(model).is_some_and(|print| print.validated_on(&now));
        if is_moved || is_own(model, source)? {
            return Ok((held_out, false));
        }
    }
    Ok((whole, true))
}

/// A part of a data set, in words.
pub(super) fn part_text(set: &dyn ImageSet, part: Part, is_whole: bool) -> String {
    match is_whole {
        true => format!("all images ({}), since it has no parts", set.len()),
        false => format!("{} part", part.name()),
    }
}

/// Whether a data set is that of a model's run.
fn is_own(checkpoint: &Checkpoint, source: &DataSource) -> Result<bool, WorkflowError> {
    let Some(config) = checkpoint.config_path() else { return Ok(false) };
    let own = task_of(checkpoint)?.resolve(&Given { config: Some(config), ..Given::default() })?.common.data;
    let place = |path: &Option<PathBuf>| path.as_ref().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
    Ok(place(&own) == place(&source.data))
}

/// The fingerprint of the data of a model's run.
fn print_of(checkpoint: &Checkpoint) -> Option<DataPrint> {
    let run = RunDir::open_unfinished(checkpoint.config_path()?.parent()?).ok()?;
    let kept = Header::read(&run.state_path()).origin.data;
    kept.or_else(|| run.read_facts().ok().flatten().and_then(|facts| facts.data))
}

/// Remarks on the images of a part that a model is evaluated on.
///
/// # Errors
/// When the model belongs to another task.
pub(super) fn remarks(
    checkpoint: &Checkpoint,
    source: &DataSource,
    set: &dyn ImageSet,
    (part, by_seed): (Part, bool),
) -> Result<Vec<String>, WorkflowError> {
    let mut notes: Vec<String> = set.note().into_iter().collect();
    if checkpoint.config_path().is_none() {
        return Ok(notes);
    }
    let is_own = is_own(checkpoint, source)?;
    if by_seed && !is_own && part != Part::Train {
        notes.push(format!(
            "{} has no parts: these are the {} images that the seed holds out of it; the others are its train part",
            source.name(),
            set.len()
        ));
    }
    if let (Some(print), true) = (print_of(checkpoint), part != Part::Train && source.data.is_some()) {
        let now = PartPrint::below(&*set.measure(&checkpoint.card)?.1, source.data.as_deref());
        let from = match part {
            _ if !is_own => EvaluatedOn::OtherData,
            Part::Val => EvaluatedOn::Validation,
            _ => EvaluatedOn::OtherPart,
        };
        notes.extend(print.remarks(&now, from));
    }
    Ok(notes)
}

/// The task that a checkpoint was trained for.
///
/// # Errors
/// When no task has its name.
pub(super) fn task_of(checkpoint: &Checkpoint) -> Result<&'static dyn Task, TaskError> {
    tasks::task(&checkpoint.card.task)
}

/// The model with predictions averaged over each image and its mirror image: flips at test time.
///
/// # Errors
/// When the task has no such average.
#[cfg(feature = "cli")]
pub fn mirrored(mut checkpoint: Checkpoint) -> Result<Checkpoint, WorkflowError> {
    let task = task_of(&checkpoint)?;
    let averaged =
        task.averaged(&checkpoint.card).ok_or_else(|| task.unsupported("average predictions over mirror images"))?;
    checkpoint.card.network = checkpoint.card.network.mirrored(averaged);
    Ok(checkpoint)
}

/// The note beside scores that were computed with flips at test time.
pub const MIRRORED: &str = "predictions are averaged over each image and its mirror image";

/// Evaluates a model on a set of images. `own` holds the same images at the model's own image size, if that differs.
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
    let mut model = LoadedModel::trained(&*objective, exec::open(&options.device)?, checkpoint)?;
    let loading = LoaderOptions { shuffle: false, ..LoaderOptions::new(options.batch_size, 0) };
    let loader = Loader::new(source, loading)?;
    Ok(model.evaluate(&*objective, &loader, options.batch_size.min(set.len()), Watch::nobody())?)
}

/// The data that a model is measured on: `options` override the settings of its run. A checkpoint outside a run has the
/// defaults of its task.
///
/// # Errors
/// When the settings beside the checkpoint cannot be read, or its data set is no longer there.
pub(super) fn data_source(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<DataSource, WorkflowError> {
    require_settings(checkpoint, options)?;
    let given = Given { config: checkpoint.config_path(), ..Given::default() };
    let task = task_of(checkpoint)?;
    require_hints(task, &options.hints)?;
    let [height, width] = checkpoint.card.image_size;
    let own = DataSource::of(&task.resolve(&given)?, ImageSize { height, width });
    let kept = kept_hints(own.hints.clone(), options.data.as_deref(), columns_of(checkpoint).as_ref());
    Ok(DataSource {
        data: data_of(checkpoint, own.data.clone(), options.data.as_deref())?,
        val_split: options.val_split.unwrap_or(own.val_split),
        seed: options.seed.unwrap_or(own.seed),
        skip_bad: options.skip_bad,
        hints: options.hints.clone().or(kept),
        for_model: true,
        keep_copies: checkpoint.config_path().as_deref().and_then(Path::parent).is_none_or(kept_copies),
        ..own
    })
}

/// The names of the columns of the table that a run was trained by; `None` outside a run, or if its table has no names.
fn columns_of(checkpoint: &Checkpoint) -> Option<TableColumns> {
    let run = RunDir::open_unfinished(checkpoint.config_path()?.parent()?).ok()?;
    run.read_facts().ok().flatten()?.decisions?.columns
}

/// The hints of a run that are valid for the data set `asked`. Another table keeps the columns. It does not keep the root of
/// images, since other images may have the same names below that root. A number of a column becomes its name: another table may have
/// its columns in another order.
fn kept_hints(own: Hints, asked: Option<&Path>, columns: Option<&TableColumns>) -> Hints {
    let named = |hint: Option<String>, name: Option<&String>| match hint {
        Some(hint) if hint.parse::<usize>().is_ok() => Some(name.cloned().unwrap_or(hint)),
        hint => hint,
    };
    let own = Hints {
        path_column: named(own.path_column, columns.map(|columns| &columns.path)),
        label_column: named(own.label_column, columns.and_then(|columns| columns.label.as_ref())),
        ..own
    };
    match asked {
        None => own,
        Some(data) if holds_table(data) => Hints { image_root: None, ..own },
        Some(_) => own.without_table(),
    }
}

/// Refuses hints that the task's data cannot have.
///
/// # Errors
/// [`WorkflowError::NoSetting`].
pub(crate) fn require_hints(task: &dyn Task, hints: &Hints) -> Result<(), WorkflowError> {
    let is_missing = |key: &&str| !task.settings().iter().any(|setting| setting.key == *key);
    match hints.keys().into_iter().find(is_missing) {
        Some(key) => Err(WorkflowError::NoSetting { key, task: task.name() }),
        None => Ok(()),
    }
}

/// Refuses a truncated `config.toml`: missing settings would become defaults, such as the built-in scenes for the data. It is
/// accepted if `options` give data, split and seed.
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

/// The requested data set, else that of the run.
///
/// # Errors
/// When the run's own data set is missing: it was moved, or its path is relative to another folder.
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
