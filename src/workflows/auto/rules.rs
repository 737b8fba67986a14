//! The rules that choose settings. Their scores against the fixed defaults are in docs/results.md.

use super::facts::{Facts, text};
use super::size::image_size;
use crate::data::Augment;
use crate::train::Schedule;
use crate::train::settings::{Optimizer, Resolved};

/// A rule for a setting.
pub(super) struct Rule {
    /// Key of the setting.
    pub(super) key: &'static str,
    /// Whether the device decides, not the data.
    pub(super) of_device: bool,
    /// The value and its reason; `None` if the default fits.
    pub(super) choose: fn(&Facts) -> Option<(toml::Value, String)>,
}

/// All rules. Each sees the choices of those before it: epochs depend on the batch size.
pub(super) const RULES: [Rule; 8] = [
    // The image size of a UNet depends on its width.
    Rule { key: "base", of_device: true, choose: base },
    Rule { key: "image_size", of_device: false, choose: image_size },
    Rule { key: "batch_size", of_device: false, choose: batch_size },
    Rule { key: "lr", of_device: false, choose: lr },
    Rule { key: "epochs", of_device: false, choose: epochs },
    Rule { key: "schedule", of_device: false, choose: schedule },
    Rule { key: "augment", of_device: false, choose: augment },
    Rule { key: "class_weights", of_device: false, choose: class_weights },
];

/// Channels of a UNet's first level on a processor.
const NARROW: i64 = 16;
/// Adam's rates: of a ResNet and of a UNet from random weights, of all layers of trained weights, and of the head in fine-tuning.
const RESNET_RATE: f64 = 3e-4;
const NARROW_UNET_RATE: f64 = 3e-3;
const UNET_RATE: f64 = 1e-3;
const TRAINED_RATE: f64 = 1e-4;
const HEAD_RATE: f64 = 1e-3;
/// Steps of a training from random weights, and its maximum number of epochs: with more passes, a network learns few
/// images by heart. ResNet18 was best after 600 to 1500 steps on 5000 photographs (docs/results.md).
const UNTRAINED: (usize, usize) = (1000, 60);
/// The same from trained weights, which need fewer steps.
const TRAINED: (usize, usize) = (300, 20);
/// Steps of an epoch below which the batch is made smaller. A UNet takes more and smaller batches, since BatchNorm sees many pixels of
/// each image: colors of 200 photographs were better by 0.2 dB with 4 images than with 8, after the same time (docs/results.md).
const STEPS_OF_EPOCH: usize = 4;
const UNET_STEPS_OF_EPOCH: usize = 50;
/// The smallest batch that a rule chooses, because BatchNorm normalizes by its statistics.
const LEAST_BATCH: usize = 4;
/// Training images below which they are augmented: 5000 photographs gain from it (docs/results.md).
const FEW_IMAGES: usize = 10_000;

/// Whether a rule needs the device: for the width of a UNet, or for the image size.
pub(super) fn asks_device(settings: &Resolved) -> bool {
    is_unet(settings) || settings.table.contains_key("image_size")
}

/// Whether the network is a UNet with its own encoder, not a ResNet: `base` sets its width.
fn is_unet(settings: &Resolved) -> bool {
    text(settings, "model") == Some("unet") && text(settings, "encoder").is_none_or(|encoder| encoder == "none")
}

/// Channels of the first level of a UNet with its own encoder.
fn channels(settings: &Resolved) -> Option<i64> {
    settings.table.get("base").and_then(toml::Value::as_integer).filter(|_| is_unet(settings))
}

/// Whether the network is a UNet of few channels.
fn is_narrow(settings: &Resolved) -> bool {
    channels(settings).is_some_and(|base| base <= NARROW)
}

/// Time of a step, as a multiple of that of a narrow network on the same pixels. It grows with the square of the channels.
pub(super) fn work(settings: &Resolved) -> f64 {
    channels(settings).map_or(1.0, |base| (base as f64 / NARROW as f64).powi(2)).max(1.0)
}

