//! Earlier runs in the folders of a sweep, and whether they have the settings of the sweep.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::data::Prints;
use super::{DIVERGED, Sweep, SweepError, SweepRun, SweepRunState};
use crate::interop::files::FileError;
use crate::run::{FolderLock, RunDir, RunError};
use crate::train::settings::{self, ConfigError, Difference, Given, SettingComparison};
use crate::train::{Observer, TrainError};

/// Folder of a run.
pub(super) fn folder(out: &Path, index: usize) -> PathBuf {
    out.join(format!("{:03}", index + 1))
}

/// The state of the run in a folder; [`SweepRunState::Begins`] also for a run that cannot be resumed.
pub(super) fn found(folder: &Path) -> Result<SweepRunState, RunError> {
    // If resumed, it would diverge again.
    if folder.join(DIVERGED).is_file() {
        return Ok(SweepRunState::Diverged);
    }
    if let Some(run) = RunDir::to_resume(folder).ok().filter(RunDir::is_unfinished) {
        return Ok(SweepRunState::Paused(run.read_metrics()?));
    }
    let rows = RunDir::open(folder).ok().and_then(|run| run.read_metrics().ok()).unwrap_or_default();
    let done = folder.join("curves.png").is_file() && !rows.is_empty();
    Ok(if done { SweepRunState::Done(rows) } else { SweepRunState::Begins })
}

/// Moves aside a run that cannot be resumed.
///
/// # Errors
/// When another process writes into it, or the disk refuses.
pub(super) fn clear(folder: &Path) -> Result<(), RunError> {
    if RunDir::check_free(folder).is_ok() {
        return Ok(());
    }
    let _lock = FolderLock::take(folder)?;
    let aside = (1..).map(|n| folder.with_extension(format!("unfinished-{n}"))).find(|path| !path.exists());
    let Some(aside) = aside else { return Ok(()) };
    Ok(std::fs::rename(folder, &aside).map_err(|e| FileError::writing(&aside, e))?)
}

impl Sweep {
    /// Refuses folders that hold a run of other settings or on other data, or no run.
    pub(super) fn check_folders(&self, out: &Path, observer: &dyn Observer) -> Result<(), SweepError> {
        let (mut sizes, mut prints) = (HashMap::new(), Prints::new(self.task, observer));
        for (index, cell) in self.cells.iter().enumerate() {
            let folder = folder(out, index);
            if RunDir::check_free(&folder).is_ok() {
                continue;
            }
            if RunDir::open_unfinished(&folder).is_err() {
                return Err(SweepError::Taken { folder, number: index + 1 });
            }
            let state = found(&folder).map_err(TrainError::from);
            let differences = state.and_then(|state| self.differences(cell, &folder, &state, &mut sizes));
            let differences = differences
                .map_err(|source| SweepError::Unreadable { folder: folder.clone(), source: Box::new(source) })?;
            if !differences.is_empty() {
                let (number, differences) = (index + 1, differences.join(", "));
                return Err(SweepError::OtherSettings { folder, number, differences });
            }
            self.check_data(index + 1, &cell.settings, out, &mut prints)?;
        }
        self.earlier(out)
            .iter()
            .try_for_each(|(number, cell, _)| self.check_data(*number, &cell.settings, out, &mut prints))
    }

    /// Refuses a run on other data than its settings give now.
    fn check_data(
        &self,
        number: usize,
        settings: &toml::Table,
        out: &Path,
        prints: &mut Prints<'_>,
    ) -> Result<(), SweepError> {
        let folder = folder(out, number - 1);
        let changes = self.resolve(settings.clone()).map_err(TrainError::from);
        let changes = changes.and_then(|settings| prints.changes(&folder, &settings));
        match changes.map_err(|source| SweepError::Unreadable { folder: folder.clone(), source: Box::new(source) })? {
            changes if changes.is_empty() => Ok(()),
            changes => Err(SweepError::OtherData { folder, number, changes: changes.join("; ") }),
        }
    }

