//! Rules over the course of a run: its losses, its learning rate, its steps.

use super::{Evidence, TRAIN_ACCURACY, no_better_than_baseline};
use crate::run::history::EpochRow;
use crate::run::verdict::Setup;
use crate::run::{Score, Unit};
use crate::text::count_of;

/// Minimum number of steps from random weights. A step of Adam moves a weight by about the learning rate. The random
/// weights of a 3×3 convolution of 64 channels deviate by 0.06 (He et al. 2015): 59 steps of 0.001.
pub(in super::super) const FEW_STEPS: usize = 100;
/// Lowest learning rate of Adam that moves random weights far enough.
const ADAM_LEAST: f64 = 1e-5;
/// Highest usual learning rate of Adam.
pub(in super::super) const ADAM_MOST: f64 = 0.01;

pub(super) fn diverged(run: &Evidence<'_>) -> Option<String> {
    let loss = run.best.val_loss;
    run.diverged.then(|| {
        format!("diverged: the best validation loss is {loss:.3e}, far above that of the first batch; the weights are useless")
    })
}

/// The validation loss ends a tenth above its minimum, at least two epochs later, while the training loss falls. No
/// finding if the score rose by two standard errors after the minimum: the network still learned, and only its
/// probabilities became worse.
pub(super) fn overfits(run: &Evidence<'_>) -> Option<String> {
    let lowest = run.rows.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))?;
    let last = run.rows.last()?;
    let rises = last.val_loss > 1.1 * lowest.val_loss && last.train_loss < 0.9 * lowest.train_loss;
    let learned_on = || {
        let (score, best) = run.decisive()?;
        let gain = score.merit(best) - score.merit(lowest.score(score)?);
        Some(run.best.epoch > lowest.epoch && gain > 2.0 * run.yardstick.sigma?)
    };
    (rises && last.epoch >= lowest.epoch + 2 && learned_on() != Some(true)).then(|| {
        format!(
            "overfits from epoch {}: from there to epoch {} the validation loss rises from {:.3} to {:.3}, while the training \
             loss falls from {:.3} to {:.3}",
            lowest.epoch, last.epoch, lowest.val_loss, last.val_loss, lowest.train_loss, last.train_loss
        )
    })
}

/// Whether the mean training accuracy exceeds the mean validation score of the same panel over the last quarter of the epochs. The
/// difference must be more than ten points. It must also be more than three standard errors at a training accuracy of 90 % or
/// more, and more than five below that.
pub(super) fn memorizes(run: &Evidence<'_>) -> Option<String> {
    let Some(panel) = run.task.panels.iter().find(|panel| panel.lines.iter().any(|(_, s)| *s == TRAIN_ACCURACY)) else {
        return fits_alone(run);
    };
    let (_, score) = panel.lines.iter().find(|(_, s)| !s.of_training())?;
    let last = last_quarter(run);
    let mean = |score: &Score| {
        let values: Option<Vec<f64>> = last.iter().map(|row| row.score(score)).collect();
        values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    let (training, validation) = (mean(&TRAIN_ACCURACY)?, mean(score)?);
    let (found, errors) = match training >= 0.9 {
        true => ("knows its training images by heart", 3.0),
        false => ("training images score far better than others", 5.0),
    };
    let margin = run.yardstick.sigma.map_or(0.1, |sigma| (errors * sigma).max(0.1));
    let [own, others] = match run.task.confusion.as_ref().is_some_and(|card| card.unit == "pixels") {
        true => ["their pixels", "the pixels of the validation set"],
        false => ["them", "the validation set"],
    };
    (training > validation + margin).then(|| {
        format!(
            "{found}: in {} {:.1} % of {own} are right, and {:.1} % of {others}",
            epochs_text(last),
            100.0 * training,
            100.0 * validation
        )
    })
}

/// For tasks without a score of training images: over the last quarter of the epochs the mean training loss is below half of the mean
/// validation loss.
fn fits_alone(run: &Evidence<'_>) -> Option<String> {
    let has_score = run.task.known_scores().any(|score| *score == TRAIN_ACCURACY);
    let last = last_quarter(run);
    let mean = |loss: fn(&EpochRow) -> f64| last.iter().map(loss).sum::<f64>() / last.len().max(1) as f64;
    let (training, validation) = (mean(|row| row.train_loss), mean(|row| row.val_loss));
    (!has_score && run.setup().has_one_loss() && training < 0.5 * validation).then(|| {
        format!(
            "training images fit far better than others: in {} their loss is {training:.3}, and {validation:.3} on the validation set",
            epochs_text(last)
        )
    })
}

/// The last quarter of the epochs.
fn last_quarter<'a>(run: &Evidence<'a>) -> &'a [EpochRow] {
    &run.rows[run.rows.len() - run.rows.len().div_ceil(4)..]
}

