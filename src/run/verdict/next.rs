//! Next steps that fit the findings on a run.

use serde::{Deserialize, Serialize};

use super::rules::{
    FEW_STEPS, Finding, FindingKind, few_training_images, high_rate, larger, low_rate, not_converged, smaller, softened,
};
use super::{Evidence, Setup};
use crate::run::score::{TRAIN_ACCURACY, Unit};
use crate::text::number;

/// A next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Next {
    /// The same training with other settings: their keys and values. A setting with an empty value is not given any more.
    Train(Vec<(String, String)>),
    /// The same run with more epochs.
    Continue {
        /// Number of all epochs.
        epochs: usize,
    },
    /// A learning rate range test.
    FindRate,
    /// A check of the data set.
    CheckData,
    /// Predictions of the trained model.
    Predict,
}

/// Training accuracy from which the training images count as learned.
const LEARNED: f64 = 0.8;
/// Score from which a share has no room to improve.
const PERFECT: f64 = 0.995;
/// Weight of rare colors that keeps most of the color and has a higher PSNR than the default (docs/results.md).
const MUTED: f64 = 0.1;
/// Usual learning rates of both optimizers, from random weights.
const ADAM_USUAL: f64 = 1e-3;
const SGD_USUAL: f64 = 0.1;
/// Maximum number of steps of a verdict.
const MOST: usize = 3;

/// Steps for the findings, each once: the first step of each finding, in their order, then the second ones, and so on.
pub(super) fn steps(run: &Evidence<'_>, findings: &[Finding]) -> Vec<Next> {
    let answers: Vec<Vec<Next>> = findings.iter().map(|finding| of(run, finding.kind, findings)).collect();
    let mut steps: Vec<Next> = vec![];
    for step in (0..MOST).flat_map(|round| answers.iter().filter_map(move |answer| answer.get(round))) {
        if !steps.contains(step) && steps.len() < MOST {
            steps.push(step.clone());
        }
    }
    if steps.is_empty() {
        steps.push(Next::Predict);
    }
    steps
}

fn of(run: &Evidence<'_>, kind: FindingKind, findings: &[Finding]) -> Vec<Next> {
    let setup = run.setup();
    let found = |kind| findings.iter().any(|finding| finding.kind == kind);
    match kind {
        FindingKind::Diverged => vec![slower(setup, 10.0), Next::FindRate],
        FindingKind::NoBetterThanBaseline => {
            let causes = [FindingKind::FewSteps, FindingKind::PartsDiffer, FindingKind::UnequalClasses];
            if causes.into_iter().any(found) {
                return vec![];
            }
            // A run that still improves needs more epochs. A network that has learned its training images has a good
            // learning rate.
            let on = not_converged(run).map(|_| longer(run));
            let right = run.rows.last().and_then(|row| row.score(&TRAIN_ACCURACY));
            // In masks, a single class may have as large a share of the pixels.
            let learned = setup.classifies() && right.is_some_and(|right| right >= LEARNED);
            let rate = if learned { checked(setup) } else { Some(Next::FindRate) };
            [on, rate, checked(setup)].into_iter().flatten().collect()
        }
        FindingKind::Overfits | FindingKind::Memorizes => {
            let steps = match few_training_images(setup, run.training_images, run.outputs, run.class_counts) {
                // Published weights help most if images are few.
                Some(_) => [pretrained(setup), augmented(setup), Some(early(setup))],
                None => [augmented(setup), pretrained(setup), Some(early(setup))],
            };
            steps.into_iter().flatten().collect()
        }
        FindingKind::RateTooHigh if high_rate(setup).is_some() => vec![with(&[("lr", "1e-3")]), Next::FindRate],
        FindingKind::RateTooHigh => vec![slower(setup, 3.0), Next::FindRate],
        FindingKind::LearnsSlowly if low_rate(setup).is_some() => vec![with(&[("lr", "1e-3")]), Next::FindRate],
        FindingKind::LearnsSlowly => vec![Next::FindRate, longer(run)],
        FindingKind::NotConverged | FindingKind::FewSteps => vec![longer(run)],
        FindingKind::PartsDiffer => checked(setup).into_iter().collect(),
        FindingKind::FewImages
            if run.decisive().is_some_and(|(s, value)| s.unit == Unit::Percent && value >= PERFECT) =>
        {
            vec![]
        }
        FindingKind::FewImages => {
            pretrained(setup).or_else(|| augmented(setup).filter(|_| fits_training(run))).into_iter().collect()
        }
        FindingKind::FewPixels => {
            let resized = larger(run).and_then(|size| resized(setup, size));
            resized.into_iter().chain(cropped(setup, run.image_size)).collect()
        }
        FindingKind::Enlarged => smaller(run).and_then(|size| resized(setup, size)).into_iter().collect(),
        FindingKind::UnequalClasses => balanced(setup).into_iter().collect(),
        FindingKind::PaleColors => vivid(setup).into_iter().collect(),
        FindingKind::VividColors => muted(setup).into_iter().collect(),
        FindingKind::Overconfident => smoothed(setup).into_iter().collect(),
        // The network has not learned its images yet, unless its targets asked for less confidence, or an early epoch is
        // the best.
        FindingKind::Underconfident if softened(setup).is_none() && ends_best(run) => vec![longer(run)],
        FindingKind::BestByChance
        | FindingKind::Confuses
        | FindingKind::Underconfident
        | FindingKind::FewValidationImages
        | FindingKind::Learns => vec![],
    }
}

