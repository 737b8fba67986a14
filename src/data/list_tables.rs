//! Lists of parts in tables or JSON, for sets without lists as text.
//!
//! | file | reading |
//! |---|---|
//! | `train.csv`, `val.tsv` | the columns that name files: one of images, or one of images and one of masks |
//! | `train.json` | an array of names, or of objects that name files |
//! | `split.csv`, `split.json` | the parts of all names: see [`division`] |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ::csv::StringRecord;
use rayon::prelude::*;

use super::decisions::{Decisions, LeftOut, Why};
use super::division::Sought;
use super::list_index::Index;
use super::listing::{Walk, entries, holds_image, is_table, stem_of};
use super::lists::{self, ListFile, Unit};
use super::pair_columns::{FileColumns, Named};
use super::parts::{Part, part_in_name, part_of};
use super::records::{TableText, lines_of_array};
use super::text::read_text;
use super::{DataError, disagree, division, folds, names, pair_columns};

/// The lists of the set at `root`: text lists ([`lists::find`]), else tables and arrays named after a part, else those
/// in the file that divides the set.
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

/// All lists of the set at `root`, of all forms and in all places; without tables if these have the labels. Lists that
/// cannot be read are left out, because the set is divided already.
pub(crate) fn all(root: &Path, sought: Sought) -> Vec<ListFile> {
    let text = lists::places(root).unwrap_or_default().concat();
    let tables = match sought {
        Sought::Named => vec![],
        Sought::NamedOrWithColumn => named_after_parts(root).unwrap_or_default(),
    };
    [text, tables, division::find(root, sought).unwrap_or_default()].concat()
}

/// Whether `folder` is a folder of lists in `root`: it has lists and no image.
pub(crate) fn is_folder_of_lists(root: &Path, folder: &Path) -> bool {
    let has_lists = || {
        let named = lists::named_after_parts(folder, &["txt", "lst", "csv", "tsv", "json"]);
        let divisions = || division::candidates(folder).is_ok_and(|files| !files.is_empty());
        named.is_ok_and(|named| !named.is_empty()) || divisions()
    };
    lists::is_place(root, folder) && !holds_image(folder).unwrap_or(true) && has_lists()
}

/// The lists of the set at `root` that are certainly not tables of labels: text lists, else those in the file that
/// divides the set, else those in [`tables_of_files`].
///
/// # Errors
/// Those of [`find`].
pub(crate) fn find_but_tables(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let mut lists = lists::find(root)?;
    if lists.is_empty() {
        lists = division::find(root, Sought::Named)?;
    }
    if lists.is_empty() && !tables_of_files(root)?.is_empty() {
        lists = named_after_parts(root)?;
    }
    Ok(lists)
}

/// The tables named after a part, if each has a single column, of files, and exactly one other table exists, with the
/// labels.
///
/// # Errors
/// Where a part has two tables, or a table cannot be read.
pub(crate) fn tables_of_files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let named = lists::named_after_parts(root, &["csv", "tsv"])?;
    let is_other =
        |path: &PathBuf| is_table(path) && !division::is_named_so(path) && named.iter().all(|(_, own)| own != path);
    let others: Vec<PathBuf> = entries(root)?.into_iter().filter(is_other).collect();
    let [other] = &others[..] else { return Ok(Vec::new()) };
    let width = |table: &Path| -> Result<usize, DataError> {
        let records = TableText::new(table, &read_text(table)?).even_records()?;
        Ok(records.first().map_or(0, StringRecord::len))
    };
    for (_, table) in &named {
        if width(table)? != 1 {
            return Ok(Vec::new());
        }
    }
    if named.is_empty() || width(other)? < 2 {
        return Ok(Vec::new());
    }
    Ok(named.into_iter().map(|(_, path)| path).collect())
}

/// The part of each of the `images` that a table names: by the lists in its folder `root`, or else by the folders that
/// the images lie in. `None` if neither gives parts. An image that no list names has no part. Tables named after a part
/// are lists only where they name files alone. Text after the names in lists is compared with `labels`, one for each
/// image, where they are given.
///
/// # Errors
/// Those of [`find`], [`lists::deal`] and [`disagree::of_lists`].
pub(crate) fn deal_beside_table(
    root: &Path,
    images: &[&Path],
    labels: Option<&[&str]>,
    decisions: &mut Decisions,
) -> Result<Option<Vec<Option<Part>>>, DataError> {
    let lists = find_but_tables(root)?;
    if lists.is_empty() {
        return Ok(by_folders(root, images, decisions));
    }
    let files: Vec<(usize, &Path)> = images.iter().copied().enumerate().collect();
    let dealt = lists::deal(root, &lists, images.len(), &files, decisions)?;
    let note = match labels {
        Some(labels) => {
            let classes = labels.iter().collect::<BTreeSet<_>>().len();
            disagree::of_lists(root, ("table", classes), &dealt.second, |item| (labels[item], images[item]))?
        }
        None => lists::second_unused(&dealt.second),
    };
    decisions.notes.extend(note);
    let unlisted = images.iter().zip(&dealt.parts).filter(|(_, part)| part.is_none());
    decisions.left_out.extend(unlisted.map(|(path, _)| LeftOut::new(path, Why::InNoList)));
    Ok(Some(dealt.parts))
}

