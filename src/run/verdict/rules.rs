//! The rules of a verdict. Each looks for one thing in a run's numbers, and gives the numbers that prove it.

use serde::{Deserialize, Serialize};

use super::{Evidence, Setup, spread};
use crate::run::score::{Score, TRAIN_ACCURACY, Unit};

/// What a rule found.
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
    /// The validation loss is far above the training loss from the start.
    PartsDiffer,
    /// There are few training images.
    FewImages,
    /// Rare classes score far below the others.
    UnequalClasses,
    /// Many samples of a class are taken for one other class.
    Confuses,
    /// The probabilities are far above the accuracy.
    Overconfident,
    /// The validation set is too small for small differences.
    FewValidationImages,
    /// The score is above the baseline, and nothing above was found.
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
const RULES: [(FindingKind, Rule); 13] = [
    (FindingKind::Diverged, diverged),
    (FindingKind::NoBetterThanBaseline, no_better_than_baseline),
    (FindingKind::Overfits, overfits),
    (FindingKind::Memorizes, memorizes),
    (FindingKind::RateTooHigh, rate_too_high),
    (FindingKind::LearnsSlowly, learns_slowly),
    (FindingKind::NotConverged, not_converged),
    (FindingKind::PartsDiffer, parts_differ),
    (FindingKind::FewImages, few_images),
    (FindingKind::UnequalClasses, unequal_classes),
    (FindingKind::Confuses, confuses),
    (FindingKind::Overconfident, overconfident),
    (FindingKind::FewValidationImages, few_validation_images),
];

/// Findings that say nothing against the training itself.
const NEUTRAL: [FindingKind; 5] = [
    FindingKind::FewImages,
    FindingKind::UnequalClasses,
    FindingKind::Confuses,
    FindingKind::Overconfident,
    FindingKind::FewValidationImages,
];

/// What the rules find.
pub(super) fn findings(run: &Evidence<'_>) -> Vec<Finding> {
    let found = RULES.iter().filter_map(|&(kind, rule)| Some(Finding { kind, text: rule(run)? }));
    let mut found: Vec<Finding> = found.collect();
    // Other numbers of a diverged run mean nothing.
    if found.first().is_some_and(|first| first.kind == FindingKind::Diverged) {
        found.truncate(1);
    } else if found.iter().all(|finding| NEUTRAL.contains(&finding.kind)) {
        found.insert(0, Finding { kind: FindingKind::Learns, text: learns(run) });
    }
    found
}

fn diverged(run: &Evidence<'_>) -> Option<String> {
    let loss = run.best.val_loss;
    run.diverged.then(|| {
        format!("diverged: the best validation loss is {loss:.3e}, far above that of the first batch; the weights are useless")
    })
}

fn no_better_than_baseline(run: &Evidence<'_>) -> Option<String> {
    let (score, value) = run.decisive()?;
    let baseline = run.yardstick.baseline.as_ref()?;
    let sigma = baseline.gain_sigma.or(run.yardstick.sigma).unwrap_or(0.0);
    (score.merit(value) < score.merit(baseline.value) + 2.0 * sigma).then(|| {
        format!(
            "no better than a guess: {} {} is less than two standard errors ({}) above {}, which gives {}",
            score.name,
            score.format(value),
            spread(score, 2.0 * sigma),
            baseline.name,
            score.format(baseline.value)
        )
    })
}

/// The validation loss ends a tenth above its minimum, at least two epochs later, and the training loss fell on.
fn overfits(run: &Evidence<'_>) -> Option<String> {
    let lowest = run.rows.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))?;
    let last = run.rows.last()?;
    let rises = last.val_loss > 1.1 * lowest.val_loss && last.train_loss < 0.9 * lowest.train_loss;
    (rises && last.epoch >= lowest.epoch + 2).then(|| {
        format!(
            "overfits from epoch {}: from there to epoch {} the validation loss rises from {:.3} to {:.3}, while the training \
             loss falls from {:.3} to {:.3}",
            lowest.epoch, last.epoch, lowest.val_loss, last.val_loss, lowest.train_loss, last.train_loss
        )
    })
}

