//! Errors of settings: the file, the key, the value and the expected range.

use std::path::PathBuf;

use thiserror::Error;

use crate::interop::files::FileError;

/// Origin of a setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// A config file.
    File(PathBuf),
    /// Set in code, or the default.
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
        /// Line, column and what was expected there.
        source: Box<toml::de::Error>,
    },
    /// The config file has a key that no setting has.
    #[error("{}: unknown key `{key}`{} Known keys: {}",
        path.display(), did_you_mean(*nearest), keys.join(", "))]
    UnknownKey {
        /// The config file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The known key most like it, when one is.
        nearest: Option<&'static str>,
        /// All known keys.
        keys: &'static [&'static str],
    },
    /// The settings have no form as TOML, so that the run could not be repeated from its `config.toml`.
    #[error("the settings cannot be kept in a config.toml: {0}; give paths that are valid Unicode")]
    NoToml(toml::ser::Error),
    /// A flag's value cannot be kept in a config file, such as a path that is not valid Unicode.
    #[error("--{} {value}: {problem}", key.replace('_', "-"))]
    Flag {
        /// The setting's key.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// A value is out of range.
    #[error("{}: {}{expected}", describe(key, value, origin), if expected.starts_with(super::NO_EFFECT) { "" } else { "expected " })]
    Value {
        /// The setting's key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Origin of the value.
        origin: Origin,
        /// The accepted values.
        expected: &'static str,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ".".into(), |key| format!(": did you mean `{key}`?"))
}

/// The parser's message, with words for Rust's type names.
fn in_words(error: &toml::de::Error) -> String {
    let message = error.to_string();
    let message = message.trim_end().replace("expected f64", "expected a number");
    ["expected usize", "expected u64"]
        .iter()
        .fold(message, |text, name| text.replace(name, "expected a whole number, 0 or more"))
}

fn describe(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::Flag => format!("--{} {value}", key.replace('_', "-")),
        Origin::File(path) => format!("{}: {key} = {value}", path.display()),
        Origin::Code => format!("{key} = {value}"),
    }
}
