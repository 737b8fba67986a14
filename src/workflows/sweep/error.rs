//! Errors of a sweep.

use std::path::PathBuf;

use super::MAX_RUNS;
use crate::interop::files::FileError;
use crate::ranks::RankError;
use crate::run::RunError;
use crate::train::TrainError;
use crate::train::settings::ConfigError;

/// Why a sweep cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not describe a sweep.
    #[error("{}: {problem}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The fault, and the expectation.
        problem: String,
    },
    /// More runs than a sweep may have.
    #[error("{}: {runs} runs are more than {MAX_RUNS}: run a sample of them", path.display())]
    TooManyRuns {
        /// The file.
        path: PathBuf,
        /// Requested runs.
        runs: usize,
    },
    /// Ranks cannot run the sweep together.
    #[error(transparent)]
    Ranks(#[from] RankError),
    /// The system starts no thread.
    #[error("cannot start the thread that trains: {0}; end other programs and try again")]
    NoThread(std::io::Error),
    /// A folder cannot be locked, or a table cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file of another kind has the name of the sweep's table.
    #[error("{} is not the table of a sweep, and the sweep would replace it: choose another folder, or move it away", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A run's settings are wrong.
    #[error("run {number} ({cell}): {source}")]
    Cell {
        /// Its number, from 1.
        number: usize,
        /// Its settings.
        cell: String,
        /// The fault.
        source: ConfigError,
    },
    /// A folder of the sweep holds something else.
    #[error("{} holds no run, and run {number} needs this folder: choose another folder for the sweep, or move it away", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// Number of the run, from 1.
        number: usize,
    },
    /// A folder of the sweep holds a run of other settings.
    #[error(
        "{} holds a run that is not run {number} of this sweep: {differences}; \
         choose another folder for the sweep, or the settings that the run was trained with", folder.display()
    )]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// Number of the run, from 1.
        number: usize,
        /// The settings that differ, with both values.
        differences: String,
    },
    /// A folder of the sweep holds a run on other data: its score does not compare with those of the others.
    #[error(
        "{} holds run {number} of this sweep on other data: {changes}; choose another folder for the sweep, or give the data \
         as it was", folder.display()
    )]
    OtherData {
        /// The folder.
        folder: PathBuf,
        /// Number of the run, from 1.
        number: usize,
        /// What differs.
        changes: String,
    },
    /// A run found in the sweep's folder cannot be read.
    #[error("{}: {source}; choose another folder for the sweep, or move it away", folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: Box<TrainError>,
    },
    /// Runs failed, other than by diverging. The table holds the others.
    #[error("{failed} of {of} runs failed; run {number} ({cell}): {reason}")]
    Failed {
        /// Number of failed runs.
        failed: usize,
        /// Number of runs in the table.
        of: usize,
        /// Number of the first of them, from 1.
        number: usize,
        /// Its settings.
        cell: String,
        /// Why it failed.
        reason: String,
    },
}
