//! Operations drawn from a list: TrivialAugment (Müller & Hutter 2021) and RandAugment (Cubuk et al. 2020).
//!
//! | operation | largest amount, wide | largest amount, moderate |
//! |---|---|---|
//! | identity, autocontrast, equalize | – | – |
//! | shear along x, along y | 0.99 | 0.3 |
//! | shift along x, along y | 32 pixels, at most the side | 150/331 of the side |
//! | rotation | 135° | 30° |
//! | brightness, saturation, contrast, sharpness | factor 1 ± 0.99 | factor 1 ± 0.9 |
//! | posterize | down to 2 bits | down to 4 bits |
//! | solarize | down to threshold 0 | down to threshold 0 |
//!
//! A strength is one of 31 levels from 0 to the largest amount. Its sign is drawn. Lists and amounts are torchvision's.

use super::{ColorMap, Drawn, Map, Tone};
use crate::random::Random;

/// Levels of strength above 0.
pub(super) const LEVELS: u32 = 30;

/// Largest amounts of the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// TrivialAugment's.
    Wide,
    /// RandAugment's.
    Moderate,
}

#[derive(Clone, Copy)]
enum Choice {
    Identity,
    ShearX,
    ShearY,
    ShiftX,
    ShiftY,
    Rotate,
    Brightness,
    Saturation,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

/// The list of operations. The first six keep colors.
const CHOICES: [Choice; 14] = [
    Choice::Identity,
    Choice::ShearX,
    Choice::ShearY,
    Choice::ShiftX,
    Choice::ShiftY,
    Choice::Rotate,
    Choice::Brightness,
    Choice::Saturation,
    Choice::Contrast,
    Choice::Sharpness,
    Choice::Posterize,
    Choice::Solarize,
    Choice::AutoContrast,
    Choice::Equalize,
];
const GEOMETRIC: usize = 6;

/// Draws one operation and appends it. `level` is 0 to [`LEVELS`]; the picture has (height, width) and a mean color.
pub(super) fn draw(
    drawn: &mut Drawn,
    random: &mut Random,
    (reach, level, colors): (Reach, u32, bool),
    (size, mean): ((usize, usize), [f32; 3]),
) {
    let choices = if colors { &CHOICES[..] } else { &CHOICES[..GEOMETRIC] };
    let choice = random.pick(choices);
    let strength = level as f32 / LEVELS as f32;
    let sign = if random.chance(0.5) { -1.0 } else { 1.0 };
    let wide = reach == Reach::Wide;
    let of = |most_wide: f32, most_moderate: f32| sign * strength * if wide { most_wide } else { most_moderate };
    let shear = f64::from(of(0.99, 0.3));
    let shift = |side: usize| f64::from(of(32.0f32.min(side as f32), 150.0 / 331.0 * side as f32).round());
    let factor = 1.0 + of(0.99, 0.9);
    let (map, color) = (drawn.map, drawn.colors);
    match choice {
        Choice::Identity => {}
        Choice::ShearX => drawn.map = map.then(Map([1.0, shear, 0.0, 0.0, 1.0, 0.0])),
        Choice::ShearY => drawn.map = map.then(Map([1.0, 0.0, 0.0, shear, 1.0, 0.0])),
        Choice::ShiftX => drawn.map = map.then(Map::shift(shift(size.1), 0.0)),
        Choice::ShiftY => drawn.map = map.then(Map::shift(0.0, shift(size.0))),
        Choice::Rotate => drawn.map = map.then(Map::rotation(of(135.0, 30.0).into())),
        Choice::Brightness => drawn.colors = color.then(ColorMap::brightness(factor)),
        Choice::Saturation => drawn.colors = color.then(ColorMap::saturation(factor)),
        Choice::Contrast => drawn.colors = color.then(ColorMap::contrast(factor, color.of(mean))),
        Choice::Sharpness => drawn.add(Tone::Sharpness(factor)),
        Choice::Posterize => {
            let cleared = (strength * if wide { 6.0 } else { 4.0 }).round() as u32;
            drawn.add(Tone::Posterize(8 - cleared));
        }
        // A threshold above 255 inverts nothing.
        Choice::Solarize if level > 0 => drawn.add(Tone::Solarize((255.0 * (1.0 - strength)) as u8)),
        Choice::Solarize => {}
        Choice::AutoContrast => drawn.add(Tone::AutoContrast),
        Choice::Equalize => drawn.add(Tone::Equalize),
    }
}
