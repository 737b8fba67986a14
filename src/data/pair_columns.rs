//! The columns of a table that name files: one of images, or one of images and one of their masks.
//!
//! | sign | the column of masks |
//! |---|---|
//! | the names of the columns | is named `mask`, `label`, `annotation`, … |
//! | the folders of the files | names files in `masks/`, `labels/`, … |
//! | the pixels | names files of few colors, and the other column names pictures |
//!
//! Names and folders that contradict each other are refused. Row numbers, which some programs write before each row, do
//! not name files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ::csv::StringRecord;

use super::DataError;
use super::decisions::TableColumns;
use super::flat::is_flat;
use super::list_index::{Index, Match};
use super::listing::is_image;
use super::lists::PairColumns;
use super::names::shortened;
use super::reading::{self, Role};
use super::records::PATH_NAMES;

/// Number of files of a column whose pixels are read.
const SAMPLE: usize = 4;

/// The files that a table may name.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub root: &'a Path,
    pub index: &'a Index,
    /// The files, in the order of their numbers in the index.
    pub images: &'a [PathBuf],
}

/// The columns of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileColumns {
    None,
    /// One column, or several of the same files.
    One(usize),
    /// A column of images and one of masks.
    Pair([usize; 2]),
    /// Two columns of different files. Nothing shows which of them holds the masks.
    Open([usize; 2]),
    /// More columns.
    Many,
}

impl Named<'_> {
    fn file(&self, name: &str) -> Option<&PathBuf> {
        match self.index.find(name) {
            Match::One(at) => self.images.get(at),
            _ => None,
        }
    }

    /// Whether the first row has the names of the columns.
    pub fn is_header(&self, first: &StringRecord, columns: &[usize]) -> bool {
        let cells = || columns.iter().filter_map(|&column| first.get(column));
        cells().all(|cell| self.index.find(cell) == Match::None && !cell.contains('.'))
    }

    /// The columns of `records`, those of the table at `path`, in which most rows name files.
    ///
    /// # Errors
    /// Where the names of two columns and the folders of their files say different things.
    pub fn columns(&self, path: &Path, records: &[StringRecord]) -> Result<FileColumns, DataError> {
        let width = records.iter().map(StringRecord::len).max().unwrap_or(0);
        let names_files = |column: &usize| {
            let is_file =
                |record: &&StringRecord| record.get(*column).is_some_and(|name| self.index.find(name) != Match::None);
            // All rows but the header, or most of them: the others are reported.
            2 * records.iter().filter(is_file).count() >= records.len().max(1)
        };
        let naming: Vec<usize> = (0..width).filter(names_files).collect();
        let mut distinct: Vec<usize> = Vec::new();
        for column in self.without_numbers(records, naming) {
            if !distinct.iter().any(|&known| self.are_same(records, known, column)) {
                distinct.push(column);
            }
        }
        // The ids of pairs may be the names of their files.
        let has_extensions = |column: &usize| {
            let mut cells = records.iter().skip(1).filter_map(|record| record.get(*column));
            cells.all(|cell| cell.is_empty() || is_image(Path::new(cell)))
        };
        let with_extensions: Vec<usize> = distinct.iter().copied().filter(has_extensions).collect();
        if distinct.len() > 2 && with_extensions.len() == 2 {
            distinct = with_extensions;
        }
        let header = records.first().filter(|first| self.is_header(first, &distinct));
        match distinct[..] {
            [] => Ok(FileColumns::None),
            [one] => Ok(FileColumns::One(one)),
            [a, b] => self.pair(path, records, header, [a, b]),
            _ => {
                let of = |wanted: Role| -> Vec<usize> {
                    let named = |column: &usize| header.and_then(|first| role_of(first.get(*column)?)) == Some(wanted);
                    distinct.iter().copied().filter(named).collect()
                };
                match (&of(Role::Image)[..], &of(Role::Mask)[..]) {
                    (&[image], &[mask]) => self.pair(path, records, header, [image, mask]),
                    _ => Ok(FileColumns::Many),
                }
            }
        }
    }

    /// Whether the first row names a column of masks.
    pub fn has_masks(&self, records: &[StringRecord]) -> bool {
        records.first().is_some_and(|first| first.iter().any(|name| role_of(name) == Some(Role::Mask)))
    }

    /// The columns without those of numbers, if two others remain, or one other beside numbers that identify no file.
    fn without_numbers(&self, records: &[StringRecord], columns: Vec<usize>) -> Vec<usize> {
        let is_number = |column: usize| {
            let mut cells = records.iter().skip(1).filter_map(|record| record.get(column));
            cells.all(|cell| cell.parse::<u64>().is_ok())
        };
        let has_no_name = |column: usize| {
            let name = records.first().and_then(|first| first.get(column)).unwrap_or("").to_lowercase();
            name.is_empty() || name.starts_with("unnamed") || name == "index"
        };
        // A number that matches several files identifies none.
        let is_certain = |column: usize| 2 * self.files(records, column).count() >= records.len();
        let others = columns.iter().filter(|&&column| !is_number(column)).count();
        let are_bits = |column: usize| {
            records.iter().skip(1).all(|record| record.get(column).is_some_and(|cell| matches!(cell, "0" | "1")))
        };
        let is_of_files = |column: &usize| {
            let are_labels = || are_bits(*column) || repeats(records, *column);
            let names_none = || has_no_name(*column) || are_labels() || !is_certain(*column);
            let is_left_out = others > 1 || (others == 1 && names_none());
            !(is_number(*column) && is_left_out)
        };
        columns.into_iter().filter(is_of_files).collect()
    }

    fn are_same(&self, records: &[StringRecord], a: usize, b: usize) -> bool {
        let find = |record: &StringRecord, column: usize| record.get(column).map(|name| self.index.find(name));
        records.iter().all(|record| find(record, a) == find(record, b))
    }

    fn pair(
        &self,
        path: &Path,
        records: &[StringRecord],
        header: Option<&StringRecord>,
        [a, b]: [usize; 2],
    ) -> Result<FileColumns, DataError> {
        let is_mask = |column: usize| header.and_then(|first| role_of(first.get(column)?)) == Some(Role::Mask);
        let by_name = one_of([a, b], is_mask);
        let by_folder = one_of([a, b], |column| self.lie_in_masks(records, column));
        match (by_name, by_folder) {
            (Some(said), Some(found)) if said != found => {
                let name = |column: usize| shortened(header.and_then(|first| first.get(column)).unwrap_or(""));
                let problem = format!(
                    "column '{}' has the name of one of masks, but the files of column '{}' lie in a folder of masks; correct \
                     the names of the columns, or rename the folder",
                    name(said[1]),
                    name(found[1])
                );
                Err(DataError::malformed(path, problem))
            }
            (Some(columns), _) | (None, Some(columns)) => Ok(FileColumns::Pair(columns)),
            (None, None) => Ok(one_of([a, b], |column| self.are_flat(records, column))
                .map_or(FileColumns::Open([a, b]), FileColumns::Pair)),
        }
    }

    fn files<'r>(&'r self, records: &'r [StringRecord], column: usize) -> impl Iterator<Item = &'r PathBuf> {
        records.iter().filter_map(move |record| self.file(record.get(column)?))
    }

    fn lie_in_masks(&self, records: &[StringRecord], column: usize) -> bool {
        let role = |path: &PathBuf| reading::read(path.strip_prefix(self.root).unwrap_or(path)).role;
        let mut files = self.files(records, column).peekable();
        files.peek().is_some() && files.all(|path| role(path) == Some(Role::Mask))
    }

    /// Whether a few colors cover nearly all pixels of the files of a column.
    pub fn are_flat(&self, records: &[StringRecord], column: usize) -> bool {
        let step = records.len().div_ceil(SAMPLE).max(1);
        let mut sample = self.files(records, column).step_by(step).peekable();
        sample.peek().is_some() && sample.all(|path| is_flat(path))
    }
}

