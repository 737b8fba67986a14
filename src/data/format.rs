//! What a format of data sets is: [`Format`], and the evidence by which a folder is recognized.

use std::fmt;
use std::path::Path;

use super::DataError;

/// A format of data sets.
pub(crate) trait Format: Sync {
    /// The opened form of a set of this format.
    type Opened;
    type Options;

    /// Its name, for people.
    fn name(&self) -> &'static str;

    /// The files and folders that make it out, for the table of formats.
    fn looks_for(&self) -> &'static str;

    /// What in `root` speaks for the format; `None` where nothing does. It looks at names and first lines alone.
    ///
    /// # Errors
    /// Where a folder cannot be listed or a list cannot be read.
    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError>;

    /// Opens the set at `root`.
    ///
    /// # Errors
    /// What is wrong with it as a set of this format.
    fn open(&self, root: &Path, options: &Self::Options) -> Result<Self::Opened, DataError>;
}

/// How sure it is that a folder is of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing speaks against it; the last resort.
    Possible,
    /// Names of files and folders say so.
    Likely,
    /// It has files that no other format has.
    Certain,
}

/// What speaks for a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How sure it is.
    pub confidence: Confidence,
    /// Files and folders that were found, relative to the root.
    pub seen: Vec<String>,
}

impl Evidence {
    pub(crate) fn new<S: Into<String>>(confidence: Confidence, seen: impl IntoIterator<Item = S>) -> Self {
        Self { confidence, seen: seen.into_iter().map(Into::into).collect() }
    }

    /// Files that no other format has.
    pub(crate) fn certain<S: Into<String>>(seen: impl IntoIterator<Item = S>) -> Self {
        Self::new(Confidence::Certain, seen)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen.join(", "))
    }
}
