//! A table before its columns are known, and the column that names its files.
//!
//! A column whose values name files precedes one whose name alone says that it holds paths.

use std::collections::BTreeSet;
use std::path::Path;

use ::csv::StringRecord;

use super::files::{Files, form_of};
use crate::data::listing::is_image;
use crate::data::records::{PATH_NAMES, is_one};
use crate::data::{DataError, Hints, names};

pub(in crate::data) const LABEL_NAMES: [&str; 5] = ["label", "class", "class_name", "category", "target"];
/// Names of a column of lists of labels.
pub(in crate::data) const LIST_NAMES: [&str; 6] = ["labels", "classes", "class_names", "categories", "tags", "targets"];
/// Number of rows that columns are recognized by.
const SAMPLE: usize = 200;

/// The column of files, before the others are known.
pub(in crate::data) struct Found {
    pub path: usize,
    /// The column of labels that a hint names.
    pub label: Option<usize>,
    /// The first line, if it names the columns.
    pub header: Option<Vec<String>>,
}

/// A table before its columns are known.
pub(in crate::data) struct Raw<'a> {
    path: &'a Path,
    pub(super) records: &'a [StringRecord],
    /// The rows by which columns are recognized. The first line is not among them, unless it is the only one.
    sample: &'a [StringRecord],
    hints: &'a Hints,
}

impl<'a> Raw<'a> {
    /// The table `records`, of at least one.
    ///
    /// # Errors
    /// Where there are no records.
    pub fn new(path: &'a Path, records: &'a [StringRecord], hints: &'a Hints) -> Result<Self, DataError> {
        if records.is_empty() {
            return Err(DataError::malformed(path, "has no rows; expected lines of path,label"));
        }
        let sample = &records[1.min(records.len() - 1)..records.len().min(SAMPLE)];
        Ok(Self { path, records, sample, hints })
    }

    /// Finds the column of files; `None` if none names files.
    ///
    /// # Errors
    /// Where a hint names no column, or the hints name one twice.
    pub fn find(&self, files: &mut Files) -> Result<Option<Found>, DataError> {
        let hints = self.hints;
        let (path, label) = (self.hinted(hints.path_column.as_ref())?, self.hinted(hints.label_column.as_ref())?);
        if let (Some((path, _)), Some((label, _))) = (path, label)
            && path == label
        {
            return Err(self.unknown("the column of paths and that of labels are the same"));
        }
        let found = match path {
            Some((path, _)) => Some(path),
            None => self.path_column(files, label.map(|(column, _)| column))?,
        };
        let Some(at) = found else { return Ok(None) };
        if let (None, Some((label, _))) = (path, label)
            && self.name_files(label, files)?
            && (at == label || !self.name_files(at, files)?)
        {
            let problem =
                format!("the column of labels, '{}', names the files", names::shortened(&self.first()[label]));
            return Err(self.unknown(&problem));
        }
        let says_name = |hinted: Option<(usize, bool)>| hinted.is_some_and(|(_, by_name)| by_name);
        let is_named =
            says_name(path) || says_name(label) || (self.width() > 1 && self.named(&PATH_NAMES).contains(&at));
        let by_position = label.map(|(column, _)| column).or_else(|| (self.width() == 2).then_some(1 - at.min(1)));
        let header = (is_named || self.starts_with_header(at, by_position, files)?)
            .then(|| self.first().iter().map(String::from).collect());
        Ok(Some(Found { path: at, label: label.map(|(column, _)| column), header }))
    }

    fn name_files(&self, column: usize, files: &mut Files) -> Result<bool, DataError> {
        let values = self.values(column);
        Ok(files.are_paths(&values) || files.are_indexed(&values)?)
    }