/// Epochs in words.
fn epochs_text(rows: &[EpochRow]) -> String {
    match rows {
        [first, .., last] => format!("epochs {} to {}", first.epoch, last.epoch),
        [one] => format!("epoch {}", one.epoch),
        [] => "no epoch".into(),
    }
}

/// The best epoch is two standard errors above the mean of the next epochs, at most three: the largest of many noisy
/// scores is too large by about `sqrt(2 ln N)` standard errors.
pub(super) fn best_by_chance(run: &Evidence<'_>) -> Option<String> {
    let (score, best) = run.decisive()?;
    let sigma = run.yardstick.sigma?;
    let after: Option<Vec<f64>> =
        run.rows.iter().filter(|row| row.epoch > run.best.epoch).take(3).map(|row| row.score(score)).collect();
    let after = after.filter(|after| after.len() > 1)?;
    let mean = after.iter().sum::<f64>() / after.len() as f64;
    (score.merit(best) > score.merit(mean) + 2.0 * sigma).then(|| {
        format!(
            "the best epoch is partly chance: {} is the best of {} epochs on {} validation images, and the mean of the {} epochs \
             after it is {}; new images score worse than the best",
            score.format(best),
            run.rows.len(),
            run.validation_images,
            after.len(),
            score.format(mean)
        )
    })
}

/// The training loss of the first epoch is far above that of a guess. Or the rate is above the usual ones, and the training loss did not
/// fall by half. Or the training loss rose by 2 % or more in a third of the epochs, and in two at least. Rises below half of its first
/// value do not count, because a low loss scatters.
pub(super) fn rate_too_high(run: &Evidence<'_>) -> Option<String> {
    if let Some((loss, guess)) = starts_high(run) {
        return Some(format!(
            "the learning rate is too high: the training loss of epoch 1 is {loss:.2}, far above the {guess:.2} of a guess"
        ));
    }
    let losses: Vec<f64> = run.rows.iter().map(|row| row.train_loss).collect();
    let half = 0.5 * losses.first()?;
    // A single epoch shows no fall.
    let stays = losses.len() > 1 && losses.last().is_some_and(|last| *last > half);
    if let Some(text) = high_rate(run.setup()).filter(|_| stays) {
        return Some(format!("the learning rate is too high: {text}"));
    }
    let rises = losses.windows(2).filter(|pair| pair[1] > 1.02 * pair[0] && pair[1] > half).count();
    let changes = losses.len().saturating_sub(1);
    (changes >= 3 && rises >= 2 && 3 * rises >= changes).then(|| {
        format!("the learning rate is too high: the training loss rose in {rises} of {changes} epochs after the first")
    })
}

/// A learning rate of Adam above its usual ones.
pub(in super::super) fn high_rate(run: Setup<'_>) -> Option<String> {
    let lr: f64 = run.setting("lr").parse().ok()?;
    (run.setting("optimizer").starts_with("adam") && lr > ADAM_MOST)
        .then(|| format!("{lr} is above the usual rates of Adam, 0.0001 to 0.003"))
}

/// The training loss of epoch 1 and the loss of equal probabilities for all classes, if the first is more than 1.5
/// times the second.
fn starts_high(run: &Evidence<'_>) -> Option<(f64, f64)> {
    let setup = run.setup();
    let roles = setup.roles();
    let weighted =
        roles.class_weights.is_some_and(|weights| !["", weights.off].contains(&&*setup.setting(weights.key)));
    let plain = setup.holds(roles.plain_cross_entropy) && !weighted;
    let first = run.rows.first().filter(|row| row.epoch == 1 && setup.classifies() && plain)?;
    let guess = (run.outputs.len() as f64).ln();
    (first.train_loss > 1.5 * guess).then_some((first.train_loss, guess))
}

