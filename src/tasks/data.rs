//! The images of a task: a data set or built-in scenes, their parts, and evaluation on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::TaskError;
use crate::choices;
use crate::data::{
    BadImage, DataError, Decisions, Hints, OpenOptions, PrepareOptions, Prepared, SampleSet, SetOptions, Source,
    copies_are_kept, fourth_statistics, prepare,
};
use crate::run::card::ModelCard;
use crate::run::image_size::Fit;
use crate::run::pictures::{Drawn, PictureError, PictureTable, Sheet};
use crate::run::resume::Header;
use crate::run::table::Table;
use crate::run::{Checkpoint, ImageSize, RunDir, RunError};
use crate::train::settings::{Normalize, Resolved, TrainSettings};
use crate::train::{Evaluation, Objective, Observer, TrainError};

choices! {
    /// Part of a data set.
    pub enum Part {
        /// The training part
        Train = "train",
        /// The validation part
        Val = "val",
        /// The test part
        Test = "test",
    }
}

/// Validation scenes of the built-in streets.
pub(super) const STREETS_VAL: usize = 64;

/// Source of images. Evaluation needs the split of the run; with another split it would score training images.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSource {
    /// Data set; built-in scenes for `None`.
    pub data: Option<PathBuf>,
    /// Share held out, for data without parts.
    pub val_split: f64,
    /// Seed of the images held out, and of the built-in scenes.
    pub seed: u64,
    /// Number of built-in training scenes.
    pub scenes: usize,
    /// Whether unreadable images are left out.
    pub skip_bad: bool,
    /// Height and width that images are resized to. [`ImageSize::AUTO`] for a data set until `decide_size`.
    pub size: ImageSize,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Whether the images are for a trained model, which decides the classes.
    pub for_model: bool,
    /// Whether a data set without parts stays whole.
    pub undivided: bool,
    /// Whether copies of one original stay in one part where the seed divides. A run of an earlier version divided them.
    pub keep_copies: bool,
}

impl DataSource {
    /// The data that settings name.
    pub fn of(settings: &Resolved, size: ImageSize) -> Self {
        let TrainSettings { data, val_split, seed, scenes, skip_bad, .. } = settings.common.clone();
        let size = if data.is_none() { size.decided(None) } else { size };
        DataSource {
            data,
            val_split,
            seed,
            scenes,
            skip_bad,
            size,
            hints: Hints::of_settings(&settings.table),
            for_model: false,
            undivided: false,
            keep_copies: settings.common.resume.as_deref().is_none_or(kept_copies),
        }
    }

    /// The data set in words.
    pub fn name(&self) -> String {
        self.data.as_deref().map_or_else(|| "built-in scenes".into(), |data| data.display().to_string())
    }

    /// Options to open a data set of pictures.
    pub fn set_options(&self) -> SetOptions {
        let Self { seed, skip_bad, undivided, keep_copies, .. } = *self;
        let (val_split, hints) = (self.val_split as f32, self.hints.clone());
        SetOptions { val_split, seed, skip_bad, hints, undivided, keep_copies, ..SetOptions::default() }
    }

    /// How a data set of labeled images is opened.
    pub fn open_options(&self) -> OpenOptions {
        let Self { seed, for_model, undivided, keep_copies, .. } = *self;
        let (val_split, hints) = (self.val_split as f32, self.hints.clone());
        OpenOptions { val_split, seed, hints, for_model, undivided, keep_copies }
    }

    /// Options to resize pictures.
    pub fn prepare_options(&self) -> PrepareOptions {
        let (height, width) = self.size_u32();
        PrepareOptions { skip_bad: self.skip_bad, ..PrepareOptions::new(height, width) }
    }

    /// Height and width.
    pub fn size_u32(&self) -> (u32, u32) {
        (self.size.height as u32, self.size.width as u32)
    }

    /// Decides a size of [`ImageSize::AUTO`] from some of `count` pictures. Returns the height and width of a typical one; `None` for
    /// scenes, which are drawn at the size.
    pub(super) fn decide_size(
        &mut self,
        count: usize,
        picture: impl Fn(usize) -> Option<RgbImage>,
    ) -> Option<[usize; 2]> {
        let typical = self.data.as_ref().and_then(|_| typical_picture(count, picture));
        self.size = self.size.decided(typical);
        typical
    }

