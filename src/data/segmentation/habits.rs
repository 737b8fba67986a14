//! Masks of one set whose files write the same classes as other values.
//!
//! | some files | other files |
//! |---|---|
//! | 0 and 1 | 0 and 255 |
//! | 0, 1 and 2 | 0, 85 and 170; 0, 10 and 20 |
//! | 0 and 127 | 0 and 128 |

use super::class_list::IGNORED;
use super::counts::{FileValues, Values};

/// The message for a foreground that is 1 in some files and `high` in others.
pub(super) fn of_two_classes(values: &Values) -> Option<String> {
    let &[0, 1, high] = values.present().as_slice() else { return None };
    let held = |v: u8| values.files.iter().filter(|file| file.held[usize::from(v)]).count();
    let with = |other: u8| move |file: &&FileValues| file.held[usize::from(other)] && file.held[usize::from(high)];
    let both = values.files.iter().any(|file| with(1)(&file));
    // A palette gives 255 a color, such as that of borders.
    let is_of_palette = values.files.iter().any(|file| file.has_palette && file.held[usize::from(high)]);
    let with_background = values.files.iter().any(|file| with(0)(&file));
    if high < 128 || both || !with_background || is_of_palette {
        return None;
    }
    Some(format!(
        "its masks use two notations: 0 and 1 in {} files, such as {}, and 0 and {high} in {}, such as {}; either these are \
         two classes in two notations (write all masks in one, or set threshold = 1 in a classes.toml), or three values \
         of which {high} is a class or ignored (list the classes in a classes.toml, or set ignore_index = {high} there)",
        held(1),
        values.file_with(1),
        held(high),
        values.file_with(high)
    ))
}

/// The message for classes 1 to n in some files and n equal steps from 0 in others.
pub(super) fn of_several_classes(values: &Values) -> Option<String> {
    const FIRST_STEP: u8 = 10;
    let nonzero: Vec<u8> = values.present().into_iter().filter(|&value| value != 0).collect();
    let (low, high) = nonzero.split_at(nonzero.len() / 2);
    let (last, count) = (f64::from(*high.last()?), low.len());
    let counts = low.iter().zip(1u8..).all(|(&value, place)| value == place);
    let is_step = |(&value, place): (&u8, usize)| (f64::from(value) - last * place as f64 / count as f64).abs() <= 1.0;
    if count < 2 || high.len() != count || !counts || high[0] < FIRST_STEP || values.palette.is_some() {
        return None;
    }
    let holds = |file: &FileValues, some: &[u8]| some.iter().any(|&value| file.held[usize::from(value)]);
    let both = values.files.iter().any(|file| holds(file, low) && holds(file, high));
    if both || !high.iter().zip(1..).all(is_step) {
        return None;
    }
    let words: Vec<String> = high.iter().map(u8::to_string).collect();
    Some(format!(
        "its masks use two notations: 1 to {count} in some files, such as {}, and {} in others, such as {}; either these are the same \
         classes (write all masks in one notation), or classes apart (list them with their values in a classes.toml)",
        values.file_with(low[0]),
        words.join(", "),
        values.file_with(high[0])
    ))
}

/// The message for two high values that hardly differ and never stand in one mask, such as 127 and 128.
pub(super) fn of_close_values(values: &Values) -> Option<String> {
    const HIGH: u8 = 64;
    const CLOSE: u8 = 2;
    let present = values.present();
    let is_apart = |&value: &u8| value >= HIGH && value != IGNORED;
    let high: Vec<u8> = present.iter().copied().filter(is_apart).collect();
    let together =
        |a: u8, b: u8| values.files.iter().any(|file| file.held[usize::from(a)] && file.held[usize::from(b)]);
    // A scale of many values has neighbors.
    let is_lone = |a: u8, b: u8| present.iter().all(|&other| other == a || other == b || other.abs_diff(a) > 8);
    let pairs = high.windows(2).map(|pair| (pair[0], pair[1]));
    let (a, b) = pairs.filter(|&(a, b)| b - a <= CLOSE && is_lone(a, b)).find(|&(a, b)| !together(a, b))?;
    if values.palette.is_some() {
        return None;
    }
    Some(format!(
        "its masks hold {a} in some files, such as {}, and {b} in others, such as {}, and never both: either they are one class (list \
         the classes with their values in a classes.toml, and set nearest = true there), or two (list both)",
        values.file_with(a),
        values.file_with(b)
    ))
}
