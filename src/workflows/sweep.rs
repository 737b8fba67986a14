//! Many runs of one task over settings: a list of rows, a grid, or a sample of the grid. Each run has a folder in the
//! sweep's folder. Finished runs are skipped, so an interrupted sweep continues where it stopped.

mod data;
mod epochs;
mod error;
mod folder;
mod grid;
mod halving;
mod over_ranks;
mod run;
mod table;
mod training;

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use crate::interop::files::{FileError, read_text};
use crate::ranks::{Alone, Ranks};
use crate::run::history::EpochRow;
use crate::run::{FolderLock, Score};
use crate::tasks::{self, Task};
use crate::train::settings::{ConfigError, Given, Resolved, in_words};
use crate::train::{Observer, TrainError};

pub use error::SweepError;
use folder::{clear, folder, found};
pub use run::SweepRun;
use run::{SEED, by_seed};
pub use table::{SweepRow, SweepTable};

/// Largest number of runs of a sweep. A larger grid needs a sample.
const MAX_RUNS: usize = 100_000;

/// A sweep as its file describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepFile {
    /// Name of the task.
    pub task: String,
    /// Settings of every run.
    #[serde(default)]
    pub base: toml::Table,
    /// Runs, each with its settings.
    #[serde(default)]
    pub run: Vec<toml::Table>,
    /// Lists of values; every combination is a run.
    #[serde(default)]
    pub grid: BTreeMap<String, Vec<toml::Value>>,
    /// Seeds: every run once for each. The table gives mean and standard deviation.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// Successive halving: after each part of the epochs, the best run in `halving` continues. 0 switches it off.
    #[serde(default)]
    pub halving: usize,
}

/// Receives the reports of a sweep.
pub trait SweepObserver {
    /// A run begins, or was done before: its number from 1, the number of runs, its settings, its state.
    fn run(&self, number: usize, of: usize, cell: &str, state: &SweepRunState);
    /// Receives the reports of each run.
    fn steps(&self) -> &dyn Observer;
}

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum SweepRunState {
    /// It begins now.
    Begins,
    /// It is done.
    Done(Vec<EpochRow>),
    /// It was stopped after some epochs, because others were better.
    Paused(Vec<EpochRow>),
    /// It ended with a value that is not finite.
    Diverged,
    /// It failed otherwise, for this reason. The next start of the sweep tries it again.
    Failed(String),
}

/// A sweep: its task and its runs.
#[derive(Clone)]
pub struct Sweep {
    task: &'static dyn Task,
    path: PathBuf,
    /// The runs.
    pub cells: Vec<SweepRun>,
    /// Successive halving: after each part of the epochs, the best run in `halving` continues. 0 switches it off.
    pub halving: usize,
}

impl Sweep {
    /// Reads a sweep. `sample` draws that number of its runs, by `seed`.
    ///
    /// # Errors
    /// When the file cannot be read, or the settings of any run are wrong.
    pub fn read(path: &Path, sample: Option<usize>, seed: u64) -> Result<Self, SweepError> {
        Self::parse_sample(&read_text(path, 1 << 20)?, path, sample, seed)
    }

