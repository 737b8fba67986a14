//! Finds the columns of a table: files, labels and parts.
//!
//! | column | found by |
//! |---|---|
//! | path | the hint; else its name in the first line; else most of its values name files |
//! | label | the hint; else its name; else it is the only other column, or several columns of 0 and 1 hold a single 1 a row |
//! | part | its name; else its values are `train`, `val` and `test` |

use std::collections::BTreeSet;
use std::path::Path;

use ::csv::StringRecord;

use super::files::Files;
use super::parts::{ClassesOfRow, PartColumns, doubtful};
use super::raw::{LABEL_NAMES, Raw};
use crate::data::decisions::TableColumns;
use crate::data::listing::is_image;
use crate::data::records::{NUMBERED, flagged_part, is_one, is_zero};
use crate::data::{DataError, Hints, names};

/// Number of unused columns that a message names.
const SHOWN: usize = 6;

/// Positions of the columns of a table.
pub(super) struct Columns {
    pub path: usize,
    pub labels: Labels,
    pub parts: Option<PartColumns>,
    /// The first line, if it names the columns.
    pub header: Option<Vec<String>>,
}

/// Position of a row's label.
pub(super) enum Labels {
    Column(usize),
    /// Columns of 0 and 1, with their classes.
    OneHot(Vec<(usize, String)>),
}

impl Raw<'_> {
    /// The column that holds the labels beside `columns`.
    fn labels(&self, columns: &Columns) -> Result<Labels, DataError> {
        let is_free =
            |column: &usize| *column != columns.path && columns.parts.iter().all(|parts| !parts.contain(*column));
        if columns.header.is_some() {
            let named: Vec<usize> = self.named(&LABEL_NAMES).into_iter().filter(is_free).collect();
            match named.as_slice() {
                [] => {}
                [only] => {
                    self.require_no_rival(*only, (0..self.width()).filter(is_free))?;
                    return Ok(Labels::Column(*only));
                }
                [first, others @ ..] => {
                    if others.iter().all(|other| self.are_one_to_one(*first, *other)) {
                        return Ok(Labels::Column(*first));
                    }
                    return Err(self.unknown("several columns have the name of a label, and they differ"));
                }
            }
        }
        let others: Vec<usize> = (0..self.width()).filter(is_free).collect();
        if let [only] = others.as_slice() {
            if self.values(*only).iter().all(|value| is_image(Path::new(value))) {
                return Err(self.unknown("no column holds labels: all name image files"));
            }
            return Ok(Labels::Column(*only));
        }
        let is_flag = |column: &&usize| {
            let is_bit = |record: &StringRecord| record.get(**column).is_some_and(|v| is_one(v) || is_zero(v));
            self.sample().iter().all(is_bit)
        };
        let flags: Vec<usize> = others.iter().filter(is_flag).copied().collect();
        // Beside columns of 0 and 1, numbers that hardly repeat, such as an age, are not labels.
        let are_numbers = |column: &usize| {
            let values = self.values(*column);
            let distinct = values.iter().collect::<BTreeSet<_>>().len();
            values.iter().all(|value| value.parse::<f64>().is_ok()) && 2 * distinct > values.len()
        };
        let is_signed = |column: &usize| {
            let is_flag = |record: &StringRecord| record.get(*column).is_some_and(|v| matches!(v, "1" | "0" | "-1"));
            self.sample().iter().all(is_flag)
        };
        if columns.header.is_some()
            && others.len() > 1
            && others.iter().all(is_signed)
            && others.iter().any(|&column| self.values(column).contains(&"-1"))
            && self.one_hot(&others).is_none()
            && self.sample().iter().any(|row| others.iter().filter(|&&column| row.get(column) == Some("1")).count() > 1)
        {
            return Err(DataError::SeveralLabels { path: self.path().to_path_buf(), columns: others.len() });
        }
        let only_flags = others.iter().all(|column| flags.contains(column) || are_numbers(column));
        match &columns.header {
            Some(header) if flags.len() >= 2 && only_flags => {
                let flags =
                    self.one_hot(&flags).unwrap_or(if flags.len() == others.len() { flags } else { Vec::new() });
                match flags.is_empty() {
                    true => Err(self.unknown("several columns may hold the labels")),
                    false => {
                        Ok(Labels::OneHot(flags.into_iter().map(|column| (column, header[column].clone())).collect()))
                    }
                }
            }
            _ => Err(self.unknown("several columns may hold the labels")),
        }
    }
}

