//! The page of runs under way: a table with the state of each run, above the report. A script refreshes both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::html::{Row, table};
use super::record::{Record, duration};
use super::{Report, ReportError};
use crate::run::RunDir;
use crate::run::lock;
use crate::run::names::names;
use crate::run::task_card::TaskCard;

/// The script of the page.
const SCRIPT: &str = include_str!("live.js");

/// Runs that are watched.
pub struct Watched {
    folders: Vec<PathBuf>,
    known: Vec<TaskCard>,
    title: String,
    runs: Vec<WatchedRun>,
    version: u64,
}

/// A run as the table shows it, with the numbers from which its remaining time is estimated.
struct WatchedRun {
    folder: PathBuf,
    name: String,
    unfinished: bool,
    /// Finished epochs, and those that its settings ask for.
    epochs: (usize, usize),
    /// Mean seconds of an epoch.
    seconds: Option<f64>,
    /// Name of the decisive score, its value in the last epoch, and the best one.
    scores: Option<[String; 3]>,
}

impl Watched {
    /// Runs and sweeps, named by their folders.
    ///
    /// # Errors
    /// When a folder is neither a run nor a sweep, or a file in it cannot be read.
    pub fn new(folders: Vec<PathBuf>, known: Vec<TaskCard>) -> Result<Self, ReportError> {
        let title = match &names(&folders)[..] {
            few @ ([_] | [_, _] | [_, _, _]) => few.join(", "),
            many => format!("{} runs", many.len()),
        };
        for folder in folders.iter().filter(|folder| runs_of(folder).is_empty()) {
            RunDir::open_unfinished(folder)?;
        }
        let mut watched = Watched { folders, known, title, runs: vec![], version: 0 };
        watched.version = watched.stamp();
        watched.read()?;
        Ok(watched)
    }

    /// Reads the runs again if a file of theirs changed, and returns a number that changes with their files.
    ///
    /// # Errors
    /// As [`Watched::new`].
    pub fn refresh(&mut self) -> Result<u64, ReportError> {
        let stamp = self.stamp();
        if stamp != self.version {
            self.read()?;
            self.version = stamp;
        }
        Ok(self.version)
    }

    fn read(&mut self) -> Result<(), ReportError> {
        let folders: Vec<PathBuf> = self.folders.iter().flat_map(|folder| runs_of(folder)).collect();
        let read = |(folder, name): (&PathBuf, String)| WatchedRun::read(folder, name, &self.known);
        self.runs = folders.iter().zip(names(&folders)).map(read).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// A digest of the names, sizes and times of the runs' files.
    fn stamp(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for folder in self.folders.iter().flat_map(|folder| [vec![folder.clone()], runs_of(folder)].concat()) {
            let mut files: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
            files.sort_by_key(fs::DirEntry::file_name);
            for file in files {
                let facts = file.metadata().ok().map(|m| (m.len(), m.modified().ok()));
                // Weights change with the row of their epoch.
                if !file.file_name().to_string_lossy().ends_with("safetensors") {
                    (file.file_name(), facts).hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }

    /// The name of the score, if all runs with an epoch have the same.
    fn score(&self) -> Option<&str> {
        let mut names = self.runs.iter().flat_map(|run| &run.scores).map(|[name, ..]| name.as_str());
        let first = names.next()?;
        names.all(|name| name == first).then_some(first)
    }

    /// The table with the state of each run, as HTML. The score is named by the heads of its columns; runs of different
    /// scores name theirs in the cells.
    pub fn table(&self) -> String {
        let one = self.score();
        let [last, best] = ["last", "best"].map(|which| format!("{which} {}", one.unwrap_or("score")));
        let head = ["run", "state", "epoch", "left"].map(String::from).into_iter().chain([last, best]);
        let rows: Vec<Row> = self.runs.iter().map(|run| run.row(SystemTime::now(), one.is_none())).collect();
        table("Where each run stands", &head.collect::<Vec<_>>(), &rows)
    }

    /// The whole page. `nonce` is that of the page's content security policy.
    ///
    /// # Errors
    /// As [`Watched::new`].
    pub fn page(&self, nonce: &str) -> Result<String, ReportError> {
        let mut report = Report::new(format!("Watching {}", self.title), self.known.clone());
        // A sweep has a table once its first run has ended.
        let folder = |path: &PathBuf| if path.join("sweep.csv").exists() { vec![path.clone()] } else { runs_of(path) };
        report.runs(&self.folders.iter().flat_map(folder).collect::<Vec<_>>())?;
        let now = format!("<section id=\"now\" aria-live=\"polite\">\n{}</section>\n", self.table());
        let script = format!("<script nonce=\"{nonce}\" data-version=\"{}\">\n{SCRIPT}</script>\n", self.version);
        Ok(report.page.assembled(&report.title, &now, &script))
    }
}

/// The folder itself, or the runs of a sweep.
fn runs_of(folder: &Path) -> Vec<PathBuf> {
    let is_run = |path: &Path| path.join("config.toml").is_file();
    if is_run(folder) {
        return vec![folder.to_owned()];
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    runs.sort();
    runs
}

impl WatchedRun {
    fn read(folder: &Path, name: String, known: &[TaskCard]) -> Result<Self, ReportError> {
        let record = Record::read(folder, name, known)?;
        let (first, last) = (record.rows.first(), record.rows.last());
        let seconds = first.zip(last).map(|(first, last)| match record.rows.len() {
            1 => last.seconds,
            several => (last.seconds - first.seconds) / (several - 1) as f64,
        });
        let scores = record.decisive().and_then(|score| {
            let of = |row: &crate::run::EpochRow| row.score(score).map(|value| score.format(value));
            Some([score.name.to_string(), of(last?)?, of(record.best()?).unwrap_or_default()])
        });
        Ok(WatchedRun {
            folder: folder.to_owned(),
            unfinished: record.unfinished || record.rows.is_empty(),
            epochs: (record.rows.len(), record.setting("epochs").parse().unwrap_or(0)),
            seconds,
            scores,
            name: record.name,
        })
    }

    /// The row of the table. `named` puts the name of the score before its values.
    fn row(&self, now: SystemTime, named: bool) -> Row {
        let trains = lock::is_held(&self.folder);
        let state = match (trains, self.unfinished) {
            (true, _) => "training",
            (false, true) => "stopped",
            (false, false) => "finished",
        };
        let (done, all) = self.epochs;
        let left = if trains { self.left(now).map(duration) } else { None };
        let score = |place: usize| {
            let text = self.scores.as_ref().map(|scores| match named {
                true => format!("{} {}", scores[0], scores[place]),
                false => scores[place].clone(),
            });
            text.unwrap_or("–".into())
        };
        // Settings that cannot be read name no number of epochs.
        let epochs = if all == 0 { done.to_string() } else { format!("{done} of {all}") };
        let left = left.unwrap_or("–".into());
        Row::of([self.name.clone(), state.to_owned(), epochs, left, score(1), score(2)])
    }

    /// Seconds to the end of the last epoch, if the remaining epochs take as long as those before.
    fn left(&self, now: SystemTime) -> Option<f64> {
        let written = RunDir::open_unfinished(&self.folder).ok()?.metrics_path().metadata().ok()?.modified().ok()?;
        let since = now.duration_since(written).map_or(0.0, |since| since.as_secs_f64());
        let (seconds, (done, all)) = (self.seconds?, self.epochs);
        Some((seconds * all.saturating_sub(done) as f64 - since.min(seconds)).max(0.0))
    }
}