/// The training loss fell by less than a tenth over three or more epochs, and neither images nor score show that the network has learned.
pub(super) fn learns_slowly(run: &Evidence<'_>) -> Option<String> {
    let (first, last) = (run.rows.first()?, run.rows.last()?);
    let slow = last.train_loss > 0.9 * first.train_loss && rate_too_high(run).is_none();
    (run.rows.len() >= 3 && slow && !learned(run) && !scores_well(run)).then(|| {
        let moved = if last.train_loss > first.train_loss { "rose" } else { "fell" };
        format!(
            "learns slowly: the training loss {moved} from {:.3} to {:.3} in {} epochs{}",
            first.train_loss,
            last.train_loss,
            run.rows.len(),
            low_rate(run.setup()).map_or(String::new(), |text| format!("; {text}"))
        )
    })
}

/// Whether nine of ten training images are right in the last epoch. A single class may have nine of ten pixels, so that masks also need a
/// score above the baseline.
fn learned(run: &Evidence<'_>) -> bool {
    let right = run.rows.last().and_then(|row| row.score(&TRAIN_ACCURACY)).unwrap_or(0.0);
    right >= 0.9 && (run.setup().classifies() || no_better_than_baseline(run).is_none())
}

/// Whether the score is near its maximum: nine tenths of a share. A score of another unit, such as PSNR, has no
/// maximum, and must be above the baseline.
fn scores_well(run: &Evidence<'_>) -> bool {
    run.decisive().is_some_and(|(score, value)| match score.unit {
        Unit::Percent | Unit::Share | Unit::Index => value >= 0.9,
        Unit::Decibel | Unit::Number => run.yardstick.baseline.is_some() && no_better_than_baseline(run).is_none(),
    })
}

/// Both losses fell by 3 % or more over the last quarter, and the last epoch is the best. In runs of fewer than four epochs the validation
/// loss scatters, so the training loss alone must fall, by 10 % in the last epoch.
pub(in super::super) fn not_converged(run: &Evidence<'_>) -> Option<String> {
    let last = run.rows.last()?;
    let before = &run.rows[(3 * run.rows.len() / 4).min(run.rows.len().saturating_sub(2))];
    let short = run.rows.len() < 4;
    let falls = match short {
        true => last.train_loss < 0.9 * before.train_loss,
        false => last.val_loss < 0.97 * before.val_loss && last.train_loss < 0.97 * before.train_loss,
    };
    let (loss, [first, end]) = match short {
        true => ("training", [before.train_loss, last.train_loss]),
        false => ("validation", [before.val_loss, last.val_loss]),
    };
    (run.rows.len() >= 2 && falls && run.best.epoch == last.epoch).then(|| {
        format!(
            "not converged: from epoch {} to {} the {loss} loss still fell from {first:.3} to {end:.3}, and the last epoch is the \
             best",
            before.epoch, last.epoch
        )
    })
}

/// Fewer than [`FEW_STEPS`] steps from random weights, and either training images that are not learned yet or running statistics that have
/// not settled.
pub(in super::super) fn few_steps(run: &Evidence<'_>) -> Option<String> {
    let steps = run.steps()?;
    let learned = learned(run) || fits_alone(run).is_some();
    let few = run.setup().starts_random() && steps < FEW_STEPS;
    let rest = unsettled(run).map(|rest| {
        format!(
            "; validation normalizes by BatchNorm's running statistics, of which {:.0} % are still initial values",
            100.0 * rest
        )
    });
    (few && (!learned || rest.is_some())).then(|| too_few(steps, run.rows.len()) + &rest.unwrap_or_default())
}

/// Share of the initial values in BatchNorm's running statistics, if above 1 %: each batch replaces a tenth. `None`
/// without BatchNorm.
pub(super) fn unsettled(run: &Evidence<'_>) -> Option<f64> {
    let rest = 0.9_f64.powi(run.batches()?.try_into().ok()?);
    (run.batch_norm && run.setup().starts_random() && rest > 0.01).then_some(rest)
}

pub(in super::super) fn too_few(steps: usize, epochs: usize) -> String {
    let epochs = count_of(epochs, "epoch");
    format!("few steps: {steps} in {epochs}; a network from random weights usually improves for some hundreds of steps")
}

/// A learning rate of Adam that is far below its usual ones, from random weights.
pub(in super::super) fn low_rate(run: Setup<'_>) -> Option<String> {
    let lr: f64 = run.setting("lr").parse().ok()?;
    (run.setting("optimizer").starts_with("adam") && run.starts_random() && lr < ADAM_LEAST)
        .then(|| format!("a learning rate of {lr} is low for Adam from random weights: usual ones are 0.0001 to 0.003"))
}