/// The training accuracy ends at 90 % or more, and by ten points and three standard errors above the validation score of the same panel.
fn memorizes(run: &Evidence<'_>) -> Option<String> {
    let panel = run.task.panels.iter().find(|panel| panel.lines.iter().any(|(_, s)| *s == TRAIN_ACCURACY))?;
    let (_, score) = panel.lines.iter().find(|(_, s)| !s.of_training())?;
    let last = run.rows.last()?;
    let (training, validation) = (last.score(&TRAIN_ACCURACY)?, last.score(score)?);
    let margin = run.yardstick.sigma.map_or(0.1, |sigma| (3.0 * sigma).max(0.1));
    (training >= 0.9 && training > validation + margin).then(|| {
        format!(
            "knows its training images by heart: in epoch {} {:.1} % of them are right, and {:.1} % of the validation set",
            last.epoch,
            100.0 * training,
            100.0 * validation
        )
    })
}

/// The training loss rose by 2 % or more in a third of the epochs, and in two at least.
fn rate_too_high(run: &Evidence<'_>) -> Option<String> {
    let losses: Vec<f64> = run.rows.iter().map(|row| row.train_loss).collect();
    let rises = losses.windows(2).filter(|pair| pair[1] > 1.02 * pair[0]).count();
    let changes = losses.len().saturating_sub(1);
    (changes >= 3 && rises >= 2 && 3 * rises >= changes).then(|| {
        format!("the learning rate is too high: the training loss rose in {rises} of {changes} epochs after the first")
    })
}

/// The training loss fell by less than a tenth over three or more epochs.
fn learns_slowly(run: &Evidence<'_>) -> Option<String> {
    let (first, last) = (run.rows.first()?, run.rows.last()?);
    let right = last.score(&TRAIN_ACCURACY).unwrap_or(0.0);
    let slow = last.train_loss > 0.9 * first.train_loss && right < 0.9 && rate_too_high(run).is_none();
    (run.rows.len() >= 3 && slow).then(|| {
        format!(
            "learns slowly: the training loss fell from {:.3} to {:.3} in {} epochs",
            first.train_loss,
            last.train_loss,
            run.rows.len()
        )
    })
}

/// Both losses fell by 3 % or more over the last quarter, and the last epoch is the best.
pub(super) fn not_converged(run: &Evidence<'_>) -> Option<String> {
    let last = run.rows.last()?;
    let before = &run.rows[(3 * run.rows.len() / 4).min(run.rows.len().saturating_sub(2))];
    let falls = last.val_loss < 0.97 * before.val_loss && last.train_loss < 0.97 * before.train_loss;
    (run.rows.len() >= 3 && falls && run.best.epoch == last.epoch).then(|| {
        format!(
            "not converged: from epoch {} to {} the validation loss still fell from {:.3} to {:.3}, and the last epoch is the \
             best",
            before.epoch, last.epoch, before.val_loss, last.val_loss
        )
    })
}

/// In the first half of the epochs the validation loss is more than twice the training loss, before the network can know its
/// images by heart.
fn parts_differ(run: &Evidence<'_>) -> Option<String> {
    let half = &run.rows[..run.rows.len().div_ceil(2)];
    let differs = half.iter().all(|row| {
        let right = row.score(&TRAIN_ACCURACY).unwrap_or(0.0);
        row.val_loss > 2.0 * row.train_loss && row.train_loss > 0.0 && right < 0.9
    });
    let last = half.last().filter(|_| half.len() >= 2 && differs)?;
    Some(format!(
        "training and validation images differ: in epochs 1 to {} the validation loss is at least twice the training loss ({:.3} \
         and {:.3} in epoch {0})",
        last.epoch, last.val_loss, last.train_loss
    ))
}

