//! Maps the values in masks to classes, if no file lists them.
//!
//! | values of the masks | reading |
//! |---|---|
//! | 0 and 255, no palette | background and foreground |
//! | all of 0 to k, or all of 1 to k | k + 1 or k classes |
//! | the same and 255 | those classes; 255 is ignored, because a gap separates it |
//! | values with gaps below 64, or any with a palette | one class per value; 255 is ignored |
//! | greys at equal steps up to 255, each with areas | one class per value, also for 255 |
//! | 0, other greys and 255 otherwise | refused: 255 may be ignored or a class, and greys may be edges between two classes |
//! | 0 and 1 in some files, 0 and 255 in others | refused: one of the two codings is wrong |
//! | a value of a few pixels, in one file alone | refused: it may be a fault, or a class |
//! | 0 to k, and one or two values from 240 to 254 | refused: these may be ignored, or classes |
//!
//! A value has areas as [`Values::has_areas`] says.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::class_list::{ClassList, IGNORED, color_table, voc_color};
use super::coding::{Coding, ValueTable};
use super::counts::Values;
use super::habits;
use super::raw::Samples;
use crate::data::DataError;

/// Values below this are class numbers. A set with higher values may be a scale of greys.
const GREYS_FROM: u8 = 64;

/// The coding of masks that hold `values`. With `nearest`, values without areas become those of the nearest class.
///
/// # Errors
/// Where the values have two readings, or are a single class.
pub(super) fn coding(root: &Path, values: &Values, nearest: bool) -> Result<Coding, DataError> {
    if nearest {
        let mut values = values.clone();
        let rims: Vec<u8> = values.present().into_iter().filter(|&value| !values.has_areas(value)).collect();
        rims.into_iter().for_each(|value| values.remove(value));
        return Ok(coding(root, &values, false)?.by_nearest());
    }
    let present = values.present();
    let classes: Vec<u8> = present.iter().copied().filter(|&v| v != IGNORED).collect();
    let has_255 = classes.len() < present.len();
    let refused =
        |problem: String, threshold: Option<u8>| Err(DataError::Masks { path: root.to_path_buf(), problem, threshold });
    if present == [0, IGNORED] && values.palette.is_none() {
        let names = ["background", "foreground"].map(String::from).to_vec();
        return Ok(of_list(values, &present, names, "nothing (255 is the foreground)"));
    }
    if let Some(problem) = habits::of_two_classes(values) {
        return refused(problem, Some(1));
    }
    if let Some(problem) = habits::of_several_classes(values).or_else(|| habits::of_close_values(values)) {
        return refused(problem, None);
    }
    require_two(root, &classes, has_255)?;
    let lowest = classes[0];
    let highest = classes[classes.len() - 1];
    let contiguous = lowest <= 1 && usize::from(highest - lowest) + 1 == classes.len();
    let without_areas: Vec<u8> = classes.iter().copied().filter(|&v| !values.has_areas(v)).collect();
    if values.palette.is_none() {
        if contiguous && has_255 && values.share([IGNORED]) > 10.0 * values.share(1..=highest) {
            return refused(binary_or_ids(values, &classes), Some(128));
        }
        let is_grey_scale = highest >= GREYS_FROM && 2 * without_areas.len() > classes.len();
        if is_grey_scale || (has_255 && !contiguous) {
            if has_255 && equal_steps(&present) && present.iter().all(|&v| values.has_areas(v)) {
                let names = present.iter().map(|v| format!("value {v}")).collect();
                return Ok(of_list(values, &present, names, "nothing (255 is a step of the scale)"));
            }
            return match without_areas.is_empty() {
                true => refused(class_or_ignored(&classes), None),
                false => refused(rims(values, &without_areas), Some(128)),
            };
        }
        if highest >= GREYS_FROM && !contiguous && !without_areas.is_empty() {
            return refused(rims(values, &without_areas), Some(128));
        }
    }
    if let Some(problem) = outliers(&classes).or_else(|| stray(values, &classes)) {
        return refused(problem, None);
    }
    let ignored = if has_255 { "value 255" } else { "nothing (value 255 would be)" };
    // Grey levels spread over the range, such as 0, 85, 170, are named by their value.
    let spread = usize::from(highest) + 1 > classes.len() * 2 + 8;
    let word = if spread { "value" } else { "class" };
    let names = classes.iter().map(|v| format!("{word} {v}")).collect();
    Ok(of_list(values, &classes, names, ignored))
}

/// Refuses masks of a single class.
fn require_two(root: &Path, classes: &[u8], has_255: bool) -> Result<(), DataError> {
    let found = match classes {
        [] => "nothing but value 255, which is ignored".into(),
        [only] if has_255 => format!("value {only} alone beside 255, which may be ignored or a class"),
        [only] => format!("value {only} alone"),
        _ => return Ok(()),
    };
    Err(single_class(root, &found))
}

/// A note that values may be numbers of objects, if each file has all of 0 to n and n differs much between files.
pub(super) fn numbers_of_objects(values: &Values) -> Option<String> {
    const COUNTS: usize = 3;
    const HIGHEST: usize = 5;
    let highest = |held: &[bool; 256]| {
        let count = held.iter().take_while(|held| **held).count();
        held[count..].iter().all(|held| !held).then(|| count.saturating_sub(1)).filter(|_| count > 0)
    };
    let all: Option<BTreeSet<usize>> = values.files.iter().map(|file| highest(&file.held)).collect();
    let Some(all) = all else { return numbers_over_all_files(values) };
    let all =
        Some(all).filter(|all| values.palette.is_none() && all.len() >= COUNTS && all.last() >= Some(&HIGHEST))?;
    let (least, most) = (all.first()?, all.last()?);
    Some(format!(
        "each mask holds the values 0 to n without gaps, with n from {least} to {most}: if they are numbers of objects, a \
         mask threshold of 1 makes them one class"
    ))
}

