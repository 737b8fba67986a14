//! Doubts before a training: the rules that need only data and settings. Each looks for one thing, and gives the
//! numbers that prove it.

use serde::Serialize;

use super::next::{Next, augmented, balanced, checked, cropped, is_balanced, pretrained, with};
use super::pixels::PartPixels;
use super::rules::{
    ADAM_MOST, FEW_STEPS, few_pixels_of, few_training_images, low_rate, other_pixels, small_validation_set, too_few,
};
use super::yardstick::binomial;
use super::{Setup, TaskCard};
use crate::text::count_of;

/// A training before its first step.
#[derive(Clone, Copy)]
pub struct Prospect<'a> {
    /// The description of the task.
    pub task: &'a TaskCard,
    /// Names of the classes, or of the color channels.
    pub outputs: &'a [String],
    /// The settings of the run, as its `config.toml` would hold them.
    pub settings: &'a toml::Table,
    /// Number of training images.
    pub training_images: usize,
    /// Number of validation images.
    pub validation_images: usize,
    /// Training and validation images of each class, if images have classes.
    pub class_counts: Option<&'a [[usize; 2]]>,
    /// Share of each class among the pixels of some training batches, if pixels have classes.
    pub class_pixels: Option<&'a [f64]>,
    /// Pixels of both parts, if they were compared.
    pub pixels: Option<&'a PartPixels>,
    /// Optimizer steps of the whole training.
    pub steps: usize,
    /// Whether the network has BatchNorm layers.
    pub batch_norm: bool,
    /// Height and width of the network's input, in pixels.
    pub image_size: [usize; 2],
    /// Height and width of a typical picture of the data, where pictures are resized.
    pub picture: Option<[usize; 2]>,
}

/// The kind of a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DoubtKind {
    /// A class lacks training or validation images.
    MissingClass,
    /// Validation images differ from training images in brightness or contrast.
    PartsDiffer,
    /// The batch holds more images than the training set.
    LargeBatch,
    /// BatchNorm normalizes by the statistics of one or two images.
    SmallBatch,
    /// The learning rate is far from the usual ones of the optimizer.
    UnusualRate,
    /// Trained weights start at a rate for random weights.
    RateForRandomWeights,
    /// Pixels are not normalized.
    NoNormalization,
    /// The training has few steps.
    FewSteps,
    /// There are few training images.
    FewImages,
    /// The network sees few of the pixels of pictures with masks.
    FewPixels,
    /// Classes have unequal numbers of images or pixels.
    UnequalClasses,
    /// The validation set is too small to show small differences.
    FewValidationImages,
}

/// A doubt with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// Its kind.
    pub kind: DoubtKind,
    /// The doubt and the numbers that prove it.
    pub text: String,
}

