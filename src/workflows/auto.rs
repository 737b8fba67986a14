//! Settings for data of one's own: batch size, epochs, schedule and augmentation from the training images, each with its reason.
//! Only settings that are not given are chosen, and the run's `config.toml` holds the choice.

use crate::data::Augment;
use crate::tasks::{Sample, Samples, Task, TaskError};
use crate::train::settings::{Given, Origin, TrainSettings};
use crate::train::{Schedule, TrainError};

/// A setting that the data decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: toml::Value,
    /// The reason, in words.
    pub reason: String,
}

/// Steps of a training: ResNet18 was best after 600 to 1500 steps on 5000 photographs (docs/results.md).
const STEPS: usize = 1000;
/// Most epochs that are chosen: more passes over few images learn them by heart.
const MOST_EPOCHS: usize = 60;
/// Steps of an epoch below which the batch is made smaller.
const STEPS_OF_EPOCH: usize = 8;
/// The smallest batch that is chosen: BatchNorm normalizes by its statistics.
const LEAST_BATCH: usize = 4;
/// Training images below which they are augmented.
const FEW_IMAGES: usize = 5000;
/// Samples that are looked at.
const LOOKED_AT: usize = 8;
/// Share of the pixels that have the most frequent color, below which a picture counts as a photograph.
const FLAT: f64 = 0.2;

/// The settings that fit the training images of `given`, without those that are given. None without a data set: the defaults were
/// chosen for the built-in scenes.
///
/// # Errors
/// When the settings are refused or the data cannot be read.
pub fn choose(task: &dyn Task, given: &Given) -> Result<Vec<Chosen>, TaskError> {
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
    let photographs = are_photographs(&samples)?;
    let mut common = settings.common;
    let mut choices = vec![];
    for (key, rule) in RULES {
        if let Some((value, reason)) = rule(&common, images, photographs).filter(|_| given.origin(key) == Origin::Code)
        {
            if key == "batch_size" {
                common.batch_size = value.as_integer().map_or(common.batch_size, |size| size as usize);
            }
            choices.push(Chosen { key, value, reason });
        }
    }
    Ok(choices)
}

/// A rule: the value and its reason, from the settings, the number of training images, and whether they are photographs.
type Rule = fn(&TrainSettings, usize, bool) -> Option<(toml::Value, String)>;

/// All rules. The batch size comes first, since the epochs depend on it.
const RULES: [(&str, Rule); 4] =
    [("batch_size", batch_size), ("epochs", epochs), ("schedule", schedule), ("augment", augment)];

/// At most an eighth of the images, so that an epoch has several steps.
fn batch_size(settings: &TrainSettings, images: usize, _: bool) -> Option<(toml::Value, String)> {
    let fits = (images / STEPS_OF_EPOCH).max(LEAST_BATCH);
    (fits < settings.batch_size)
        .then(|| (whole(fits), format!("an epoch of {images} images has about {STEPS_OF_EPOCH} steps")))
}

/// About [`STEPS`] steps.
fn epochs(settings: &TrainSettings, images: usize, _: bool) -> Option<(toml::Value, String)> {
    let steps = images.div_ceil(settings.batch_size.max(1) * settings.accumulate).max(1);
    let fits = STEPS.div_ceil(steps).min(MOST_EPOCHS);
    (fits > settings.epochs).then(|| (whole(fits), format!("{} steps of {} images", fits * steps, settings.batch_size)))
}

/// Cosine: the rate ends at 0, so that the last epochs do not scatter.
fn schedule(settings: &TrainSettings, _: usize, _: bool) -> Option<(toml::Value, String)> {
    (settings.schedule.kind == Schedule::Constant).then(|| {
        (
            Schedule::Cosine.name().into(),
            "the learning rate falls to 0, so that the last epochs scatter less".to_owned(),
        )
    })
}

/// Light augmentation of few photographs.
fn augment(settings: &TrainSettings, images: usize, photographs: bool) -> Option<(toml::Value, String)> {
    (settings.augment == Augment::NONE && photographs && images < FEW_IMAGES)
        .then(|| ("light".into(), format!("{images} photographs are few")))
}

fn whole(value: usize) -> toml::Value {
    toml::Value::Integer(value as i64)
}

/// Whether most of some samples, spread over the set, are photographs.
fn are_photographs(samples: &Samples) -> Result<bool, TaskError> {
    let looked_at = LOOKED_AT.min(samples.count);
    let mut found = 0;
    for k in 0..looked_at {
        found += usize::from(is_photograph(&(samples.read)(k * samples.count / looked_at)?));
    }
    Ok(2 * found > looked_at)
}

/// Whether no color fills a large part of a picture, as paper and flat areas of drawings do.
fn is_photograph(sample: &Sample) -> bool {
    let (colors, _) = sample.rgb.as_chunks::<3>();
    let mut colors = colors.to_vec();
    colors.sort_unstable();
    let largest = colors.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap_or(0);
    (largest as f64) < FLAT * colors.len() as f64
}
