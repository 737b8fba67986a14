//! The number of fields of a table's rows. A comma in a path or label that is not in quotation marks shifts the columns
//! of its row.
//!
//! | row | reading |
//! |---|---|
//! | as many fields as most rows | taken |
//! | more, all of them empty: `a.jpg,cat,,` | taken without them |
//! | fewer, where the missing columns have no name: `path,label,` | taken |
//! | more or fewer otherwise | refused |
//! | a field that holds a line break and a whole row after it | refused: a quotation mark is missing |

use std::collections::BTreeMap;
use std::path::Path;

use csv::{Position, StringRecord};

use crate::data::listing::is_image;
use crate::data::{DataError, names};

/// Number of lines that a message names.
const SHOWN: usize = 5;

/// Number of fields without empty ones at the end.
fn filled(record: &StringRecord) -> usize {
    (0..record.len()).rev().find(|&at| !record[at].is_empty()).map_or(0, |last| last + 1)
}

/// The number of fields of most records. Of two equally frequent numbers, that of the first line.
fn usual(records: &[StringRecord]) -> usize {
    let first = records.first().map_or(0, StringRecord::len);
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    records.iter().for_each(|record| *counts.entry(record.len()).or_default() += 1);
    counts.into_iter().max_by_key(|(width, count)| (*count, *width == first)).map_or(first, |(width, _)| width)
}

/// Whether all of `records` have a number of fields that fits the first.
pub(super) fn are_even(records: &[StringRecord]) -> bool {
    let Some(first) = records.first() else { return true };
    records.iter().all(|record| fits(record, first, first.len()))
}

/// Whether a record has `width` fields, apart from empty ones at its end, or lacks only columns without a name.
fn fits(record: &StringRecord, first: &StringRecord, width: usize) -> bool {
    record.len() == width
        || (record.len() > width && filled(record) <= width)
        || (record.len() < width && first.len() == width && filled(first) <= record.len())
}

/// Refuses rows with another number of fields than the others, and gives all other rows the number that most have.
///
/// # Errors
/// The first such row, with the lines of others and the remedy.
pub(super) fn require_even(table: &Path, records: &mut [StringRecord], delimiter: u8) -> Result<(), DataError> {
    let (width, Some(first)) = (usual(records), records.first().cloned()) else { return Ok(()) };
    let odd: Vec<&StringRecord> = records.iter().filter(|record| !fits(record, &first, width)).collect();
    if let Some(row) = odd.first() {
        return Err(fault(table, row, problem(&odd, &first, width, delimiter)));
    }
    if let Some((row, field)) = records.iter().find_map(|row| Some((row, swallowed(row, width, delimiter)?))) {
        let shown = names::shortened(&field.escape_debug().to_string());
        let problem =
            format!("a field goes on over several lines: '{shown}'; a quotation mark is missing before or after it");
        return Err(fault(table, row, problem));
    }
    for record in records.iter_mut() {
        record.truncate(width);
        (record.len()..width).for_each(|_| record.push_field(""));
    }
    Ok(())
}

fn fault(table: &Path, row: &StringRecord, problem: String) -> DataError {
    DataError::CsvRow { path: table.to_path_buf(), line: line(row), problem }
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, Position::line)
}

