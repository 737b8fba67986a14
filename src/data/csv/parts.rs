//! The columns of a table that divide its rows into parts.
//!
//! | columns | reading |
//! |---|---|
//! | a name such as `split`, or values that are all `train`, `val` and `test` | the part of each row |
//! | `dataset`, `phase` or `part`, and some value is `train`, `val` or `test` | the part of each row |
//! | `split` or `partition` with the values 0, 1 and 2 | train, val and test |
//! | `is_val`, `is_test`, `train`: truth values | the part whose value is true |
//! | `train` beside columns of 0 and 1 | a class, if with it each row has a single 1 |

use std::collections::BTreeSet;

use ::csv::StringRecord;

use super::raw::{Found, LABEL_NAMES, LIST_NAMES, Raw};
use crate::data::parts::{PART_COLUMNS, POSSIBLE_PART_COLUMNS, Part, part_of};
use crate::data::records::{are_part_numbers, flagged_part, is_one, is_zero, part_of_number, part_of_value, truth};
use crate::data::{DataError, folds, names};

/// The columns that give the part of a row: one of parts, or one of truth values for each of several parts.
#[derive(Debug, Clone)]
pub(in crate::data) struct PartColumns {
    /// Position and name of each; the name is empty without a header.
    columns: Vec<(usize, String)>,
    /// Whether the only column holds the numbers of parts.
    is_numbered: bool,
}

impl PartColumns {
    /// Columns with their names; several have truth values.
    pub fn new(columns: Vec<(usize, String)>) -> Self {
        Self { columns, is_numbered: false }
    }

    /// Whether the only column holds the numbers of parts.
    pub fn are_numbered(&self) -> bool {
        self.is_numbered
    }

    /// One column.
    pub fn one(column: usize, name: &str) -> Self {
        Self::new(vec![(column, name.to_owned())])
    }

    /// Positions and names.
    pub fn columns(&self) -> &[(usize, String)] {
        &self.columns
    }

    /// Whether a column is one of them.
    pub fn contain(&self, column: usize) -> bool {
        self.columns.iter().any(|(own, _)| *own == column)
    }

    /// The part of a row with these cells, one for each column.
    ///
    /// # Errors
    /// The problem in words, if they give no part or several.
    pub fn part(&self, cells: &[&str]) -> Result<Part, String> {
        if let ([(_, name)], [cell]) = (&self.columns[..], cells) {
            let part = if self.is_numbered { part_of_number(cell) } else { part_of_value(name, cell) };
            return part.ok_or_else(|| no_part(name, cell));
        }
        let mut flags: Vec<(Part, bool)> = Vec::new();
        for ((_, name), cell) in self.columns.iter().zip(cells) {
            let flag = flagged_part(name).zip(truth(cell)).ok_or_else(|| no_part(name, cell))?;
            flags.push(flag);
        }
        let names = || names::quoted(&self.columns.iter().map(|(_, name)| name).collect::<Vec<_>>());
        let set: BTreeSet<Part> = flags.iter().filter(|(_, set)| *set).map(|(part, _)| *part).collect();
        let denied: BTreeSet<Part> = flags.iter().filter(|(_, set)| !*set).map(|(part, _)| *part).collect();
        let left: Vec<Part> =
            [Part::Train, Part::Val, Part::Test].into_iter().filter(|part| !denied.contains(part)).collect();
        let set: Vec<Part> = set.into_iter().collect();
        match (&set[..], &left[..]) {
            ([only], left) if left.contains(only) => Ok(*only),
            ([], [Part::Train, ..]) => Ok(Part::Train),
            ([], [only]) => Ok(*only),
            ([], _) => Err(format!("the columns {} say no part of the row; one of them must be 1", names())),
            _ => Err(format!("the columns {} say several parts of the row; one of them must be 1", names())),
        }
    }
}

fn no_part(name: &str, cell: &str) -> String {
    let cell = names::shortened(cell);
    match flagged_part(name) {
        Some(_) => format!("'{name}' is '{cell}', expected 1 or 0, or train, val or test"),
        None if part_of_number(&cell).is_some() && !name.is_empty() => format!(
            "'{name}' is '{cell}', expected train, val or test; numbers are read as parts if the column is named split or partition \
             and holds 0, 1 and 2 (train, val and test) alone"
        ),
        None if !name.is_empty() => format!("'{name}' is '{cell}', expected train, val or test"),
        None => format!(
            "split is '{cell}', expected train, val or test (or name the columns in a first line: path,label,split)"
        ),
    }
}

