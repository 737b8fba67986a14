//! A table of images and labels as text, with its columns and rows.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::data::csv::{
    ClassesOfRow, Files, Found, LABEL_NAMES, LIST_NAMES, PartColumns, Raw, class_list, doubtful, of_no_part, rival,
    two_of_labels,
};
use crate::data::decisions::{LeftOut, TableColumns, Why};
use crate::data::listing::name_of;
use crate::data::names::quoted;
use crate::data::parts::{Part, is_fold_word, words_of};
use crate::data::records::{NUMBERED, TableText};
use crate::data::text::read_text;
use crate::data::{DataError, Decisions, Hints, names};

/// A table with known columns, or the joined tables of several parts. Rows count from 0, without the headers.
pub(super) struct Table {
    /// The table, or the folder of several tables.
    pub path: PathBuf,
    /// Names of the columns; empty if the table has no header.
    header: Vec<String>,
    rows: Vec<StringRecord>,
    image: usize,
    parts: Option<PartColumns>,
    /// The only column of labels, if a hint names it.
    labels: Option<usize>,
    /// The files that rows come from, in the order of the rows.
    sources: Vec<Source>,
}

/// A file of a table.
struct Source {
    path: PathBuf,
    /// The part of all its rows, if the file is the table of a part.
    part: Option<Part>,
    /// Its first row in the table.
    first: usize,
    files: Files,
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl Table {
    /// Reads the tables of the parts of the set at `root`, with the columns in the order of the first.
    ///
    /// # Errors
    /// Those of [`Table::read`]; also if a table has other columns than the first.
    pub fn read_parts(
        root: &Path,
        tables: Vec<(Part, PathBuf)>,
        hints: &Hints,
    ) -> Result<(Self, Decisions), DataError> {
        let left_out = of_no_part(root, &tables, &[])?;
        let (mut joined, mut decisions): (Option<Table>, _) = (None, Decisions { left_out, ..Decisions::default() });
        for (part, path) in tables {
            let mut table = match Table::read(&path, hints) {
                Ok(table) => table,
                // A test part is often published without labels.
                Err(DataError::Columns { .. }) if part == Part::Test => {
                    decisions.left_out.push(LeftOut::new(&path, Why::UnlabeledTest));
                    continue;
                }
                Err(error) => return Err(error),
            };
            decisions.lists.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
            table.sources[0].part = Some(part);
            match &mut joined {
                None => joined = Some(Table { path: root.to_path_buf(), ..table }),
                Some(first) => first.append(table)?,
            }
        }
        let joined = joined.ok_or_else(|| DataError::NoTable { path: root.to_path_buf() })?;
        Ok((joined, decisions))
    }

    /// Appends the rows of another table.
    fn append(&mut self, mut other: Table) -> Result<(), DataError> {
        // Only one of the tables may have columns of parts.
        if let (None, Some(parts)) = (&self.parts, &other.parts)
            && !self.header.is_empty()
            && !other.header.is_empty()
        {
            let names = parts.columns().iter().map(|(_, name)| name.clone());
            self.parts = Some(PartColumns::new((self.header.len()..).zip(names.clone()).collect()));
            for name in names {
                self.header.push(name);
                self.rows.iter_mut().for_each(|row| row.push_field(""));
            }
        }
        let place = |(at, name): (usize, &String)| match other.header.iter().position(|own| own == name) {
            None if self.parts.iter().any(|parts| parts.contain(at)) => Some(usize::MAX),
            found => found,
        };
        let order: Option<Vec<usize>> = match self.header.is_empty() && other.header.is_empty() {
            true => Some((0..self.rows[0].len()).collect()),
            false => self.header.iter().enumerate().map(place).collect(),
        };
        let width = other.rows[0].len();
        let taken = |order: &[usize]| order.iter().filter(|&&column| column < width).count();
        let Some(order) = order.filter(|order| taken(order) == width) else {
            let [first, own] = [&*self, &other].map(|table| match table.header.is_empty() {
                true => format!("{} columns without names", table.rows[0].len()),
                false => format!("the columns {}", names::shortened(&table.header.join(","))),
            });
            let problem = format!(
                "has {own}, but {} has {first}; give the tables of all parts the same columns",
                name_of(&self.sources[0].path)
            );
            return Err(DataError::malformed(&other.path, problem));
        };
        for row in &mut other.rows {
            let mut ordered: StringRecord = order.iter().map(|&column| row.get(column).unwrap_or("")).collect();
            ordered.set_position(row.position().cloned());
            *row = ordered;
        }
        let first = self.rows.len();
        self.sources.extend(other.sources.into_iter().map(|source| Source { first, ..source }));
        self.rows.extend(other.rows);
        Ok(())
    }

    /// Reads a table and finds its columns. Without a header they are path, labels and an optional split.
    pub fn read(path: &Path, hints: &Hints) -> Result<Self, DataError> {
        let mut files = Files::of_table(path, hints)?;
        let (mut rows, found, parts) = columns(path, &mut files, hints)?;
        let header = found.header.unwrap_or_default();
        rows.drain(..usize::from(!header.is_empty()));
        if rows.is_empty() {
            return Err(DataError::malformed(path, "has no line below its header; expected a line an image"));
        }
        files.list_for(rows.iter().filter_map(|row| row.get(found.path)))?;
        let (path, source) = (path.to_path_buf(), Source { path: path.to_path_buf(), part: None, first: 0, files });
        let table = Table { path, header, rows, image: found.path, parts, labels: found.label, sources: vec![source] };
        let broken = |row: &usize| table.label_columns().iter().any(|&column| table.cell(*row, column).contains('\n'));
        match (0..table.len()).find(broken) {
            None => Ok(table),
            Some(row) => {
                let problem = "its labels go on over several lines; a quotation mark is missing before or after them";
                Err(table.fail(row, problem.into()))
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The file of a row.
    fn source(&self, row: usize) -> &Source {
        let after = self.sources.partition_point(|source| source.first <= row);
        &self.sources[after - 1]
    }

    /// Whether the rows come from the tables of several parts.
    pub fn is_of_parts(&self) -> bool {
        self.sources.iter().any(|source| source.part.is_some())
    }

    /// 1-based line of a row in its file.
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].position().map_or(0, csv::Position::line)
    }

    /// Place of a row, as `on line 3`, with the file where there are several.
    pub fn place(&self, row: usize) -> String {
        let line = self.line(row);
        match &self.sources[..] {
            [_] => format!("on line {line}"),
            _ => format!("on line {line} of {}", self.source(row).path.display()),
        }
    }

    /// An error in a row.
    pub fn fail(&self, row: usize, problem: String) -> DataError {
        DataError::CsvRow { path: self.source(row).path.clone(), line: self.line(row), problem }
    }

    /// A cell, trimmed.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].get(column).unwrap_or("")
    }

    /// Name of a column in the header.
    pub fn column_name(&self, column: usize) -> &str {
        self.header.get(column).map_or("labels", String::as_str)
    }

    /// The names of the columns of files and labels, if the first line has them.
    pub fn column_names(&self) -> Option<TableColumns> {
        let label = if let [only] = self.label_columns()[..] { self.header.get(only).cloned() } else { None };
        Some(TableColumns { path: self.header.get(self.image).filter(|name| !name.is_empty())?.clone(), label })
    }

    /// Columns other than image and part.
    pub fn label_columns(&self) -> Vec<usize> {
        if let Some(column) = self.labels {
            return vec![column];
        }
        let is_part = |column: usize| self.parts.iter().any(|parts| parts.contain(column));
        (0..self.rows[0].len()).filter(|&column| column != self.image && !is_part(column)).collect()
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
            name => self.source(row).files.path(name).map_err(|problem| self.fail(row, problem)),
        }
    }

