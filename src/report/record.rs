//! The content of a run's folder, in memory.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::ReportError;
use super::commands::{Place, commands, resumption};
use super::html::{self, JPEG, Row};
use crate::interop::files::{FileError, open_plain, read_bytes, read_text};
use crate::run::confusion::ConfusionMatrix;
use crate::run::facts::RunFacts;
use crate::run::folder::MAX_TABLE_BYTES;
use crate::run::history::EpochRow;
use crate::run::layers::LayerRow;
use crate::run::mistakes::{self, Mistake};
use crate::run::task_card::TaskCard;
use crate::run::{RunDir, Score, Trust};
use crate::tasks;
use crate::text::capitalized;
use crate::train::settings::{Given, reasons};

/// A run in the form of the report.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub name: String,
    /// Keys and values of `config.toml`, without paths of folders.
    pub settings: Vec<(String, String)>,
    pub facts: Option<RunFacts>,
    /// The description of its task, if known.
    pub card: Option<TaskCard>,
    /// Tables of its task: title, caption, names of the columns and rows.
    pub tables: Vec<(String, String, TableRows)>,
    pub rows: Vec<EpochRow>,
    /// Damaged and missing files, one line each.
    pub damage: Vec<String>,
    /// Commands of the next steps.
    pub commands: Vec<String>,
    /// The reasons of settings that data and device decided, by key.
    pub reasons: Vec<(String, String)>,
    /// The defaults of its task's settings; empty for an unknown task.
    pub defaults: Vec<(String, String)>,
    /// Scores of its classes and calibration.
    pub trust: Option<Trust>,
    /// Whether it can be resumed.
    pub unfinished: bool,
    pub confusion: Option<(Vec<String>, ConfusionMatrix)>,
    /// The most confident errors. Each has two PNG files: the image, and the image as the network sees it. A missing
    /// one is empty.
    pub mistakes: Vec<(Mistake, [Vec<u8>; 2])>,
    /// Validation images with predictions, as PNG.
    pub samples: Option<Vec<u8>>,
    /// Grad-CAM of validation images, as PNG.
    pub gradcam: Option<Vec<u8>>,
    /// Its layers after each epoch.
    pub layers: Vec<LayerRow>,
    /// The confusion matrix as PNG, for runs without counts.
    pub confusion_picture: Option<Vec<u8>>,
}

impl Record {
    /// Reads a run, finished or not.
    pub fn read(path: &Path, name: String, known: &[TaskCard]) -> Result<Self, ReportError> {
        let run = RunDir::open_unfinished(path)?;
        let confusion = run.read_confusion()?;
        let confusion_picture = if confusion.is_none() { read_if_there(&run.confusion_path())? } else { None };
        // Damage is reported, and the undamaged files are still shown.
        let mut damage = run.damage();
        let facts = run.read_facts().ok().flatten();
        let metrics = read_bytes(&run.metrics_path(), MAX_TABLE_BYTES).unwrap_or_default();
        let mut rows = EpochRow::read_damaged(&metrics, &[]).0;
        let settings = settings(&run.config_path()).unwrap_or_else(|error| {
            damage.push(error.to_string());
            vec![]
        });
        let has_data = settings.iter().any(|(key, _)| key == "data");
        let card = card_of(facts.as_ref(), &rows, known).cloned();
        for (score, _) in rows.iter_mut().flat_map(|row| &mut row.scores) {
            // Runs of earlier versions do not describe their scores.
            if let Some(described) = card.iter().flat_map(TaskCard::known_scores).find(|s| *s == score) {
                *score = described.clone();
            }
        }
        let mistakes = mistakes_of(&run, &mut damage)?;
        let tables = card.iter().flat_map(|card| &card.tables);
        let tables = tables.filter(|(file, _)| is_plain(file)).map(|(file, caption)| {
            Ok(table(&run.path().join(&**file))?.map(|rows| (title_of(file), caption.to_string(), rows)))
        });
        let named = names_folder(&run.config_path()).unwrap_or(false);
        let commands = next_commands(path, facts.as_ref(), &settings, named);
        Ok(Record {
            name,
            commands,
            settings,
            damage,
            unfinished: run.is_unfinished(),
            confusion,
            mistakes,
            trust: run.read_trust()?,
            reasons: reasons_of(&run.config_path()),
            defaults: facts.as_ref().map_or(vec![], |facts| defaults(&facts.task, has_data)),
            samples: read_if_there(&run.samples_path())?,
            gradcam: read_if_there(&run.gradcam_path())?,
            layers: run.read_layers()?,
            confusion_picture,
            tables: tables.filter_map(Result::transpose).collect::<Result<_, ReportError>>()?,
            facts,
            rows,
            card,
        })
    }