/// The part of each image by its folder, such as `train/`, if all have one, and some are for training and others are
/// not.
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

/// The tables `train_labels.csv` and `val_labels.csv` among `tables`, where each part has one at most.
pub(crate) fn named_as_labels(tables: impl Iterator<Item = PathBuf>) -> Vec<(Part, PathBuf)> {
    let part = |table: PathBuf| {
        let stem = stem_of(&table).to_lowercase();
        let words = stem.split(['_', '-', '.', ' ']).filter(|word| !["labels", "label", "annotations"].contains(word));
        Some((part_in_name(&words.collect::<Vec<_>>().join("_"))?, table))
    };
    let mut named: Vec<(Part, PathBuf)> = tables.filter_map(part).collect();
    named.sort();
    if named.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        named.clear();
    }
    named
}

/// The tables and arrays named after a part.
fn named_after_parts(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let mut named = lists::first_of(root, |folder| lists::named_after_parts(folder, &["csv", "tsv", "json"]))?;
    if named.is_empty() {
        named = named_as_labels(entries(root)?.into_iter().filter(|path| is_table(path)));
        // The table of a single part has labels and divides nothing.
        named.truncate(if named.len() > 1 { named.len() } else { 0 });
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let images = Walk::below(root)?.images;
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let files = Named { root, index: &index, images: &images };
    for (part, path) in named.iter().filter(|(_, path)| is_table(path)) {
        let lists = division::of_table(path, &read_text(path)?, files);
        if let Some(lists) = lists {
            if named.len() == 1 && lists.len() > 1 {
                return Ok(lists);
            }
            require_part(*part, &lists)?;
        }
    }
    let read = |(part, path): (Part, PathBuf)| match path.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("json") => of_array(&path, part, files),
        _ => of_table(&path, part, files).map(Some),
    };
    named.into_iter().filter_map(|list| read(list).transpose()).collect()
}

/// Refuses a table named after a part if its column of parts names another part.
fn require_part(part: Part, lists: &[ListFile]) -> Result<(), DataError> {
    match lists.iter().find(|list| list.part != part) {
        Some(list) => {
            let line = list.lines.first().map_or(0, |(line, _)| *line);
            let problem = format!(
                "the row is of the part '{}' by its column of parts, and of {} by the name of the file; remove the column, or keep \
                 this table alone",
                list.part.word(),
                part.word()
            );
            Err(list.fault(line, problem))
        }
        None => Ok(()),
    }
}

/// An array of names, or of objects that name files; `None` for JSON of another form.
fn of_array(path: &Path, part: Part, named: Named<'_>) -> Result<Option<ListFile>, DataError> {
    let text = read_text(path)?;
    let Ok(names) = serde_json::from_str::<Vec<String>>(&text) else {
        let Some(records) = records_of(path)? else { return Ok(None) };
        return match named.columns(path, &records)? {
            FileColumns::None => Ok(None),
            _ => of_records(path, part, named, &records).map(|list| Some(of_objects(list))),
        };
    };
    let lines = names.into_iter().enumerate().map(|(at, name)| (at + 1, name)).collect();
    Ok(Some(ListFile { path: path.to_path_buf(), part, lines, unit: Unit::Name, columns: None, is_numbered: false }))
}

/// The list of a JSON array of objects, read as a table with a line of names above them.
fn of_objects(list: ListFile) -> ListFile {
    let lines = list.lines.into_iter().map(|(line, text)| (line - 1, text)).collect();
    ListFile { lines, unit: Unit::Name, ..list }
}

/// A table as a list: its column of files, or its columns of images and masks with a tab between.
fn of_table(path: &Path, part: Part, named: Named<'_>) -> Result<ListFile, DataError> {
    of_records(path, part, named, &TableText::new(path, &read_text(path)?).records()?)
}