    /// A note that some listed names differ from their files in case. It is complete once all images are looked up.
    pub fn note(&self) -> Option<String> {
        self.sources.iter().find_map(|source| source.files.note())
    }

    /// The column of files, the columns of labels and the unused columns, in words.
    pub fn words(&self, labels: &[usize], unused: &[usize]) -> String {
        let name = |column: usize| match self.header.get(column) {
            Some(name) => format!("'{}'", names::shortened(name)),
            None => format!("number {}", column + 1),
        };
        let labels = match labels {
            [only] => format!("labels in column {}", name(*only)),
            several => format!("a class for each of {} columns", several.len()),
        };
        let unused: Vec<String> = unused.iter().map(|column| name(*column)).collect();
        let unused = if unused.is_empty() { String::new() } else { format!("; not used: {}", unused.join(", ")) };
        format!("files in column {}, {labels}{unused}", name(self.image))
    }

    /// The columns of parts in words; `None` without such columns.
    pub fn split_words(&self) -> Option<String> {
        let parts = self.parts.as_ref()?;
        let several = if parts.columns().len() > 1 { "s" } else { "" };
        let name = |(column, _): &(usize, String)| self.header.get(*column).map_or("split", String::as_str);
        let numbers = if parts.are_numbered() { format!(" ({NUMBERED})") } else { String::new() };
        let names = quoted(&parts.columns().iter().map(name).collect::<Vec<_>>());
        Some(format!("column{several} {names}{numbers}"))
    }