    /// The same. Notes the picture and the effect of the size on it among the decisions.
    pub(super) fn note_size(
        &mut self,
        count: usize,
        picture: impl Fn(usize) -> Option<RgbImage>,
        (fit, decisions): (Fit, &mut Decisions),
    ) {
        decisions.picture = self.decide_size(count, picture);
        decisions.size = decisions.picture.map(|picture| self.size.fit_line(picture, fit)).unwrap_or_default();
    }

    /// A part of a data set: the wanted part, else the test part if there is one, else the validation part.
    ///
    /// # Errors
    /// When the test part is wanted and missing.
    pub fn choose<T>(
        &self,
        wanted: Option<Part>,
        (train, val, test): (T, T, Option<T>),
    ) -> Result<(T, Part), TaskError> {
        match (wanted, test) {
            (Some(Part::Train), _) => Ok((train, Part::Train)),
            (Some(Part::Val), _) | (None, None) => Ok((val, Part::Val)),
            (Some(Part::Test) | None, Some(test)) => Ok((test, Part::Test)),
            (Some(Part::Test), None) => Err(TaskError::NoTestPart { data: self.name() }),
        }
    }
}

/// Whether the division of a run's data kept copies of one original together. Without such copies both ways give the same parts.
pub fn kept_copies(run: &Path) -> bool {
    let facts = RunDir::open_unfinished(run).and_then(|run| run.read_facts());
    let decisions = facts.ok().flatten().and_then(|facts| facts.decisions);
    decisions.is_some_and(|decisions| copies_are_kept(&decisions.split))
}

/// Mean and deviation of the fourth channel of training images of four channels. They are measured, unless pixels are not
/// normalized.
///
/// # Errors
/// When an image can no longer be read.
pub(super) fn fourth_channel<S: SampleSet>(
    channels: usize,
    normalize: Normalize,
    train: &Prepared<S>,
) -> Result<Option<(f32, f32)>, TrainError> {
    let bands = |index: usize| train.dataset().bands(train.original_index(index));
    match (channels, normalize) {
        (4, Normalize::None) => Ok(Some((0.0, 1.0))),
        (4, _) => Ok(Some(fourth_statistics(train.len(), bands)?)),
        _ => Ok(None),
    }
}

/// Reads the training and the validation part together.
///
/// # Errors
/// When an image cannot be read, or they do not fit into memory.
pub(super) fn both<S: SampleSet>(
    parts: [S; 2],
    options: &PrepareOptions,
    observer: &dyn Observer,
) -> Result<[Arc<Prepared<S>>; 2], DataError> {
    let mut parts = prepare(&parts, options, &|done, total| observer.reading(done, total))?;
    let val = Arc::new(parts.remove(1));
    Ok([Arc::new(parts.remove(0)), val])
}

/// The unreadable images of both parts, in words.
pub(super) fn unreadable<S: SampleSet>(parts: [&Prepared<S>; 2]) -> Vec<String> {
    parts.into_iter().flat_map(Prepared::bad).map(BadImage::to_string).collect()
}

/// How a set that does not fit into memory is read, in words; `None` for one that is in memory.
pub(super) fn on_demand_line<S: SampleSet>(parts: [&Prepared<S>; 2]) -> Option<String> {
    let [train, _] = parts;
    if parts.iter().all(|part| part.in_memory()) {
        return None;
    }
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let (height, width) = train.size();
    let images: usize = parts.iter().map(|part| part.len()).sum();
    let needed = (images * S::BYTES) as u64 * u64::from(height) * u64::from(width);
    let read = train.own_sizes().len();
    let sampled =
        if train.is_sampled() { format!("; statistics are those of {read} training images") } else { String::new() };
    let budget = PrepareOptions::new(height, width).memory_budget;
    Some(format!(
        "reading: images are decoded when needed, because {images} of {height}x{width} take {}; up to {} stay in memory{sampled}",
        gib(needed),
        gib(budget),
    ))
}