/// What is known of a set's classes, to distinguish columns of parts from columns of classes.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) enum ClassesOfRow<'a> {
    /// A row has one class.
    One,
    /// A row has any number of the classes, which a list may name.
    Several(Option<&'a [String]>),
}

impl Raw<'_> {
    /// The columns of parts: those with the name of such a column, those named after a part that hold truth values, or
    /// else one whose values are all names of parts.
    ///
    /// # Errors
    /// Where two columns of parts differ, or one may be a class.
    pub fn part_columns(&self, found: &Found, classes: ClassesOfRow<'_>) -> Result<Option<PartColumns>, DataError> {
        // A row may be longer than the header. Only a column with a name is considered.
        let Some(header) = &found.header else { return Ok(None) };
        let is_free = |column: &usize| *column != found.path && Some(*column) != found.label;
        let are_flags = |column: usize, of: Option<Part>| {
            of.is_some() && self.values(column).into_iter().all(|v| truth(v).is_some())
        };
        let has_part = |column: &usize| self.values(*column).into_iter().any(|v| part_of_value("", v).is_some());
        let possible = self.named(&POSSIBLE_PART_COLUMNS).into_iter().filter(has_part);
        let of_flags = |column: &usize| {
            part_of(&header[*column].to_lowercase()).is_none() && are_flags(*column, flagged_part(&header[*column]))
        };
        let of_flags = (0..header.len()).filter(of_flags);
        let numbered = (0..header.len()).filter(|&column| are_part_numbers(&header[column], self.below_header(column)));
        let named =
            self.named(&PART_COLUMNS).into_iter().chain(possible).chain(of_flags).chain(numbered).filter(is_free);
        let bare = |column: &usize| are_flags(*column, part_of(&header[*column].to_lowercase()));
        let bare: Vec<usize> = (0..header.len()).filter(is_free).filter(bare).collect();
        let bare = match self.are_classes(found, header, &bare, classes)? {
            true => Vec::new(),
            false => bare,
        };
        let has_parts =
            |column: &usize| self.values(*column).into_iter().all(|value| part_of_value("", value).is_some());
        let by_values = (0..header.len()).filter(is_free).filter(has_parts);
        let mut all: Vec<usize> = Vec::new();
        for column in named.chain(bare).chain(by_values) {
            if !all.contains(&column) {
                all.push(column);
            }
        }
        let name = |column: usize| (column, header[column].clone());
        let flags: Vec<usize> =
            all.iter().copied().filter(|&column| are_flags(column, flagged_part(&header[column]))).collect();
        let others = all.iter().filter(|column| !flags.contains(column));
        let of_flags = (!flags.is_empty()).then(|| PartColumns::new(flags.iter().map(|&c| name(c)).collect()));
        let of_column = |&column: &usize| PartColumns {
            is_numbered: are_part_numbers(&header[column], self.below_header(column)),
            ..PartColumns::one(column, &header[column])
        };
        let groups: Vec<PartColumns> = of_flags.into_iter().chain(others.map(of_column)).collect();
        self.require_one_division(&groups)?;
        let first = all.first().copied();
        Ok(first.and_then(|first| groups.into_iter().find(|group| group.contain(first))))
    }

    /// Refuses columns that give the same row different parts. A value that is not a part is reported later, with its
    /// row.
    fn require_one_division(&self, groups: &[PartColumns]) -> Result<(), DataError> {
        let of_row = |group: &PartColumns, row: &StringRecord| {
            let cells: Vec<&str> = group.columns.iter().map(|(at, _)| row.get(*at).unwrap_or_default()).collect();
            group.part(&cells)
        };
        let parts = |group: &PartColumns| -> Result<Vec<Part>, String> {
            self.sample().iter().map(|row| of_row(group, row)).collect()
        };
        let known: Vec<(&PartColumns, Result<Vec<Part>, String>)> =
            groups.iter().map(|group| (group, parts(group))).collect();
        let is_split =
            |group: &PartColumns, parts: &Result<Vec<Part>, String>| group.columns.len() > 1 && parts.is_err();
        let readable: Vec<_> = known.iter().filter(|(group, parts)| parts.is_ok() || is_split(group, parts)).collect();
        let differ = readable.windows(2).any(|pair| pair[0].1 != pair[1].1);
        if !differ && !readable.iter().any(|(_, parts)| parts.is_err()) {
            return Ok(());
        }
        let differing: BTreeSet<&str> =
            readable.iter().flat_map(|(group, _)| &group.columns).map(|(_, name)| name.as_str()).collect();
        let differing: Vec<&str> = differing.into_iter().collect();
        let problem = format!(
            "the columns {} say different parts of the rows; keep one, 'split', of train, val and test",
            names::quoted(&differing)
        );
        Err(self.unknown(&problem))
    }

    /// Whether the columns `bare`, whose names are those of parts, are classes as the other columns of 0 and 1 are.
    ///
    /// # Errors
    /// Where they may be either.
    fn are_classes(
        &self,
        found: &Found,
        header: &[String],
        bare: &[usize],
        classes: ClassesOfRow<'_>,
    ) -> Result<bool, DataError> {
        let has_labels =
            found.label.is_some() || !self.named(&LABEL_NAMES).is_empty() || !self.named(&LIST_NAMES).is_empty();
        let is_bit = |column: &usize| self.values(*column).into_iter().all(|value| is_one(value) || is_zero(value));
        let is_class = |column: &usize| *column != found.path && flagged_part(&header[*column]).is_none();
        let others: Vec<usize> = (0..header.len()).filter(is_class).filter(is_bit).collect();
        if bare.is_empty() || has_labels || others.is_empty() || !bare.iter().all(is_bit) {
            return Ok(false);
        }
        let mut all = [&others[..], bare].concat();
        all.sort_unstable();
        let with = self.one_hot(&all).is_some_and(|chosen| bare.iter().all(|column| chosen.contains(column)));
        if with && self.one_hot(&others).is_none() {
            return Ok(true);
        }
        let ClassesOfRow::Several(listed) = classes else { return Ok(false) };
        let names = |columns: &[usize]| columns.iter().map(|&column| header[column].as_str()).collect::<Vec<_>>();
        let lists = |name: &&str| listed.is_some_and(|listed| listed.iter().any(|class| class == name));
        match (names(bare).iter().filter(|name| lists(name)).count(), names(&others).iter().all(lists)) {
            (count, _) if count == bare.len() => Ok(true),
            (0, true) => Ok(false),
            _ => {
                let own = names::quoted(&names(bare));
                let problem = format!(
                    "{own} of 0 and 1 can be a class, as {} are, or say the part of the rows; name it is_{} if it says the \
                     part, or list the classes, one a line, in classes.txt beside the table",
                    names::quoted(&names(&others)),
                    header[bare[0]].to_lowercase()
                );
                Err(DataError::malformed(self.path(), problem))
            }
        }
    }
}

