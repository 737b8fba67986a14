//! Finds the columns of a table: files, labels and parts.
//!
//! | column | found by |
//! |---|---|
//! | path | the hint; else its name in the first line, or its values, of which most name files |
//! | label | the hint; else its name; else it is the only other column, or several columns of 0 and 1 hold a single 1 a row |
//! | part | its name; else its values are `train`, `val` and `test` |
//!
//! A column whose name says paths and whose values name no file gives way to one whose values do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ::csv::StringRecord;

use crate::data::listing::{Walk, is_image};
use crate::data::lists::{Index, Match};
use crate::data::parts::{Part, part_of};
use crate::data::{DataError, Hints, names};

pub(in crate::data) const PATH_NAMES: [&str; 8] =
    ["path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id"];
pub(in crate::data) const LABEL_NAMES: [&str; 5] = ["label", "class", "class_name", "category", "target"];
const SPLIT_NAMES: [&str; 9] =
    ["split", "set", "subset", "partition", "phase", "fold_name", "data set", "dataset", "is_valid"];

/// Number of rows that columns are recognized by.
const SAMPLE: usize = 200;

/// Positions of the columns of a table.
pub(super) struct Columns {
    pub path: usize,
    pub labels: Labels,
    pub split: Option<usize>,
    /// The first line, if it names the columns.
    pub header: Option<Vec<String>>,
}

/// Position of a row's label.
pub(super) enum Labels {
    Column(usize),
    /// Columns of 0 and 1, with their classes.
    OneHot(Vec<(usize, String)>),
}

/// The image files that a table can name.
pub(super) struct Files {
    folder: PathBuf,
    /// The images below the folder. They are listed once a name is not directly the path of a file.
    indexed: Option<(Index, Vec<PathBuf>)>,
    /// Whether rows are looked up in `indexed`.
    by_index: bool,
}

impl Files {
    /// The files that a table names, relative to `folder`.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), indexed: None, by_index: false }
    }

    fn is_file(&self, name: &str) -> bool {
        !name.is_empty() && self.folder.join(name).is_file()
    }

    fn index(&mut self) -> Result<&Index, DataError> {
        if self.indexed.is_none() {
            let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
            let images = Walk::below(folder)?.images;
            self.indexed = Some((Index::new(folder, images.iter().map(PathBuf::as_path)), images));
        }
        Ok(&self.indexed.as_ref().expect("was just made").0)
    }

    /// Whether `name` stands for a file, directly or by the index.
    fn names(&mut self, name: &str) -> Result<bool, DataError> {
        Ok(self.is_file(name) || self.index()?.find(name) != Match::None)
    }

    /// Whether most of `values` are paths of files.
    fn are_paths(&self, values: &[&str]) -> bool {
        2 * values.iter().filter(|name| self.is_file(name)).count() > values.len()
    }

    /// Whether most of `values` stand for files of the index.
    fn are_indexed(&mut self, values: &[&str]) -> Result<bool, DataError> {
        let index = self.index()?;
        Ok(2 * values.iter().filter(|name| index.find(name) != Match::None).count() > values.len())
    }

    /// Looks rows up in the index where the sample's names are no files.
    fn use_index_for(&mut self, values: &[&str]) -> Result<(), DataError> {
        if values.iter().any(|name| !self.is_file(name)) {
            let index = self.index()?;
            self.by_index = values.iter().any(|name| index.find(name) != Match::None);
        }
        Ok(())
    }

    /// The file that `name` stands for. A name that stands for none is taken as a path below the folder, and reported as
    /// missing once images are read.
    pub fn path(&self, name: &str) -> Result<PathBuf, String> {
        if let (true, Some((index, images))) = (self.by_index, &self.indexed) {
            match index.find(name) {
                Match::One(at) => return Ok(images[at].clone()),
                Match::Several(a, b) => {
                    let [a, b] = [a, b].map(|at| images[at].display());
                    return Err(format!("'{}' may be {a} or {b}; write the path of one", names::shortened(name)));
                }
                Match::None => {}
            }
        }
        Ok(self.folder.join(name))
    }
}