    /// Name of its task, if known.
    pub fn task(&self) -> Option<&str> {
        self.card.as_ref().map(|card| &*card.task)
    }

    /// Digest of the validation images of its scores; `None` for runs of earlier versions.
    pub fn data(&self) -> Option<&str> {
        Some(self.facts.as_ref()?.data.as_ref()?.validation.set.as_str())
    }

    /// The scores of its epochs.
    pub fn scores(&self) -> impl Iterator<Item = &Score> {
        self.rows.first().into_iter().flat_map(|row| row.scores.iter().map(|(score, _)| score))
    }

    /// The score that chooses the best epoch.
    pub fn decisive(&self) -> Option<&Score> {
        self.scores().find(|score| !score.of_training())
    }

    /// The epoch with the best decisive score; without scores, the one with the smallest validation loss.
    pub fn best(&self) -> Option<&EpochRow> {
        let decisive = self.decisive();
        let value = |row: &EpochRow| {
            decisive.map_or(Some(-row.val_loss), |score| row.score(score).map(|value| score.merit(value)))
        };
        let known = self.rows.iter().filter_map(|row| Some((row, value(row).filter(|v| v.is_finite())?)));
        known.reduce(|best, this| if this.1 > best.1 { this } else { best }).map(|(row, _)| row)
    }

    /// A value for each epoch.
    pub fn points(&self, value: impl Fn(&EpochRow) -> Option<f64>) -> Vec<(u32, f64)> {
        self.rows.iter().filter_map(|row| Some((row.epoch, value(row)?))).collect()
    }

    /// Median of the epochs' images per second.
    pub fn speed(&self) -> Option<f64> {
        let mut speeds: Vec<f64> = self.rows.iter().map(|row| row.images_per_s).filter(|v| v.is_finite()).collect();
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 2).copied()
    }

    /// Seconds from its start to the end of its last epoch.
    pub fn seconds(&self) -> Option<f64> {
        self.rows.last().map(|row| row.seconds)
    }

    /// The value of a setting; empty if the run does not have it.
    pub fn setting(&self, key: &str) -> &str {
        self.settings.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value)
    }
}

/// The most confident errors of a run with their pictures. `damage` gets the pictures that are gone.
fn mistakes_of(run: &RunDir, damage: &mut Vec<String>) -> Result<Vec<(Mistake, [Vec<u8>; 2])>, ReportError> {
    let folder = run.path().join("errors");
    let read = |name: &str| match is_plain(name) {
        true => Ok(read_if_there(&folder.join(name))?.unwrap_or_default()),
        false => Ok::<_, ReportError>(vec![]),
    };
    let mut found = vec![];
    for mistake in mistakes::read(run)? {
        let pictures = [read(&mistake.picture)?, read(&mistakes::seen(&mistake.picture))?];
        if pictures[0].is_empty() && is_plain(&mistake.picture) {
            damage.push(format!("{} is damaged: it is gone", folder.join(&mistake.picture).display()));
        }
        found.push((mistake, pictures));
    }
    Ok(found)
}

/// Commands of the next steps of a run's verdict. Without a verdict: the command that continues the run.
fn next_commands(path: &Path, facts: Option<&RunFacts>, settings: &[(String, String)], named: bool) -> Vec<String> {
    let Some(facts) = facts else { return vec![] };
    let Some(verdict) = &facts.verdict else {
        return vec![resumption(&facts.task, path)];
    };
    let of = |key: &str| settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let data = of("data").unwrap_or("DATA");
    commands(verdict, &Place { task: &facts.task, run: path, data, example: facts.example.as_deref(), named })
}

/// A time in words.
pub(super) fn duration(seconds: f64) -> String {
    let whole = if seconds.is_finite() && seconds >= 0.0 { seconds.round() as u64 } else { return "–".into() };
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) if seconds < 10.0 => format!("{seconds:.1} s"),
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The settings of a run, of any version.
fn settings(path: &Path) -> Result<Vec<(String, String)>, ReportError> {
    let text = read_text(path, 1 << 20)?;
    let bad = |problem: toml::de::Error| ReportError::Settings { path: path.to_owned(), problem: Box::new(problem) };
    Ok(texts(toml::from_str(&text).map_err(bad)?))
}