    /// Why one of the `unused` columns may divide the rows, in a spelling that is not read.
    pub fn doubtful_parts(&self, unused: &[usize]) -> Option<String> {
        let values = |column: usize| (0..self.len()).map(|row| self.cell(row, column)).collect::<Vec<_>>();
        unused.iter().find_map(|&column| doubtful(self.column_name(column), &values(column)))
    }

    /// The problem of a column among `others` that holds other labels than the column `list`, unless a hint names that
    /// one.
    pub fn rival(&self, list: usize, others: &[usize]) -> Option<String> {
        let cell = |row: usize, column: usize| self.cell(row, column);
        let header = |column: usize| self.column_name(column);
        let columns = others.iter().copied().filter(|_| self.labels.is_none());
        let (other, row) = rival((header, self.len()), cell, list, columns)?;
        let problem =
            two_of_labels([list, other].map(header), [list, other].map(|column| cell(row, column)), self.line(row));
        Some(format!("{problem}; remove one of them"))
    }

    /// Why one of `columns`, by its name, may hold folds and not a class.
    pub fn folds(&self, columns: &[usize]) -> Option<String> {
        let is_of_folds = |column: &&usize| words_of(self.column_name(**column)).iter().any(|word| is_fold_word(word));
        let name = self.column_name(*columns.iter().find(is_of_folds)?);
        Some(format!(
            "the column '{}' looks like folds, of which none is said to validate; write a column 'split' of train and val \
             instead, or remove it; if it is a class, list the classes, one a line, in classes.txt beside the table",
            names::shortened(name)
        ))
    }

    /// Part of the image of a row; training if the table has no column of parts.
    pub fn part(&self, row: usize) -> Result<Part, DataError> {
        let of_table = self.source(row).part;
        let cells = |parts: &PartColumns| parts.columns().iter().map(|(at, _)| self.cell(row, *at)).collect::<Vec<_>>();
        let says = |cells: &Vec<&str>| of_table.is_none() || cells.iter().any(|cell| !cell.is_empty());
        match self.parts.as_ref().and_then(|parts| Some((parts, Some(cells(parts)).filter(says)?))) {
            None => Ok(of_table.unwrap_or(Part::Train)),
            Some((parts, cells)) => parts.part(&cells).map_err(|problem| self.fail(row, problem)),
        }
    }
}

/// The records, the column of files and the columns of parts. The delimiter is one that gives a column of files.
fn columns(
    path: &Path,
    files: &mut Files,
    hints: &Hints,
) -> Result<(Vec<StringRecord>, Found, Option<PartColumns>), DataError> {
    let text = read_text(path)?;
    let text = TableText::new(path, &text);
    let listed = class_list(path.parent().unwrap_or(Path::new("")))?;
    let (mut tables, mut faults) = (Vec::new(), Vec::new());
    for delimiter in text.delimiters() {
        let read = text.records_by(delimiter).and_then(|records| {
            let raw = Raw::new(path, &records, hints)?;
            let Some(found) = raw.find(files)?.filter(|_| records[0].len() > 1) else {
                return Err(raw.names_no_file(files));
            };
            let parts = match found.header {
                Some(_) => raw.part_columns(&found, ClassesOfRow::Several(listed.as_deref()))?,
                // The third column, unless a hint gives it another meaning.
                None => {
                    (records[0].len() > 2 && found.path != 2 && found.label != Some(2)).then(|| PartColumns::one(2, ""))
                }
            };
            Ok((records, found, parts))
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
