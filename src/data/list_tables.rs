//! Lists of parts that are tables or JSON, where there are none as text.
//!
//! | file | reading |
//! |---|---|
//! | `train.csv`, `val.tsv` | the columns that name files: one of images, or one of images and one of masks |
//! | `train.json` | an array of names |
//! | `split.csv`, `split.json` | the parts of all names: see [`division`] |

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::decisions::{Decisions, LeftOut, Why};
use super::division::Sought;
use super::list_index::{Index, Match};
use super::listing::{Walk, holds_image};
use super::lists::{self, ListFile};
use super::parts::{Part, part_of};
use super::records::TableText;
use super::text::read_text;
use super::{DataError, division, names};

/// The lists of the set at `root`: of text as of [`lists::find`], else tables and arrays named after a part, else those of the
/// file that divides it.
///
/// # Errors
/// Where a list cannot be read, a part has two lists, or a table names no file of the set.
pub(crate) fn find(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let lists = lists::find(root)?;
    if !lists.is_empty() {
        return Ok(lists);
    }
    let named = named_after_parts(root)?;
    if named.is_empty() { division::find(root, Sought::NamedOrWithColumn) } else { Ok(named) }
}

/// All lists of the set at `root`, of all forms and in all places, without tables if these have the labels. Those that cannot be read are
/// left out: something else divided the set.
pub(crate) fn all(root: &Path, sought: Sought) -> Vec<ListFile> {
    let text = lists::places(root).unwrap_or_default().concat();
    let tables = match sought {
        Sought::Named => vec![],
        Sought::NamedOrWithColumn => named_after_parts(root).unwrap_or_default(),
    };
    [text, tables, division::find(root, sought).unwrap_or_default()].concat()
}

/// Whether a folder in `root` is one that lists lie in, and has some and no image.
pub(crate) fn is_folder_of_lists(root: &Path, folder: &Path) -> bool {
    let has_lists = || {
        let named = lists::named_after_parts(folder, &["txt", "lst", "csv", "tsv", "json"]);
        let divisions = || division::candidates(folder).is_ok_and(|files| !files.is_empty());
        named.is_ok_and(|named| !named.is_empty()) || divisions()
    };
    lists::is_place(root, folder) && !holds_image(folder).unwrap_or(true) && has_lists()
}

/// The lists of the set at `root` that are certainly no tables of labels: of text, or in the file that divides it.
///
/// # Errors
/// As of [`find`].
pub(crate) fn find_but_tables(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let lists = lists::find(root)?;
    if lists.is_empty() { division::find(root, Sought::Named) } else { Ok(lists) }
}

/// The part of each of the `images` that a table names, by the lists in its folder `root`, else by the folders that the images lie in;
/// `None` without either. Tables named after a part are no lists there. An image that no list names has no part.
///
/// # Errors
/// As of [`find`] and [`lists::deal`].
pub(crate) fn deal_beside_table(
    root: &Path,
    images: &[&Path],
    decisions: &mut Decisions,
) -> Result<Option<Vec<Option<Part>>>, DataError> {
    let lists = find_but_tables(root)?;
    if lists.is_empty() {
        return Ok(by_folders(root, images, decisions));
    }
    let files: Vec<(usize, &Path)> = images.iter().copied().enumerate().collect();
    let dealt = lists::deal(root, &lists, images.len(), &files, decisions)?;
    decisions.notes.extend(lists::second_unused(&dealt.second));
    let unlisted = images.iter().zip(&dealt.parts).filter(|(_, part)| part.is_none());
    decisions.left_out.extend(unlisted.map(|(path, _)| LeftOut::new(path, Why::InNoList)));
    Ok(Some(dealt.parts))
}

/// The part of each image by its folder, such as `train/`, if all have one, and some are for training and others are not.
fn by_folders(root: &Path, images: &[&Path], decisions: &mut Decisions) -> Option<Vec<Option<Part>>> {
    let part = |path: &&Path| {
        let folders = path.strip_prefix(root).unwrap_or(path).parent()?;
        folders.iter().find_map(|folder| part_of(&folder.to_str()?.to_lowercase()))
    };
    let parts: Vec<Option<Part>> = images.par_iter().map(part).collect();
    let is_training = |part: &Option<Part>| *part == Some(Part::Train);
    if parts.contains(&None) || !parts.iter().any(is_training) || parts.iter().all(is_training) {
        return None;
    }
    decisions.split = "by the folders that the images of the table lie in".into();
    Some(parts)
}

/// The tables and arrays named after a part.
fn named_after_parts(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let named = lists::first_of(root, |folder| lists::named_after_parts(folder, &["csv", "tsv", "json"]))?;
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let images = Walk::below(root)?.images;
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let read = |(part, path): (Part, PathBuf)| match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => of_array(&path, part),
        _ => of_table(&path, part, &index).map(Some),
    };
    named.into_iter().filter_map(|list| read(list).transpose()).collect()
}

/// An array of names; `None` for JSON of another form.
fn of_array(path: &Path, part: Part) -> Result<Option<ListFile>, DataError> {
    let text = read_text(path)?;
    let Ok(names) = serde_json::from_str::<Vec<String>>(&text) else { return Ok(None) };
    let lines = names.into_iter().enumerate().map(|(at, name)| (at + 1, name)).collect();
    Ok(Some(ListFile { path: path.to_path_buf(), part, lines }))
}

/// The columns of a table that name files of `index`, with tabs between them.
fn of_table(path: &Path, part: Part, index: &Index) -> Result<ListFile, DataError> {
    let records = TableText::new(path, &read_text(path)?).records()?;
    let is_file = |name: &str| index.find(name) != Match::None;
    let width = records.iter().map(::csv::StringRecord::len).max().unwrap_or(0);
    let names_files = |column: &usize| {
        let named = records.iter().filter(|record| record.get(*column).is_some_and(is_file)).count();
        // All rows but the header, or most of them: the others are reported.
        2 * named >= records.len().max(1)
    };
    let columns: Vec<usize> = (0..width).filter(names_files).take(2).collect();
    if columns.is_empty() {
        let first = records.first().map(|record| record.iter().collect::<Vec<_>>().join(",")).unwrap_or_default();
        let problem = format!(
            "has the name of a list of a part, but no column names files of this set (its first line is '{}'); correct the \
             names, or rename the file if it is no list",
            names::shortened(&first)
        );
        return Err(DataError::malformed(path, problem));
    }
    let fields = |record: &::csv::StringRecord| -> Vec<String> {
        columns.iter().filter_map(|&column| record.get(column)).map(str::to_string).collect()
    };
    let is_header = |fields: &[String]| fields.iter().all(|field| !is_file(field) && !field.contains('.'));
    let mut lines = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let (line, fields) = (record.position().map_or(0, ::csv::Position::line), fields(record));
        if at > 0 || !is_header(&fields) {
            lines.push((line as usize, fields.join("\t")));
        }
    }
    Ok(ListFile { path: path.to_path_buf(), part, lines })
}