/// Why an unused column may divide the rows in a spelling that is not read; `None` if nothing suggests that.
pub(in crate::data) fn doubtful(name: &str, values: &[&str]) -> Option<String> {
    /// Largest number of distinct values of a column of parts.
    const FEW: usize = 4;
    let lower = name.to_lowercase();
    let distinct: BTreeSet<&str> = values.iter().copied().collect();
    let quoted = names::shortened(name);
    if LABEL_NAMES.contains(&&*lower) || LIST_NAMES.contains(&&*lower) {
        return None;
    }
    let odd = values.iter().find(|value| part_of_value("", value).is_none())?;
    let named = values.iter().filter(|value| part_of_value("", value).is_some()).count();
    // Of `Training`, `Public` and `Private`, one is the name of a part.
    let has_training =
        distinct.len() <= FEW && distinct.iter().any(|value| part_of_value("", value) == Some(Part::Train));
    if 2 * named > values.len() || has_training {
        let (odd, rows) = (names::shortened(odd), if 2 * named > values.len() { "most" } else { "some" });
        return Some(format!(
            "the column '{quoted}' has names of parts in {rows} rows, and '{odd}' in others; write train, val or test in each \
             row, or remove the column"
        ));
    }
    if let Some(problem) = folds::column(name, values) {
        return Some(problem);
    }
    let is_flag = flagged_part(name).is_some() && distinct.len() <= 3;
    let odd = values.iter().find(|value| part_of_value(name, value).is_none()).filter(|_| is_flag)?;
    Some(format!(
        "the column '{quoted}' has the name of a part, and values such as '{}'; write 1 or 0, or remove the column",
        names::shortened(odd)
    ))
}
