//! The settings of any task, read and checked.

use std::path::Path;
use std::sync::Arc;

use super::common::TrainSettings;
use super::error::ConfigError;
use super::read::{self, TaskSettings};
use crate::ranks::{Alone, Ranks};
use crate::setting::Setting;

/// The settings of any task, validated.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings that all tasks share.
    pub common: TrainSettings,
    /// The declarations of all settings.
    pub declared: &'static [Setting],
    /// All settings, by key.
    pub table: toml::Table,
    /// All settings as the `config.toml` of a run.
    pub toml: String,
    /// The processes that train together; by default only this one.
    pub ranks: Arc<dyn Ranks>,
}

impl Resolved {
    /// The settings of a task.
    ///
    /// # Errors
    /// A value out of range, or a path that TOML cannot hold.
    pub fn of<S: TaskSettings>(config: &S) -> Result<Self, ConfigError> {
        config.validate()?;
        let toml = config.to_toml()?;
        let table = toml::Table::try_from(config).map_err(ConfigError::NoToml)?;
        Ok(Resolved { common: config.settings(), declared: S::SETTINGS, table, toml, ranks: Arc::new(Alone(0)) })
    }

    /// The settings as the type that a task declares.
    ///
    /// # Errors
    /// When they are those of another task.
    pub fn read<S: TaskSettings>(&self) -> Result<S, ConfigError> {
        read::read_table(&self.table, Path::new("the settings"))
    }
}
