//! Rules over the data of a run: its images, its classes, its two parts.

use super::{Evidence, TRAIN_ACCURACY, unsettled};
use crate::run::score::{Score, Unit};
use crate::run::verdict::{PartPixels, Setup};

/// Training images of a class below which random weights are a poor start.
const FEW: usize = 100;

/// The validation images differ in brightness or contrast. Or the validation loss is more than twice the training loss
/// in the whole first half of the epochs, before the network knows its training images by heart.
pub(super) fn parts_differ(run: &Evidence<'_>) -> Option<String> {
    if let Some(text) = run.pixels.and_then(other_pixels) {
        return Some(text);
    }
    let half = &run.rows[..run.rows.len().div_ceil(2)];
    let differs = half.iter().all(|row| {
        let right = row.score(&TRAIN_ACCURACY).unwrap_or(0.0);
        row.val_loss > 2.0 * row.train_loss && row.train_loss > 0.0 && right < 0.9
    });
    // BatchNorm's running statistics, not the images, may keep the validation loss high.
    let comparable = run.setup().has_one_loss() && unsettled(run).is_none();
    let last = half.last().filter(|_| half.len() >= 2 && differs && comparable)?;
    Some(format!(
        "training and validation images differ: in epochs 1 to {} the validation loss is at least twice the training loss ({:.3} \
         and {:.3} in epoch {0})",
        last.epoch, last.val_loss, last.train_loss
    ))
}

/// Validation images of another brightness or contrast than the training images.
pub(in super::super) fn other_pixels(pixels: &PartPixels) -> Option<String> {
    pixels.shift().map(|shift| format!("training and validation images differ: validation images {shift}"))
}

pub(super) fn few_images(run: &Evidence<'_>) -> Option<String> {
    few_training_images(run.setup(), run.training_images, run.outputs, run.class_counts)
}

/// A training from random weights has fewer than 100 images in a class, or in total if the outputs are not classes of
/// images.
pub(in super::super) fn few_training_images(
    run: Setup<'_>,
    images: usize,
    outputs: &[String],
    counts: Option<&[[usize; 2]]>,
) -> Option<String> {
    if !run.classifies() {
        return (run.starts_random() && images < FEW).then(|| few(&images.to_string()));
    }
    let each = images as f64 / outputs.len().max(1) as f64;
    let least = counts.into_iter().flatten().zip(outputs).map(|(count, name)| (count[0], name)).min();
    let fewest = least.map_or(each, |(count, _)| count as f64);
    (run.starts_random() && fewest < FEW as f64).then(|| match least {
        // A mean of 100 or more is not few.
        Some((count, name)) if 2.0 * fewest < each || each >= FEW as f64 => {
            few(&format!("{count} of “{name}”, where a mean class has {each:.0},"))
        }
        _ => few(&format!("{each:.0} per class")),
    })
}

fn few(count: &str) -> String {
    format!("few images: {count} for a network that starts from random weights")
}

/// A class with less than half the images of a mean class scores less than half of the mean class.
pub(super) fn unequal_classes(run: &Evidence<'_>) -> Option<String> {
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
        "rare classes score low: {} of {} classes, such as “{}” with {:.1} % of the {}{} and {} {:.2}, where the mean over classes is \
         {mean:.2}",
        poor.len(),
        matrix.classes(),
        run.outputs.get(worst).map_or("?", String::as_str),
        100.0 * matrix.row_total(worst) as f64 / matrix.total() as f64,
        card.unit,
        if run.setup().classifies() { format!(", {} in all,", matrix.row_total(worst)) } else { String::new() },
        card.score.name(),
        scores[worst].unwrap_or(0.0),
    ))
}

pub(super) fn few_validation_images(run: &Evidence<'_>) -> Option<String> {
    small_validation_set(run.decisive()?.0, run.validation_images, run.yardstick.sigma?)
}

/// The standard error of a share is above 2 points.
pub(in super::super) fn small_validation_set(score: &Score, images: usize, sigma: f64) -> Option<String> {
    (matches!(score.unit, Unit::Percent | Unit::Share) && sigma > 0.02).then(|| {
        format!(
            "the validation set is small: with {images} images, the standard error of {} is {}, so that small differences between \
             runs are chance",
            score.name,
            score.format_difference(sigma)
        )
    })
}
