//! Opens a run: checks the settings, opens the device, reads the data, makes the model, and creates the run's folder last, so
//! that a refused run creates none.

use std::sync::Arc;

use super::TrainError;
use super::beginning::Beginning;
use super::half;
use super::model::LoadedModel;
use super::objective::Objective;
use super::observer::Observer;
use super::record::HeldRun;
use super::settings::{Normalize, Resolved, TrainSettings, reasons, with_reasons};
use super::start::StartFile;
use super::trainer::Trainer;
use crate::data::{Decisions, Normalization, Source, limited};
use crate::exec::{self, gpu};
use crate::precision::Precision;
use crate::ranks::{RankError, Ranks};
use crate::run::card::ModelCard;
use crate::run::fingerprint::DataPrint;
use crate::run::resume::{self, Kept};
use crate::run::{FolderLock, ImageSize, RunDir};

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
    /// How the data set was read. It is printed after the lines, and is in the run's facts and its report.
    pub decisions: Decisions,
    /// Images that are skipped, with the reason.
    pub skipped: Vec<String>,
}

impl TrainingData {
    /// Training and validation images, the former up to the limit of the settings.
    pub(super) fn limited(&self, settings: &TrainSettings) -> [Arc<dyn Source>; 2] {
        let [train, val] = &self.sources;
        [limited(train.clone(), settings.limit, settings.seed), val.clone()]
    }

