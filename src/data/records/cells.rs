//! The meaning of cells: parts and truth values.

use crate::data::parts::{Part, part_of, words_of};

/// The part in a cell of the column `name`. A column such as `is_valid`, `is_test`, `is_train` or `train` may hold
/// truth values.
pub(in crate::data) fn part_of_value(name: &str, value: &str) -> Option<Part> {
    match (flagged_part(name), truth(value)) {
        (Some(part), Some(true)) => Some(part),
        (Some(Part::Train), Some(false)) => Some(Part::Val),
        (Some(_), Some(false)) => Some(Part::Train),
        _ => match &*value.to_lowercase() {
            // The names of FER2013.
            "publictest" => Some(Part::Val),
            "privatetest" => Some(Part::Test),
            other => part_of(other),
        },
    }
}

/// Whether the numbers of a column are those of parts, as CelebA and WILDS write them: its name is that of a division,
/// and its values are 0, 1 and 2, all three.
pub(in crate::data) fn are_part_numbers<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> bool {
    const NAMES: [&str; 4] = ["split", "splits", "partition", "partitions"];
    let mut seen = [false; 3];
    let is_numbered = |value: &str| matches!(value.parse(), Ok(number @ 0..=2usize) if { seen[number] = true; true });
    words_of(name).iter().any(|word| NAMES.contains(&word.as_str()))
        && values.into_iter().all(is_numbered)
        && seen == [true; 3]
}

/// The part of a number of such a column.
pub(in crate::data) fn part_of_number(value: &str) -> Option<Part> {
    [Part::Train, Part::Val, Part::Test].get(value.parse::<usize>().ok()?).copied()
}

/// How the numbers of such a column are read, in words.
pub(in crate::data) const NUMBERED: &str = "0 is train, 1 is val, 2 is test";

/// The part that a column of truth values is about, by its name: `is_valid`, `test`, `is_training_image`, `isTrain`.
pub(in crate::data) fn flagged_part(name: &str) -> Option<Part> {
    const ENDS: [&str; 6] = ["_image", "_images", "_img", "_set", "_sample", "_data"];
    let name = name.trim().to_lowercase();
    let starts = ["is_", "in_", "is"].iter().filter_map(|start| name.strip_prefix(start));
    let bare = |name: &str| part_of(ENDS.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name));
    part_of(&name).or_else(|| starts.filter_map(bare).next())
}

/// A truth value in the spellings of tables.
pub(in crate::data) fn truth(value: &str) -> Option<bool> {
    match &*value.to_lowercase() {
        "1" | "1.0" | "true" | "t" | "yes" | "y" => Some(true),
        "0" | "0.0" | "false" | "f" | "no" | "n" => Some(false),
        _ => None,
    }
}

pub(in crate::data) fn is_one(value: &str) -> bool {
    matches!(value, "1" | "1.0" | "True" | "true" | "TRUE")
}

pub(in crate::data) fn is_zero(value: &str) -> bool {
    matches!(value, "0" | "0.0" | "False" | "false" | "FALSE")
}