fn of_records(path: &Path, part: Part, named: Named<'_>, records: &[StringRecord]) -> Result<ListFile, DataError> {
    let columns = match named.columns(path, records)? {
        FileColumns::One(column) => vec![column],
        FileColumns::Pair(columns) => columns.to_vec(),
        FileColumns::Open(columns) => {
            require_masks(path, records, named, columns)?;
            columns.to_vec()
        }
        found @ (FileColumns::None | FileColumns::Many) => return Err(unread(path, records, found)),
    };
    let has_header = records.first().is_some_and(|first| named.is_header(first, &columns));
    let line = |record: &StringRecord| {
        let fields: Vec<&str> = columns.iter().filter_map(|&column| record.get(column)).collect();
        (record.position().map_or(0, ::csv::Position::line) as usize, fields.join("\t"))
    };
    let lines = records.iter().skip(usize::from(has_header)).map(line).collect();
    let columns = pair_columns::described(&columns, records.first().filter(|_| has_header));
    Ok(ListFile { path: path.to_path_buf(), part, lines, unit: Unit::Line, columns, is_numbered: false })
}

/// The error for a table of a part without a column of files, or with more than two.
fn unread(path: &Path, records: &[StringRecord], found: FileColumns) -> DataError {
    let first = records.first().map(|record| record.iter().collect::<Vec<_>>().join(",")).unwrap_or_default();
    let first = names::shortened(&first);
    let problem = match found {
        FileColumns::Many => format!(
            "has more than two columns that name files of this set (its first line is '{first}'); name one of them image and one of \
             them mask"
        ),
        _ => format!(
            "has the name of a list of a part, but no column names files of this set (its first line is '{first}'); correct the \
             names, or rename the file if it is no list"
        ),
    };
    DataError::malformed(path, problem)
}

/// Refuses two columns of different files, all of few colors, whose headers do not say which column has the masks.
/// Without headers, the second column has the masks.
fn require_masks(
    path: &Path,
    records: &[StringRecord],
    named: Named<'_>,
    columns: [usize; 2],
) -> Result<(), DataError> {
    let [a, b] =
        columns.map(|column| names::shortened(records.first().and_then(|first| first.get(column)).unwrap_or("")));
    let has_header = records.first().is_some_and(|first| named.is_header(first, &columns));
    if !has_header || !columns.iter().all(|&column| named.are_flat(records, column)) {
        return Ok(());
    }
    let problem = format!(
        "columns '{a}' and '{b}' both name pictures of few colors, so either may be that of the masks; name one of them image and \
         the other mask"
    );
    Err(DataError::malformed(path, problem))
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"))
}

/// The records of a table, or of a JSON array of objects; `None` for files of another form.
fn records_of(path: &Path) -> Result<Option<Vec<StringRecord>>, DataError> {
    let text = read_text(path)?;
    if !is_json(path) {
        return Ok(TableText::new(path, &text).records().ok());
    }
    let lines = lines_of_array(&text);
    Ok(lines.and_then(|lines| TableText::new(&path.with_extension("jsonl"), &lines).records().ok()))
}

/// The rows of the only table of pairs in the folder `root` that divides nothing; `None` without one.
///
/// # Errors
/// Where there are several.
pub(crate) fn undivided_pairs(root: &Path) -> Result<Option<ListFile>, DataError> {
    let is_candidate = |path: &PathBuf| (is_table(path) || is_json(path)) && !lists::is_named_after_part(path);
    let tables: Vec<PathBuf> = entries(root)?.into_iter().filter(is_candidate).collect();
    if tables.is_empty() {
        return Ok(None);
    }
    let images = Walk::below(root)?.images;
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let named = Named { root, index: &index, images: &images };
    let mut found: Option<ListFile> = None;
    for path in tables {
        // A table of another kind may have any form.
        let Some(records) = records_of(&path)? else { continue };
        match named.columns(&path, &records)? {
            FileColumns::Pair(_) => {}
            FileColumns::Many if named.has_masks(&records) => return Err(unread(&path, &records, FileColumns::Many)),
            _ => continue,
        }
        let header: Vec<&str> = records.first().map(|first| first.iter().collect()).unwrap_or_default();
        let values = |at: usize| records.iter().skip(1).filter_map(|record| record.get(at)).collect::<Vec<_>>();
        let doubt = header.iter().enumerate().find_map(|(at, name)| folds::column(name, &values(at)));
        if let Some(problem) = doubt {
            return Err(DataError::malformed(&path, problem));
        }
        if let Some(first) = &found {
            let problem = format!(
                "has pairs of images and masks, as {} has; keep one of them",
                names::shortened(&first.path.display().to_string())
            );
            return Err(DataError::malformed(&path, problem));
        }
        let list = of_records(&path, Part::Train, named, &records)?;
        found = Some(if is_json(&path) { of_objects(list) } else { list });
    }
    Ok(found)
}