    /// The fingerprint of the data of a run with these settings.
    pub(crate) fn print(&self, settings: &TrainSettings) -> DataPrint {
        let sources = self.limited(settings);
        let parts = sources.each_ref().map(|source| &**source);
        DataPrint::of(&self.objective.card().classes, parts, settings.data.as_deref())
    }
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
    let ranks = settings.ranks.clone();
    let device = device_of(&settings.common.device, ranks.local());
    let common = &TrainSettings { device, ..settings.common.clone() };
    let (lock, resumed) = if ranks.rank() == 0 { claim(common)? } else { (None, None) };
    let engine = exec::open(&common.device)?;
    let (precision, precision_line) = half::choose(common.precision, &common.device, engine.as_ref());
    let toml = noted(&settings.toml, precision, resumed.as_ref());
    let (shards, toml) = shards_of(common, &*ranks, toml)?;
    let common = TrainSettings { precision, shards: Some(shards), ..common.clone() };
    let data = read()?;
    let (sources, all) = (data.limited(&common), data.sources[0].len());
    let TrainingData { objective, stem, lines: mut data_lines, decisions, skipped, .. } = data;
    if sources[0].len() < all {
        data_lines.push(format!(
            "limit:   {} of {all} training images, drawn by seed {}",
            sources[0].len(),
            common.seed
        ));
    }
    data_lines.extend(decisions.lines());
    let toml = with_data(toml, &common, objective.card());
    let batch = common.batch_size.min(sources[0].len());
    let mut model = LoadedModel::for_training(&*objective, engine, batch, &common)?;
    let network = &objective.card().network;
    let start = StartFile::find(network, &common, observer)?;
    let started = start.map(|start| start.load(&mut model, objective.card())).transpose()?;
    let (leads, size) = (ranks.rank() == 0, ranks.size());
    let declared = settings.declared;
    let beginning =
        Beginning { objective, settings: common, declared, model, sources, decisions, toml, resumed, ranks };
    let trainer = beginning.prepare(|settings, toml| make_run(settings, toml, &stem, (leads, lock)))?;
    let mut lines = vec![format!("device:  {}", trainer.model().session.engine().name())];
    lines.extend(data_lines);
    lines.push(format!("run:     {}", trainer.run().path().display()));
    if shards > 1 {
        lines.push(format!("shards:  {shards} per batch, on {size} {}", if size == 1 { "rank" } else { "ranks" }));
    }
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

/// Takes the lock of the run that is resumed, and reads its state. The folder of a new run must be free.
fn claim(settings: &TrainSettings) -> Result<(Option<FolderLock>, Option<Kept>), TrainError> {
    let Some(path) = &settings.resume else {
        settings.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
        return Ok((None, None));
    };
    RunDir::to_resume(path)?;
    let lock = FolderLock::take(path)?;
    // Read after the lock is taken, because the run may have ended before.
    Ok((Some(lock), Some(resume::read(&RunDir::to_resume(path)?.state_path())?)))
}

/// The settings with the precision that was chosen, and with the reasons that a resumed run had noted.
fn noted(toml: &str, precision: Precision, resumed: Option<&Kept>) -> String {
    // A resumed run keeps its settings on any device.
    let toml = match precision {
        Precision::F32 => toml.replace("precision = \"f16\"", "precision = \"f32\""),
        Precision::F16 => toml.to_owned(),
    };
    let kept = resumed.and_then(|kept| kept.origin.settings.as_deref()).unwrap_or_default();
    with_reasons(toml, reasons(kept))
}

/// The settings with the values that the data decided for `auto`. A run keeps its image size; crops have their own
/// setting.
fn with_data(toml: String, settings: &TrainSettings, card: &ModelCard) -> String {
    let [height, width] = card.image_size;
    let size = if card.sees_own_pixels() { ImageSize::AUTO } else { ImageSize { height, width } };
    let toml = toml.replace(&setting(ImageSize::AUTO), &setting(size));
    with_normalization(toml, settings.init.is_some() || settings.pretrained, &card.normalization)
}

/// The device of process `local` of a machine: one of a list, or one of the machine's GPUs for `auto` and `gpu`, in
/// turn.
pub(crate) fn device_of(devices: &str, local: usize) -> String {
    let names: Vec<&str> = devices.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let name = names.get(local % names.len().max(1)).map_or_else(|| devices.to_owned(), |name| (*name).to_owned());
    if local == 0 || names.len() > 1 || !["auto", "gpu"].contains(&name.to_lowercase().as_str()) {
        return name;
    }
    gpu::choose_in_turn(local, &gpu::list()).map_or(name, |index| index.to_string())
}

/// Without the setting, a run on several ranks has the largest divisor of the batch size up to this number of shards.
const SHARDS: usize = 8;

/// The shards of a run, and its settings with them.
fn shards_of(common: &TrainSettings, ranks: &dyn Ranks, toml: String) -> Result<(usize, String), TrainError> {
    let size = ranks.size();
    let chosen = || (1..=SHARDS).rev().find(|&shards| common.batch_size.is_multiple_of(shards)).unwrap_or(1);
    // A resumed run keeps its shards, which its weights depend on.
    let free = common.shards.is_none() && common.resume.is_none() && size > 1;
    let shards = if free { chosen() } else { common.shards() };
    if size > shards {
        let advice = match common.resume {
            Some(_) => "resume it on fewer ranks",
            None => "set shards to a divisor of the batch size that is as large, or start fewer ranks",
        };
        return Err(RankError::TooFew { ranks: size, shards, advice }.into());
    }
    let toml = if free { with_line(&toml, &format!("shards = {shards}")) } else { toml };
    Ok((shards, toml))
}

/// A TOML file with a line before its first key.
fn with_line(toml: &str, line: &str) -> String {
    let key = |text: &&str| !text.is_empty() && !text.starts_with('#');
    let at = toml.lines().take_while(|text| !key(text)).count();
    let mut lines: Vec<&str> = toml.lines().collect();
    lines.insert(at, line);
    lines.join("\n") + "\n"
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
/// Ranks that follow have no folder.
fn make_run(
    settings: &TrainSettings,
    toml: &str,
    stem: &str,
    (leads, lock): (bool, Option<FolderLock>),
) -> Result<HeldRun, TrainError> {
    if !leads {
        let path = settings.resume.as_ref().or(settings.out.as_ref());
        return Ok((RunDir::unseen(path.cloned().unwrap_or_default()), None));
    }
    let run = match &settings.resume {
        Some(path) => RunDir::to_resume(path)?,
        None => RunDir::create(settings.out.as_deref(), stem)?,
    };
    let lock = lock.map_or_else(|| FolderLock::take(run.path()), Ok)?;
    run.write_config(toml)?;
    Ok((run, Some(lock)))
}

#[cfg(test)]
mod tests {
    use super::{device_of, with_line};

    #[test]
    fn a_list_gives_each_process_of_a_machine_its_device() {
        assert_eq!([0, 1, 2, 3].map(|local| device_of("0, llvmpipe,cpu", local)), ["0", "llvmpipe", "cpu", "0"]);
        assert_eq!([0, 1].map(|local| device_of("llvmpipe", local)), ["llvmpipe", "llvmpipe"]);
        assert_eq!(device_of("auto", 0), "auto");
    }

    #[test]
    fn a_line_stands_before_the_first_key() {
        assert_eq!(with_line("# a\n\nepochs = 1\n[x]\ny = 2\n", "b = 3"), "# a\n\nb = 3\nepochs = 1\n[x]\ny = 2\n");
    }
}
