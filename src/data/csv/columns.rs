//! Finds the columns of a table: files, labels and parts.
//!
//! | column | found by |
//! |---|---|
//! | path | its name in the first line; else a column whose values name files |
//! | label | its name; else it is the only other column, or several columns of 0 and 1 hold a single 1 a row |
//! | part | its name; else its values are `train`, `val` and `test` |

use std::path::{Path, PathBuf};

use ::csv::StringRecord;

use crate::data::DataError;
use crate::data::listing::{Walk, is_image};
use crate::data::lists::{Index, Match};
use crate::data::parts::{Part, part_of};

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

    /// The file of `name`. A name without a file becomes a path below the table's folder, which is reported as missing
    /// when images are read.
    pub fn path(&self, name: &str) -> Result<PathBuf, String> {
        if let (true, Some((index, images))) = (self.by_index, &self.indexed) {
            match index.find(name) {
                Match::One(at) => return Ok(images[at].clone()),
                Match::Several(a, b) => {
                    let [a, b] = [a, b].map(|at| images[at].display());
                    return Err(format!("'{name}' may be {a} or {b}; write the path of one"));
                }
                Match::None => {}
            }
        }
        Ok(self.folder.join(name))
    }
}

impl Columns {
    /// Finds the columns of the table `records`.
    ///
    /// # Errors
    /// Where it has no rows, or no column names files or labels. The message shows the columns.
    pub fn find(table: &Path, records: &[StringRecord], files: &mut Files) -> Result<Self, DataError> {
        let Some(first) = records.first() else {
            return Err(DataError::malformed(table, "has no rows; expected lines of path,label"));
        };
        let find = |names: &[&str]| first.iter().position(|f| names.iter().any(|n| n.eq_ignore_ascii_case(f)));
        let sample = &records[1.min(records.len() - 1)..records.len().min(SAMPLE)];
        let (named_path, named_label) = (find(&PATH_NAMES), find(&LABEL_NAMES));
        if let (Some(path), Some(label)) = (named_path, named_label) {
            files.use_index_for(path, sample)?;
            let columns = Self { path, labels: Labels::Column(label), split: None, header: header(first) };
            return Ok(columns.with_split(find(&SPLIT_NAMES), sample));
        }
        let width = first.len();
        let by_name = named_path.filter(|_| width > 1);
        let path = match by_name {
            Some(path) => {
                files.use_index_for(path, sample)?;
                Some(path)
            }
            None => column_of_files(width, sample, files)?,
        };
        let Some(path) = path else {
            // Missing files are reported one by one later.
            let looks_like_rows = width >= 2 && first.get(0).is_some_and(|name| is_image(Path::new(name)));
            return match looks_like_rows {
                true => Ok(Self { path: 0, labels: Labels::Column(1), split: (width > 2).then_some(2), header: None }),
                false => Err(unknown(table, records, "no column names image files")),
            };
        };
        let is_header = by_name.is_some() || !files.names(first.get(path).unwrap_or_default())?;
        if !is_header && (2..=3).contains(&width) && path == 0 {
            return Ok(Self { path, labels: Labels::Column(1), split: (width > 2).then_some(2), header: None });
        }
        let header = is_header.then(|| header(first)).flatten();
        let split = if is_header { find(&SPLIT_NAMES) } else { None };
        let columns = Self { path, labels: Labels::Column(path), split: None, header }.with_split(split, sample);
        let labels = columns.labels(table, records, sample, named_label.filter(|_| is_header))?;
        Ok(Self { labels, ..columns })
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
        self.split = named.or_else(|| (0..width).find(|&column| says_parts(column)));
        self
    }

    fn labels(
        &self,
        table: &Path,
        records: &[StringRecord],
        sample: &[StringRecord],
        named: Option<usize>,
    ) -> Result<Labels, DataError> {
        if let Some(column) = named {
            return Ok(Labels::Column(column));
        }
        let others: Vec<usize> =
            (0..records[0].len()).filter(|&column| column != self.path && Some(column) != self.split).collect();
        if let [only] = others.as_slice() {
            return Ok(Labels::Column(*only));
        }
        let is_flag = |column: &&usize| {
            sample.iter().all(|record| record.get(**column).is_some_and(|value| is_one(value) || is_zero(value)))
        };
        let flags: Vec<usize> = others.iter().filter(is_flag).copied().collect();
        match &self.header {
            Some(header) if flags.len() >= 2 && flags.len() == others.len() => {
                Ok(Labels::OneHot(flags.into_iter().map(|column| (column, header[column].clone())).collect()))
            }
            _ => Err(unknown(table, records, "several columns may hold the labels")),
        }
    }

    /// The columns in words, for the start of training.
    pub fn words(&self) -> String {
        let name = |column: usize| match &self.header {
            Some(header) => format!("'{}'", header[column]),
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

impl Files {
    /// Whether `name` is a file, directly or by the index.
    fn names(&mut self, name: &str) -> Result<bool, DataError> {
        Ok(self.is_file(name) || self.index()?.find(name) != Match::None)
    }

    /// Looks rows up in the index if the sample's names are not files directly.
    fn use_index_for(&mut self, column: usize, sample: &[StringRecord]) -> Result<(), DataError> {
        let names: Vec<&str> = sample.iter().filter_map(|record| record.get(column)).collect();
        if names.iter().any(|name| !self.is_file(name)) {
            let index = self.index()?;
            let found = names.iter().filter(|name| index.find(name) != Match::None).count();
            self.by_index = found > 0;
        }
        Ok(())
    }
}

/// The column with the most values that name files; the first of several.
fn column_of_files(width: usize, sample: &[StringRecord], files: &mut Files) -> Result<Option<usize>, DataError> {
    for column in 0..width {
        let names: Vec<&str> = sample.iter().filter_map(|record| record.get(column)).collect();
        let direct = names.iter().filter(|name| files.is_file(name)).count();
        if 2 * direct > names.len() {
            return Ok(Some(column));
        }
    }
    for column in 0..width {
        let names: Vec<&str> = sample.iter().filter_map(|record| record.get(column)).collect();
        let index = files.index()?;
        if 2 * names.iter().filter(|name| index.find(name) != Match::None).count() > names.len() {
            files.by_index = true;
            return Ok(Some(column));
        }
    }
    Ok(None)
}

fn header(first: &StringRecord) -> Option<Vec<String>> {
    Some(first.iter().map(String::from).collect())
}

/// The part that a value of a column such as `is_valid` stands for.
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

/// The error for a column that was not found: the columns with a value of each, and how to name them.
fn unknown(table: &Path, records: &[StringRecord], what: &str) -> DataError {
    const SHOWN: usize = 8;
    let second = records.get(1).unwrap_or(&records[0]);
    let column = |(at, name): (usize, &str)| {
        format!("'{}' (such as '{}')", super::shortened(name), super::shortened(second.get(at).unwrap_or_default()))
    };
    let mut columns: Vec<String> = records[0].iter().enumerate().take(SHOWN).map(column).collect();
    if records[0].len() > SHOWN {
        columns.push(format!("{} more", records[0].len() - SHOWN));
    }
    let problem = format!(
        "{what}: its columns are {}; name the columns of paths and labels 'path' and 'label' in the first line",
        columns.join(", ")
    );
    DataError::malformed(table, problem)
}
