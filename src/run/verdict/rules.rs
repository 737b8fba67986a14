//! The rules of a verdict. Each looks for one thing in a run's numbers, and gives the numbers that prove it.

mod course;
mod data;
mod size;

use serde::{Deserialize, Serialize};

use super::yardstick::binomial;
use super::{Evidence, Setup, Truth, deviation_text};
use crate::run::score::{TRAIN_ACCURACY, Unit};
use course::{best_by_chance, diverged, few_steps, learns_slowly, memorizes, overfits, rate_too_high, unsettled};
use data::{few_images, few_validation_images, parts_differ, unequal_classes};
use size::{enlarged, few_pixels};

pub(super) use course::{ADAM_MOST, FEW_STEPS, high_rate, low_rate, not_converged, too_few};
pub(super) use data::{few_training_images, other_pixels, small_validation_set};
pub(super) use size::{few_pixels_of, larger, smaller};

/// Kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The loss grew far above that of the first batch.
    Diverged,
    /// The score is less than two standard errors above the baseline.
    NoBetterThanBaseline,
    /// The validation loss rises while the training loss falls.
    Overfits,
    /// The training score is far above the validation score.
    Memorizes,
    /// The training loss rises in many epochs.
    RateTooHigh,
    /// The training loss hardly falls.
    LearnsSlowly,
    /// The losses still fall at the end.
    NotConverged,
    /// The training had few steps from random weights.
    FewSteps,
    /// Validation images differ from training images in brightness or contrast, or their loss is far higher from the
    /// start.
    PartsDiffer,
    /// There are few training images.
    FewImages,
    /// The network sees a small part of the pixels of pictures.
    FewPixels,
    /// Pictures are enlarged to many times their pixels.
    Enlarged,
    /// Rare classes score far below the others.
    UnequalClasses,
    /// Many samples of a class are predicted as one other class.
    Confuses,
    /// The probabilities are far above the accuracy.
    Overconfident,
    /// The probabilities are far below the accuracy.
    Underconfident,
    /// Predicted pictures have far less color than the true ones.
    PaleColors,
    /// Predicted pictures have color, which raises the squared error above that of grey.
    VividColors,
    /// The score of the best epoch is far above those of the epochs after it.
    BestByChance,
    /// The validation set is too small to show small differences.
    FewValidationImages,
    /// The score is above the baseline, and nothing speaks against the training.
    Learns,
}

/// A finding with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The finding and the numbers that prove it.
    pub text: String,
}

