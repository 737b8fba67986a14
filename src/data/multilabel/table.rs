//! A table of images and labels as text, with its columns and rows.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};

use crate::data::DataError;
use crate::data::csv::{LABEL_NAMES, PATH_NAMES, SPLIT_NAMES};
use crate::data::listing::is_image;
use crate::data::parts::{Part, part_of};
use crate::data::text::read_text;

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
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl<'a> Table<'a> {
    /// Reads a table and finds its columns. Without a header they are path, labels and an optional split.
    pub fn read(path: &'a Path) -> Result<Self, DataError> {
        let text = read_text(path)?;
        let malformed = |problem: &str| DataError::malformed(path, problem);
        // The delimiter is the one that gives a column of images.
        let separators = [b',', b';', b'\t'].into_iter();
        let read = separators.filter_map(|separator| records(text.as_bytes(), separator).ok());
        let mut tables = read.filter_map(|records| image_column(&records).map(|found| (records, found)));
        let Some((mut rows, (image, has_header))) = tables.next() else {
            return Err(malformed(
                "has no column of images; expected a first line such as path,labels, or lines such as a.jpg,\"car,tree\"",
            ));
        };
        if tables.next().is_some() {
            return Err(malformed("can be read with several separators between columns; write , between columns"));
        }
        let header: Vec<String> = match has_header {
            true => rows.remove(0).iter().map(str::to_owned).collect(),
            false => vec![],
        };
        let Some(first) = rows.first() else {
            return Err(malformed("has no line below its header; expected a line an image"));
        };
        let split = match has_header {
            true => header.iter().position(|name| is_one_of(name, &SPLIT_NAMES)),
            false => (first.len() > 2).then_some(2),
        };
        let width = if has_header { header.len() } else { first.len() };
        let table = Table { path, header, rows, image, split };
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
        (0..self.rows[0].len()).filter(|&column| column != self.image && Some(column) != self.split).collect()
    }

    /// Whether a column's name is that of a label column.
    pub fn is_named_list(&self, column: usize) -> bool {
        is_one_of(self.column_name(column), &LIST_NAMES) || is_one_of(self.column_name(column), &LABEL_NAMES)
    }

    /// The image of a row. Paths are relative to the table's folder.
    pub fn image_path(&self, row: usize) -> Result<PathBuf, DataError> {
        match self.cell(row, self.image) {
            "" => Err(self.fail(row, "names no image; expected its path".into())),
            path => Ok(self.path.parent().unwrap_or(Path::new("")).join(path)),
        }
    }

    /// Name of the column of parts, if any.
    pub fn split_name(&self) -> Option<&str> {
        self.split.map(|column| self.header.get(column).map_or("split", String::as_str))
    }

    /// Part of the image of a row; training if the table has no column of parts.
    pub fn part(&self, row: usize) -> Result<Part, DataError> {
        let Some(column) = self.split else { return Ok(Part::Train) };
        let cell = self.cell(row, column);
        part_of(&cell.to_lowercase()).ok_or_else(|| {
            let problem = format!(
                "split is '{cell}', expected train, val or test (or name the columns in a first line: path,labels,split)"
            );
            self.fail(row, problem)
        })
    }
}

fn records(bytes: &[u8], separator: u8) -> Result<Vec<StringRecord>, csv::Error> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(separator).trim(csv::Trim::All);
    builder.from_reader(bytes).into_records().collect()
}

/// The column of images, and whether the first record is a header that names it.
fn image_column(records: &[StringRecord]) -> Option<(usize, bool)> {
    let first = records.first().filter(|first| first.len() > 1)?;
    if let Some(column) = first.iter().position(|name| is_one_of(name, &PATH_NAMES)) {
        return Some((column, true));
    }
    let names_image = |record: &StringRecord| record.get(0).is_some_and(|cell| is_image(Path::new(cell)));
    records.iter().all(names_image).then_some((0, false))
}
