//! Columns that rival each other: two of one name, two that name files. Where they differ, the table is refused.

use super::files::Files;
use super::raw::Raw;
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
