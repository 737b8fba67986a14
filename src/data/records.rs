//! The records of a table, without the lines that tools write before it.
//!
//! | line before the first row | reading |
//! |---|---|
//! | `sep=;` | Excel's line with the delimiter |
//! | `# exported in May` | a remark |
//! | `# path,label` before a line without names of columns | the names of the columns |
//! | a file `.jsonl` | a row for each line, a column for each key |
//! | CelebA's `list_attr_celeba.txt`: a number, then names | the number of rows, then the names of the columns |
//! | `#1.jpg,cat` | a row: `#` without a blank, in a line with a delimiter, starts a name |

mod attributes;
mod cells;
mod json;
mod widths;

use std::borrow::Cow;
use std::path::Path;

use ::csv::{Position, ReaderBuilder, StringRecord};

use super::listing::is_image;
use super::{DataError, names};
pub(super) use attributes::is_attribute_table;
pub(super) use cells::{
    NUMBERED, are_part_numbers, flagged_part, is_one, is_zero, part_of_number, part_of_value, truth,
};
pub(super) use json::{Entries, lines_of_array};

/// Names of a column of files.
pub(super) const PATH_NAMES: [&str; 10] =
    ["path", "file", "filename", "file_name", "fname", "filepath", "image", "image_name", "image_path", "image_id"];

/// Longest field of a table, in bytes: the longest path of Linux.
const LONGEST_FIELD: usize = 4096;

/// Number of lines that decide the delimiter.
const SAMPLE: usize = 200;

/// Delimiters in the order in which they are tried. Spreadsheets of many countries write semicolons, some tools tabs.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Extensions of lists whose lines are the name of an image, blanks or a comma, and a label.
pub(super) const LIST_EXTENSIONS: [&str; 2] = ["txt", "lst"];

/// The image name and the label in a line of a list; `None` for a line of another form.
pub(super) fn name_and_label(line: &str) -> Option<(&str, &str)> {
    let (name, label) = line.trim().rsplit_once([' ', '\t', ',', ';'])?;
    let name = name.trim_end_matches([' ', '\t', ',', ';']);
    // The second name of a pair does not name a class.
    (is_image(Path::new(name)) && !label.is_empty() && !is_image(Path::new(label))).then_some((name, label))
}

/// The text of a table. Lines before the table are emptied, so that line numbers are those of the file.
pub(super) struct TableText<'a> {
    table: &'a Path,
    text: Cow<'a, str>,
    /// The delimiter that Excel's line declares.
    declared: Option<u8>,
    /// The number of rows that the file gives.
    rows: Option<usize>,
}