/// A rule: the text of its doubt, if there is reason for it.
type Rule = fn(&Prospect<'_>) -> Option<String>;

/// All rules, the most important first.
const RULES: [(DoubtKind, Rule); 12] = [
    (DoubtKind::MissingClass, missing_class),
    (DoubtKind::PartsDiffer, |run| run.pixels.and_then(other_pixels)),
    (DoubtKind::LargeBatch, large_batch),
    (DoubtKind::SmallBatch, small_batch),
    (DoubtKind::UnusualRate, unusual_rate),
    (DoubtKind::RateForRandomWeights, rate_for_random_weights),
    (DoubtKind::NoNormalization, no_normalization),
    (DoubtKind::FewSteps, few_steps),
    (DoubtKind::FewImages, few_images),
    (DoubtKind::FewPixels, few_pixels),
    (DoubtKind::UnequalClasses, |run| unequal_classes(run).or_else(|| rare_pixels(run))),
    (DoubtKind::FewValidationImages, few_validation_images),
];

/// Maximum number of next steps.
const MOST: usize = 3;
/// Lowest usual learning rate of SGD with momentum from random weights.
const SGD_LEAST: f64 = 0.003;

impl Prospect<'_> {
    /// All doubts, the most important first.
    pub fn doubts(&self) -> Vec<Doubt> {
        RULES.iter().filter_map(|&(kind, rule)| Some(Doubt { kind, text: rule(self)? })).collect()
    }

    /// At most three steps that answer the doubts. A single training has all settings that answer doubts.
    pub fn next(&self, doubts: &[Doubt]) -> Vec<Next> {
        let mut steps: Vec<Next> = vec![];
        for step in doubts.iter().flat_map(|doubt| self.answers(doubt.kind)) {
            let training =
                steps.iter_mut().find_map(|known| if let Next::Train(own) = known { Some(own) } else { None });
            if let (Some(all), Next::Train(own)) = (training, &step) {
                for (key, value) in own {
                    if !all.iter().any(|(known, _)| known == key) {
                        all.push((key.clone(), value.clone()));
                    }
                }
            } else if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps.truncate(MOST);
        steps
    }

    /// The steps that answer a doubt.
    fn answers(&self, kind: DoubtKind) -> Vec<Next> {
        let setup = self.setup();
        let answer = match kind {
            DoubtKind::MissingClass | DoubtKind::PartsDiffer => checked(setup),
            DoubtKind::LargeBatch => {
                let fits = (self.training_images / 8).clamp(4, 32).min(self.training_images);
                Some(with(&[("batch_size", &fits.to_string())]))
            }
            DoubtKind::SmallBatch => (self.training_images >= 8).then(|| with(&[("batch_size", "8")])),
            DoubtKind::UnusualRate => {
                let usual = if setup.setting("optimizer") == "sgd" { "0.01" } else { "0.001" };
                return vec![Next::FindRate, with(&[("lr", usual)])];
            }
            DoubtKind::RateForRandomWeights => Some(with(&[("finetune", "true")])),
            DoubtKind::NoNormalization => setup.roles().normalization.map(|normal| with(&[(normal.key, normal.on)])),
            DoubtKind::FewSteps => {
                let epochs = self.number("epochs").unwrap_or(1.0) as usize;
                let needed = (FEW_STEPS * epochs).div_ceil(self.steps.max(1));
                Some(with(&[("epochs", &needed.to_string())]))
            }
            DoubtKind::FewImages => pretrained(setup).or_else(|| augmented(setup)),
            DoubtKind::FewPixels => cropped(setup, self.image_size),
            DoubtKind::UnequalClasses => balanced(setup),
            DoubtKind::FewValidationImages => None,
        };
        answer.into_iter().collect()
    }

    pub(super) fn setup(&self) -> Setup<'_> {
        Setup { task: self.task, settings: self.settings }
    }

    /// A setting as a number.
    fn number(&self, key: &str) -> Option<f64> {
        self.setup().setting(key).parse().ok()
    }

    fn name(&self, class: usize) -> &str {
        self.outputs.get(class).map_or("?", String::as_str)
    }
}

/// A class without training images cannot be learned, and one without validation images has no score.
fn missing_class(run: &Prospect<'_>) -> Option<String> {
    let counts = run.class_counts?;
    let missing = |part: usize| counts.iter().position(|count| count[part] == 0);
    let (class, part) = missing(0).map(|class| (class, "training")).or(missing(1).map(|class| (class, "validation")))?;
    let all = counts.iter().filter(|count| count[usize::from(part == "validation")] == 0).count();
    let have = if all == 1 { "has" } else { "have" };
    Some(format!("{all} of {} classes {have} no {part} image, such as “{}”", counts.len(), run.name(class)))
}

fn large_batch(run: &Prospect<'_>) -> Option<String> {
    let (batch, images) = (run.number("batch_size")? as usize, run.training_images);
    (batch > images).then(|| {
        format!("the batch of {batch} holds more than the {images} training images: an epoch is a single step")
    })
}

/// Networks of classification end in maps of a few pixels, so BatchNorm normalizes small batches by few values.
fn small_batch(run: &Prospect<'_>) -> Option<String> {
    let batch = run.number("batch_size")?;
    (run.batch_norm && run.setup().classifies() && batch <= 2.0 && run.setup().setting("freeze_statistics") != "true")
        .then(|| {
            let images = count_of(batch as usize, "image");
            format!("BatchNorm normalizes by the statistics of {images}: validation may be far worse than training")
        })
}

