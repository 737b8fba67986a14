//! Opens a run: checks the settings, opens the device, reads the data, makes the model, and creates the run's folder last, so
//! that a refused run creates none.

use std::sync::Arc;

use super::TrainError;
use super::half;
use super::model::LoadedModel;
use super::objective::Objective;
use super::observer::Observer;
use super::settings::{Normalize, Resolved, TrainSettings};
use super::start::StartFile;
use super::trainer::{Beginning, HeldRun, Trainer};
use crate::data::{Decisions, Normalization, Source, limited};
use crate::exec;
use crate::precision::Precision;
use crate::run::{FolderLock, ImageSize, RunDir, resume};

/// A task with its data, ready for training.
pub struct TrainingData {
    /// The task's graphs and scores.
    pub objective: Box<dyn Objective>,
    /// Training and validation images.
    pub sources: [Arc<dyn Source>; 2],
    /// Name of a run's folder without its number, such as `classify-resnet18`.
    pub stem: String,
    /// Lines about the data.
    pub lines: Vec<String>,
    /// How the data set was read. It is printed after the lines, and stands in the run's facts and its report.
    pub decisions: Decisions,
    /// Images that are skipped, with the reason.
    pub skipped: Vec<String>,
}

/// Opens a run; `read` reads its data once the settings and the device are known to be good.
///
/// # Errors
/// When the folder is taken, there is nothing to resume, the device cannot be opened, the data cannot be read, or the device
/// cannot hold the plans.
pub fn open(
    settings: &Resolved,
    read: impl FnOnce() -> Result<TrainingData, TrainError>,
    observer: &dyn Observer,
) -> Result<Trainer, TrainError> {
    let common = &settings.common;
    let (lock, resumed) = match &common.resume {
        Some(path) => {
            RunDir::to_resume(path)?;
            let lock = FolderLock::take(path)?;
            // Checked once the lock is held: the run may have ended since.
            (Some(lock), Some(resume::read(&RunDir::to_resume(path)?.state_path())?))
        }
        None => {
            common.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
            (None, None)
        }
    };
    let engine = exec::open(&common.device)?;
    let (precision, precision_line) = half::choose(common.precision, &common.device, engine.as_ref());
    // A resumed run keeps its settings on any device.
    let toml = match precision {
        Precision::F32 => settings.toml.replace("precision = \"f16\"", "precision = \"f32\""),
        Precision::F16 => settings.toml.clone(),
    };
    let common = TrainSettings { precision, ..common.clone() };
    let TrainingData { objective, sources, stem, lines: mut data_lines, decisions, skipped } = read()?;
    let [train, val] = sources;
    let all = train.len();
    let sources = [limited(train, common.limit, common.seed), val];
    if sources[0].len() < all {
        data_lines.push(format!(
            "limit:   {} of {all} training images, drawn by seed {}",
            sources[0].len(),
            common.seed
        ));
    }
    let decision_lines = decisions.lines();
    // A run keeps the size that its data decided. Crops have their own setting.
    let [height, width] = objective.card().image_size;
    let size = if objective.card().sees_own_pixels() { ImageSize::AUTO } else { ImageSize { height, width } };
    let toml = toml.replace(&setting(ImageSize::AUTO), &setting(size));
    let from_weights = common.init.is_some() || common.pretrained;
    let toml = with_normalization(toml, from_weights, &objective.card().normalization);
    let batch = common.batch_size.min(sources[0].len());
    let mut model = LoadedModel::for_training(&*objective, engine, batch, &common)?;
    let network = &objective.card().network;
    let start = StartFile::find(network, &common, observer)?;
    let started = start.map(|start| start.load(&mut model, network.architecture().encoder)).transpose()?;
    let beginning = Beginning { objective, settings: common, model, sources, decisions, toml, resumed };
    let trainer = Trainer::new(beginning, |settings, toml| make_run(settings, toml, &stem, lock))?;
    let mut lines = vec![format!("device:  {}", trainer.model().session.engine().name())];
    lines.extend(data_lines);
    lines.extend(decision_lines);
    lines.push(format!("run:     {}", trainer.run().path().display()));
    lines.extend(started);
    lines.extend(trainer.rates());
    lines.extend(trainer.shares());
    lines.extend(skipped.iter().map(|image| format!("skipped {image}")));
    lines.extend(trainer.left_out());
    lines.extend(precision_line);
    lines.extend(trainer.notes().iter().cloned());
    observer.begins(&lines);
    Ok(trainer)
}

/// The settings with the normalization that `auto` chose, so that they repeat the run without the weights that it started from.
fn with_normalization(toml: String, from_weights: bool, chosen: &Normalization) -> String {
    let chosen = if from_weights { Normalize::of(*chosen) } else { Normalize::Dataset };
    toml.replace("\nnormalize = \"auto\"\n", &format!("\nnormalize = \"{chosen}\"\n"))
}

/// The image size as a line of `config.toml`.
fn setting(size: ImageSize) -> String {
    format!("image_size = \"{size}\"\n")
}

/// Creates the run's folder and takes its lock, or opens the folder of the resumed run, whose lock is held already.
fn make_run(settings: &TrainSettings, toml: &str, stem: &str, lock: Option<FolderLock>) -> Result<HeldRun, TrainError> {
    let run = match &settings.resume {
        Some(path) => RunDir::to_resume(path)?,
        None => RunDir::create(settings.out.as_deref(), stem)?,
    };
    let lock = lock.map_or_else(|| FolderLock::take(run.path()), Ok)?;
    run.write_config(toml)?;
    Ok((run, lock))
}