/// A narrow UNet on a processor. Trained weights have a fixed width.
fn base(facts: &Facts) -> Option<(toml::Value, String)> {
    let settings = &facts.settings;
    let now = settings.table.get("base")?.as_integer()?;
    (facts.processor == Some(true) && is_unet(settings) && settings.common.start().is_none() && now > NARROW)
        .then(|| (NARROW.into(), format!("the processor trains; a step of {now} channels takes several times as long")))
}

/// At most a fraction of the images, so that an epoch has several steps.
fn batch_size(facts: &Facts) -> Option<(toml::Value, String)> {
    let Facts { settings, images, .. } = facts;
    let untrained = settings.common.start().is_none();
    let steps = if untrained && is_unet(settings) { UNET_STEPS_OF_EPOCH } else { STEPS_OF_EPOCH };
    let fits = (images / steps).max(LEAST_BATCH);
    (fits < settings.common.batch_size)
        .then(|| (whole(fits), format!("an epoch of {images} images has about {} steps", images.div_ceil(fits))))
}

/// Adam's rate for a network of random weights, or for trained ones.
fn lr(facts: &Facts) -> Option<(toml::Value, String)> {
    let settings = &facts.settings;
    if settings.common.optimizer == Optimizer::Sgd {
        return None;
    }
    let resnet = text(settings, "model").is_some_and(|model| model.starts_with("resnet"));
    let (fits, reason) = match settings.common.start() {
        Some(_) if settings.common.finetune => (HEAD_RATE, "of the head, which starts from random weights"),
        Some(_) => (TRAINED_RATE, "all layers start from trained weights"),
        None if resnet => (RESNET_RATE, "Adam, and a ResNet from random weights"),
        None if is_narrow(settings) => (NARROW_UNET_RATE, "Adam, and a narrow UNet from random weights"),
        None if is_unet(settings) => (UNET_RATE, "Adam, and a UNet from random weights"),
        None => return None,
    };
    (fits != settings.common.lr).then(|| (fits.into(), reason.to_owned()))
}

/// About 1000 steps, and fewer for trained weights.
fn epochs(facts: &Facts) -> Option<(toml::Value, String)> {
    let settings = &facts.settings.common;
    let (steps, most) = if settings.start().is_some() { TRAINED } else { UNTRAINED };
    let batch = settings.batch_size.max(1) * settings.accumulate;
    let steps_of_epoch = facts.images.div_ceil(batch).max(1);
    let fits = steps.div_ceil(steps_of_epoch).min(most);
    (fits > settings.epochs).then(|| (whole(fits), format!("{} steps of {batch} images", fits * steps_of_epoch)))
}

/// Cosine: the rate ends at 0, so that the last epochs do not scatter.
fn schedule(facts: &Facts) -> Option<(toml::Value, String)> {
    let reason = "the learning rate falls to 0, so that the last epochs scatter less";
    (facts.settings.common.schedule.kind == Schedule::Constant)
        .then(|| (Schedule::Cosine.name().into(), reason.to_owned()))
}

/// Light augmentation of few photographs without masks. With it, CamVid's mean IoU was lower by 0.1 in short trainings, since rotation
/// and blur hide thin objects (docs/results.md).
fn augment(facts: &Facts) -> Option<(toml::Value, String)> {
    let few = facts.photographs && !facts.masks && facts.images < FEW_IMAGES;
    (few && facts.settings.common.augment == Augment::NONE)
        .then(|| ("light".into(), format!("{} photographs are few", facts.images)))
}

/// Weights for the classes of masks if some are rare: plain cross entropy never predicts them. CamVid's mean IoU is
/// 0.13 higher with weights, after the same time (docs/results.md).
fn class_weights(facts: &Facts) -> Option<(toml::Value, String)> {
    let plain = text(&facts.settings, "class_weights") == Some("none") && text(&facts.settings, "loss") == Some("ce");
    (facts.rare > 0 && plain).then(|| {
        let reason = format!("{} less than a fifth of the pixels of a mean class", classes_have(facts.rare));
        ("median".into(), reason)
    })
}

/// A number of classes and its verb.
fn classes_have(classes: usize) -> String {
    if classes == 1 { "one class has".into() } else { format!("{classes} classes have") }
}

fn whole(value: usize) -> toml::Value {
    toml::Value::Integer(value as i64)
}
