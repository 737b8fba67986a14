//! The settings of a task as a trait, and how they are read: given settings override a file, and a file overrides
//! defaults.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::common::TrainSettings;
use super::error::{ConfigError, Origin};
use super::rule::Rule;
use crate::interop::files::read_text;
use crate::run::RunDir;
use crate::run::resume::Header;
use crate::setting::Setting;
use crate::text::nearest;

/// A config file is a page of text; anything longer is a mistaken path.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Values of settings by key, and their origin.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Settings given directly, such as by flags: they win over the file.
    pub settings: toml::Table,
    /// Config file.
    pub config: Option<PathBuf>,
    /// A table and where it was read, instead of the two above.
    pub table: Option<(toml::Table, PathBuf)>,
}

impl Given {
    /// The settings in a table; `path` is where it was read, for errors.
    pub fn of_table(table: toml::Table, path: &Path) -> Self {
        Given { table: Some((table, path.to_owned())), ..Given::default() }
    }

    /// The settings in a config file.
    pub fn of_file(path: &Path) -> Self {
        Given { config: Some(path.to_owned()), ..Given::default() }
    }

    /// Where the value of a setting comes from. A file that cannot be read has no settings.
    pub fn origin(&self, key: &str) -> Origin {
        if self.settings.contains_key(key) {
            return Origin::Given;
        }
        let in_file = |path: &Path| {
            let table =
                read_text(path, MAX_CONFIG_BYTES).ok().and_then(|text| toml::from_str::<toml::Table>(&text).ok());
            table.is_some_and(|table| table.contains_key(key))
        };
        match (&self.table, &self.config) {
            (Some((table, path)), _) if table.contains_key(key) => Origin::File(path.clone()),
            (None, Some(path)) if in_file(path) => Origin::File(path.clone()),
            _ => Origin::Code,
        }
    }
}

/// The settings of a task, as [`task_settings!`](crate::task_settings) declares them.
pub trait TaskSettings: Default + Clone + Serialize + DeserializeOwned {
    /// Name of the task.
    const TASK: &'static str;
    /// Every key that a config file may hold.
    const KEYS: &'static [&'static str];
    /// Every setting.
    const SETTINGS: &'static [Setting];

    /// The settings that all tasks share.
    fn settings(&self) -> TrainSettings;

    /// Checks the ranges of the task's own settings.
    ///
    /// # Errors
    /// The first value that is out of range.
    fn check_values(&self, rule: Rule<'_>) -> Result<(), ConfigError>;

    /// The settings, with the defaults that depend on other settings written out.
    fn with_defaults(self) -> Self;

    /// The settings without the run to resume, as a run keeps them.
    fn without_resume(self) -> Self;

    /// The validated settings: those given directly, else those of the config file, else the defaults.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, a wrong type, or a value out of range.
    fn resolve(given: &Given) -> Result<Self, ConfigError> {
        resolve(given)
    }

    /// The settings in a TOML file, such as a run folder's `config.toml`, over the defaults.
    ///
    /// # Errors
    /// As [`TaskSettings::resolve`].
    fn from_file(path: &Path) -> Result<Self, ConfigError> {
        Self::resolve(&Given::of_file(path))
    }

    /// The settings in a table over the defaults; `path` is where the table was read, for errors.
    ///
    /// # Errors
    /// As [`TaskSettings::resolve`].
    fn from_table(table: &toml::Table, path: &Path) -> Result<Self, ConfigError> {
        Self::resolve(&Given::of_table(table.clone(), path))
    }

    /// Checks the range of every value, for settings made in code.
    ///
    /// # Errors
    /// The first value that is out of range.
    fn validate(&self) -> Result<(), ConfigError> {
        check(self, |_| Origin::Code)
    }

    /// The settings as a TOML file that [`Given::config`] reads back to the same settings.
    ///
    /// # Errors
    /// A path that is not Unicode, which TOML cannot hold.
    fn to_toml(&self) -> Result<String, ConfigError> {
        to_toml(self)
    }
}

/// The validated settings: those given directly, else those of the config file, else the defaults. A resumed run has
/// its own file.
pub(super) fn resolve<S: TaskSettings>(given: &Given) -> Result<S, ConfigError> {
    if let Some((table, path)) = &given.table {
        return from_table(table, path);
    }
    let path_of = |key: &str| given.settings.get(key).and_then(toml::Value::as_str).map(PathBuf::from);
    let resume = path_of("resume");
    let own = ["out", "init", "pretrained"].map(|key| (key, given.settings.get(key).map(value_text)));
    let config = ("config", given.config.as_ref().map(|path| path.display().to_string()));
    refuse_beside_resume(&resume, std::iter::once(config).chain(own))?;
    let path = resume.as_ref().map(|run| run.join("config.toml")).or(given.config.clone());
    let file = match (&resume, &path) {
        (Some(run), Some(path)) => read_resumed::<S>(run, path)?,
        (_, path) => path.as_deref().map(read_file::<S>).transpose()?.unwrap_or_default(),
    };
    let mut merged = file.clone();
    merged.extend(given.settings.clone());
    if let Some(run) = path_of("resume") {
        merged.insert("out".into(), text_of(&run));
    }
    let config: S = read_table(&merged, path.as_deref().unwrap_or(Path::new("the settings")))?;
    let config = config.with_defaults();
    check(&config, |key| match &path {
        _ if given.settings.contains_key(key) => Origin::Given,
        Some(path) if file.contains_key(key) => Origin::File(path.clone()),
        _ => Origin::Code,
    })?;
    Ok(config)
}

