//! `resume.safetensors` of an unfinished run and `finished.safetensors` of a finished one: the state that continues the run to
//! the same bits. It holds every tensor of the device and the loop's [`Position`]. Order and augmentation need no state: they are
//! functions of seed, epoch and sample.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{RunError, Unresumable};
use super::fingerprint::DataPrint;
use crate::exec::{AnyEngine, Session};
use crate::interop::safetensors::{Tensor, TensorData, TensorFile, read_metadata};
use crate::ops::LOSS_SCALE;

/// Metadata entry that holds [`Position`] as JSON.
const KEY: &str = "progress";
/// The epochs so far, as `metrics.csv` has them.
const EPOCHS: &str = "epochs";
/// [`DataPrint`] as JSON.
const DATA: &str = "data";
/// The run's `config.toml`.
const SETTINGS: &str = "settings";

/// Position of the training loop in a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Current epoch, from 1.
    pub epoch: usize,
    /// Finished batches of the current epoch.
    pub batch: usize,
    /// Optimizer steps so far.
    pub steps: u64,
    /// Epoch with the best score so far.
    pub best: Option<u32>,
    /// Sums over the finished batches of the current epoch.
    pub sums: Sums,
    /// State of the plateau schedule.
    pub plateau: Plateau,
    /// Time that the run has taken so far, in seconds.
    pub seconds: Exact,
    /// Loss of the first batch, before any update. Files of earlier versions lack it.
    #[serde(default)]
    pub first_loss: Option<Exact>,
    /// Settings that determine the order of the images. Files of earlier versions lack them.
    #[serde(default)]
    pub order: Option<ImageOrder>,
}

/// Settings that determine which images each batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOrder {
    /// Images per batch.
    pub batch_size: usize,
    /// Number of training images.
    pub images: usize,
    /// Seed of the order.
    pub seed: u64,
    /// Whether each epoch has another order.
    pub shuffle: bool,
    /// Whether draws are balanced over the classes. Files of earlier versions lack it.
    #[serde(default)]
    pub balanced: bool,
}

impl Position {
    /// Whether the score has not improved for `early_stop` epochs. Always false for 0.
    pub fn stops_early(&self, early_stop: usize) -> bool {
        let waited = (self.epoch - 1) - self.best.map_or(0, |best| best as usize);
        early_stop > 0 && waited >= early_stop
    }

    /// Refuses to resume if images of the current epoch would be skipped or repeated, or if all epochs are done. An
    /// unfinished run that stopped between two epochs is accepted with all epochs done, because it may lack only its
    /// results. `path` is the run.
    ///
    /// # Errors
    /// [`RunError::CannotResume`].
    pub fn check(
        &self,
        order: ImageOrder,
        epochs: usize,
        (path, is_unfinished): (&Path, bool),
    ) -> Result<(), RunError> {
        let refused = |reason| Err(RunError::CannotResume { path: path.to_owned(), reason });
        let lacks_results = is_unfinished && self.batch == 0;
        if epochs + usize::from(lacks_results) < self.epoch {
            return refused(Unresumable::Done { epochs: self.epoch - 1 });
        }
        let Some(known) = self.order.filter(|_| self.batch > 0) else { return Ok(()) };
        let sampler = |balanced: bool| if balanced { "balanced" } else { "all" }.to_owned();
        let pairs = [
            ("the batch size", Some("batch_size"), known.batch_size.to_string(), order.batch_size.to_string()),
            ("the number of training images", None, known.images.to_string(), order.images.to_string()),
            ("the seed", Some("seed"), known.seed.to_string(), order.seed.to_string()),
            ("shuffle", Some("shuffle"), known.shuffle.to_string(), order.shuffle.to_string()),
            ("the balance of classes", Some("sampler"), sampler(known.balanced), sampler(order.balanced)),
        ];
        match pairs.into_iter().find(|(.., before, now)| before != now) {
            Some((what, setting, before, now)) => {
                refused(Unresumable::MidEpoch { epoch: self.epoch, what, setting, before, now })
            }
            None => Ok(()),
        }
    }
}

/// Sums over the batches of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Sum of the batches' mean losses, each times its weight.
    pub loss: Exact,
    /// Sum of the batches' weights: the images, or the counted pixels, each with the weight of its class.
    #[serde(default)]
    pub weight: Exact,
    /// Number of images or pixels predicted correctly.
    pub right: Exact,
    /// Number of images or pixels that count (those with a label).
    pub counted: Exact,
    /// Number of images.
    pub images: Exact,
    /// Time that steps waited for data, in seconds.
    pub waited: Exact,
    /// Time of all steps, in seconds. Files of earlier versions lack it.
    #[serde(default)]
    pub seconds: Exact,
}

impl Sums {
    /// Mean loss.
    pub fn loss(&self) -> f64 {
        self.loss.0 / self.weight.0.max(f64::MIN_POSITIVE)
    }

    /// Accuracy, 0 to 1: [`Sums::right`] / [`Sums::counted`].
    pub fn accuracy(&self) -> f64 {
        self.right.0 / self.counted.0.max(1.0)
    }

    /// Images per second.
    pub fn images_per_s(&self) -> f64 {
        self.per_second(self.images)
    }

    /// Share of the time that steps waited for data, 0 to 1.
    pub fn data_wait(&self) -> f64 {
        self.per_second(self.waited)
    }

    /// 0 if the time is not known.
    fn per_second(&self, sum: Exact) -> f64 {
        if self.seconds.0 > 0.0 { sum.0 / self.seconds.0 } else { 0.0 }
    }
}