/// Whether a file of settings names the folder of the run.
fn names_folder(path: &Path) -> Result<bool, ReportError> {
    let table: Result<toml::Table, _> = toml::from_str(&read_text(path, 1 << 20)?);
    Ok(table.is_ok_and(|table| table.contains_key("out")))
}

/// The reasons in a file of settings, by key; empty if it cannot be read.
fn reasons_of(path: &Path) -> Vec<(String, String)> {
    let text = read_text(path, 1 << 20).unwrap_or_default();
    reasons(&text).map(|(key, reason)| (key.to_owned(), reason.to_owned())).collect()
}

/// The default settings of a task. Some depend on whether there is a data set.
fn defaults(task: &str, has_data: bool) -> Vec<(String, String)> {
    let mut given = Given::default();
    if has_data {
        given.settings.insert("data".into(), "data".into());
    }
    let resolved = tasks::task(task).ok().and_then(|task| task.resolve(&given).ok());
    resolved.map_or(vec![], |resolved| texts(resolved.table))
}

/// Settings as texts.
fn texts(table: toml::Table) -> Vec<(String, String)> {
    let value = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        // Prints 1e-7, not TOML's 0.0000001.
        toml::Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    };
    table.into_iter().filter(|(key, _)| key != "out").map(|(key, v)| (key, value(v))).collect()
}

/// The title of a file: its name without the ending.
fn title_of(file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    capitalized(&stem.replace(['_', '-'], " "))
}

/// Whether a name is a plain file name, without a path.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}

/// Start of a PNG file.
const PNG: &[u8] = b"\x89PNG";
/// Largest size of a run's picture, in bytes.
const MAX_PICTURE: u64 = 1 << 26;

/// A picture, if it exists.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ReportError> {
    if path.exists() { read_picture(path).map(Some) } else { Ok(None) }
}

/// A PNG or JPEG file.
pub(super) fn read_picture(path: &Path) -> Result<Vec<u8>, ReportError> {
    let (file, length) = open_plain(path)?;
    let mut bytes = vec![];
    file.take(MAX_PICTURE).read_to_end(&mut bytes).map_err(|e| FileError::reading(path, e))?;
    if length > MAX_PICTURE || ![PNG, JPEG].iter().any(|start| bytes.starts_with(start)) {
        return Err(ReportError::NoPicture { path: path.to_owned() });
    }
    Ok(bytes)
}

/// A table from a CSV file.
#[derive(Debug, Clone)]
pub(super) struct TableRows {
    /// Names of the columns.
    pub head: Vec<String>,
    /// Rows. Those of a sweep are sorted from best to worst, and the last column has the folders of the runs.
    pub rows: Vec<Vec<String>>,
}

impl TableRows {
    /// The table as HTML.
    pub fn html(&self, caption: &str) -> String {
        let rows: Vec<Row> = self.rows.iter().map(|cells| Row::of(cells.iter().map(String::as_str))).collect();
        html::table(caption, &self.head, &rows)
    }
}

/// The description of a run's task: its own, else that of a known task with the same name or first score.
fn card_of<'a>(facts: Option<&'a RunFacts>, rows: &[EpochRow], known: &'a [TaskCard]) -> Option<&'a TaskCard> {
    if let Some(card) = facts.and_then(|facts| facts.shown.as_ref()) {
        return Some(card);
    }
    let named = facts.and_then(|facts| known.iter().find(|card| card.task == facts.task));
    let first = rows.first().and_then(|row| row.scores.iter().map(|(score, _)| score).find(|s| !s.of_training()));
    named.or_else(|| known.iter().find(|card| first.is_some() && card.decisive() == first))
}

/// The table of a sweep; `None` if `path` is not a sweep.
pub(super) fn sweep_table(path: &Path) -> Result<Option<TableRows>, ReportError> {
    table(&path.join("sweep.csv"))
}

/// The table in a CSV file; `None` if there is no such file.
fn table(file: &Path) -> Result<Option<TableRows>, ReportError> {
    if !fs::metadata(file).is_ok_and(|m| m.is_file()) {
        return Ok(None);
    }
    let text = read_text(file, 1 << 24)?;
    let bad = |source| ReportError::Sweep { path: file.to_owned(), source };
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let head = cells(csv.headers().map_err(bad)?);
    let rows = csv.records().map(|record| record.map(|r| cells(&r))).collect::<Result<_, _>>().map_err(bad)?;
    Ok(Some(TableRows { head, rows }))
}
