//! Tables beside class folders. A table may repeat the classes of the folders, list other facts, or give other labels.

use std::collections::BTreeSet;
use std::path::Path;

use csv::StringRecord;

use super::columns::{Columns, Labels};
use super::files::Files;
use super::raw::{LABEL_NAMES, Raw};
use crate::data::disagree::{Labeled, disagreement, exchanged};
use crate::data::listing::{holds_image, name_of, relative, stem_of, subfolders};
use crate::data::parts::{is_part_name, part_of, without_number};
use crate::data::records::{TableText, is_one};
use crate::data::text::read_text;
use crate::data::{DataError, Hints};

/// Largest number of rows that are compared.
const SAMPLE: usize = 100_000;

/// Evidence that a table labels the images of class folders in another way than the folders do: a folder with two
/// labels, or a label in two folders. Labels may differ from the names of the folders, for example as numbers.
///
/// A table labels images if it is named after a part or `labels`, if a column has the name of a column of labels, or if
/// it has columns of 0 and 1.
pub(super) fn contradiction(root: &Path, table: &Path) -> Result<Option<String>, DataError> {
    let text = read_text(table)?;
    let Ok(records) = TableText::new(table, &text).even_records() else { return Ok(None) };
    let mut files = Files::of_table(table, &Hints::default())?;
    let Ok(columns) = Columns::find(table, &records, &mut files, &Hints::default()) else {
        return numbered_parts(root, table, &records, &mut files);
    };
    let is_label = |column: &String| LABEL_NAMES.iter().any(|name| name.eq_ignore_ascii_case(column));
    let is_named = is_part_name(&stem_of(table)) || stem_of(table).eq_ignore_ascii_case("labels");
    let has_label = columns.header.iter().flatten().any(is_label) || matches!(columns.labels, Labels::OneHot(_));
    if !is_named && !has_label {
        return numbered_parts(root, table, &records, &mut files);
    }
    let rows = &records[usize::from(columns.header.is_some())..];
    let rows = &rows[..rows.len().min(SAMPLE)];
    files.list_for(rows.iter().filter_map(|row| row.get(columns.path)))?;
    let place = relative(root, table);
    let mut pairs: Vec<Labeled> = Vec::new();
    for row in rows {
        let image = match files.path(row.get(columns.path).unwrap_or_default()) {
            Ok(image) => image,
            // Images of several folders have this name.
            Err(problem) => return Ok(Some(format!("{place}: {problem}"))),
        };
        if image.is_file() {
            let path = relative(root, &image);
            pairs.push((folder_of(&path), label_of(row, &columns.labels), path));
        }
    }
    Ok(disagreement(&pairs).or_else(|| exchanged(&pairs)).map(|rows| format!("{place}: {rows}")))
}

/// Evidence that the folders are pieces of one set, whose table has the labels in a column of any name: their names differ in a number
/// alone (`images_part_1`, `images_part_2`), and the table names images in two of them.
fn numbered_parts(
    root: &Path,
    table: &Path,
    records: &[StringRecord],
    files: &mut Files,
) -> Result<Option<String>, DataError> {
    let mut names: Vec<String> = Vec::new();
    for folder in subfolders(root)? {
        if holds_image(&folder)? {
            names.push(name_of(&folder));
        }
    }
    let bare: BTreeSet<&str> = names.iter().map(|name| without_number(name)).collect();
    let is_series = names.len() > 1
        && bare.len() == 1
        && bare.iter().all(|name| name.contains(char::is_alphabetic))
        && names.iter().all(|name| name.ends_with(|c: char| c.is_ascii_digit()));
    let hints = Hints::default();
    let Some(found) = (if is_series { Raw::new(table, records, &hints)?.find(files)? } else { None }) else {
        return Ok(None);
    };
    let rows = &records[1.min(records.len())..records.len().min(SAMPLE)];
    files.list_for(rows.iter().filter_map(|row| row.get(found.path)))?;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        if let Ok(image) = files.path(row.get(found.path).unwrap_or_default()) {
            seen.extend(image.is_file().then(|| folder_of(&relative(root, &image))));
        }
    }
    let mut seen = seen.into_iter();
    Ok(seen.next().zip(seen.next()).map(|(a, b)| format!("{} with images of {a}/ and {b}/", relative(root, table))))
}

/// The class folder of a path below the root: its first folder that is not a part.
fn folder_of(path: &str) -> String {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders).split('/');
    folders.into_iter().find(|folder| part_of(&folder.to_lowercase()).is_none()).unwrap_or_default().to_owned()
}

/// The label of a row; several are joined.
fn label_of(row: &StringRecord, labels: &Labels) -> String {
    match labels {
        Labels::Column(column) => row.get(*column).unwrap_or_default().to_owned(),
        Labels::OneHot(flags) => {
            let is_set = |(at, _): &&(usize, String)| is_one(row.get(*at).unwrap_or_default());
            flags.iter().filter(is_set).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}
