//! The folder of one run: settings, metrics, checkpoints and pictures. A folder is never overwritten.
//!
//! | file | holds | written |
//! |---|---|---|
//! | `config.toml` | all settings | at the start |
//! | `run.json` | device, parameters, classes, numbers of images | at the start |
//! | `metrics.csv` | a row an epoch | after each epoch |
//! | `metrics.jsonl` | the same as one JSON object a line, which experiment trackers take as it is | after each epoch |
//! | `events.out.tfevents.shadegrad` | the same for TensorBoard, with settings and pictures, with `--tensorboard` | after each epoch |
//! | `last.safetensors`, `best.safetensors` | weights | after each (better) epoch |
//! | `resume.safetensors` | state of an unfinished run, for `--resume` | after each epoch, or when stopped |
//! | `finished.safetensors` | state of a finished run, for `--resume` with more epochs | at the end |
//! | `norms.csv` | norms of gradients and weights, a row a step, with `--log-norms` | after each epoch |
//! | `layers.csv` | norms of weights and gradients and the share of dead units, a row a layer | after each epoch |
//! | `trace.json` | where the time of the first steps goes, with `--profile` | after 50 steps, or the first epoch |
//! | `samples.png` | validation images with predictions | after each better epoch |
//! | `curves.png`, `curves.svg`, `confusion.png`, `gradcam.png` | pictures | at the end |
//! | `confusion.csv` | counts, truth in rows | at the end |
//! | `trust.json` | scores of each class, calibration, boundary F1 | at the end |
//! | `iou.csv` | IoU of each class, of segmentation | at the end |
//! | `errors/` | the most confident mistakes of a classifier: `errors.csv` and a picture each | at the end |
//! | `report.html` | all of this on one page | by `shadegrad report` |
//! | `model.onnx` | the best weights as an ONNX model | by `shadegrad export` |

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::confusion::ConfusionMatrix;
use super::error::{RunError, Unresumable};
use super::facts::RunFacts;
use super::names::{check_free, new_folder, new_numbered};
use super::trust::Trust;
use crate::interop::files::{FileError, read_text, write_atomic};
use crate::text::one_of;

const CONFIG: &str = "config.toml";
pub(super) const METRICS: &str = "metrics.csv";
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
const RESUME: &str = "resume.safetensors";
const FINISHED: &str = "finished.safetensors";
pub(super) const LAYERS: &str = "layers.csv";
pub(super) const NORMS: &str = "norms.csv";
const FACTS: &str = "run.json";
pub(super) const TRUST: &str = "trust.json";
pub(super) const CONFUSION: &str = "confusion.csv";
pub(super) const EVENTS: &str = "events.out.tfevents.shadegrad";

