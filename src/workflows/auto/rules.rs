//! The rules that choose settings. Their scores against the fixed defaults are in docs/results.md.

use super::facts::{Facts, NARROW};
use super::size::image_size;
use crate::data::Augment;
use crate::run::{SettingRoles, setting_roles};
use crate::train::Schedule;
use crate::train::settings::Optimizer;

/// A rule for a setting.
pub(super) struct Rule {
    /// Key of the setting; `None` for tasks without it.
    pub(super) key: fn(&SettingRoles) -> Option<&'static str>,
    /// Whether the device decides, not the data.
    pub(super) of_device: bool,
    /// The value and its reason; `None` if the default fits.
    pub(super) choose: fn(&Facts) -> Option<(toml::Value, String)>,
}

/// All rules. Each sees the choices of those before it: epochs depend on the batch size.
pub(super) const RULES: [Rule; 8] = [
    // The image size of a UNet depends on its width.
    Rule { key: |roles| Some(roles.width?.key), of_device: true, choose: width },
    Rule { key: |roles| Some(roles.input?.size), of_device: false, choose: image_size },
    Rule { key: |_| Some("batch_size"), of_device: false, choose: batch_size },
    Rule { key: |_| Some("lr"), of_device: false, choose: lr },
    Rule { key: |_| Some("epochs"), of_device: false, choose: epochs },
    Rule { key: |_| Some("schedule"), of_device: false, choose: schedule },
    Rule { key: |_| Some("augment"), of_device: false, choose: augment },
    Rule { key: |roles| Some(roles.class_weights?.key), of_device: false, choose: class_weights },
];

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
pub(super) fn asks_device(facts: &Facts) -> bool {
    let size = facts.roles.input.is_some_and(|input| facts.settings.table.contains_key(input.size));
    facts.width().is_some() || size
}

/// A narrow UNet on a processor. Trained weights have a fixed width.
fn width(facts: &Facts) -> Option<(toml::Value, String)> {
    let (_, now) = facts.width()?;
    (facts.processor == Some(true) && facts.settings.common.start().is_none() && now > NARROW)
        .then(|| (NARROW.into(), format!("the processor trains; a step of {now} channels takes several times as long")))
}

/// At most a fraction of the images, so that an epoch has several steps.
fn batch_size(facts: &Facts) -> Option<(toml::Value, String)> {
    let Facts { settings, images, .. } = facts;
    let untrained = settings.common.start().is_none();
    let steps = if untrained && facts.width().is_some() { UNET_STEPS_OF_EPOCH } else { STEPS_OF_EPOCH };
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
    let (resnet, width) = (facts.holds(facts.roles.resnet), facts.width());
    let (fits, reason) = match settings.common.start() {
        Some(_) if settings.common.finetune => (HEAD_RATE, "of the head, which starts from random weights"),
        Some(_) => (TRAINED_RATE, "all layers start from trained weights"),
        None if resnet => (RESNET_RATE, "Adam, and a ResNet from random weights"),
        None if width.is_some_and(|(_, channels)| channels <= NARROW) => {
            (NARROW_UNET_RATE, "Adam, and a narrow UNet from random weights")
        }
        None if width.is_some() => (UNET_RATE, "Adam, and a UNet from random weights"),
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
    let (weights, settings) = (facts.roles.class_weights?, &facts.settings.table);
    let off = setting_roles::text(settings, weights.key) == weights.off;
    (facts.rare > 0 && off && facts.holds(facts.roles.plain_cross_entropy)).then(|| {
        let reason = format!("{} less than a fifth of the pixels of a mean class", classes_have(facts.rare));
        (weights.on.into(), reason)
    })
}

/// A number of classes and its verb.
fn classes_have(classes: usize) -> String {
    if classes == 1 { "one class has".into() } else { format!("{classes} classes have") }
}

fn whole(value: usize) -> toml::Value {
    toml::Value::Integer(value as i64)
}
