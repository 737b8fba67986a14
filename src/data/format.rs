//! The interface of a data format, [`Format`], and the evidence that recognizes a folder.

use std::fmt;
use std::path::Path;

use super::DataError;

/// A data format.
pub(crate) trait Format: Sync {
    /// The opened form of a set of this format.
    type Opened;
    type Options;

    /// Name of the format.
    fn name(&self) -> &'static str;

    /// The files and folders that it is recognized by, for the table of formats.
    fn looks_for(&self) -> &'static str;

    /// Whether hints about columns select the format.
    fn has_columns(&self) -> bool {
        false
    }

    /// The evidence in `root` for the format; `None` without any. Only names and first lines are read.
    ///
    /// # Errors
    /// Where a folder or a list cannot be read.
    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError>;

    /// Opens the set at `root`.
    ///
    /// # Errors
    /// Faults of the set in this format.
    fn open(&self, root: &Path, options: &Self::Options) -> Result<Self::Opened, DataError>;
}

/// Strength of the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// No evidence against the format: the last resort.
    Possible,
    /// Names of files and folders fit.
    Likely,
    /// Evidence by files that no other format has.
    Certain,
}

/// The evidence for a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its strength.
    pub confidence: Confidence,
    /// Files and folders that were found, relative to the root.
    pub seen: Vec<String>,
}

impl Evidence {
    pub(crate) fn new<S: Into<String>>(confidence: Confidence, seen: impl IntoIterator<Item = S>) -> Self {
        Self { confidence, seen: seen.into_iter().map(Into::into).collect() }
    }

    /// Evidence by files that no other format has.
    pub(crate) fn certain<S: Into<String>>(seen: impl IntoIterator<Item = S>) -> Self {
        Self::new(Confidence::Certain, seen)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen.join(", "))
    }
}