/// A rule: the text of its finding, if the run shows it.
type Rule = fn(&Evidence<'_>) -> Option<String>;

/// All rules, the most important first.
const RULES: [(FindingKind, Rule); 20] = [
    (FindingKind::Diverged, diverged),
    (FindingKind::FewSteps, few_steps),
    (FindingKind::NoBetterThanBaseline, no_better_than_baseline),
    (FindingKind::PartsDiffer, parts_differ),
    (FindingKind::Overfits, overfits),
    (FindingKind::Memorizes, memorizes),
    (FindingKind::RateTooHigh, rate_too_high),
    (FindingKind::LearnsSlowly, learns_slowly),
    (FindingKind::NotConverged, not_converged),
    (FindingKind::FewImages, few_images),
    (FindingKind::FewPixels, few_pixels),
    (FindingKind::Enlarged, enlarged),
    (FindingKind::UnequalClasses, unequal_classes),
    (FindingKind::Confuses, confuses),
    (FindingKind::PaleColors, pale_colors),
    (FindingKind::VividColors, vivid_colors),
    (FindingKind::Overconfident, overconfident),
    (FindingKind::Underconfident, underconfident),
    (FindingKind::BestByChance, best_by_chance),
    (FindingKind::FewValidationImages, few_validation_images),
];

/// Findings that say nothing against the training itself.
const NEUTRAL: [FindingKind; 9] = [
    FindingKind::PaleColors,
    FindingKind::FewImages,
    FindingKind::FewPixels,
    FindingKind::Enlarged,
    FindingKind::UnequalClasses,
    FindingKind::Confuses,
    FindingKind::Overconfident,
    FindingKind::Underconfident,
    FindingKind::FewValidationImages,
];

/// The findings of all rules.
pub(super) fn findings(run: &Evidence<'_>) -> Vec<Finding> {
    let found = RULES.iter().filter_map(|&(kind, rule)| Some(Finding { kind, text: rule(run)? }));
    let mut found: Vec<Finding> = found.collect();
    // Other numbers of a diverged run mean nothing.
    if found.first().is_some_and(|first| first.kind == FindingKind::Diverged) {
        found.truncate(1);
    }
    let has = |kind| found.iter().any(|finding: &Finding| finding.kind == kind);
    let mut suppressed = vec![];
    if has(FindingKind::NoBetterThanBaseline) {
        // The errors and the confidence of a guess are noise.
        suppressed.extend([FindingKind::Confuses, FindingKind::Overconfident, FindingKind::Underconfident]);
        if has(FindingKind::PartsDiffer) || learned_alone(run).is_some() {
            suppressed.extend([FindingKind::Overfits, FindingKind::Memorizes]);
        }
    }
    if has(FindingKind::LearnsSlowly) {
        suppressed.extend([FindingKind::Confuses, FindingKind::UnequalClasses, FindingKind::FewPixels]);
    }
    if has(FindingKind::FewSteps) {
        suppressed.extend([
            FindingKind::Confuses,
            FindingKind::NotConverged,
            FindingKind::FewPixels,
            FindingKind::Overconfident,
            FindingKind::Underconfident,
        ]);
    }
    if unsettled(run).is_some() {
        suppressed.extend([FindingKind::Overfits, FindingKind::Memorizes]);
    }
    found.retain(|finding| !suppressed.contains(&finding.kind));
    if found.iter().all(|finding| NEUTRAL.contains(&finding.kind)) {
        found.insert(0, Finding { kind: FindingKind::Learns, text: learns(run) });
    }
    found
}

/// Two standard errors of the gain over the baseline, if they are known.
fn two_errors(run: &Evidence<'_>) -> Option<f64> {
    Some(2.0 * run.yardstick.baseline.as_ref()?.gain_sigma.or(run.yardstick.sigma)?)
}

fn no_better_than_baseline(run: &Evidence<'_>) -> Option<String> {
    let (score, value) = run.decisive()?;
    let baseline = run.yardstick.baseline.as_ref().filter(|_| vivid_colors(run).is_none())?;
    let sigma = two_errors(run);
    let errors = sigma.unwrap_or(0.0);
    if score.merit(value) < score.merit(baseline.value) - errors {
        let (value, guess) = (score.format(value), score.format(baseline.value));
        return Some(format!("worse than a guess: {} {value}, where {} gives {guess}", score.name, baseline.name));
    }
    // A single image has no standard error, so a guess may have exactly the score of the baseline.
    (score.merit(value) <= score.merit(baseline.value) + errors).then(|| {
        let above = match sigma {
            Some(_) => format!("less than two standard errors ({}) above", deviation_text(score, errors)),
            None => "not above".to_owned(),
        };
        let learned = learned_alone(run).map_or(String::new(), |right| {
            format!(
                "; {:.1} % of the training images are right, so that the labels do not follow from what the network sees in them",
                100.0 * right
            )
        });
        let (text, guess) = (score.format(value), score.format(baseline.value));
        match sigma.is_some() && text == guess {
            true => format!("no better than a guess: {} {text} is that of {}{learned}", score.name, baseline.name),
            false => format!(
                "no better than a guess: {} {text} is {above} {}, which gives {guess}{learned}",
                score.name, baseline.name
            ),
        }
    })
}

/// The training accuracy, if it is 20 points above the baseline. Only for classes of images: the baseline of masks is
/// not an accuracy.
fn learned_alone(run: &Evidence<'_>) -> Option<f64> {
    let right = run.rows.last()?.score(&TRAIN_ACCURACY).filter(|_| run.setup().classifies())?;
    let baseline = run.yardstick.baseline.as_ref()?;
    (right > baseline.value + 0.2).then_some(right)
}

/// More than a twentieth of a class, and at least three samples, are predicted as one other class. The text names the
/// pair with most such samples.
fn confuses(run: &Evidence<'_>) -> Option<String> {
    let (matrix, card) = (run.confusion?, run.task.confusion.as_ref()?);
    let classes = 0..matrix.classes();
    let pairs = classes.clone().flat_map(|truth| classes.clone().map(move |other| (truth, other)));
    let count = |&(truth, other): &(usize, usize)| matrix.count(truth, other);
    let often =
        |pair: &(usize, usize)| pair.0 != pair.1 && count(pair) >= 3 && 20 * count(pair) > matrix.row_total(pair.0);
    let (truth, other) = pairs.filter(often).max_by_key(count)?;
    let name = |class: usize| run.outputs.get(class).map_or("?", String::as_str);
    Some(format!(
        "most errors: {:.1} % of the {} of “{}” are taken for “{}”",
        100.0 * matrix.count(truth, other) as f64 / matrix.row_total(truth) as f64,
        card.unit,
        name(truth),
        name(other)
    ))
}

/// The predicted pictures have less than 70 % of the colorfulness of the true ones. The mean of the possible colors has
/// the smallest error, and it is grey (Zhang et al. 2016).
fn pale_colors(run: &Evidence<'_>) -> Option<String> {
    let (truth, value) = colorfulness(run)?;
    (value < PALE * truth.value)
        .then(|| format!("colors are pale: {} {value:.1}, where the true pictures have {:.1}", truth.name, truth.value))
}

/// Share of the true colorfulness below which colors are pale.
const PALE: f64 = 0.7;

/// The colorfulness of the true pictures, and the value of the predicted ones.
fn colorfulness<'a>(run: &Evidence<'a>) -> Option<(&'a Truth, f64)> {
    let truth = run.yardstick.truth.as_ref()?;
    let (_, value) = run.best.scores.iter().find(|(score, _)| score.name == truth.name)?;
    Some((truth, *value))
}

