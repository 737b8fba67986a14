//! Tables beside class folders. A table may repeat the classes of the folders, list other facts, or give other labels.

use std::path::Path;

use csv::StringRecord;

use super::columns::{Columns, Labels};
use super::files::Files;
use super::raw::LABEL_NAMES;
use crate::data::disagree::{Labeled, disagreement, exchanged};
use crate::data::listing::{relative, stem_of};
use crate::data::parts::{is_part_name, part_of};
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
    let Ok(columns) = Columns::find(table, &records, &mut files, &Hints::default()) else { return Ok(None) };
    let is_label = |column: &String| LABEL_NAMES.iter().any(|name| name.eq_ignore_ascii_case(column));
    let is_named = is_part_name(&stem_of(table)) || stem_of(table).eq_ignore_ascii_case("labels");
    let has_label = columns.header.iter().flatten().any(is_label) || matches!(columns.labels, Labels::OneHot(_));
    if !is_named && !has_label {
        return Ok(None);
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
