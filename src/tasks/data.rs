//! The images of a task: a data set or built-in scenes, their parts, and evaluation on them.

use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;

use super::TaskError;
use crate::choices;
use crate::data::{BadImage, SetOptions, SizeOptions, Source};
use crate::run::card::ModelCard;
use crate::run::image_size::Fit;
use crate::run::pictures::PictureTable;
use crate::run::table::Table;
use crate::run::{Checkpoint, ImageSize, RunDir, RunError, resume};
use crate::train::settings::TrainSettings;
use crate::train::{Evaluation, Objective};

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

/// Source of images. Evaluation needs the split of the run, or training images count as validation images.
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
    /// Height and width that images are resized to.
    pub size: ImageSize,
}

impl DataSource {
    /// The data that settings name.
    pub fn of(settings: &TrainSettings, size: ImageSize) -> Self {
        let TrainSettings { data, val_split, seed, scenes, skip_bad, .. } = settings.clone();
        DataSource { data, val_split, seed, scenes, skip_bad, size }
    }

    /// The data set in words.
    pub fn name(&self) -> String {
        self.data.as_deref().map_or_else(|| "built-in scenes".into(), |data| data.display().to_string())
    }

    /// Options to open a data set of pictures.
    pub fn set_options(&self) -> SetOptions {
        SetOptions { val_split: self.val_split as f32, seed: self.seed, skip_bad: self.skip_bad }
    }

    /// Options to resize pictures.
    pub fn size_options(&self) -> SizeOptions {
        let (height, width) = self.size_u32();
        SizeOptions { skip_bad: self.skip_bad, ..SizeOptions::new(height, width) }
    }

    /// Height and width.
    pub fn size_u32(&self) -> (u32, u32) {
        (self.size.height as u32, self.size.width as u32)
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

/// The classes of the resumed run, in the order of the network's outputs. `None` for a new run, and for a run without a list.
///
/// # Errors
/// When the run's list of classes is damaged.
pub fn resumed_classes(settings: &TrainSettings) -> Result<Option<Vec<String>>, RunError> {
    let Some(path) = settings.resume.as_deref() else { return Ok(None) };
    let run = RunDir::to_resume(path)?;
    if let Some(classes) = resume::kept_classes(&run.resume_path()) {
        return Ok(Some(classes));
    }
    match run.read_facts() {
        Ok(facts) => Ok(facts.map(|facts| facts.outputs)),
        // In a run of an earlier version, the checkpoint names the classes too.
        Err(error) => Checkpoint::open(&run.last_path()).map(|last| Some(last.card.classes)).map_err(|_| error),
    }
}

/// A line about the effect of the image size on the pictures of a data set, given one of them. `None` for built-in scenes,
/// which are drawn at the size.
pub(super) fn size_line(from: &DataSource, picture: impl FnOnce() -> Option<RgbImage>, fit: Fit) -> Option<String> {
    from.data.as_ref()?;
    let picture = picture()?;
    Some(from.size.fit_line([picture.height() as usize, picture.width() as usize], fit))
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

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Unreadable images that were left out.
    fn skipped(&self) -> &[BadImage];

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
    pub figure: PictureTable,
}

/// The evaluations as the type of a task's evaluation.
///
/// # Errors
/// When one belongs to another task.
pub fn typed<'a, E: Evaluation>(found: &'a [Box<dyn Evaluation>]) -> Vec<&'a E> {
    let one = |evaluation: &'a dyn Evaluation| (evaluation as &dyn std::any::Any).downcast_ref::<E>();
    found.iter().filter_map(|evaluation| one(&**evaluation)).collect()
}