impl Columns {
    /// Finds the columns of the table `records`.
    ///
    /// # Errors
    /// Where it has no rows, a hint names no column, or no column of files or of labels is found.
    pub fn find(table: &Path, records: &[StringRecord], files: &mut Files, hints: &Hints) -> Result<Self, DataError> {
        let raw = Raw::new(table, records, hints)?;
        let Some(found) = raw.find(files)? else { return Err(raw.names_no_file(files)) };
        let (path, label) = (found.path, found.label);
        if found.header.is_none() && (2..=3).contains(&raw.width()) && path == 0 && label.is_none() {
            let parts = (raw.width() > 2).then(|| PartColumns::one(2, ""));
            return Ok(Self { path, labels: Labels::Column(1), parts, header: None });
        }
        let parts = raw.part_columns(&found, ClassesOfRow::One)?;
        let mut columns = Self { path, labels: Labels::Column(label.unwrap_or(path)), parts, header: found.header };
        if label.is_none() {
            columns.labels = raw.labels(&columns)?;
        }
        if columns.header.is_some() {
            (0..raw.width()).filter(|&column| columns.uses(column)).try_for_each(|column| raw.require_one(column))?;
        }
        Ok(columns)
    }

    fn uses(&self, column: usize) -> bool {
        let is_label = match &self.labels {
            Labels::Column(label) => *label == column,
            Labels::OneHot(columns) => columns.iter().any(|(label, _)| *label == column),
        };
        is_label || column == self.path || self.parts.iter().any(|parts| parts.contain(column))
    }

    /// Why an unused column of `rows` may divide them, in a spelling that is not read.
    pub fn doubtful_parts(&self, rows: &[StringRecord]) -> Option<String> {
        let header = self.header.as_deref().filter(|_| self.parts.is_none())?;
        let values = |column: usize| rows.iter().filter_map(|row| row.get(column)).collect::<Vec<_>>();
        let unused = header.iter().enumerate().filter(|(column, _)| !self.uses(*column));
        unused.into_iter().find_map(|(column, name)| doubtful(name, &values(column)))
    }

    /// The names of the columns of files and labels, if the first line has them.
    pub fn names(&self) -> Option<TableColumns> {
        let name = |column: usize| self.header.as_ref()?.get(column).filter(|name| !name.is_empty()).cloned();
        let label = if let Labels::Column(column) = self.labels { name(column) } else { None };
        Some(TableColumns { path: name(self.path)?, label })
    }

    /// In words, for the start of training.
    pub fn words(&self) -> String {
        let name = |column: usize| match &self.header {
            Some(header) => format!("'{}'", names::shortened(&header[column])),
            None => format!("number {}", column + 1),
        };
        let labels = match &self.labels {
            Labels::Column(column) => format!("labels in column {}", name(*column)),
            Labels::OneHot(columns) => {
                let of_part = columns.iter().find(|(_, name)| flagged_part(name).is_some());
                let of_part = of_part.map(|(_, name)| format!(" ('{name}' too: with it each row has a single 1)"));
                format!("a class for each of {} columns of 0 and 1{}", columns.len(), of_part.unwrap_or_default())
            }
        };
        let split = self.parts.as_ref().map(|parts| {
            let several = if parts.columns().len() > 1 { "s" } else { "" };
            let names: Vec<String> = parts.columns().iter().map(|(column, _)| name(*column)).collect();
            let numbers = if parts.are_numbered() { format!(" ({NUMBERED})") } else { String::new() };
            format!(", parts in column{several} {}{numbers}", names.join(" and "))
        });
        let split = split.unwrap_or_default();
        // A column of numbers of rows has no name.
        let header = self.header.as_deref().unwrap_or_default();
        let unused: Vec<usize> = (0..header.len()).filter(|&c| !self.uses(c) && !header[c].is_empty()).collect();
        let mut unused_names: Vec<String> = unused.iter().take(SHOWN).map(|&column| name(column)).collect();
        if unused.len() > SHOWN {
            unused_names.push(format!("{} more", unused.len() - SHOWN));
        }
        let unused = match unused_names.is_empty() {
            true => String::new(),
            false => format!("; not used: {}", unused_names.join(", ")),
        };
        format!("files in column {}, {labels}{split}{unused}", name(self.path))
    }
}