/// A table before its columns are known.
struct Raw<'a> {
    path: &'a Path,
    records: &'a [StringRecord],
    /// The rows that are looked at. The first line is not among them, unless it is the only one.
    sample: &'a [StringRecord],
    hints: &'a Hints,
}

impl<'a> Raw<'a> {
    fn first(&self) -> &'a StringRecord {
        &self.records[0]
    }

    fn width(&self) -> usize {
        self.first().len()
    }

    fn values(&self, column: usize) -> Vec<&'a str> {
        self.sample.iter().filter_map(|record| record.get(column)).collect()
    }

    /// The columns whose name is among `names`.
    fn named(&self, names: &[&str]) -> Vec<usize> {
        let is_named = |column: &usize| names.iter().any(|name| name.eq_ignore_ascii_case(&self.first()[*column]));
        (0..self.width()).filter(is_named).collect()
    }

    /// The column that a hint names, and whether its name stands in the first line.
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
        if let Some(&column) = order.iter().find(|&&column| files.are_paths(&self.values(column))) {
            return Ok(Some(column));
        }
        let mut best = None;
        for &column in &order {
            let values = self.values(column);
            if files.are_indexed(&values)? {
                // Labels may be names of files as well; the names of files repeat less.
                let distinct = values.iter().collect::<BTreeSet<_>>().len();
                let weight = (named.contains(&column), distinct);
                best = best.filter(|(known, _)| *known >= weight).or(Some((weight, column)));
            }
        }
        if let Some((_, column)) = best {
            return Ok(Some(column));
        }
        // Files that are not there are named one by one later.
        let looks = |&column: &usize| {
            let values = self.values(column);
            self.width() > 1 && values.iter().all(|value| is_image(Path::new(value))) && !values.is_empty()
        };
        Ok(named.first().copied().or_else(|| order.into_iter().find(looks)))
    }

    /// Whether the first line names the columns, where the path's name does not say so: it names no file, and its label
    /// is that of no other row.
    fn starts_with_header(&self, path: usize, label: Option<usize>, files: &mut Files) -> Result<bool, DataError> {
        let name = &self.first()[path];
        if self.records.len() < 2 || is_image(Path::new(name)) || files.names(name)? {
            return Ok(false);
        }
        let label = label.map(|column| (column, &self.first()[column]));
        Ok(label.is_none_or(|(column, label)| !self.values(column).contains(&label)))
    }

    /// The column that holds the labels beside `columns`.
    fn labels(&self, columns: &Columns) -> Result<Labels, DataError> {
        let is_free = |column: &usize| *column != columns.path && Some(*column) != columns.split;
        if columns.header.is_some() {
            let named: Vec<usize> = self.named(&LABEL_NAMES).into_iter().filter(is_free).collect();
            match named.as_slice() {
                [] => {}
                [only] => return Ok(Labels::Column(*only)),
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
            self.sample.iter().all(is_bit)
        };
        let flags: Vec<usize> = others.iter().filter(is_flag).copied().collect();
        match &columns.header {
            Some(header) if flags.len() >= 2 && flags.len() == others.len() => {
                Ok(Labels::OneHot(flags.into_iter().map(|column| (column, header[column].clone())).collect()))
            }
            _ => Err(self.unknown("several columns may hold the labels")),
        }
    }

    /// Whether two columns divide all rows alike: a name and a number of the same class.
    fn are_one_to_one(&self, a: usize, b: usize) -> bool {
        let pairs: BTreeSet<(&str, &str)> =
            self.records[1..].iter().filter_map(|record| Some((record.get(a)?, record.get(b)?))).collect();
        let count = |values: BTreeSet<&str>| values.len();
        let left = count(pairs.iter().map(|(a, _)| *a).collect());
        let right = count(pairs.iter().map(|(_, b)| *b).collect());
        pairs.len() == left && pairs.len() == right
    }

    /// The columns with a value of each.
    fn unknown(&self, problem: &str) -> DataError {
        let second = self.records.get(1).unwrap_or(self.first());
        let column =
            |(at, name): (usize, &str)| (names::shortened(name), names::shortened(second.get(at).unwrap_or_default()));
        let columns = self.first().iter().enumerate().map(column).collect();
        DataError::Columns { path: self.path.to_path_buf(), problem: problem.into(), columns }
    }
}