impl<'a> TableText<'a> {
    /// The text of the file at `table`.
    pub fn new(table: &'a Path, text: &'a str) -> Self {
        if let Some((text, rows)) = attributes::table_of_attributes(table, text) {
            return Self { table, text: text.into(), declared: Some(b'\t'), rows: Some(rows) };
        }
        if table.extension().is_some_and(|e| LIST_EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known))) {
            let row = |line: &str| match name_and_label(line) {
                Some((name, label)) => format!("{name}\t{label}\n"),
                None if line.starts_with('#') => "\n".to_string(),
                None => match line.trim().rsplit_once([' ', '\t', ',', ';']) {
                    Some((a, b)) => format!("{}\t{b}\n", a.trim_end()),
                    None => format!("{}\n", line.trim()),
                },
            };
            return Self {
                table,
                text: text.lines().map(row).collect::<String>().into(),
                declared: Some(b'\t'),
                rows: None,
            };
        }
        if let Some(text) =
            table.extension().filter(|e| e.eq_ignore_ascii_case("jsonl")).and_then(|_| json::table_of_lines(text))
        {
            return Self { table, text: text.into(), declared: Some(b','), rows: None };
        }
        let mut lines = text.split_inclusive('\n').peekable();
        let (mut before, mut length, mut names, mut declared) = (0, 0, None, None);
        while let Some(line) = lines.next() {
            let declaration = if before == 0 { delimiter_of(line) } else { None };
            if declaration.is_none() && !line.trim().is_empty() && !is_remark(line) {
                break;
            }
            declared = declared.or(declaration);
            (before, length) = (before + 1, length + line.len());
            names = names_of_columns(line).filter(|_| lines.peek().is_none_or(|next| !names_a_path(next)));
        }
        let text = match names {
            _ if before == 0 => text.into(),
            None => ("\n".repeat(before) + &text[length..]).into(),
            Some(names) => ("\n".repeat(before - 1) + names + "\n" + &text[length..]).into(),
        };
        Self { table, text, declared, rows: None }
    }

    /// Delimiters that the first line may have; at least one.
    pub fn delimiters(&self) -> Vec<u8> {
        if let Some(declared) = self.declared {
            return vec![declared];
        }
        let first = self.text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        let found: Vec<u8> = DELIMITERS.into_iter().filter(|delimiter| first.as_bytes().contains(delimiter)).collect();
        if found.is_empty() { vec![DELIMITERS[0]] } else { found }
    }

    /// The fields of the first record; empty if the table has no record.
    pub(super) fn first(&self) -> Vec<String> {
        let mut records = reader(self.delimiter()).from_reader(self.text.as_bytes()).into_records();
        let first = records.next().and_then(Result::ok);
        first.iter().flatten().map(String::from).collect()
    }

    /// The records, cut at the first possible delimiter that gives all rows of a sample the same number of fields;
    /// without such a delimiter, at the first possible one.
    ///
    /// # Errors
    /// Those of [`TableText::records_by`].
    pub fn records(&self) -> Result<Vec<StringRecord>, DataError> {
        self.records_by(self.delimiter())
    }

    /// The records of [`TableText::records`] that have as many fields as the first; the others are left out.
    ///
    /// # Errors
    /// Where the text is no CSV, or a field has more than 4096 bytes.
    pub(super) fn even_records(&self) -> Result<Vec<StringRecord>, DataError> {
        let mut records = self.all_records(self.delimiter())?;
        let width = records.first().map_or(0, StringRecord::len);
        records.retain(|record| record.len() == width);
        Ok(records)
    }

    fn delimiter(&self) -> u8 {
        let delimiters = self.delimiters();
        let end = self.text.match_indices('\n').nth(SAMPLE).map_or(self.text.len(), |(at, _)| at + 1);
        let is_even = |delimiter: &u8| {
            let records = reader(*delimiter).from_reader(&self.text.as_bytes()[..end]).into_records();
            records.collect::<Result<Vec<_>, _>>().is_ok_and(|records| widths::are_even(&records))
        };
        let even = if delimiters.len() > 1 { delimiters.iter().copied().find(is_even) } else { None };
        even.unwrap_or(delimiters[0])
    }

    /// The records, cut at `delimiter`.
    ///
    /// # Errors
    /// Where the text is no CSV, a field has more than 4096 bytes, or rows have fields too many or too few.
    pub fn records_by(&self, delimiter: u8) -> Result<Vec<StringRecord>, DataError> {
        let mut records = self.all_records(delimiter)?;
        widths::require_even(self.table, &mut records, delimiter)?;
        Ok(records)
    }

    fn all_records(&self, delimiter: u8) -> Result<Vec<StringRecord>, DataError> {
        let records = reader(delimiter).from_reader(self.text.as_bytes()).into_records();
        let records: Result<Vec<StringRecord>, _> = records.collect();
        let mut records = records.map_err(|e| DataError::malformed(self.table, format!("is no readable CSV: {e}")))?;
        number_lines(&mut records, self.text.as_bytes());
        if let Some(rows) = self.rows.filter(|rows| rows + 1 != records.len()) {
            let problem = format!(
                "gives {rows} as the number of its images, but has {} lines of images; fetch the whole file, or correct the number",
                records.len().saturating_sub(1)
            );
            return Err(DataError::malformed(self.table, problem));
        }
        let long = |record: &'_ StringRecord| record.iter().position(|field| field.len() > LONGEST_FIELD);
        match records.iter().find_map(|record| Some((record, long(record)?))) {
            None => Ok(records),
            Some((record, at)) => {
                let numbers = record[at].split_ascii_whitespace().filter(|word| word.parse::<u8>().is_ok()).count();
                let problem = match numbers == record[at].split_ascii_whitespace().count() {
                    true => format!(
                        "a field has {numbers} numbers, as the pixels of an image are; write each row as an image file, in a folder \
                         for each class"
                    ),
                    false => format!(
                        "a field has {} bytes, more than the {LONGEST_FIELD} that names of files and classes may have; is a \
                     quotation mark missing? It starts with '{}'",
                        record[at].len(),
                        names::shortened(&record[at])
                    ),
                };
                let line = record.position().map_or(0, Position::line);
                Err(DataError::CsvRow { path: self.table.to_path_buf(), line, problem })
            }
        }
    }
}