pub(super) fn with(settings: &[(&str, &str)]) -> Next {
    Next::Train(settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// Another image size.
fn resized(run: Setup<'_>, size: [usize; 2]) -> Option<Next> {
    run.roles().input.map(|input| with(&[(input.size, &size_text(size))]))
}

/// Crops of this size from pictures at their own size: a step takes the same time. They replace the image size. `None` for tasks
/// without crops.
pub(super) fn cropped(run: Setup<'_>, size: [usize; 2]) -> Option<Next> {
    let input = run.roles().input?;
    Some(with(&[(input.crop?, &size_text(size)), (input.size, "")]))
}

fn size_text([height, width]: [usize; 2]) -> String {
    if height == width { height.to_string() } else { format!("{height}x{width}") }
}

/// A check of the data; `None` for built-in data.
pub(super) fn checked(run: Setup<'_>) -> Option<Next> {
    (!run.setting("data").is_empty()).then_some(Next::CheckData)
}

/// A lower learning rate, and at most a usual one.
pub(super) fn slower(run: Setup<'_>, by: f64) -> Next {
    let most = if run.setting("optimizer").starts_with("sgd") { SGD_USUAL } else { ADAM_USUAL };
    let lr: f64 = run.setting("lr").parse().unwrap_or(1e-3);
    let digits = format!("{:.1e}", (lr / by).min(most));
    let text = match digits.parse() {
        Ok(lr) if lr >= 0.01 => number(lr),
        _ => digits,
    };
    with(&[("lr", &text)])
}

/// Whether the training images fit better than the validation images: the training loss ends a tenth below the validation
/// loss. Augmentation cannot help a network that does not fit its training images.
fn fits_training(run: &Evidence<'_>) -> bool {
    let fits = run.rows.last().is_some_and(|last| last.train_loss < 0.9 * last.val_loss);
    fits || !run.setup().has_one_loss()
}

/// Whether the best epoch is in the last quarter of the run.
fn ends_best(run: &Evidence<'_>) -> bool {
    4 * run.best.epoch as usize > 3 * run.rows.len()
}

/// The next stronger augmentation.
pub(super) fn augmented(run: Setup<'_>) -> Option<Next> {
    let stronger = match run.setting("augment").as_str() {
        "" | "none" => "light",
        "light" => "strong",
        _ => return None,
    };
    Some(with(&[("augment", stronger)]))
}

/// Published weights, for a network that started from random ones and can have an encoder with such weights. The command drops the
/// settings that have no effect with that encoder.
pub(super) fn pretrained(run: Setup<'_>) -> Option<Next> {
    let mut encoders = run.roles().encoders.iter().filter(|_| run.starts_random());
    let encoder = encoders.find(|encoder| run.holds(Some(encoder.when)))?;
    let weights = [("pretrained", "true"), ("finetune", "true")];
    let dropped: Vec<(&str, &str)> = encoder.without.iter().map(|&key| (key, "")).collect();
    Some(with(&[encoder.with, &weights, &dropped].concat()))
}

/// An early stop, with weight decay if there is none yet.
pub(super) fn early(run: Setup<'_>) -> Next {
    match run.setting("weight_decay").parse::<f64>() {
        Ok(decay) if decay > 0.0 => with(&[("early_stop", "3")]),
        _ => with(&[("weight_decay", "1e-4"), ("early_stop", "3")]),
    }
}

/// Twice the epochs, and at least [`FEW_STEPS`] steps. A schedule that spans the run starts again, since its rate has
/// fallen to 0. So does a run that the early stop has ended, because it would end there again.
fn longer(run: &Evidence<'_>) -> Next {
    let trained = run.rows.len().max(1);
    let needed = run.steps().map_or(0, |steps| (FEW_STEPS * trained).div_ceil(steps.max(1)));
    let epochs = needed.max(2 * trained);
    let waited = trained.saturating_sub(run.best.epoch as usize);
    if run.number("early_stop").is_some_and(|most| most > 0 && waited >= most) {
        return with(&[("epochs", &epochs.to_string()), ("early_stop", "0")]);
    }
    match run.setup().setting("schedule").as_str() {
        "cosine" | "polynomial" | "one-cycle" => with(&[("epochs", &epochs.to_string())]),
        _ => Next::Continue { epochs },
    }
}

/// Targets that ask for less confidence.
fn smoothed(run: Setup<'_>) -> Option<Next> {
    let smoothing = run.roles().smoothing.filter(|smoothing| !run.holds(Some(smoothing.refused)))?;
    let plain = run.setting(smoothing.key).parse::<f64>().is_ok_and(|share| share == 0.0);
    plain.then(|| with(&[(smoothing.key, "0.1")]))
}

/// The loss that chooses among colors instead of predicting their mean.
fn vivid(run: Setup<'_>) -> Option<Next> {
    let (key, value) = run.roles().colors?.by_class;
    (run.setting(key) != value).then(|| with(&[(key, value)]))
}

/// Less weight for rare colors, if they have much.
fn muted(run: Setup<'_>) -> Option<Next> {
    let key = run.roles().colors?.rare;
    let much = run.setting(key).parse::<f64>().is_ok_and(|share| share > MUTED);
    much.then(|| with(&[(key, &MUTED.to_string())]))
}

/// The setting that gives rare classes more weight, and its value.
fn balance(run: Setup<'_>) -> Option<(&str, &str)> {
    let balance = run.task.balance.as_ref()?;
    let without_effect = balance.unless.as_ref().is_some_and(|(key, value)| run.setting(key) == **value);
    let (key, value) = &balance.setting;
    (!without_effect).then_some((&**key, &**value))
}

/// Whether rare classes have more weight already.
pub(super) fn is_balanced(run: Setup<'_>) -> bool {
    balance(run).is_some_and(|(key, value)| run.setting(key) == value)
}

/// More weight for rare classes.
pub(super) fn balanced(run: Setup<'_>) -> Option<Next> {
    balance(run).filter(|_| !is_balanced(run)).map(|setting| with(&[setting]))
}