/// A note that values may be object numbers that run over all files, if most values are in one file alone.
fn numbers_over_all_files(values: &Values) -> Option<String> {
    const FEWEST: usize = 10;
    let files_with = |value: u8| values.files.iter().filter(|file| file.held[usize::from(value)]).count();
    let numbers: Vec<u8> = values.present().into_iter().filter(|&v| v != 0 && v != IGNORED).collect();
    let alone = numbers.iter().filter(|&&value| files_with(value) == 1).count();
    if values.palette.is_some() || values.files.len() < 3 || numbers.len() < FEWEST || 5 * alone < 4 * numbers.len() {
        return None;
    }
    Some(format!(
        "{alone} of the {} values of the masks are in one mask alone: if they are numbers of objects, a mask threshold of 1 makes \
         them one class",
        numbers.len()
    ))
}

/// One class for each of `classes`, in their order.
fn of_list(values: &Values, classes: &[u8], names: Vec<String>, ignored: &str) -> Coding {
    let own = |value: u8| values.palette.as_ref().and_then(|p| p.get(usize::from(value)).copied());
    let palette = classes.iter().enumerate().map(|(id, &v)| own(v).unwrap_or_else(|| voc_color(id as u8))).collect();
    let source = "the values in the masks; name them in a classes.toml".to_string();
    let list = ClassList { names, palette, ignored: ignored.into(), source };
    let mut table: Box<ValueTable> = Box::new([None; 256]);
    table[usize::from(IGNORED)] = Some(IGNORED);
    classes.iter().enumerate().for_each(|(id, &v)| table[usize::from(v)] = Some(id as u8));
    // Without a palette no color has a meaning, apart from the greys of the values.
    let colors = values.palette.as_ref().and_then(|_| color_table(&list.palette));
    Coding {
        classes: Arc::new(list),
        values: Some(table),
        colors,
        nearest: false,
        samples: Samples::Numbers,
        is_said: true,
        assumes_ignored: false,
    }
}

/// The problem of one or two values near 255 beside 0 to k: they may be ignored, as 255 is.
fn outliers(classes: &[u8]) -> Option<String> {
    const FROM: u8 = 240;
    let (numbers, high) = classes.split_at(classes.partition_point(|&value| value < FROM));
    let (&[first, .., last], 1..=2) = (numbers, high.len()) else { return None };
    if first > 1 || usize::from(last - first) + 1 != numbers.len() {
        return None;
    }
    let words: Vec<String> = high.iter().map(u8::to_string).collect();
    let list = if let [one] = high { one.to_string() } else { format!("[{}]", words.join(", ")) };
    Some(format!(
        "its masks hold the values {first} to {last} and {}: either the high ones are ignored (set ignore_index = {list} in a \
         classes.toml), or they are classes (list the classes with their values there)",
        words.join(" and ")
    ))
}

/// The problem of a value of a few pixels in one file, beside values with areas: a slip of the pen.
fn stray(values: &Values, classes: &[u8]) -> Option<String> {
    let (has_areas, total) = (values.inner.iter().any(|&inner| inner > 0), values.pixels.iter().sum());
    let value = classes.iter().find(|value| has_areas && values.count(**value).is_stray(total))?;
    Some(format!(
        "its masks hold the value {value} in {} pixels of one file alone, {}: either they are a fault (correct the mask, or set \
         ignore_index = {value} in a classes.toml), or a class (list the classes with their values there)",
        values.pixels[usize::from(*value)],
        values.file_with(*value)
    ))
}

/// Whether values rise by equal steps to 255, up to rounding.
fn equal_steps(values: &[u8]) -> bool {
    let steps = values.len() - 1;
    steps >= 2
        && values[0] == 0
        && values.iter().enumerate().all(|(k, &v)| (f64::from(v) - 255.0 * k as f64 / steps as f64).abs() <= 1.0)
}

fn binary_or_ids(values: &Values, classes: &[u8]) -> String {
    format!(
        "its masks hold 255 in {:.1} % of the pixels and {}: either 0 and 255 are two classes and the others are faults \
         (write them as 0 or 255, or set threshold = 128 in a classes.toml), or 255 is ignored (list the classes in a \
         classes.toml)",
        100.0 * values.share([IGNORED]),
        values.words(&classes[1..])
    )
}

fn rims(values: &Values, without_areas: &[u8]) -> String {
    let greys: Vec<u8> = without_areas.iter().copied().filter(|&v| v != 0).collect();
    format!(
        "its masks hold values without areas: {}; either they are the rims of classes, left by scaling or \
         compression (set threshold = 128 in a classes.toml for two classes, or list the classes with their values and \
         set nearest = true), or classes themselves (list them in a classes.toml); the first file is {}",
        values.words(&greys),
        greys.first().map(|&v| values.file_with(v)).unwrap_or_default()
    )
}

fn class_or_ignored(classes: &[u8]) -> String {
    let words: Vec<String> = classes.iter().map(u8::to_string).collect();
    format!(
        "its masks hold the values {} and 255: 255 is either a class or ignored; list the classes with their values in a \
         classes.toml (255 is ignored there unless it is the value of a class)",
        words.join(", ")
    )
}

/// The error for a single class: nothing can be learned, the loss is 0 and every score perfect from the start.
pub(super) fn single_class(root: &Path, found: &str) -> DataError {
    let problem = format!(
        "its masks hold {found}, but at least 2 classes are needed; check that these are the masks, or list the classes \
         in a classes.toml"
    );
    DataError::malformed(root, problem)
}
