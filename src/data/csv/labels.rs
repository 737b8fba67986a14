//! Refusals of labels that are no single class: numbers beside a list of names, lists, boxes.

use std::path::Path;

use super::Row;
use super::tables::{class_list, folder_of};
use crate::data::{DataError, names};

/// Refuses numbers as labels beside a list of classes that has other names.
pub(super) fn require_named_labels(table: &Path, rows: &[Row]) -> Result<(), DataError> {
    let Some(listed) = class_list(folder_of(table))? else { return Ok(()) };
    let odd = rows.iter().find(|row| !listed.contains(&row.label));
    match odd.filter(|_| rows.iter().all(|row| names::value(&row.label).is_some())) {
        None => Ok(()),
        Some(row) => {
            let problem = format!(
                "its labels are numbers, such as '{}', and classes.txt beside it lists {}; a number can be the place of a class \
                 in that list, counted from 0 or from 1, or the name of a class; write the names of the classes as labels, or \
                 move classes.txt elsewhere",
                row.label,
                names::quoted(&listed)
            );
            Err(DataError::CsvRow { path: table.to_path_buf(), line: row.line, problem })
        }
    }
}

/// Refuses labels that are lists, as Python and JSON write them, or boxes.
pub(super) fn require_single_labels(table: &Path, rows: &[Row]) -> Result<(), DataError> {
    let is_list = |label: &str| {
        let ends = [('[', ']'), ('{', '}')];
        ends.into_iter().any(|(start, end)| label.starts_with(start) && label.ends_with(end)) || label == "set()"
    };
    let Some(first) = rows.first().map(|row| names::shortened(&row.label)) else { return Ok(()) };
    let all = |is_it: &dyn Fn(&str) -> bool| rows.iter().all(|row| is_it(&row.label));
    let problem = match (all(&is_list), all(&is_boxes)) {
        (true, _) => format!(
            "its labels are lists, such as {first}: this is a multi-label table, one class an image was expected"
        ),
        (_, true) => {
            format!("its labels are classes with the corners of boxes, such as '{first}'; write the class alone")
        }
        _ => return Ok(()),
    };
    Err(DataError::malformed(table, problem))
}

/// Whether a label is a class and the four corners of a box, once or more: `n02119789 0 10 276 498`, as in the solutions of ImageNet.
fn is_boxes(label: &str) -> bool {
    let words: Vec<&str> = label.split_ascii_whitespace().collect();
    let (boxes, rest) = words.as_chunks::<5>();
    let is_number = |word: &&str| word.parse::<f64>().is_ok();
    rest.is_empty()
        && !boxes.is_empty()
        && boxes.iter().all(|[class, corners @ ..]| !is_number(class) && corners.iter().all(is_number))
}