    /// Runs in `out` with numbers above those of this sweep: number, settings of the same keys, state.
    pub(super) fn earlier(&self, out: &Path) -> Vec<(usize, SweepRun, SweepRunState)> {
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<usize>().ok();
        let mut numbers: Vec<usize> =
            std::fs::read_dir(out).into_iter().flatten().flatten().filter_map(number).collect();
        numbers.sort_unstable();
        let cell = |number: usize| {
            let folder = folder(out, number - 1);
            let state = found(&folder)
                .ok()
                .filter(|state| matches!(state, SweepRunState::Done(_) | SweepRunState::Diverged))?;
            let settings = self.kept(&folder.join("config.toml")).ok()?;
            let keys = self.cells.iter().flat_map(|cell| cell.own.keys());
            let own: toml::Table = keys.filter_map(|key| Some((key.clone(), settings.get(key)?.clone()))).collect();
            Some((number, SweepRun { name: super::run::name(&own), own, settings }, state))
        };
        numbers.into_iter().filter(|&number| number > self.cells.len()).filter_map(cell).collect()
    }

    /// Differences between the settings of the run in `folder` and those of a row.
    fn differences(
        &self,
        cell: &SweepRun,
        folder: &Path,
        state: &SweepRunState,
        sizes: &mut HashMap<Option<PathBuf>, String>,
    ) -> Result<Vec<String>, TrainError> {
        if *state == SweepRunState::Begins {
            return Ok(vec![]);
        }
        let (old, mut new) = (self.kept(&folder.join("config.toml"))?, self.resolved(&cell.settings)?);
        if let Some(size) = new.get_mut("image_size").filter(|size| size.as_str() == Some("auto")) {
            *size = self.decided_size(cell, sizes)?.into();
        }
        // The settings of a run hold the values that `auto` stood for: those of the weights that it started from, or of its images.
        if new.get("normalize").is_some_and(|value| value.as_str() == Some("auto")) {
            let starts = ["init", "pretrained"].iter().any(|key| new.contains_key(*key));
            let of_weights = old.get("normalize").filter(|_| starts).cloned();
            new.insert("normalize".into(), of_weights.unwrap_or_else(|| "dataset".into()));
        }
        let counts = |key: &str| {
            let [before, now] = [&old, &new].map(|table| table.get(key).and_then(toml::Value::as_str));
            // An unfinished run may be resumed to another number of epochs. A device without f16 trains in f32.
            let is_allowed = (key == "epochs" && matches!(state, SweepRunState::Paused(_)))
                || (key == "precision" && (before, now) == (Some("f32"), Some("f16")));
            !settings::is_ignored(self.task.settings(), SettingComparison::Sweep, key) && !is_allowed
        };
        let differ = settings::differences(&old, &new, counts);
        let line = |Difference { key, before, now }: Difference| format!("{key} is {before} there and {now} here");
        Ok(differ.into_iter().map(line).collect())
    }

    /// The image size that the data of a run decides. Runs on the same data have the same size.
    fn decided_size(
        &self,
        cell: &SweepRun,
        sizes: &mut HashMap<Option<PathBuf>, String>,
    ) -> Result<String, TrainError> {
        let settings = self.resolve(cell.settings.clone())?;
        let data = settings.common.data.clone();
        if let Some(size) = sizes.get(&data) {
            return Ok(size.clone());
        }
        let size = self.task.samples(&settings)?.size.to_string();
        sizes.insert(data, size.clone());
        Ok(size)
    }

    /// All settings of a run, defaults included.
    fn resolved(&self, settings: &toml::Table) -> Result<toml::Table, ConfigError> {
        Ok(toml::from_str(&self.resolve(settings.clone())?.toml).unwrap_or_default())
    }

    /// All settings in the `config.toml` of a run.
    fn kept(&self, path: &Path) -> Result<toml::Table, ConfigError> {
        Ok(toml::from_str(&self.task.resolve(&Given::of_file(path))?.toml).unwrap_or_default())
    }
}
