//! Why settings cannot be used: the file, the key, the value, and the expected values.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::interop::files::FileError;
use crate::run::RunError;
use crate::text::{nearest, one_of};

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Given directly, over the config file.
    Given,
    /// A config file.
    File(PathBuf),
    /// Set in code or left at its default.
    Code,
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The config file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The config file is not TOML, or a value in it has the wrong type.
    #[error("{}: {}", path.display(), in_words(source))]
    Toml {
        /// The config file.
        path: PathBuf,
        /// Line, column and the expectation there.
        source: Box<toml::de::Error>,
    },
    /// The config file has a key that is not a setting.
    #[error("{}: unknown key `{key}`{} Known keys: {}",
        path.display(), did_you_mean(*nearest), keys.join(", "))]
    UnknownKey {
        /// The config file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The most similar known key, if any is similar.
        nearest: Option<&'static str>,
        /// All known keys.
        keys: &'static [&'static str],
    },
    /// The run to resume is of another task.
    #[error("{}: is a run of the task `{task}`, not of `{expected}`; resume it as {task}", run.display())]
    OtherTask {
        /// The run.
        run: PathBuf,
        /// Its task.
        task: String,
        /// The task that resumes it.
        expected: &'static str,
    },
    /// The config file has the settings of a run of another task.
    #[error("{}: has the settings of the task `{task}`, and `{expected}` has no setting `{key}`; use the file for {task}, or remove the key", path.display())]
    ConfigOfOtherTask {
        /// The config file.
        path: PathBuf,
        /// Its task.
        task: String,
        /// The task of the command.
        expected: &'static str,
        /// A key that is not a setting of this task.
        key: String,
    },
    /// The folder of the run to resume is not a run.
    #[error(transparent)]
    Run(Box<RunError>),
    /// The settings have no form as TOML, so that the run could not be repeated from its `config.toml`.
    #[error("the settings cannot be kept in a config.toml: {0}; give paths that are valid Unicode")]
    NoToml(toml::ser::Error),
    /// A value that a config file cannot hold, such as a path that is not valid Unicode.
    #[error("{key} = {value}: {problem}")]
    NotKept {
        /// The setting's key.
        key: String,
        /// Its value.
        value: String,
        /// The fault, and the expectation.
        problem: String,
    },
    /// A value is outside the range that makes sense.
    #[error("{}: expected {expected}", describe(key, value, origin))]
    Value {
        /// The setting's key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Where the value came from.
        origin: Origin,
        /// The accepted values.
        expected: &'static str,
    },
    /// A setting that changes nothing beside the others.
    #[error("{key} = {value}: no effect {needs}")]
    NoEffect {
        /// The setting's key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The condition for an effect.
        needs: Needs,
    },
    /// A setting that a resumed run ignores, because it has its own.
    #[error("{key} = {value}: a resumed run keeps its own folder, weights and config.toml; remove `{key}`")]
    BesideResume {
        /// The setting's key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// The condition under which a setting has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The setting of this key has one of these values.
    OneOf(&'static str, &'static [&'static str]),
    /// The setting of this key is not given.
    Unset(&'static str),
    /// The setting of one of these keys is given.
    Set(&'static [&'static str]),
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needs::OneOf(key, values) => write!(f, "without {key} = {}", one_of(values)),
            Needs::Unset(key) => write!(f, "beside `{key}`"),
            Needs::Set(keys) => write!(f, "without {}", one_of(keys)),
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ".".into(), |key| format!(": did you mean `{key}`?"))
}

/// The parser's message, with words for Rust's type names.
pub(crate) fn in_words(error: &toml::de::Error) -> String {
    let message = error.to_string();
    let message = message.trim_end().replace("expected f64", "expected a number");
    let message = ["expected usize", "expected u64"]
        .iter()
        .fold(message, |text, name| text.replace(name, "expected a whole number, 0 or more"));
    match slip(&message) {
        Some(meant) => format!("{message}; did you mean `{meant}`?"),
        None => message,
    }
}

/// The name that was probably meant, from a message about a name that a choice or a table lacks: "unknown variant
/// `adamm`, expected one of `adam`, `sgd`".
fn slip(message: &str) -> Option<&str> {
    let names = ["unknown variant ", "unknown field "].iter().find_map(|start| message.split_once(start))?.1;
    let mut names = names.split('`').skip(1).step_by(2);
    let written = names.next()?;
    nearest(written, names)
}

fn describe(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::File(path) => format!("{}: {key} = {value}", path.display()),
        Origin::Given | Origin::Code => format!("{key} = {value}"),
    }
}
