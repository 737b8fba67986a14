//! The data of the runs in a sweep's folder, compared with the current data as on resuming a run.

use std::path::Path;

use crate::run::resume::Header;
use crate::run::{DataPrint, RunDir};
use crate::tasks::Task;
use crate::train::settings::{Resolved, SettingComparison, is_ignored};
use crate::train::{Observer, TrainError};

/// Fingerprints of the current data, by the settings that it is read with.
pub(super) struct Prints<'a> {
    task: &'static dyn Task,
    observer: &'a dyn Observer,
    known: Vec<(toml::Table, DataPrint)>,
}

impl<'a> Prints<'a> {
    /// No fingerprints yet. `observer` receives the progress of reading.
    pub fn new(task: &'static dyn Task, observer: &'a dyn Observer) -> Self {
        Prints { task, observer, known: vec![] }
    }

    /// Differences between the data of the run in `folder` and the current data of its settings; empty for a run
    /// without a record of its data.
    ///
    /// # Errors
    /// When the data cannot be read.
    pub fn changes(&mut self, folder: &Path, settings: &Resolved) -> Result<Vec<String>, TrainError> {
        let Some(before) = recorded(folder) else { return Ok(vec![]) };
        Ok(before.changes(self.now(settings)?))
    }

    fn now(&mut self, settings: &Resolved) -> Result<&DataPrint, TrainError> {
        let all: toml::Table = toml::from_str(&settings.toml).unwrap_or_default();
        let of_data = |key: &str| !is_ignored(settings.declared, SettingComparison::Data, key);
        let key: toml::Table = all.into_iter().filter(|(key, _)| of_data(key)).collect();
        let at = match self.known.iter().position(|(known, _)| *known == key) {
            Some(at) => at,
            None => {
                let print = self.task.read(settings, self.observer)?.print(&settings.common);
                self.known.push((key, print));
                self.known.len() - 1
            }
        };
        Ok(&self.known[at].1)
    }
}

/// The fingerprint that a run recorded.
fn recorded(folder: &Path) -> Option<DataPrint> {
    let run = RunDir::open_unfinished(folder).ok()?;
    Header::read(&run.state_path()).origin.data.or_else(|| run.read_facts().ok().flatten()?.data)
}
