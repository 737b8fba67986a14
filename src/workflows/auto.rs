//! Settings chosen from the training images of a data set, the network and the device, each with its reason. Only settings that are not
//! given are chosen, and the run's `config.toml` holds the choice. The fixed defaults fit the built-in scenes.

mod rules;

use crate::exec::gpu;
use crate::tasks::{Sample, Samples, Task, TaskError};
use crate::train::TrainError;
use crate::train::settings::{Given, Origin, Resolved};

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

/// Samples that are looked at.
const LOOKED_AT: usize = 8;
/// Share of the pixels that have the most frequent color, below which a picture counts as a photograph.
const FLAT: f64 = 0.2;

/// The facts that rules use.
struct Facts {
    /// The settings with the choices so far.
    settings: Resolved,
    /// Number of training images.
    images: usize,
    /// Whether the training images are photographs.
    photographs: bool,
    /// Whether a processor trains, not a GPU.
    processor: bool,
}

/// The settings that fit the training images of `given`, without those that are given. None without a data set: the defaults were
/// chosen for the built-in scenes. With several `ranks`, which may have other devices, the device decides nothing.
///
/// # Errors
/// When the settings are refused or the data cannot be read.
pub fn choose(task: &dyn Task, given: &Given, ranks: usize) -> Result<Vec<Chosen>, TaskError> {
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
    let processor = ranks == 1 && rules::asks_device(&settings) && is_processor(&settings.common.device);
    let mut facts = Facts { photographs: are_photographs(&samples), images, processor, settings };
    let mut given = given.clone();
    let mut choices = vec![];
    for rule in &rules::RULES {
        let free = given.origin(rule.key) == Origin::Code && facts.settings.table.contains_key(rule.key);
        if let Some((value, reason)) = free.then(|| (rule.choose)(&facts)).flatten() {
            given.settings.insert(rule.key.to_owned(), value.clone());
            facts.settings = task.resolve(&given).map_err(TrainError::from)?;
            choices.push(Chosen { key: rule.key, value, reason, of_device: rule.of_device });
        }
    }
    Ok(choices)
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

/// Whether most of some samples, spread over the set, are photographs. Samples that cannot be read are the training's to refuse.
fn are_photographs(samples: &Samples) -> bool {
    let looked_at = LOOKED_AT.min(samples.count);
    let read = (0..looked_at).filter_map(|k| (samples.read)(k * samples.count / looked_at).ok());
    let photographs: Vec<bool> = read.map(|sample| is_photograph(&sample)).collect();
    2 * photographs.iter().filter(|&&found| found).count() > photographs.len()
}

/// Whether no color fills a large part of a picture, as paper and flat areas of drawings do.
fn is_photograph(sample: &Sample) -> bool {
    let (colors, _) = sample.rgb.as_chunks::<3>();
    let mut colors = colors.to_vec();
    colors.sort_unstable();
    let largest = colors.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap_or(0);
    (largest as f64) < FLAT * colors.len() as f64
}