/// What is wrong with the rows `odd`, and the remedy.
fn problem(odd: &[&StringRecord], first: &StringRecord, width: usize, delimiter: u8) -> String {
    let row = odd[0];
    let mark = char::from(delimiter);
    let (shown, name) = match mark {
        '\t' => (" | ".to_owned(), "a tab".to_owned()),
        _ => (mark.to_string(), format!("'{mark}'")),
    };
    let than = if first.len() == width { "the first line" } else { "most lines" };
    let text = names::shortened(&row.iter().collect::<Vec<_>>().join(&shown));
    let others = match odd.len() - 1 {
        0 => String::new(),
        more => {
            let lines: Vec<String> = odd[1..].iter().take(SHOWN).map(|record| line(record).to_string()).collect();
            let rest = if more > SHOWN { format!(" and {} more", more - SHOWN) } else { String::new() };
            format!("; lines {}{rest} differ too", lines.join(", "))
        }
    };
    let is_quoted = row.iter().any(|field| field.starts_with('"'));
    let remedy = match row.len() > width {
        _ if line(row) == line(first) => {
            format!("name every column in the first line, or quote texts that hold {name}")
        }
        true if is_quoted => format!("remove the blank between {name} and the quotation mark"),
        true => format!("quote a path or label that holds {name}: \"a{mark} b\""),
        false if row.len() == 1 && row[0].contains([',', ';', '\t', '|']) => {
            format!("write {name} between all columns")
        }
        false => format!("write {name} for each column, also for an empty one, or close the quotation marks"),
    };
    format!("has {} fields, but {than} {width}: '{text}'{others}; {remedy}", row.len())
}

/// A field that holds a line break and a whole row after it.
fn swallowed(record: &StringRecord, width: usize, delimiter: u8) -> Option<&str> {
    let is_row = |line: &str| {
        let fields: Vec<&str> = line.split(char::from(delimiter)).map(str::trim).collect();
        fields.len() == width && fields.iter().any(|field| is_image(Path::new(field.trim_matches('"'))))
    };
    record.iter().find(|field| field.lines().skip(1).any(is_row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).trim(csv::Trim::All);
        let mut records: Vec<StringRecord> =
            reader.from_reader(text.as_bytes()).into_records().collect::<Result<_, _>>().expect("CSV");
        require_even(Path::new("t.csv"), &mut records, b',').map_err(|e| e.to_string())?;
        Ok(records.iter().map(|record| record.iter().collect::<Vec<_>>().join("+")).collect())
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        for (text, parts) in [
            ("path,label\na.jpg,cat\nb,c.jpg,dog\n", ["line 3", "has 3 fields, but the first line 2", "\"a, b\""]),
            ("path,label,note\na.jpg,cat,x\nb.jpg,dog\n", ["line 3", "has 2 fields", "also for an empty one"]),
            (
                "path,label\n1,a.jpg,cat\n2,b.jpg,cat\n",
                ["line 1", "has 2 fields, but most lines 3", "name every column"],
            ),
            ("path,label\na.jpg, \"cat, x\"\nb.jpg,c\n", ["line 2", "has 3 fields", "remove the blank"]),
            ("path,label\na.jpg;cat\nb.jpg,c\nc.jpg,c\n", ["line 2", "has 1 fields", "between all columns"]),
            ("a.jpg,\"cat\nb.jpg,dog\nc.jpg,cat\"\nd.jpg,dog\n", ["line 1", "several lines", "quotation mark"]),
        ] {
            let message = read(text).expect_err(text);
            parts.iter().for_each(|part| assert!(message.contains(part), "'{part}' is missing in: {message}"));
        }
        let many: String = (0..9).map(|n| if n < 8 { format!("{n}.jpg,a\n") } else { "x,y,z\n".repeat(7) }).collect();
        assert!(read(&many).expect_err("uneven").contains("lines 10, 11, 12, 13, 14 and 1 more differ too"));
    }

    #[test]
    fn empty_fields_at_the_end_and_captions_are_no_fault() {
        assert_eq!(
            read("path,label\na.jpg,cat,\nb.jpg,dog,,\n").expect("even"),
            ["path+label", "a.jpg+cat", "b.jpg+dog"]
        );
        assert_eq!(read("path,label,\na.jpg,cat\n").expect("even"), ["path+label+", "a.jpg+cat+"]);
        assert!(read("path,text\na.jpg,\"one\nsecond, line\"\n").is_ok());
        assert!(read("a.jpg,cat\n").is_ok() && read("").is_ok());
    }
}