/// The columns of images and masks in words; `None` for a single column. `header` names them.
pub(super) fn described(columns: &[usize], header: Option<&StringRecord>) -> Option<PairColumns> {
    let &[image, mask] = columns else { return None };
    let name = |column: usize| header.and_then(|first| first.get(column)).unwrap_or("");
    let word = |column: usize| match header {
        Some(_) => format!("'{}'", shortened(name(column))),
        None => format!("number {}", column + 1),
    };
    let words = format!("images in column {}, masks in column {}", word(image), word(mask));
    let names = header.map(|_| TableColumns { path: name(image).to_owned(), label: Some(name(mask).to_owned()) });
    Some(PairColumns { words, names })
}

/// Whether a column has a value twice, as a column of classes has.
fn repeats(records: &[StringRecord], column: usize) -> bool {
    let mut known = HashSet::new();
    !records.iter().skip(1).filter_map(|record| record.get(column)).all(|cell| known.insert(cell))
}

/// The two columns in an order in which `is_mask` is true for the second alone.
fn one_of([a, b]: [usize; 2], is_mask: impl Fn(usize) -> bool) -> Option<[usize; 2]> {
    match (is_mask(a), is_mask(b)) {
        (true, false) => Some([b, a]),
        (false, true) => Some([a, b]),
        _ => None,
    }
}

/// The role of a column in a pair, by its name.
fn role_of(name: &str) -> Option<Role> {
    let is_path = || PATH_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
    reading::role_in(name).or_else(|| is_path().then_some(Role::Image))
}
