//! Choice of the settings that are not given, from the training images of a data set, the network and the device, each with its reason.
//! The run's `config.toml` holds the choices. The fixed defaults fit the built-in scenes.

mod facts;
mod rules;
mod size;

use facts::Facts;

use crate::exec::gpu;
use crate::interop::files::read_text;
use crate::interop::weight_file::WeightFile;
use crate::label::IGNORED_BYTE;
use crate::run::ImageSize;
use crate::run::checkpoint::weights_path;
use crate::tasks::{Sample, Task, TaskError};
use crate::train::TrainError;
use crate::train::settings::{ConfigError, Given, Origin, Resolved, StartOf, reasons};

/// A setting that the data or the device decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: toml::Value,
    /// The reason, in words.
    pub reason: String,
    /// Whether the device decides, not the data.
    pub of_device: bool,
}

/// Number of samples by which the data set is judged.
const LOOKED_AT: usize = 16;
/// A class is rare with less than this share of the pixels of a mean class.
const RARE: f64 = 0.2;
/// Share of the pixels that have the most frequent color, below which a picture counts as a photograph.
const FLAT: f64 = 0.2;

/// The settings that fit the training images of `given`, without those that are given. Empty without a data set,
/// because the defaults fit the built-in scenes. With several `ranks`, which may have other devices, the device decides
/// nothing.
///
/// # Errors
/// When the settings are refused or the data cannot be read.
pub fn choose(task: &dyn Task, given: &Given, ranks: usize) -> Result<Vec<Chosen>, TaskError> {
    let (given, again) = &without(task, given, chosen_before(given))?;
    let settings = task.resolve(given).map_err(TrainError::from)?;
    if settings.common.data.is_none() || settings.common.resume.is_some() {
        return Ok(vec![]);
    }
    let samples = match task.samples(&settings) {
        Ok(samples) => samples,
        // A task from outside without a preview keeps its defaults.
        Err(TaskError::Unsupported { .. }) => return Ok(vec![]),
        Err(error) => return Err(error),
    };
    let images = settings.common.limit.map_or(samples.count, |limit| limit.min(samples.count));
    let looked_at = LOOKED_AT.min(samples.count);
    // The training refuses samples that cannot be read.
    let read = (0..looked_at).filter_map(|k| (samples.read)(k * samples.count / looked_at).ok());
    let read: Vec<Sample> = read.collect();
    let rare = rare_classes(&read, samples.legend.len());
    let masks = read.iter().any(|sample| !sample.mask.is_empty());
    let (photographs, pictures) = (are_photographs(&read), read.iter().map(|sample| sample.own).collect());
    let start_size = size_of_start(&settings);
    let roles = task.card().roles;
    let mut facts = Facts { photographs, images, masks, rare, processor: None, pictures, start_size, settings, roles };
    if ranks == 1 && rules::asks_device(&facts) {
        facts.processor = Some(is_processor(&facts.settings.common.device));
    }
    let mut given = given.clone();
    let mut choices = vec![];
    for rule in &rules::RULES {
        let Some(key) = (rule.key)(&roles) else { continue };
        let again = again.iter().any(|again| again == key);
        let free = again || given.origin(key) == Origin::Code;
        let value = facts.settings.table.get(key).filter(|_| free);
        let kept = value.filter(|_| again).map(|value| (value.clone(), "the default fits".to_owned()));
        if let Some((value, reason)) = value.and_then(|_| (rule.choose)(&facts)).or(kept) {
            given.settings.insert(key.to_owned(), value.clone());
            facts.settings = task.resolve(&given).map_err(TrainError::from)?;
            choices.push(Chosen { key, value, reason, of_device: rule.of_device });
        }
    }
    Ok(choices)
}

/// Keys in the settings of an earlier run that data and device decided, and that are not given beside its file.
fn chosen_before(given: &Given) -> Vec<String> {
    let text = given.config.as_deref().and_then(|path| read_text(path, 1 << 20).ok()).unwrap_or_default();
    let keys = reasons(&text).map(|(key, _)| key.to_owned());
    keys.filter(|key| !given.settings.contains_key(key)).collect()
}

/// The settings with some keys of the file at their defaults, and these keys. A setting without an effect beside the given ones, such as
/// the width of another network, is none of them: it stays as the file has it.
fn without(task: &dyn Task, given: &Given, keys: Vec<String>) -> Result<(Given, Vec<String>), TaskError> {
    let mut given = given.clone();
    let Some(path) = given.config.as_deref().filter(|_| !keys.is_empty()) else { return Ok((given, keys)) };
    let text = read_text(path, 1 << 20).unwrap_or_default();
    let mut plain: toml::Table = toml::from_str(&text).unwrap_or_default();
    plain.retain(|key, _| !keys.iter().any(|known| known == key));
    plain.extend(given.settings.clone());
    let plain = Given::of_table(plain, path);
    let defaults = task.resolve(&plain).map_err(TrainError::from)?.table;
    let mut free = vec![];
    for key in keys {
        let Some(value) = defaults.get(&key) else { continue };
        given.settings.insert(key.clone(), value.clone());
        match task.resolve(&given) {
            Err(ConfigError::NoEffect { key: refused, .. }) if refused == key => drop(given.settings.remove(&key)),
            _ => free.push(key),
        }
    }
    Ok((given, free))
}

/// The size of the images of the run whose weights training starts from. The files of other programs name none.
fn size_of_start(settings: &Resolved) -> Option<ImageSize> {
    let Some(StartOf::Path(path)) = settings.common.start() else { return None };
    let file = WeightFile::open(&weights_path(path).ok()?).ok()?;
    ImageSize::parse(file.metadata().get("image_size")?).ok()
}

/// Whether rules choose a setting of a task.
#[cfg(feature = "cli")]
pub fn chooses(task: &dyn Task, key: &str) -> bool {
    let roles = task.card().roles;
    rules::RULES.iter().any(|rule| (rule.key)(&roles) == Some(key))
}

/// Whether a device is a processor. Software adapters compute on one too. An unknown device is refused when it is opened.
fn is_processor(device: &str) -> bool {
    let devices = gpu::list();
    match gpu::choose(device, &devices) {
        Ok(gpu::Choice::Cpu) => true,
        Ok(gpu::Choice::Adapter(index)) => !devices[index].kind.is_hardware(),
        Err(_) => false,
    }
}

/// Whether most of some samples are photographs.
fn are_photographs(samples: &[Sample]) -> bool {
    2 * samples.iter().filter(|sample| is_photograph(sample)).count() > samples.len()
}

/// Number of classes that have few pixels, but some, in the masks of samples.
fn rare_classes(samples: &[Sample], classes: usize) -> usize {
    let mut counts = vec![0usize; classes];
    for &class in samples.iter().flat_map(|sample| &sample.mask).filter(|&&class| class != IGNORED_BYTE) {
        if let Some(count) = counts.get_mut(usize::from(class)) {
            *count += 1;
        }
    }
    let all: usize = counts.iter().sum();
    counts.iter().filter(|&&count| count > 0 && (count * classes) as f64 <= RARE * all as f64).count()
}

/// Whether no color fills a large part of a picture, as paper and flat areas of drawings do.
fn is_photograph(sample: &Sample) -> bool {
    let (colors, _) = sample.rgb.as_chunks::<3>();
    let mut colors = colors.to_vec();
    colors.sort_unstable();
    let largest = colors.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap_or(0);
    (largest as f64) < FLAT * colors.len() as f64
}