fn unusual_rate(run: &Prospect<'_>) -> Option<String> {
    let lr = run.number("lr")?;
    match run.setup().setting("optimizer").as_str() {
        "sgd" => (lr < SGD_LEAST && run.setup().starts_random())
            .then(|| format!("a learning rate of {lr} is low for SGD from random weights: usual ones are 0.01 to 0.1")),
        "adam" | "adamw" if lr > ADAM_MOST => {
            Some(format!("a learning rate of {lr} is high for Adam: usual ones are 0.0001 to 0.003"))
        }
        "adam" | "adamw" => low_rate(run.setup()),
        _ => None,
    }
}

/// Adam trains all layers of trained weights at a rate of 0.001 or more.
fn rate_for_random_weights(run: &Prospect<'_>) -> Option<String> {
    let lr = run.number("lr")?;
    let adam = run.setup().setting("optimizer").starts_with("adam");
    let alike = run.setup().setting("finetune") != "true" && run.number("lr_decay_layers").unwrap_or(1.0) >= 1.0;
    (adam && alike && !run.setup().starts_random() && lr >= 1e-3).then(|| {
        format!("a learning rate of {lr} in all layers changes trained weights as fast as random ones; 0.0001 is usual for them")
    })
}

fn no_normalization(run: &Prospect<'_>) -> Option<String> {
    let normalization = run.setup().roles().normalization?;
    (run.setup().setting(normalization.key) == normalization.off).then(|| {
        "pixels from 0 to 1 are not normalized: their mean is a constant input, and the loss needs a lower learning rate".to_owned()
    })
}

fn few_steps(run: &Prospect<'_>) -> Option<String> {
    let (steps, epochs) = (run.steps, run.number("epochs")?);
    (run.setup().starts_random() && steps < FEW_STEPS).then(|| too_few(steps, epochs as usize))
}

fn few_images(run: &Prospect<'_>) -> Option<String> {
    few_training_images(run.setup(), run.training_images, run.outputs, run.class_counts)
}

/// Pictures with masks lose nine tenths of their pixels. The network decides the size of squares.
fn few_pixels(run: &Prospect<'_>) -> Option<String> {
    run.picture.filter(|_| run.setup().has_masks()).and_then(|picture| few_pixels_of(picture, run.image_size))
}

/// A class has less than half the training images of a mean class, and no setting gives it more weight.
fn unequal_classes(run: &Prospect<'_>) -> Option<String> {
    let counts = run.class_counts.filter(|_| !is_balanced(run.setup()))?;
    let all: usize = counts.iter().map(|count| count[0]).sum();
    let rare = |&class: &usize| counts[class][0] > 0 && 2 * counts[class][0] * counts.len() < all;
    let rare: Vec<usize> = (0..counts.len()).filter(rare).collect();
    let rarest = *rare.iter().min_by_key(|&&class| counts[class][0])?;
    Some(format!(
        "unequal classes: {} of {} have less than half the images of a mean class, such as “{}” with {} where the mean is {:.0}",
        rare.len(),
        counts.len(),
        run.name(rarest),
        counts[rarest][0],
        all as f64 / counts.len() as f64
    ))
}

/// A class has less than a fifth of the pixels of a mean class, and the loss counts all pixels alike. Only the first
/// batches are counted; a class without a pixel there may have pixels in others.
fn rare_pixels(run: &Prospect<'_>) -> Option<String> {
    let shares = run.class_pixels?;
    let mean = 1.0 / shares.len() as f64;
    let rare: Vec<usize> =
        (0..shares.len()).filter(|&class| shares[class] > 0.0 && 5.0 * shares[class] < mean).collect();
    let rarest = *rare.iter().min_by(|&&a, &&b| shares[a].total_cmp(&shares[b]))?;
    balanced(run.setup()).filter(|_| run.setup().holds(run.setup().roles().plain_cross_entropy))?;
    Some(format!(
        "unequal classes: {} of {} have less than a fifth of the pixels of a mean class, such as “{}” with {:.1} % where the mean \
         is {:.1} %",
        rare.len(),
        shares.len(),
        run.name(rarest),
        100.0 * shares[rarest],
        100.0 * mean
    ))
}

/// The standard error is that of an accuracy of 50 %, the largest of any accuracy.
fn few_validation_images(run: &Prospect<'_>) -> Option<String> {
    let sigma = binomial(0.5, run.validation_images as u64)?;
    run.setup().classifies().then_some(())?;
    small_validation_set(run.task.decisive()?, run.validation_images, sigma)
}
