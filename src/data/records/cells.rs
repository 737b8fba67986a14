//! The meaning of cells: parts and truth values.

use crate::data::parts::{Part, part_of};

/// The part in a cell of the column `name`. A column such as `is_valid`, `is_test`, `is_train` or `train` has truth values.
pub(in crate::data) fn part_of_value(name: &str, value: &str) -> Option<Part> {
    let value = value.to_lowercase();
    let name = name.to_lowercase();
    match part_of(name.strip_prefix("is_").unwrap_or(&name)) {
        Some(part) if is_one(&value) => Some(part),
        Some(Part::Train) if is_zero(&value) => Some(Part::Val),
        Some(_) if is_zero(&value) => Some(Part::Train),
        _ => match &*value {
            // The names of FER2013.
            "publictest" => Some(Part::Val),
            "privatetest" => Some(Part::Test),
            other => part_of(other),
        },
    }
}

pub(in crate::data) fn is_one(value: &str) -> bool {
    matches!(value, "1" | "1.0" | "True" | "true" | "TRUE")
}

pub(in crate::data) fn is_zero(value: &str) -> bool {
    matches!(value, "0" | "0.0" | "False" | "false" | "FALSE")
}
