//! A table of images and labels as text, with its columns and rows.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::data::csv::{Files, Found, LABEL_NAMES, Raw, TableText, part_of_value};
use crate::data::parts::Part;
use crate::data::text::read_text;
use crate::data::{DataError, Hints};

/// Names of a column of label lists; the names of a label column count too.
const LIST_NAMES: [&str; 6] = ["labels", "classes", "class_names", "categories", "tags", "targets"];

/// A table with known columns. Rows count from 0, without the header.
pub(super) struct Table<'a> {
    pub path: &'a Path,
    /// Names of the columns; empty if the table has no header.
    header: Vec<String>,
    rows: Vec<StringRecord>,
    image: usize,
    split: Option<usize>,
    /// The only column of labels, if a hint names it.
    labels: Option<usize>,
    files: Files,
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl<'a> Table<'a> {
    /// Reads a table and finds its columns. Without a header they are path, labels and an optional split.
    pub fn read(path: &'a Path, hints: &Hints) -> Result<Self, DataError> {
        let mut files = Files::of_table(path, hints)?;
        let (mut rows, found, split) = columns(path, &mut files, hints)?;
        let width = rows[0].len();
        let header = found.header.unwrap_or_default();
        rows.drain(..usize::from(!header.is_empty()));
        if rows.is_empty() {
            return Err(DataError::malformed(path, "has no line below its header; expected a line an image"));
        }
        files.list_for(rows.iter().filter_map(|row| row.get(found.path)))?;
        let table = Table { path, header, rows, image: found.path, split, labels: found.label, files };
        match (0..table.len()).find(|&row| table.rows[row].len() != width) {
            None => Ok(table),
            Some(row) => {
                let fields = table.rows[row].len();
                let problem =
                    format!("has {fields} fields, but the first line {width}; quote a list of labels: \"car,tree\"");
                Err(table.fail(row, problem))
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// 1-based line of a row in the file.
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].position().map_or(0, csv::Position::line)
    }

    /// An error in a row.
    pub fn fail(&self, row: usize, problem: String) -> DataError {
        DataError::CsvRow { path: self.path.to_path_buf(), line: self.line(row), problem }
    }

    /// A cell, trimmed.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].get(column).unwrap_or("")
    }

    /// Name of a column in the header.
    pub fn column_name(&self, column: usize) -> &str {
        self.header.get(column).map_or("labels", String::as_str)
    }

    /// Columns other than image and part.
    pub fn label_columns(&self) -> Vec<usize> {
        if let Some(column) = self.labels {
            return vec![column];
        }
        (0..self.rows[0].len()).filter(|&column| column != self.image && Some(column) != self.split).collect()
    }

    /// Whether a column's name is that of a label column.
    pub fn is_named_list(&self, column: usize) -> bool {
        self.labels == Some(column)
            || is_one_of(self.column_name(column), &LIST_NAMES)
            || is_one_of(self.column_name(column), &LABEL_NAMES)
    }

    /// The image of a row.
    pub fn image_path(&self, row: usize) -> Result<PathBuf, DataError> {
        match self.cell(row, self.image) {
            "" => Err(self.fail(row, "names no image; expected its path".into())),
            name => self.files.path(name).map_err(|problem| self.fail(row, problem)),
        }
    }

    /// The remark that names were found in another case than their files have, once all images are found.
    pub fn note(&self) -> Option<String> {
        self.files.note()
    }

    /// Name of the column of parts, if any.
    pub fn split_name(&self) -> Option<&str> {
        self.split.map(|column| self.header.get(column).map_or("split", String::as_str))
    }

    /// Part of the image of a row; training if the table has no column of parts.
    pub fn part(&self, row: usize) -> Result<Part, DataError> {
        let Some(column) = self.split else { return Ok(Part::Train) };
        let cell = self.cell(row, column);
        part_of_value(self.split_name().unwrap_or_default(), cell).ok_or_else(|| {
            let problem = format!(
                "split is '{cell}', expected train, val or test (or name the columns in a first line: path,labels,split)"
            );
            self.fail(row, problem)
        })
    }
}

/// The records, the column of files and that of parts. The delimiter is the one that gives a column of files.
fn columns(
    path: &Path,
    files: &mut Files,
    hints: &Hints,
) -> Result<(Vec<StringRecord>, Found, Option<usize>), DataError> {
    let text = read_text(path)?;
    let text = TableText::new(path, &text);
    let (mut tables, mut faults) = (Vec::new(), Vec::new());
    for delimiter in text.delimiters() {
        let read = text.records_by(delimiter).and_then(|records| {
            let raw = Raw::new(path, &records, hints)?;
            let Some(found) = raw.find(files)?.filter(|_| records[0].len() > 1) else {
                return Err(raw.unknown("no column names image files"));
            };
            let split = match found.header {
                Some(_) => raw.split_column(&found),
                None => (records[0].len() > 2).then_some(2),
            };
            Ok((records, found, split))
        });
        match read {
            Ok(table) => tables.push(table),
            Err(fault) => faults.push(fault),
        }
    }
    match (tables.pop(), tables.is_empty(), faults.into_iter().next()) {
        (Some(table), true, _) => Ok(table),
        (None, _, Some(fault)) => Err(fault),
        _ => {
            let problem = "can be read with several separators between columns; write , between columns";
            Err(DataError::malformed(path, problem))
        }
    }
}