impl Columns {
    /// Finds the columns of the table `records`.
    ///
    /// # Errors
    /// Where it has no rows, a hint names no column, or no column can be made out to name files or labels.
    pub fn find(table: &Path, records: &[StringRecord], files: &mut Files, hints: &Hints) -> Result<Self, DataError> {
        if records.is_empty() {
            return Err(DataError::malformed(table, "has no rows; expected lines of path,label"));
        }
        let sample = &records[1.min(records.len() - 1)..records.len().min(SAMPLE)];
        let raw = Raw { path: table, records, sample, hints };
        let (path, label) = (raw.hinted(raw.hints.path_column.as_ref())?, raw.hinted(raw.hints.label_column.as_ref())?);
        if let (Some((path, _)), Some((label, _))) = (path, label)
            && path == label
        {
            return Err(raw.unknown("the column of paths and that of labels are the same"));
        }
        let found = match path {
            Some((path, _)) => Some(path),
            None => raw.path_column(files, label.map(|(column, _)| column))?,
        };
        let Some(at) = found else { return Err(raw.unknown("no column names image files")) };
        files.use_index_for(&raw.values(at))?;
        let says_name = |hinted: Option<(usize, bool)>| hinted.is_some_and(|(_, by_name)| by_name);
        let is_named = says_name(path) || says_name(label) || (raw.width() > 1 && raw.named(&PATH_NAMES).contains(&at));
        let by_position = label.map(|(column, _)| column).or_else(|| (raw.width() == 2).then_some(1 - at.min(1)));
        let header = (is_named || raw.starts_with_header(at, by_position, files)?)
            .then(|| raw.first().iter().map(String::from).collect());
        let columns =
            Self { path: at, labels: Labels::Column(label.map_or(at, |(label, _)| label)), split: None, header };
        if columns.header.is_none() && (2..=3).contains(&raw.width()) && at == 0 && label.is_none() {
            return Ok(Self { labels: Labels::Column(1), split: (raw.width() > 2).then_some(2), ..columns });
        }
        let split = raw.named(&SPLIT_NAMES).into_iter().find(|column| *column != at && columns.header.is_some());
        let columns = columns.with_split(split, sample);
        match label {
            Some(_) => Ok(columns),
            None => Ok(Self { labels: raw.labels(&columns)?, ..columns }),
        }
    }

    /// Sets the column of parts: `named`, else a column whose values are all names of parts.
    fn with_split(mut self, named: Option<usize>, sample: &[StringRecord]) -> Self {
        let taken = |column: usize| column == self.path || matches!(self.labels, Labels::Column(c) if c == column);
        let says_parts = |column: usize| {
            let values = || sample.iter().filter_map(|record| record.get(column));
            !taken(column) && values().all(|value| part_of(&value.to_lowercase()).is_some())
        };
        // A row may be longer than the header. Only a column with a name is considered.
        let width = self.header.as_ref().map_or(0, Vec::len);
        self.split = named.filter(|&column| !taken(column)).or_else(|| (0..width).find(|&column| says_parts(column)));
        self
    }

    /// In words, for the start of training.
    pub fn words(&self) -> String {
        let name = |column: usize| match &self.header {
            Some(header) => format!("'{}'", names::shortened(&header[column])),
            None => format!("number {}", column + 1),
        };
        let labels = match &self.labels {
            Labels::Column(column) => format!("labels in column {}", name(*column)),
            Labels::OneHot(columns) => format!("a class for each of {} columns of 0 and 1", columns.len()),
        };
        let split = self.split.map(|column| format!(", parts in column {}", name(column))).unwrap_or_default();
        format!("files in column {}, {labels}{split}", name(self.path))
    }
}

/// The part that a value of a column such as `is_valid` says.
pub(super) fn part(value: &str) -> Option<Part> {
    match value {
        "true" | "1" => Some(Part::Val),
        "false" | "0" => Some(Part::Train),
        _ => None,
    }
}

pub(super) fn is_one(value: &str) -> bool {
    matches!(value, "1" | "1.0" | "True" | "true" | "TRUE")
}

fn is_zero(value: &str) -> bool {
    matches!(value, "0" | "0.0" | "False" | "false" | "FALSE")
}