/// The settings in a table over the defaults, validated; `path` is where the table was read, for errors.
fn from_table<S: TaskSettings>(table: &toml::Table, path: &Path) -> Result<S, ConfigError> {
    check_keys(table, path, S::KEYS)?;
    let config = read_table::<S>(table, path)?.with_defaults();
    check(&config, |key| match table.contains_key(key) {
        true => Origin::File(path.to_owned()),
        false => Origin::Code,
    })?;
    Ok(config)
}

/// Checks the range of every value.
pub(super) fn check<S: TaskSettings>(config: &S, origin: impl Fn(&str) -> Origin) -> Result<(), ConfigError> {
    let rule = Rule::of(&origin);
    config.settings().check(rule)?;
    config.check_values(rule)
}

/// Settings as the `config.toml` of a run.
pub(super) fn to_toml<S: TaskSettings>(config: &S) -> Result<String, ConfigError> {
    // Strings, numbers and booleans always have a TOML form, except a path that is not Unicode and an integer above
    // i64::MAX, which `check` refuses.
    let body = toml::to_string(&config.clone().without_resume().with_defaults()).map_err(ConfigError::NoToml)?;
    Ok(format!(
        "# Settings of this run: defaults, then the config file, then flags.\n\
         # To repeat it: shadegrad train {} --config THIS_FILE --out NEW_FOLDER\n\n{body}",
        S::TASK
    ))
}

/// The task in the remark at the start of a `config.toml`; see [`to_toml`].
fn task_in(text: &str) -> Option<String> {
    let remarks = text.lines().take_while(|line| line.starts_with('#'));
    let command = remarks.into_iter().find_map(|line| line.split_once("shadegrad train "))?.1;
    command.split_whitespace().next().map(str::to_owned)
}

/// A value as a person writes it: text without quotes.
fn value_text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text_of(path: &Path) -> toml::Value {
    path.to_string_lossy().into_owned().into()
}

/// The table in a TOML file. Bad TOML, an unknown key (the nearest known one is suggested) and a value of the wrong type are
/// refused.
fn read_file<S: TaskSettings>(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = read_text(path, MAX_CONFIG_BYTES)?;
    let bad_toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
    let table: toml::Table = toml::from_str(&text).map_err(bad_toml)?;
    check_keys(&table, path, S::KEYS).map_err(|error| of_other_task(error, task_in(&text), S::TASK))?;
    // Types are checked on the text, since only an error of the text has a line number.
    toml::from_str::<S>(&text).map_err(bad_toml)?;
    Ok(table)
}

/// The refusal of a key in the file of a run of another task.
fn of_other_task(error: ConfigError, task: Option<String>, expected: &'static str) -> ConfigError {
    match (error, task) {
        (ConfigError::UnknownKey { path, key, .. }, Some(task)) if task != expected => {
            ConfigError::ConfigOfOtherTask { path, task, expected, key }
        }
        (error, _) => error,
    }
}

/// The settings of a resumed run: its file, over the settings that its state has. The state replaces the settings that
/// a damaged file lacks: a file that is cut off, or is not TOML.
fn read_resumed<S: TaskSettings>(run: &Path, path: &Path) -> Result<toml::Table, ConfigError> {
    if let Some(task) =
        read_text(path, MAX_CONFIG_BYTES).ok().and_then(|text| task_in(&text)).filter(|task| task != S::TASK)
    {
        return Err(ConfigError::OtherTask { run: run.to_owned(), task, expected: S::TASK });
    }
    let kept = RunDir::to_resume(run)
        .map(|run| Header::read(&run.state_path()))
        .unwrap_or_default()
        .origin
        .settings
        .and_then(|text| toml::from_str::<toml::Table>(&text).ok());
    let Some(mut settings) = kept else {
        RunDir::open_unfinished(run).map_err(|error| ConfigError::Run(Box::new(error)))?;
        return read_file::<S>(path);
    };
    settings.retain(|key, _| S::KEYS.contains(&key));
    match read_file::<S>(path) {
        Ok(file) => settings.extend(file),
        Err(ConfigError::Toml { .. } | ConfigError::File(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(settings)
}

/// A table as a value of a type.
pub(super) fn read_table<T: DeserializeOwned>(table: &toml::Table, path: &Path) -> Result<T, ConfigError> {
    let bad_toml = |source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) };
    table.clone().try_into().map_err(bad_toml)
}

/// Refuses settings that a resumed run would ignore: key and value of each. Its folder may be named.
fn refuse_beside_resume(
    resume: &Option<PathBuf>,
    settings: impl Iterator<Item = (&'static str, Option<String>)>,
) -> Result<(), ConfigError> {
    let Some(run) = resume else { return Ok(()) };
    let ignored = |key: &str, value: &str| key != "out" || Path::new(value) != run;
    let mut given = settings.filter_map(|(key, value)| value.map(|value| (key, value)));
    let Some((key, value)) = given.find(|(key, value)| ignored(key, value)) else { return Ok(()) };
    Err(ConfigError::BesideResume { key, value })
}

/// Refuses a key that no setting has.
fn check_keys(table: &toml::Table, path: &Path, keys: &'static [&'static str]) -> Result<(), ConfigError> {
    let Some(key) = table.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let (path, key, nearest) = (path.to_owned(), key.clone(), nearest_key(key, keys));
    Err(ConfigError::UnknownKey { path, key, nearest, keys })
}

/// The known key most similar to `key`, if any is similar.
fn nearest_key(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let written = key.to_lowercase().replace('-', "_");
    // Common long names whose letters are not similar to those of the setting.
    match written.as_str() {
        "learning_rate" => return Some("lr"),
        "workers" | "num_workers" | "threads" => return Some("loader_threads"),
        _ => {}
    }
    nearest(&written, known.iter().copied())
}
