//! `sweep.json`: the rows of a sweep as numbers, beside its tables of text.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::RunError;
use super::score::Score;
use crate::interop::files::{read_text, write_atomic};

/// Name of the file.
pub(crate) const SWEEP_FACTS: &str = "sweep.json";

/// Contents of `sweep.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepFacts {
    /// The score that orders the rows; `None`: the validation loss.
    pub score: Option<Score>,
    /// The rows, the best mean first.
    pub rows: Vec<SweepRowFacts>,
    /// The first rows whose order may be chance, if there are two or more.
    pub within_chance: Option<WithinChance>,
}

/// Runs that differ only in the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepRowFacts {
    /// The settings, without the seed.
    pub settings: BTreeMap<String, String>,
    /// Best score of each run; `None` for a run that diverged or failed.
    pub scores: Vec<Option<f64>>,
    /// Epoch of the best score of each run.
    pub epochs: Vec<u32>,
    /// Names of the folders.
    pub runs: Vec<String>,
    /// Largest standard error of a run's score, if known.
    pub standard_error: Option<f64>,
}

/// Rows that differ from the first by less than two standard errors of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct WithinChance {
    /// Number of rows, including the first.
    pub rows: usize,
    /// Two standard errors of a difference.
    pub difference: f64,
}

impl WithinChance {
    /// The rows within chance, in words.
    pub fn text(self, score: &Score) -> String {
        format!(
            "Rows 1 to {} differ by less than two standard errors of a difference ({}): their order may be chance.",
            self.rows,
            score.format_difference(self.difference)
        )
    }
}

impl SweepFacts {
    /// The facts in a folder; `None` for a sweep of an earlier version.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&read_text(&folder.join(SWEEP_FACTS), 1 << 26).ok()?).ok()
    }

    /// Writes them into a folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), RunError> {
        Ok(write_atomic(&folder.join(SWEEP_FACTS), |w| serde_json::to_writer_pretty(w, self).map_err(Into::into))?)
    }
}