    /// A sweep from its text. Errors name `path`.
    ///
    /// # Errors
    /// When the text does not describe a sweep, or the settings of any run are wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SweepError> {
        Self::parse_sample(text, path, None, 0)
    }

    /// As [`Self::parse`], for a sample. Only its runs are made, because a grid can have more runs than memory holds.
    fn parse_sample(text: &str, path: &Path, sample: Option<usize>, seed: u64) -> Result<Self, SweepError> {
        let bad = |problem: String| SweepError::Bad { path: path.to_owned(), problem };
        let file: SweepFile = toml::from_str(text).map_err(|e| bad(in_words(&e)))?;
        let task = tasks::task(&file.task).map_err(|e| bad(format!("task = {:?}: {e}", file.task)))?;
        let size = grid::size(&file.grid).and_then(|size| size.checked_add(file.run.len()));
        let runs = size.ok_or_else(|| bad(format!("the grid has more than {} runs", usize::MAX)))?;
        if runs == 0 {
            return Err(bad("there is no run: give [[run]] tables, or a [grid] of lists".into()));
        }
        let taken = sample.unwrap_or(runs).min(runs);
        let all = taken.saturating_mul(file.seeds.len().max(1));
        if all > MAX_RUNS {
            return Err(SweepError::TooManyRuns { path: path.to_owned(), runs: all });
        }
        let seeded = file.run.iter().any(|row| row.contains_key(SEED)) || file.grid.contains_key(SEED);
        if seeded && !file.seeds.is_empty() {
            return Err(bad("`seeds` beside a run or a grid with `seed`: give one of them".into()));
        }
        if let Some(seed) = repeated(&file.seeds) {
            return Err(bad(format!("`seeds` has {seed} twice: equal runs show no deviation; give each seed once")));
        }
        let row = |index: usize| match index.checked_sub(file.run.len()) {
            Some(index) => grid::combination(&file.grid, index),
            None => file.run[index].clone(),
        };
        let chosen = grid::sample(runs, taken, seed);
        let rows = chosen.into_iter().flat_map(|index| by_seed(row(index), &file.seeds));
        let cells: Vec<SweepRun> = rows.map(|row| SweepRun::new(&file.base, row)).collect();
        let settings: Vec<String> = cells.iter().map(|cell| cell.settings.to_string()).collect();
        if let Some(twice) = repeated(&settings) {
            let same = |number: &usize| settings[*number] == *twice;
            let numbers: Vec<usize> = (0..cells.len()).filter(same).map(|index| index + 1).take(2).collect();
            let name = &cells[numbers[0] - 1].name;
            return Err(bad(format!("runs {} and {} are equal ({name}): give each once", numbers[0], numbers[1])));
        }
        let sweep = Sweep { task, path: path.to_owned(), cells, halving: file.halving };
        if sweep.halving == 1 {
            return Err(bad("halving = 1: expected 0 for off, or 2 or more".into()));
        }
        for (index, cell) in sweep.cells.iter().enumerate() {
            let (number, name) = (index + 1, cell.name.clone());
            sweep.epochs(cell).map_err(|source| SweepError::Cell { number, cell: name, source })?;
        }
        Ok(sweep)
    }

    /// The settings of a run, resolved.
    fn resolve(&self, settings: toml::Table) -> Result<Resolved, ConfigError> {
        self.task.resolve(&Given::of_table(settings, &self.path))
    }

    /// The number of epochs of a run.
    fn epochs(&self, cell: &SweepRun) -> Result<usize, ConfigError> {
        Ok(self.resolve(cell.settings.clone())?.common.epochs)
    }

    /// Changes a setting of all runs.
    ///
    /// # Errors
    /// When the settings of a run become wrong.
    pub fn set(&mut self, settings: &toml::Table) -> Result<(), SweepError> {
        for index in 0..self.cells.len() {
            self.cells[index].set(settings);
            let (number, cell) = (index + 1, self.cells[index].name.clone());
            self.epochs(&self.cells[index]).map_err(|source| SweepError::Cell { number, cell, source })?;
        }
        Ok(())
    }

    /// Multiplies the epochs of all runs, and the settings that count epochs: `step_size`, `milestones`, `warmup`, `head_epochs`.
    /// Every run keeps at least one epoch. The table shows the numbers of epochs that are run.
    ///
    /// # Errors
    /// When the settings of a run become wrong.
    pub fn scale_epochs(&mut self, factor: f64) -> Result<(), SweepError> {
        for index in 0..self.cells.len() {
            let (number, name) = (index + 1, self.cells[index].name.clone());
            let of_cell = |source| SweepError::Cell { number, cell: name.clone(), source };
            let settings = self.resolve(self.cells[index].settings.clone()).map_err(of_cell)?.table;
            let scaled = epochs::scaled(&settings, factor);
            self.cells[index].set(&scaled);
            self.epochs(&self.cells[index]).map_err(of_cell)?;
        }
        Ok(())
    }

    /// The decisive score, if the task has scores.
    pub fn score(&self) -> Option<Score> {
        self.task.card().decisive().cloned()
    }

    /// Runs the unfinished runs, each in `out/NNN`, and writes the table of all runs into `out`, which is made if missing.
    /// Other runs of the same sweep in `out`, such as those of a larger sample, stay in the table. `stop` ends the sweep
    /// after the current step. After a run that fails, the others still run; see [`SweepTable::check`].
    ///
    /// # Errors
    /// Before anything is trained: when another process writes into `out`, a file of another kind has the name of the table, or a folder
    /// of a run holds something else or a run of other settings.
    pub fn run(
        &self,
        out: &Path,
        device: Option<&str>,
        observer: &dyn SweepObserver,
        stop: &AtomicBool,
    ) -> Result<SweepTable, SweepError> {
        self.run_over(&Alone(0), out, device, (observer, stop))
    }

    /// As [`Sweep::run`], on rank 0 of several. It hands runs to free ranks; the others call [`Sweep::serve`].
    ///
    /// # Errors
    /// As [`Sweep::run`]; when a rank has another sweep, does not see `out`, or does not answer.
    pub fn run_over(
        &self,
        ranks: &dyn Ranks,
        out: &Path,
        device: Option<&str>,
        (observer, stop): (&dyn SweepObserver, &AtomicBool),
    ) -> Result<SweepTable, SweepError> {
        std::fs::create_dir_all(out).map_err(|e| FileError::writing(out, e))?;
        let _lock = FolderLock::take(out)?;
        table::check_free(out)?;
        self.check_folders(out, observer.steps())?;
        let (states, alive) = match ranks.size() {
            1 => self.train_here((out, device), (observer, stop))?,
            _ => self.train_over(ranks, (out, device), (observer, stop))?,
        };
        let table = self.table_of(out, &states, Some(&alive));
        table.write(out)?;
        Ok(table)
    }

    /// Trains the runs in this process, one after another. Returns what [`Sweep::halve`] does.
    fn train_here(
        &self,
        (out, device): (&Path, Option<&str>),
        (observer, stop): (&dyn SweepObserver, &AtomicBool),
    ) -> Result<(Vec<SweepRunState>, Vec<usize>), SweepError> {
        self.halve(stop, |indices, share, states| {
            for index in indices {
                let state = self.advance(index, share, (out, device), (observer, stop));
                states[index] = state.unwrap_or_else(|error| {
                    let failed = SweepRunState::Failed(error.to_string());
                    observer.run(index + 1, self.cells.len(), &self.cells[index].name, &failed);
                    failed
                });
                self.record(out, states)?;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Writes the table after a run, so that it is on disk even if the process is killed.
    fn record(&self, out: &Path, states: &[SweepRunState]) -> Result<(), SweepError> {
        Ok(self.table_of(out, states, None).write(out)?)
    }

    /// The table of the runs in these states, and of earlier ones. A paused run is in the table only if it is known not
    /// to be `alive`.
    fn table_of(&self, out: &Path, states: &[SweepRunState], alive: Option<&[usize]>) -> SweepTable {
        let mut table = SweepTable::new(self.score());
        for (index, state) in states.iter().enumerate() {
            // A run that this sweep did not reach may have been done before.
            let before = Some(state).filter(|state| **state == SweepRunState::Begins);
            let before = before.and_then(|_| found(&folder(out, index)).ok());
            let before = before.filter(|state| !matches!(state, SweepRunState::Paused(_)));
            let state = before.as_ref().unwrap_or(state);
            // A run that the user stopped has no outcome yet.
            let is_dropped = alive.is_some_and(|alive| !alive.contains(&index));
            let dropped = matches!(state, SweepRunState::Paused(_)) && is_dropped;
            if matches!(state, SweepRunState::Done(_) | SweepRunState::Diverged | SweepRunState::Failed(_)) || dropped {
                table.add(&self.cells[index], index + 1, &folder(out, index), state);
            }
        }
        for (number, cell, state) in self.earlier(out) {
            table.add(&cell, number, &folder(out, number - 1), &state);
        }
        table
    }

    /// Trains runs in rungs of successive halving. `rung` trains the given runs to a share of their epochs and sets their states.
    /// Returns the states of all runs, and the runs that no rung dropped.
    fn halve(
        &self,
        stop: &AtomicBool,
        mut rung: impl FnMut(Vec<usize>, f64, &mut [SweepRunState]) -> Result<(), SweepError>,
    ) -> Result<(Vec<SweepRunState>, Vec<usize>), SweepError> {
        let most = self.cells.iter().filter_map(|cell| self.epochs(cell).ok()).max().unwrap_or(1);
        let mut states = vec![SweepRunState::Begins; self.cells.len()];
        let mut alive: Vec<usize> = (0..self.cells.len()).collect();
        for share in halving::rungs(self.cells.len(), self.halving, most).into_iter().chain([1.0]) {
            let failed = |index: &usize| matches!(states[*index], SweepRunState::Failed(_));
            let indices = alive.iter().copied().filter(|index| !failed(index)).collect();
            rung(indices, share, &mut states)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if share < 1.0 {
                alive = halving::survivors(&alive, &states, self.score().as_ref(), self.halving);
            }
        }
        Ok((states, alive))
    }

    /// Trains a run up to a share of its epochs, unless it has them already.
    fn advance(
        &self,
        index: usize,
        share: f64,
        (out, device): (&Path, Option<&str>),
        (observer, stop): (&dyn SweepObserver, &AtomicBool),
    ) -> Result<SweepRunState, TrainError> {
        let report = |state: &SweepRunState| {
            observer.run(index + 1, self.cells.len(), &self.cells[index].name, state);
        };
        if let Some(state) = self.settled(index, share, out)? {
            report(&state);
            return Ok(state);
        }
        report(&SweepRunState::Begins);
        let state = self.train_part(index, share, (out, device), (observer.steps(), stop), Arc::new(Alone(0)))?;
        if state == SweepRunState::Diverged {
            report(&state);
        }
        Ok(state)
    }

    /// The epochs of a run, and the number of epochs in a share of them.
    fn limit(&self, index: usize, share: f64) -> Result<(usize, usize), ConfigError> {
        let epochs = self.epochs(&self.cells[index])?;
        Ok((epochs, (share * epochs as f64).ceil().max(1.0) as usize))
    }

    /// The state of a run that has a share of its epochs already. A run that cannot be resumed is moved aside.
    fn settled(&self, index: usize, share: f64, out: &Path) -> Result<Option<SweepRunState>, TrainError> {
        let ((epochs, limit), folder) = (self.limit(index, share)?, folder(out, index));
        Ok(match found(&folder)? {
            SweepRunState::Paused(rows) if rows.len() < limit || limit == epochs => None,
            SweepRunState::Begins => {
                clear(&folder)?;
                None
            }
            state => Some(state),
        })
    }
}

/// The first value that equals an earlier one.
fn repeated<T: Eq + Hash>(values: &[T]) -> Option<&T> {
    let mut known = HashSet::new();
    values.iter().find(|value| !known.insert(*value))
}

/// Name of the file that marks a diverged run.
const DIVERGED: &str = "diverged";