fn few_images(run: &Evidence<'_>) -> Option<String> {
    few_training_images(run.setup(), run.training_images, run.outputs.len())
}

/// Fewer than 100 training images per class, or in all where outputs are no classes of images, and no weights to start from.
pub(super) fn few_training_images(run: Setup<'_>, images: usize, outputs: usize) -> Option<String> {
    let each = images as f64 / outputs.max(1) as f64;
    let (count, text) = match run.classifies() {
        true => (each, format!("{each:.0} per class")),
        false => (images as f64, images.to_string()),
    };
    (run.starts_random() && count < 100.0)
        .then(|| format!("few images: {text} for a network that starts from random weights"))
}

/// A class with less than half the images of a mean class scores less than half of the mean class.
fn unequal_classes(run: &Evidence<'_>) -> Option<String> {
    let (matrix, card) = (run.confusion?, run.task.confusion.as_ref()?);
    let scores = matrix.class_scores(card.score);
    let known: Vec<f64> = scores.iter().filter_map(|score| *score).collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let mean_count = matrix.total() as f64 / known.len().max(1) as f64;
    let poor = |&class: &usize| {
        let count = matrix.row_total(class) as f64;
        count > 0.0 && count < 0.5 * mean_count && scores[class].unwrap_or(0.0) < 0.5 * mean
    };
    let poor: Vec<usize> = (0..matrix.classes()).filter(poor).collect();
    let worst = *poor.iter().min_by_key(|&&class| matrix.row_total(class))?;
    Some(format!(
        "rare classes score low: {} of {} classes, such as “{}” with {:.1} % of the {} and {} {:.2}, where the mean over classes is \
         {mean:.2}",
        poor.len(),
        matrix.classes(),
        run.outputs.get(worst).map_or("?", String::as_str),
        100.0 * matrix.row_total(worst) as f64 / matrix.total() as f64,
        card.unit,
        card.score.name(),
        scores[worst].unwrap_or(0.0),
    ))
}

/// A tenth or more of a class, and three samples at least, are taken for one other class. The pair with most such samples is named.
fn confuses(run: &Evidence<'_>) -> Option<String> {
    let (matrix, card) = (run.confusion?, run.task.confusion.as_ref()?);
    let classes = 0..matrix.classes();
    let pairs = classes.clone().flat_map(|truth| classes.clone().map(move |other| (truth, other)));
    let count = |&(truth, other): &(usize, usize)| matrix.count(truth, other);
    let often =
        |pair: &(usize, usize)| pair.0 != pair.1 && count(pair) >= 3 && 10 * count(pair) >= matrix.row_total(pair.0);
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

/// The expected calibration error is 5 points or more, and the mean confidence above the accuracy.
fn overconfident(run: &Evidence<'_>) -> Option<String> {
    let calibration = run.calibration?;
    (calibration.ece >= 0.05 && calibration.confidence > calibration.accuracy).then(|| {
        format!(
            "overconfident: the mean confidence is {:.1} % at an accuracy of {:.1} %, so that probabilities are too high",
            100.0 * calibration.confidence,
            100.0 * calibration.accuracy
        )
    })
}

fn few_validation_images(run: &Evidence<'_>) -> Option<String> {
    small_validation_set(run.decisive()?.0, run.validation_images, run.yardstick.sigma?)
}

/// The standard error of a share is above 2 points.
pub(super) fn small_validation_set(score: &Score, images: usize, sigma: f64) -> Option<String> {
    (matches!(score.unit, Unit::Percent | Unit::Share) && sigma > 0.02).then(|| {
        format!(
            "the validation set is small: with {images} images, a difference below {} between two runs says nothing",
            difference(score, sigma)
        )
    })
}

/// Two standard errors of the difference between two runs.
fn difference(score: &Score, sigma: f64) -> String {
    let least = 2.0 * std::f64::consts::SQRT_2 * sigma;
    if score.unit == Unit::Percent { format!("{:.0} points", 100.0 * least) } else { score.format(least) }
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