/// Largest table of a run, in bytes. A confusion matrix of 1000 classes has 4 MB.
pub(crate) const MAX_TABLE_BYTES: u64 = 1 << 26;

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new run folder and checks that it can be written to.
    ///
    /// `out` is used as given: it must be missing or empty. Without `out` the folder is `runs/STEM-001`, `-002` and so
    /// on, one above the highest number so far. Two runs that start at the same moment never get the same folder.
    ///
    /// # Errors
    /// `out` is taken, or the folder cannot be made or written to.
    pub fn create(out: Option<&Path>, stem: &str) -> Result<Self, RunError> {
        Self { path: new_folder(out, stem)? }.claimed()
    }

    /// As [`RunDir::create`] without `out`, in a folder other than `runs`.
    ///
    /// # Errors
    /// If the folder cannot be made or written to.
    pub fn create_numbered(parent: &Path, stem: &str) -> Result<Self, RunError> {
        Self { path: new_numbered(parent, stem)? }.claimed()
    }

    /// Refuses a path that [`RunDir::create`] would refuse. Creates nothing.
    ///
    /// # Errors
    /// The path is a file or a folder that is not empty.
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        check_free(path)
    }

    /// Creates the empty `metrics.csv`. Of two runs that found the same empty folder, only one succeeds. A folder that
    /// cannot be written to is refused before training.
    fn claimed(self) -> Result<Self, RunError> {
        let metrics = self.metrics_path();
        match OpenOptions::new().write(true).create_new(true).open(&metrics) {
            Ok(_) => Ok(self),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(RunError::Taken { path: self.path }),
            Err(error) => Err(FileError::writing(&metrics, error).into()),
        }
    }

    /// Opens the folder of a run, for evaluation or prediction.
    ///
    /// # Errors
    /// There is no such folder, or it lacks its settings or any checkpoint.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let run = Self::open_unfinished(path)?;
        if run.checkpoint().is_none() {
            let reason = format!("it has neither {BEST} nor {LAST}: the run ended before its first checkpoint");
            return Err(RunError::NotARun { path: path.to_owned(), reason });
        }
        Ok(run)
    }

    /// As [`RunDir::open`], but a checkpoint may be missing.
    ///
    /// # Errors
    /// There is no such folder, or it lacks its settings.
    pub fn open_unfinished(path: &Path) -> Result<Self, RunError> {
        let not_a_run = |reason: String| RunError::NotARun { path: path.to_owned(), reason };
        let metadata = fs::metadata(path).map_err(|e| FileError::reading(path, e))?;
        if !metadata.is_dir() {
            return Err(not_a_run("it is a file; name the folder it lies in".into()));
        }
        let run = Self { path: path.to_owned() };
        if !run.config_path().is_file() {
            return Err(not_a_run(format!("it has no {CONFIG}; {}", runs_in(path))));
        }
        Ok(run)
    }

    /// A folder that this process neither reads nor writes.
    pub(crate) fn unseen(path: PathBuf) -> Self {
        Self { path }
    }

    /// Opens the folder of a run that can continue: one that was interrupted, or one that has finished and keeps its state.
    ///
    /// # Errors
    /// There is no such folder, or it holds no state.
    pub fn to_resume(path: &Path) -> Result<Self, RunError> {
        fs::metadata(path).map_err(|e| FileError::reading(path, e))?;
        let run = Self { path: path.to_owned() };
        if run.state_path().is_file() {
            return Ok(run);
        }
        if let Some(weights) = run.checkpoint() {
            return Err(RunError::CannotResume { path: path.to_owned(), reason: Unresumable::NoState { weights } });
        }
        let reason = format!("it has neither {RESUME} nor {FINISHED}: no epoch was finished; start a new run");
        Err(RunError::NotARun { path: path.to_owned(), reason })
    }

    /// Whether the run was interrupted and can continue.
    pub fn is_unfinished(&self) -> bool {
        self.resume_path().is_file()
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Resolved settings.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// One row per epoch.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// Weights of the epoch with the best validation score.
    pub fn best_path(&self) -> PathBuf {
        self.path.join(BEST)
    }

    /// Weights of the last finished epoch or step.
    pub fn last_path(&self) -> PathBuf {
        self.path.join(LAST)
    }

    /// State of an unfinished run.
    pub fn resume_path(&self) -> PathBuf {
        self.path.join(RESUME)
    }

    /// State of a finished run.
    pub fn finished_path(&self) -> PathBuf {
        self.path.join(FINISHED)
    }

    /// The file from which the run continues: [`RunDir::resume_path`] if it exists, since it is then the later one, else
    /// [`RunDir::finished_path`].
    pub fn state_path(&self) -> PathBuf {
        if self.is_unfinished() { self.resume_path() } else { self.finished_path() }
    }

    /// Renames the state of the unfinished run: the run has finished.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&self) -> Result<(), RunError> {
        let (from, to) = (self.resume_path(), self.finished_path());
        Ok(fs::rename(&from, &to).map_err(|e| FileError::writing(&to, e))?)
    }

    /// Removes the state of the finished run, because the run has continued, or to save space.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn forget_finished(&self) -> Result<(), RunError> {
        Ok(remove_if_there(&self.finished_path())?)
    }

    /// Loss and accuracy over epochs.
    pub fn curves_path(&self) -> PathBuf {
        self.path.join("curves.png")
    }

    /// Confusion matrix of the validation set.
    pub fn confusion_path(&self) -> PathBuf {
        self.path.join("confusion.png")
    }

    /// Validation images with prediction and truth.
    pub fn samples_path(&self) -> PathBuf {
        self.path.join("samples.png")
    }

    /// Grad-CAM of validation images.
    pub fn gradcam_path(&self) -> PathBuf {
        self.path.join("gradcam.png")
    }

    /// The best checkpoint, else the last one, if there is any.
    pub fn checkpoint(&self) -> Option<PathBuf> {
        [self.best_path(), self.last_path()].into_iter().find(|path| path.is_file())
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_config(&self, toml: &str) -> Result<(), RunError> {
        Ok(write_atomic(&self.config_path(), |w| w.write_all(toml.as_bytes()))?)
    }

    /// Writes a text file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_file(&self, name: &str, text: &str) -> Result<(), RunError> {
        Ok(write_atomic(&self.path.join(name), |w| w.write_all(text.as_bytes()))?)
    }

    /// Writes `trust.json`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_trust(&self, trust: &Trust) -> Result<(), RunError> {
        let text = serde_json::to_string_pretty(trust).unwrap_or_default();
        self.write_file(TRUST, &(text + "\n"))
    }

    /// Reads `trust.json`; `None` if it is missing or damaged.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read_trust(&self) -> Result<Option<Trust>, RunError> {
        Ok(self.read_file(TRUST)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The text of a file, if it exists.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read_file(&self, name: &str) -> Result<Option<String>, RunError> {
        let path = self.path.join(name);
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(read_text(&path, MAX_TABLE_BYTES)?))
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_facts(&self, facts: &RunFacts) -> Result<(), RunError> {
        let bad = |source| RunError::Facts { path: self.path.join(FACTS), source };
        self.write_file(FACTS, &serde_json::to_string_pretty(facts).map_err(bad)?)
    }

    /// Contents of `run.json`; `None` for runs of earlier versions.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read_facts(&self) -> Result<Option<RunFacts>, RunError> {
        let bad = |source| RunError::Facts { path: self.path.join(FACTS), source };
        self.read_file(FACTS)?.map(|text| serde_json::from_str(&text).map_err(bad)).transpose()
    }

    /// Writes `confusion.csv`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_confusion(&self, matrix: &ConfusionMatrix, names: &[String]) -> Result<(), RunError> {
        self.write_file(CONFUSION, &matrix.to_csv(names))
    }

    /// Names and counts in `confusion.csv`, if it exists.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read_confusion(&self) -> Result<Option<(Vec<String>, ConfusionMatrix)>, RunError> {
        let bad = |source| RunError::Table { path: self.path.join(CONFUSION), source };
        self.read_file(CONFUSION)?.map(|text| ConfusionMatrix::from_csv(&text).map_err(bad)).transpose()
    }

    /// Makes the folder of a classifier's mistakes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make_errors_folder(&self) -> Result<PathBuf, RunError> {
        let path = self.path.join("errors");
        fs::create_dir_all(&path).map_err(|e| FileError::writing(&path, e))?;
        Ok(path)
    }
}

/// Removes a file, if it exists.
pub(super) fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::writing(path, error)),
        _ => Ok(()),
    }
}

/// Number of runs that an error names.
const NAMED: usize = 3;

/// The remedy for a folder that is not a run: the runs in it, if there are any.
fn runs_in(path: &Path) -> String {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<String> =
        entries.filter(|path| path.join(CONFIG).is_file()).map(|path| path.display().to_string()).collect();
    runs.sort();
    match runs.len() {
        0 => "name the folder that a training wrote".into(),
        1..=NAMED => format!("name a run in it: {}", one_of(&runs)),
        many => format!("name one of the {many} runs in it, such as {}", runs[0]),
    }
}