fn reader(delimiter: u8) -> ReaderBuilder {
    let mut reader = ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(delimiter).trim(::csv::Trim::All);
    reader
}

/// Gives each record the number of its line. The reader gives the number of the first empty line before it.
fn number_lines(records: &mut [StringRecord], text: &[u8]) {
    let (mut at, mut line) = (0, 1);
    for record in records {
        let Some(mut position) = record.position().cloned() else { continue };
        let begin = usize::try_from(position.byte()).unwrap_or(text.len()).min(text.len());
        let empty = text[begin..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        line += text[at..begin + empty].iter().filter(|byte| **byte == b'\n').count() as u64;
        at = begin + empty;
        position.set_line(line);
        record.set_position(Some(position));
    }
}

/// The delimiter of Excel's first line.
fn delimiter_of(line: &str) -> Option<u8> {
    let line = line.trim_end_matches('\n').trim_matches('"');
    let mark = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).map(|_| &line.as_bytes()[4..]);
    if let Some([mark]) = mark { Some(*mark).filter(|mark| DELIMITERS.contains(mark)) } else { None }
}

/// The fields of a line without regard to quotation marks.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split([',', ';', '\t', '|']).map(|field| field.trim().trim_matches('"'))
}

fn is_remark(line: &str) -> bool {
    let Some(text) = line.strip_prefix('#') else { return false };
    let is_name = fields(line).next().is_some_and(|first| is_image(Path::new(first)));
    let is_text = text.trim().is_empty() || text.starts_with([' ', '\t', '#']) || fields(line).count() == 1;
    (is_text && !is_name) || names_of_columns(line).is_some()
}

/// The names of columns after the `#` of a line.
fn names_of_columns(line: &str) -> Option<&str> {
    let names = line.strip_prefix('#')?.trim();
    (fields(names).count() > 1 && names_a_path(names)).then_some(names)
}

fn names_a_path(line: &str) -> bool {
    fields(line).any(|field| PATH_NAMES.iter().any(|known| known.eq_ignore_ascii_case(field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, u64) {
        let records = TableText::new(Path::new("t.csv"), text).records().unwrap();
        let line = records[0].position().unwrap().line();
        (records.iter().map(|record| record.iter().collect::<Vec<_>>().join("+")).collect(), line)
    }

    #[test]
    fn lines_before_a_table_are_no_rows() {
        for (text, rows, line) in [
            ("a.jpg,cat\n", &["a.jpg+cat"] as &[_], 1),
            ("sep=;\na,b.jpg;cat\n", &["a,b.jpg+cat"], 2),
            ("\"SEP=|\"\na,b.jpg|cat;dog\n", &["a,b.jpg+cat;dog"], 2),
            ("# one, two\n#\n\npath;label\na.jpg;cat\n", &["path+label", "a.jpg+cat"], 4),
            ("#made today\na.jpg,cat\n", &["a.jpg+cat"], 2),
            ("# path, label\na.jpg,cat\n", &["path+label", "a.jpg+cat"], 1),
            ("#path,label\na.jpg,cat\n", &["path+label", "a.jpg+cat"], 1),
            ("# path, then label\npath,label\na.jpg,cat\n", &["path+label", "a.jpg+cat"], 2),
            ("#1.jpg,cat\n#2.jpg,dog\n", &["#1.jpg+cat", "#2.jpg+dog"], 1),
            ("# 1.jpg,cat\n", &["# 1.jpg+cat"], 1),
            ("#1,cat\n#2,dog\n", &["#1+cat", "#2+dog"], 1),
            ("sep=x,cat\n", &["sep=x+cat"], 1),
            ("\n\r\na.jpg,cat\n", &["a.jpg+cat"], 3),
        ] {
            assert_eq!(read(text), (rows.iter().map(ToString::to_string).collect(), line), "{text}");
        }
        assert!(TableText::new(Path::new("t.csv"), "# only\n").records().unwrap().is_empty());
    }
}