/// The classes of the resumed run, in the order of the network's outputs. `None` for a new run, and for a run without a
/// list of classes.
///
/// # Errors
/// When the run's list of classes is damaged.
pub fn resumed_classes(settings: &TrainSettings) -> Result<Option<Vec<String>>, RunError> {
    let Some(path) = settings.resume.as_deref() else { return Ok(None) };
    let run = RunDir::to_resume(path)?;
    if let Some(data) = Header::read(&run.state_path()).origin.data {
        return Ok(Some(data.classes));
    }
    match run.read_facts() {
        Ok(facts) => Ok(facts.map(|facts| facts.outputs)),
        // In a run of an earlier version, the checkpoint names the classes too.
        Err(error) => Checkpoint::open(&run.last_path()).map(|last| Some(last.card.classes)).map_err(|_| error),
    }
}

/// Number of pictures that decide the proportions of a data set.
const LOOKED_AT: usize = 5;

/// Height and width of the picture with the median proportions, of [`LOOKED_AT`] pictures spread over a set.
fn typical_picture(count: usize, picture: impl Fn(usize) -> Option<RgbImage>) -> Option<[usize; 2]> {
    let looked_at = LOOKED_AT.min(count);
    let pictures = (0..looked_at).filter_map(|k| picture(k * count / looked_at));
    let mut sizes: Vec<[usize; 2]> = pictures.map(|p| [p.height() as usize, p.width() as usize]).collect();
    // Proportions compare as products: h₁/w₁ < h₂/w₂.
    sizes.sort_by(|a, b| (a[0] * b[1]).cmp(&(b[0] * a[1])));
    sizes.get(sizes.len() / 2).copied()
}

/// Images of a part of a data set, for evaluation.
pub struct Chosen {
    /// The images.
    pub set: Box<dyn ImageSet>,
    /// Their part.
    pub part: Part,
    /// Whether the part was split off by share and seed, because the data has no parts.
    pub by_seed: bool,
}

/// Images that are read once and on which models of a task are evaluated.
pub trait ImageSet {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Unreadable images that were left out.
    fn skipped(&self) -> &[BadImage];

    /// A note on 16-bit images that the model sees darker than those that it was trained on.
    fn note(&self) -> Option<String>;

    /// The objective of a model, and these images as its samples. The objective also takes samples of the same images at the
    /// model's own image size, from another set: its evaluation then scales predictions to the size of this set and scores them
    /// there.
    ///
    /// # Errors
    /// When the model belongs to another task.
    fn measure(&self, card: &ModelCard) -> Result<(Box<dyn Objective>, Arc<dyn Source>), TaskError>;

    /// Compares models, given the name and the evaluation of each.
    ///
    /// # Errors
    /// When the task has no comparison, or an image cannot be read.
    fn compare(
        &self,
        card: &ModelCard,
        names: &[String],
        found: &[Box<dyn Evaluation>],
    ) -> Result<Compared, TaskError> {
        let _ = (names, found);
        Err(TaskError::Unsupported { task: card.task.clone(), verb: "compare models" })
    }
}

/// A comparison of models.
pub struct Compared {
    /// Scores of each model.
    pub table: Table,
    /// Score of each class for each model, if the task has classes.
    pub classes: Option<Table>,
    /// Predictions of each model for the same images.
    pub figure: Figure,
}

/// The figure of a comparison.
pub enum Figure {
    /// A row for each image: a picture of the truth and one of each model.
    Pictures(PictureTable),
    /// Each image once, with the truth and the words of each model below it.
    Words(Sheet),
}

impl Figure {
    /// Draws the figure.
    ///
    /// # Errors
    /// When it is empty, or larger than a picture can be.
    pub fn draw(&self) -> Result<Drawn, PictureError> {
        match self {
            Figure::Pictures(table) => table.draw(),
            Figure::Words(sheet) => sheet.draw(),
        }
    }
}

/// Evaluations, cast to the type of a task's evaluation. Those of other tasks are left out.
pub fn typed<E: Evaluation>(found: &[Box<dyn Evaluation>]) -> Vec<&E> {
    found.iter().filter_map(|evaluation| typed_one(&**evaluation)).collect()
}

/// An evaluation, cast to the type of a task's evaluation; `None` for that of another task.
pub fn typed_one<E: Evaluation>(found: &dyn Evaluation) -> Option<&E> {
    (found as &dyn std::any::Any).downcast_ref::<E>()
}
