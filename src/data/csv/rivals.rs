//! Columns that rival each other: two of one name, two that name files, two of labels. Where they differ, the table is refused.

use std::collections::BTreeSet;

use super::files::Files;
use super::raw::{LABEL_NAMES, LIST_NAMES, Raw};
use crate::data::parts::words_of;
use crate::data::{DataError, names};

impl Raw<'_> {
    /// Refuses a used column whose name another column has too, with other values. The first line must name the
    /// columns.
    ///
    /// # Errors
    /// [`DataError::Columns`] for such a column.
    pub fn require_one(&self, column: usize) -> Result<(), DataError> {
        let name = &self.first()[column];
        let rows = &self.records[1..];
        let is_twin = |other: &usize| *other != column && name.eq_ignore_ascii_case(&self.first()[*other]);
        let differs = |other: usize| rows.iter().any(|row| row.get(other) != row.get(column));
        match (0..self.width()).filter(is_twin).any(differs) && !name.is_empty() && !rows.is_empty() {
            true => Err(self.unknown(&format!("two columns are named '{}', and they differ", names::shortened(name)))),
            false => Ok(()),
        }
    }

    /// Refuses a column of labels beside a rival among `columns`; see [`rival`].
    ///
    /// # Errors
    /// [`DataError::Columns`] for such a column.
    pub fn require_no_rival(&self, label: usize, columns: impl Iterator<Item = usize>) -> Result<(), DataError> {
        let rows = &self.records[1..];
        let cell = |row: usize, column: usize| rows[row].get(column).unwrap_or_default();
        let header = |column: usize| &self.first()[column];
        match rival((header, rows.len()), cell, label, columns) {
            None => Ok(()),
            Some((other, row)) => {
                let line = rows[row].position().map_or(0, ::csv::Position::line);
                let cells = [label, other].map(|column| cell(row, column));
                Err(self.unknown(&two_of_labels([label, other].map(header), cells, line)))
            }
        }
    }

    /// Refuses two columns that name different files of the set. `named` are the columns whose names are those of
    /// files.
    ///
    /// # Errors
    /// [`DataError::Columns`] for such columns; also where a folder cannot be listed.
    pub(super) fn require_one_of_files(&self, named: &[usize], files: &mut Files) -> Result<(), DataError> {
        let mut naming = Vec::new();
        for &column in named.iter().filter(|_| named.len() > 1) {
            let values = self.values(column);
            if files.are_paths(&values) || files.are_indexed(&values)? {
                naming.push((column, files.places(&values)?));
            }
        }
        match naming.as_slice() {
            [(first, places), others @ ..] => match others.iter().find(|(_, other)| other != places) {
                Some((other, _)) => {
                    let [a, b] = [*first, *other].map(|column| names::shortened(&self.first()[column]));
                    Err(self.unknown(&format!("the columns '{a}' and '{b}' name different files of the set")))
                }
                None => Ok(()),
            },
            [] => Ok(()),
        }
    }
}

/// The first of `columns` that has the same classes as the column `label`, but in other rows, and the first such row:
/// `true_label` beside `label`. The name of such a column has a word of labels; predictions are no labels.
pub(in crate::data) fn rival<'a>(
    (header, rows): (impl Fn(usize) -> &'a str, usize),
    cell: impl Fn(usize, usize) -> &'a str,
    label: usize,
    columns: impl Iterator<Item = usize>,
) -> Option<(usize, usize)> {
    const LABELS: [&str; 6] = ["truth", "gt", "annotation", "diagnosis", "annotator", "rater"];
    const OTHERS: [&str; 8] =
        ["pred", "predicted", "prediction", "predictions", "probability", "confidence", "score", "count"];
    let classes = |column: usize| -> BTreeSet<&str> { (0..rows).map(|row| cell(row, column)).collect() };
    let own = classes(label);
    let is_rival = |&column: &usize| {
        let words = words_of(header(column));
        let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
        let is_of_labels = || has(&LABEL_NAMES) || has(&LIST_NAMES) || has(&LABELS);
        if column == label || has(&OTHERS) || !(is_of_labels() || words.iter().any(|word| word.ends_with("label"))) {
            return false;
        }
        let other = classes(column);
        let shared = own.intersection(&other).filter(|value| !value.is_empty()).count();
        let are_same = own.is_subset(&other) || other.is_subset(&own);
        let are_names = own.iter().chain(&other).any(|value| value.parse::<f64>().is_err() && !value.is_empty());
        shared > 0 && (are_same || (are_names && shared > 1))
    };
    let differing = |column: usize| (0..rows).find(|&row| cell(row, label) != cell(row, column));
    columns.filter(is_rival).find_map(|column| Some((column, differing(column)?)))
}

/// The problem of two columns of labels.
pub(in crate::data) fn two_of_labels(columns: [&str; 2], cells: [&str; 2], line: u64) -> String {
    let ([a, b], [here, there]) = (columns.map(names::shortened), cells.map(names::shortened));
    format!(
        "the columns '{a}' and '{b}' can both hold the labels, and they differ: '{here}' and '{there}' on line {line}"
    )
}