/// State of a schedule that lowers the learning rate when validation stops improving.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Current factor of the learning rate.
    pub factor: Exact,
    /// Lowest validation loss, for a task without scores.
    pub best: Exact,
    /// Best score, for a task with scores. Files of earlier versions lack it.
    #[serde(default)]
    pub score: Option<Exact>,
    /// Epochs since the last improvement.
    pub waited: usize,
}

impl Default for Plateau {
    fn default() -> Self {
        Plateau { factor: Exact(1.0), best: Exact(f64::INFINITY), score: None, waited: 0 }
    }
}

/// A number stored by its bits, because JSON cannot write infinity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Exact(pub f64);

impl From<u64> for Exact {
    fn from(bits: u64) -> Self {
        Exact(f64::from_bits(bits))
    }
}

impl From<Exact> for u64 {
    fn from(number: Exact) -> Self {
        number.0.to_bits()
    }
}

impl std::ops::AddAssign<f64> for Exact {
    fn add_assign(&mut self, more: f64) {
        self.0 += more;
    }
}

/// Data and settings of a run. They repair damaged files and detect changed data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Fingerprint of the training data.
    pub data: Option<DataPrint>,
    /// Its `config.toml`.
    pub settings: Option<String>,
    /// Its `metrics.csv` up to the position.
    pub epochs: Option<String>,
}

/// Contents of `resume.safetensors`.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Position of the run.
    pub position: Position,
    /// Data and settings; empty in files of earlier versions.
    pub origin: Origin,
    /// The tensors, for [`restore`].
    pub file: TensorFile,
}

/// The data of [`save`] besides the tensors. An entry that the file lacks, or that cannot be read, is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Position of the run.
    pub position: Option<Position>,
    /// Its data and settings.
    pub origin: Origin,
}

impl Header {
    /// Reads only the metadata of a file. All entries are `None` if it cannot be read.
    pub fn read(path: &Path) -> Self {
        let entries = read_metadata(path).unwrap_or_default();
        Self { position: parsed(&entries, KEY), origin: Origin::of(&entries) }
    }
}

impl Origin {
    fn of(entries: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| entries.get(key).cloned();
        Self { data: parsed(entries, DATA), settings: text(SETTINGS), epochs: text(EPOCHS) }
    }
}

/// An entry that is JSON.
fn parsed<T: DeserializeOwned>(entries: &BTreeMap<String, String>, key: &str) -> Option<T> {
    serde_json::from_str(entries.get(key)?).ok()
}

/// Writes position, origin and tensors of a run.
///
/// # Errors
/// When the device is lost or the disk is full.
pub fn save(
    session: &mut Session<AnyEngine>,
    position: &Position,
    origin: &Origin,
    path: &Path,
) -> Result<(), RunError> {
    let specs: Vec<_> = session.states().iter().map(|(_, spec)| spec.clone()).collect();
    let mut tensors = BTreeMap::new();
    for spec in specs {
        let values = session.read_state(&spec.name)?;
        tensors.insert(spec.name, Tensor::f32(spec.ty.shape.0, values));
    }
    // Plain numbers always have a JSON form.
    let json = serde_json::to_string(position).unwrap_or_default();
    let data = origin.data.as_ref().and_then(|data| serde_json::to_string(data).ok());
    let entries =
        [(KEY, Some(json)), (DATA, data), (SETTINGS, origin.settings.clone()), (EPOCHS, origin.epochs.clone())];
    let metadata = entries.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?))).collect();
    let file = TensorFile { tensors, metadata };
    Ok(file.write_atomic(path)?)
}

/// Reads the file that [`save`] wrote.
///
/// # Errors
/// When the file cannot be read or was not written by [`save`].
pub fn read(path: &Path) -> Result<Kept, RunError> {
    let file = TensorFile::read(path)?;
    let bad = |key: &str| RunError::NotACheckpoint { path: path.to_owned(), key: key.into() };
    let possible = |position: &Position| position.epoch > position.best.unwrap_or(0) as usize;
    let mut position: Position = parsed(&file.metadata, KEY).filter(possible).ok_or_else(|| bad(KEY))?;
    // Earlier versions weighted batches by their number of images.
    if position.sums.weight.0 == 0.0 {
        position.sums.weight = position.sums.images;
    }
    let origin = Origin::of(&file.metadata);
    if origin.data.is_none() && file.metadata.contains_key(DATA) {
        return Err(bad(DATA));
    }
    Ok(Kept { position, origin, file })
}

/// Writes the tensors into the states of `session`.
///
/// # Errors
/// When the tensors do not fit the model, because its settings were changed.
pub fn restore(session: &mut Session<AnyEngine>, file: &TensorFile, path: &Path) -> Result<(), RunError> {
    let specs: Vec<_> = session.states().iter().map(|(_, spec)| spec.clone()).collect();
    let other = |name: &str| RunError::CannotResume {
        path: path.to_owned(),
        reason: Unresumable::OtherModel { tensor: name.to_owned() },
    };
    // A run in f16 that is resumed in f32 does not need its loss scale.
    let known = |name: &str| name == LOSS_SCALE || specs.iter().any(|s| s.name == name);
    if let Some(name) = file.tensors.keys().find(|name| !known(name)) {
        return Err(other(name));
    }
    for spec in specs {
        match file.tensors.get(&spec.name) {
            Some(Tensor { shape, data: TensorData::F32(values) }) if *shape == spec.ty.shape.0 => {
                session.write_state(&spec.name, values)?;
            }
            // A run in f32 that is resumed in f16 starts with the initial loss scale.
            None if spec.name == LOSS_SCALE => {}
            _ => return Err(other(&spec.name)),
        }
    }
    Ok(())
}