    /// The error where no column names image files. Spreadsheets drop zeros before numbers: `0` for `0000.jpg`.
    pub fn names_no_file(&self, files: &mut Files) -> DataError {
        let first = self.sample.first().into_iter().flatten();
        let lost = first.filter_map(|name| Some((name, files.with_zeros(name)?))).next();
        let lost = lost.map(|(name, file)| {
            format!(
                ": '{name}' is none, but {file} is there; the zeros before the number are lost, so write them again"
            )
        });
        let lost = lost.or_else(|| self.pixels()).unwrap_or_default();
        self.unknown(&format!("no column names image files{lost}"))
    }

    /// The rest of a sentence on a table whose columns are the pixels of images.
    fn pixels(&self) -> Option<String> {
        const FEWEST: usize = 64;
        let is_number = |name: &&str| name.parse::<u8>().is_ok();
        let numbers = self.records.get(1)?.iter().filter(is_number).count();
        (numbers >= FEWEST).then(|| {
            format!(
                ": {numbers} columns are numbers up to 255, as the pixels of images are; write each row as an image file, in a folder \
                 for each class"
            )
        })
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn sample(&self) -> &'a [StringRecord] {
        self.sample
    }

    pub(super) fn first(&self) -> &'a StringRecord {
        &self.records[0]
    }

    pub(super) fn width(&self) -> usize {
        self.first().len()
    }

    pub(super) fn values(&self, column: usize) -> Vec<&'a str> {
        self.sample.iter().filter_map(|record| record.get(column)).collect()
    }

    /// The values of a column in all rows below the first line.
    pub(super) fn below_header(&self, column: usize) -> impl Iterator<Item = &'a str> {
        self.records[1..].iter().filter_map(move |record| record.get(column))
    }

    /// The columns whose name is among `names`.
    pub(super) fn named(&self, names: &[&str]) -> Vec<usize> {
        let is_named = |column: &usize| names.iter().any(|name| name.eq_ignore_ascii_case(&self.first()[*column]));
        (0..self.width()).filter(is_named).collect()
    }

    /// The column that a hint names, and whether the first line has its name.
    fn hinted(&self, hint: Option<&String>) -> Result<Option<(usize, bool)>, DataError> {
        let Some(hint) = hint else { return Ok(None) };
        let first = self.first();
        let by_name = first.iter().position(|name| name == hint);
        let by_name = by_name.or_else(|| first.iter().position(|name| name.eq_ignore_ascii_case(hint.trim())));
        let number = || hint.parse().ok().filter(|number| (1..=self.width()).contains(number));
        match by_name {
            Some(column) => Ok(Some((column, true))),
            None => match number() {
                Some(number) => Ok(Some((number - 1, false))),
                None => Err(self.unknown(&format!("there is no column '{}'", names::shortened(hint)))),
            },
        }
    }

    /// The column that names files and does not hold the labels.
    fn path_column(&self, files: &mut Files, label: Option<usize>) -> Result<Option<usize>, DataError> {
        let named: Vec<usize> = self.named(&PATH_NAMES).into_iter().filter(|_| self.width() > 1).collect();
        let of_labels = self.named(&LABEL_NAMES);
        let others = (0..self.width()).filter(|column| !named.contains(column) && !of_labels.contains(column));
        let order: Vec<usize> = named.iter().copied().chain(others).filter(|&column| Some(column) != label).collect();
        self.require_one_of_files(&named, files)?;
        if let Some(&column) = order.iter().find(|&&column| files.are_paths(&self.values(column))) {
            return Ok(Some(column));
        }
        let (mut best, mut distinct_ones) = (None, Vec::new());
        for &column in &order {
            let values = self.values(column);
            if files.are_indexed(&values)? {
                // Labels may be names of files too, but they repeat more.
                let distinct = values.iter().collect::<BTreeSet<_>>().len();
                if distinct == values.len() && distinct > 2 {
                    distinct_ones.push(column);
                }
                let weight = (named.contains(&column), distinct);
                best = best.filter(|(known, _)| *known >= weight).or(Some((weight, column)));
            }
        }
        if let Some(((is_named, _), column)) = best {
            // Numbers of rows, which some tools write before each, may be names of files too.
            if !is_named && distinct_ones.contains(&column) {
                self.require_one_of_files(&distinct_ones, files)?;
            }
            return Ok(Some(column));
        }
        // Missing files are reported one by one later.
        let looks = |&column: &usize| {
            let values = self.values(column);
            self.width() > 1 && values.iter().all(|value| is_image(Path::new(value))) && !values.is_empty()
        };
        Ok(named.first().copied().or_else(|| order.into_iter().find(looks)))
    }

    /// Whether the first line is a header, if the name of the path column does not show it: the line names no file, and
    /// its label occurs in no other row.
    fn starts_with_header(&self, path: usize, label: Option<usize>, files: &mut Files) -> Result<bool, DataError> {
        let name = &self.first()[path];
        if self.records.len() < 2 || is_image(Path::new(name)) || files.names(name)? {
            return Ok(false);
        }
        let label = label.map(|column| (column, &self.first()[column]));
        let is_header = label.is_none_or(|(column, label)| !self.values(column).contains(&label));
        let form = form_of(name);
        if is_header && form.contains('0') && self.values(path).iter().all(|value| form_of(value) == form) {
            let line = names::shortened(&self.first().iter().collect::<Vec<_>>().join(","));
            let problem = format!(
                "its first line '{line}' can name the columns, or be a row whose file is not there, since '{}' has the form of \
                 the names below it; begin the table with a line path,label, or correct the name",
                names::shortened(name)
            );
            return Err(DataError::malformed(self.path, problem));
        }
        Ok(is_header)
    }

    /// The columns of 0 and 1 of which exactly one is 1 in each row: all of `flags`, or the only such choice among
    /// them. Each of these columns has a 1 in some row.
    pub(super) fn one_hot(&self, flags: &[usize]) -> Option<Vec<usize>> {
        const MOST: usize = 16;
        let set = |record: &StringRecord| {
            let bit = |(at, column): (usize, &usize)| u32::from(record.get(*column).is_some_and(is_one)) << at;
            flags.iter().enumerate().map(bit).sum::<u32>()
        };
        if flags.len() > MOST {
            return None;
        }
        let rows: BTreeSet<u32> = self.records[1..].iter().map(set).collect();
        let used = rows.iter().fold(0, |used, row| used | row);
        let all = (1u32 << flags.len()) - 1;
        let is_one_hot = |choice: u32| rows.iter().all(|row| (row & choice).count_ones() == 1);
        if is_one_hot(all) {
            return Some(flags.to_vec());
        }
        let mut fitting =
            (1..all).filter(|choice| choice.count_ones() > 1 && choice & !used == 0 && is_one_hot(*choice));
        let choice = fitting.next().filter(|_| fitting.next().is_none())?;
        Some(flags.iter().enumerate().filter(|(at, _)| choice >> at & 1 == 1).map(|(_, column)| *column).collect())
    }

    /// Whether two columns divide all rows alike: a name and a number of the same class.
    pub(super) fn are_one_to_one(&self, a: usize, b: usize) -> bool {
        let pairs: BTreeSet<(&str, &str)> =
            self.records[1..].iter().filter_map(|record| Some((record.get(a)?, record.get(b)?))).collect();
        let count = |values: BTreeSet<&str>| values.len();
        let left = count(pairs.iter().map(|(a, _)| *a).collect());
        let right = count(pairs.iter().map(|(_, b)| *b).collect());
        pairs.len() == left && pairs.len() == right
    }

    /// The error that has all columns, with a value of each.
    pub fn unknown(&self, problem: &str) -> DataError {
        let second = self.records.get(1).unwrap_or(self.first());
        let column =
            |(at, name): (usize, &str)| (names::shortened(name), names::shortened(second.get(at).unwrap_or_default()));
        let columns = self.first().iter().enumerate().map(column).collect();
        DataError::Columns { path: self.path.to_path_buf(), problem: problem.into(), columns }
    }
}
