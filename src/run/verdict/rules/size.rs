//! Rules over the image size of a run, beside the size of the pictures of its data.

use super::Evidence;
use crate::run::ImageSize;
use crate::run::score::Unit;

/// Share of a picture's pixels below which the network sees few of them.
const FEW: f64 = 0.1;
/// Multiple of a picture's pixels above which it is enlarged.
const MANY: f64 = 8.0;
/// Score from which details are not what is missing.
const HIGH: f64 = 0.9;

/// The network sees less than a tenth of the pixels of a picture, the score is a share below 90 %, and a larger size is usual.
pub(super) fn few_pixels(run: &Evidence<'_>) -> Option<String> {
    let (score, value) = run.decisive()?;
    let room = matches!(score.unit, Unit::Percent | Unit::Share) && value < HIGH;
    let share = share(run)?;
    (room && share < FEW && larger(run).is_some()).then(|| {
        format!(
            "few pixels: {}, {:.1} % of their pixels, so that the network does not see small details",
            change(run),
            100.0 * share
        )
    })
}

/// Pictures have more than eight times their pixels, and random weights do not expect the size.
pub(super) fn enlarged(run: &Evidence<'_>) -> Option<String> {
    let share = share(run)?;
    (share > MANY && run.setup().starts_random() && smaller(run).is_some()).then(|| {
        format!("enlarged: {}, {share:.0} times their pixels: steps take longer, and show no more", change(run))
    })
}

/// A text for pictures that lose nine tenths of their pixels at an image size.
pub(in super::super) fn few_pixels_of(picture: [usize; 2], image_size: [usize; 2]) -> Option<String> {
    let share = area(image_size) / area(picture).max(1.0);
    (share < FEW).then(|| {
        let change = changed(picture, image_size);
        format!("few pixels: {change}, {:.1} % of their pixels: thin and small objects are lost", 100.0 * share)
    })
}

fn area([height, width]: [usize; 2]) -> f64 {
    (height * width) as f64
}

fn changed(from: [usize; 2], to: [usize; 2]) -> String {
    let text = |[height, width]: [usize; 2]| format!("{height}x{width}");
    format!("pictures such as {} become {}", text(from), text(to))
}

/// A typical picture at its own size and as the network sees it.
fn change(run: &Evidence<'_>) -> String {
    changed(run.picture.unwrap_or_default(), run.image_size)
}

/// Pixels that the network sees, as a share of those of a picture.
fn share(run: &Evidence<'_>) -> Option<f64> {
    Some(area(run.image_size) / area(run.picture?).max(1.0))
}

/// Whether the network takes squares of pictures of any proportions.
fn takes_squares(run: &Evidence<'_>) -> bool {
    let size = run.setup().roles().input.and_then(|input| run.settings.get(input.size));
    size.is_some_and(toml::Value::is_integer)
}

/// Twice the sides, at most those of the picture.
pub(in super::super) fn larger(run: &Evidence<'_>) -> Option<[usize; 2]> {
    let (now, own) = (run.image_size, run.picture?.map(|side| side - side % ImageSize::STEP));
    let size: [usize; 2] = match takes_squares(run) {
        true => {
            let resize = run.setup().roles().input.and_then(|input| run.number(input.resize?));
            let resize = resize.unwrap_or(ImageSize::MOST_OF_SQUARE);
            [(2 * now[0]).min(own[0].min(own[1])).min(ImageSize::MOST_OF_SQUARE).min(resize); 2]
        }
        false => std::array::from_fn(|axis| (2 * now[axis]).min(own[axis])),
    };
    (size.iter().zip(now).all(|(&size, now)| size > now)).then_some(size)
}

/// The sides of the picture in steps of 16.
pub(in super::super) fn smaller(run: &Evidence<'_>) -> Option<[usize; 2]> {
    let own = run.picture?.map(|side| side.next_multiple_of(ImageSize::STEP));
    let size = match takes_squares(run) {
        true => [own[0].min(own[1]).max(ImageSize::LEAST_OF_RESNET); 2],
        false => own,
    };
    (size.iter().zip(run.image_size).all(|(&size, now)| size < now)).then_some(size)
}
