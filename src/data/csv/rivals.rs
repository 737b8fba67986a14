//! Columns that rival each other: two of one name, two that name files, two of parts. Where they differ, the table is refused.

use std::collections::BTreeSet;

use super::columns::{Found, Raw};
use super::files::Files;
use crate::data::parts::{Part, part_of};
use crate::data::records::{is_one, is_zero, part_of_value};
use crate::data::{DataError, names};

const SPLIT_NAMES: [&str; 13] = [
    "split",
    "set",
    "subset",
    "partition",
    "phase",
    "fold_name",
    "data set",
    "dataset",
    "is_valid",
    "is_val",
    "is_test",
    "is_train",
    "is_training",
];

impl Raw<'_> {
    /// Refuses a used column whose name another column has too, with other values.
    ///
    /// # Errors
    /// As the sentence says, where the first line names the columns.
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

    /// Refuses two columns among `named`, those whose names say files, that name different files of the set.
    ///
    /// # Errors
    /// As the sentence says, and where a folder cannot be listed.
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

    /// The column of parts: one with such a name, one named after a part whose values are truth values, else one whose values are
    /// all names of parts.
    ///
    /// # Errors
    /// Where two columns of parts differ.
    pub fn split_column(&self, found: &Found) -> Result<Option<usize>, DataError> {
        // A row may be longer than the header. Only a column with a name is considered.
        let Some(header) = &found.header else { return Ok(None) };
        let is_free = |column: &usize| *column != found.path && Some(*column) != found.label;
        let parts = |name: &str, column: usize| -> Option<Vec<Part>> {
            self.values(column).into_iter().map(|value| part_of_value(name, value)).collect()
        };
        let are_flags = |column: &usize| {
            let mut values = self.values(*column).into_iter();
            part_of(&header[*column].to_lowercase()).is_some() && values.all(|value| is_one(value) || is_zero(value))
        };
        let named = self.named(&SPLIT_NAMES).into_iter().filter(is_free);
        let flags = (0..header.len()).filter(is_free).filter(are_flags);
        let by_values = (0..header.len()).filter(is_free).filter(|column| parts("", *column).is_some());
        let all: Vec<usize> = named.chain(flags).chain(by_values).collect();
        let known: Vec<(usize, Vec<Part>)> =
            all.iter().filter_map(|&column| Some((column, parts(&header[column], column)?))).collect();
        let differing: BTreeSet<&str> = known.iter().map(|(column, _)| header[*column].as_str()).collect();
        if known.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            let differing: Vec<&str> = differing.into_iter().collect();
            let problem = format!(
                "the columns {} say different parts of the rows; keep one, 'split', of train, val and test",
                names::quoted(&differing)
            );
            return Err(self.unknown(&problem));
        }
        Ok(all.first().copied())
    }
}