/// A network that chooses among colors, and whose colors are vivid, has no PSNR above that of the grey picture. A wrong color is further
/// from the true one than grey is: with s times the true deviation, random colors have 1 + s² times the squared error
/// of grey. The PSNR of the run is above that of random colors.
fn vivid_colors(run: &Evidence<'_>) -> Option<String> {
    let (score, value) = run.decisive().filter(|(score, _)| score.unit == Unit::Decibel)?;
    let (grey, errors) = (run.yardstick.baseline.as_ref()?, two_errors(run)?);
    let (truth, vivid) = colorfulness(run).filter(|(truth, value)| *value >= PALE * truth.value)?;
    let random = grey.value - 10.0 * (1.0 + (vivid / truth.value).powi(2)).log10();
    let between = value <= grey.value + errors && value > random + errors;
    let by_class = run.setup().roles().colors.is_some_and(|colors| {
        let (key, value) = colors.by_class;
        run.setup().setting(key) == value
    });
    (by_class && between).then(|| {
        format!(
            "colors are vivid: {} {vivid:.1}, where the true pictures have {:.1}; {} {} is above the {} of random colors, and not above \
             the {} of {}, since a wrong color costs more than none: judge by the samples",
            truth.name,
            truth.value,
            score.name,
            score.format(value),
            score.format(random),
            score.format(grey.value),
            grey.name
        )
    })
}

/// The expected calibration error is 5 points or more, and the mean confidence two standard errors above the accuracy. On few images a
/// calibrated model has such an error by chance, which the second condition excludes.
fn overconfident(run: &Evidence<'_>) -> Option<String> {
    let calibration = run.calibration?;
    let sigma = binomial(calibration.accuracy, run.validation_images as u64)?;
    (calibration.ece >= 0.05 && calibration.confidence > calibration.accuracy + 2.0 * sigma).then(|| {
        format!(
            "overconfident: the mean confidence is {:.1} % at an accuracy of {:.1} %, so that probabilities are too high",
            100.0 * calibration.confidence,
            100.0 * calibration.accuracy
        )
    })
}

/// A setting that asks for less confidence.
pub(super) fn softened(run: Setup<'_>) -> Option<&'static str> {
    let on = |key: &&str| run.setting(key).parse::<f64>().is_ok_and(|share| share > 0.0);
    run.roles().less_confidence.iter().copied().find(on)
}

/// The expected calibration error is 5 points or more, and the mean confidence two standard errors below the accuracy.
fn underconfident(run: &Evidence<'_>) -> Option<String> {
    let calibration = run.calibration?;
    let sigma = binomial(calibration.accuracy, run.validation_images as u64)?;
    (calibration.ece >= 0.05 && calibration.confidence < calibration.accuracy - 2.0 * sigma).then(|| {
        let cause = softened(run.setup())
            .map_or(", so that probabilities are too low".to_owned(), |key| format!("; `{key}` lowers probabilities"));
        format!(
            "underconfident: the mean confidence is {:.1} % at an accuracy of {:.1} %{cause}",
            100.0 * calibration.confidence,
            100.0 * calibration.accuracy
        )
    })
}

fn learns(run: &Evidence<'_>) -> String {
    let above = match run.decisive().zip(run.yardstick.baseline.as_ref()) {
        Some(((score, value), baseline)) => {
            format!(
                ": {} {} against {} of {}",
                score.name,
                score.format(value),
                score.format(baseline.value),
                baseline.name
            )
        }
        None => String::new(),
    };
    format!("learns, without a sign of overfitting{above}")
}
