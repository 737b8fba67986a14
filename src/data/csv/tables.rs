//! The tables of a folder, and those of its parts.

use std::path::{Path, PathBuf};

use super::files::Files;
use crate::data::decisions::{LeftOut, Why};
use crate::data::listing::{entries, is_table, name_of, stem_of};
use crate::data::lists;
use crate::data::parts::{Part, PartFolders};
use crate::data::records::TableText;
use crate::data::text::read_text;
use crate::data::{DataError, Hints, division, list_tables, records};

/// The tables of the parts of a set: `train.csv` and `val.csv` in its folder, or the only tables of `train/` and
/// `val/`. Empty if the set has one table.
///
/// # Errors
/// Where a part has two tables.
pub(in crate::data) fn part_tables(root: &Path) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let tables = tables(root)?;
    if tables.is_empty() {
        let in_parts = tables_in_parts(root)?;
        return if in_parts.is_empty() { labeled_lists(root) } else { Ok(in_parts) };
    }
    let mut named = lists::named_after_parts(root, &["csv", "tsv", "jsonl"])?;
    if named.is_empty() {
        named = list_tables::named_as_labels(tables.iter().cloned());
    }
    let is_parted = tables.len() > 1 && named.iter().any(|(part, _)| *part == Part::Train);
    if !is_parted {
        return Ok(Vec::new());
    }
    require_no_lists(&named, &tables)?;
    Ok(named)
}

/// Refuses a training table without labels, if a table that is not named after a part has them.
fn require_no_lists(named: &[(Part, PathBuf)], tables: &[PathBuf]) -> Result<(), DataError> {
    let other = tables.iter().find(|table| named.iter().all(|(_, own)| own != *table));
    let train = named.iter().find(|(part, _)| *part == Part::Train);
    let (Some(other), Some((_, train))) = (other, train) else { return Ok(()) };
    let width = |table: &Path| -> Result<usize, DataError> {
        let records = TableText::new(table, &read_text(table)?).even_records()?;
        Ok(records.first().map_or(0, ::csv::StringRecord::len))
    };
    if width(train)? != 1 || width(other)? < 2 {
        return Ok(());
    }
    let problem = format!(
        "has one column and so no labels, which {} may have: it can be the list of a part of that table; write the lists of \
         parts as train.txt and val.txt, or write the labels into the tables of the parts",
        name_of(other)
    );
    Err(DataError::malformed(train, problem))
}

/// The tables in `root` that are neither in `named` nor among the `lists` that divide the set.
pub(in crate::data) fn of_no_part(
    root: &Path,
    named: &[(Part, PathBuf)],
    lists: &[String],
) -> Result<Vec<LeftOut>, DataError> {
    let is_used = |table: &Path| named.iter().any(|(_, path)| path == table) || lists.contains(&name_of(table));
    let others = all_tables(root)?.into_iter().filter(|table| !is_used(table));
    let why = |table: &Path| if is_submission(table) { Why::Submission } else { Why::NoPart };
    Ok(others.map(|table| LeftOut::new(&table, why(&table))).collect())
}

/// The table in the folder of each part, which must be the only one there.
pub(super) fn tables_in_parts(root: &Path) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let PartFolders { train, val, test, .. } = PartFolders::find(root, |train| Ok(!tables(train)?.is_empty()))?;
    let folders = [(Part::Train, train), (Part::Val, val), (Part::Test, test)];
    let mut found = Vec::new();
    for (part, folder) in folders.into_iter().filter_map(|(part, folder)| Some((part, folder?))) {
        match &tables(&folder)?[..] {
            [] => {}
            [table] => found.push((part, table.clone())),
            several => {
                let names: Vec<_> = several.iter().map(|table| name_of(table)).collect();
                let problem = format!("holds several tables ({}); keep the one of its labels", names.join(", "));
                return Err(DataError::malformed(&folder, problem));
            }
        }
    }
    if found.iter().all(|(part, _)| *part != Part::Train) {
        found.clear();
    }
    Ok(found)
}

/// The folder of a set that is given as a folder or as its table.
pub(in crate::data) fn folder_of(set: &Path) -> &Path {
    if set.is_dir() {
        return set;
    }
    set.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The tables of labels of a set that is given as a folder or as its table.
pub(in crate::data) fn of_labels(set: &Path) -> Vec<PathBuf> {
    if set.is_dir() {
        part_tables(set).unwrap_or_default().into_iter().map(|(_, table)| table).collect()
    } else {
        vec![set.to_path_buf()]
    }
}

/// The only table of a folder.
///
/// # Errors
/// Where the folder has no table, or several.
pub(in crate::data) fn only_table(root: &Path) -> Result<PathBuf, DataError> {
    let mut tables = tables(root)?;
    match (tables.pop(), tables.is_empty()) {
        (None, _) => Err(DataError::NoTable { path: root.to_path_buf() }),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            let names: Vec<_> = tables.iter().chain([&last]).map(|t| name_of(t)).collect();
            let problem = format!("holds several tables ({}); give the one to use", names.join(", "));
            Err(DataError::malformed(root, problem))
        }
    }
}

/// The tables in a folder, without sample submissions.
pub(super) fn tables(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut tables = all_tables(root)?;
    let is_jsonl = |table: &Path| table.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl"));
    if tables.iter().any(|table| !is_jsonl(table)) {
        tables.retain(|table| !is_jsonl(table));
    }
    if tables.iter().all(|table| division::is_named_so(table)) {
        let lists = entries(root)?.into_iter().filter(|path| path.is_file() && records::is_attribute_table(path));
        tables.extend(lists);
    }
    if tables.len() > 1 {
        tables.retain(|table| !is_submission(table));
    }
    // Tables that divide the set have no labels; another table has them.
    if tables.len() > 1 {
        let lists = list_tables::tables_of_files(root)?;
        tables.retain(|table| !division::is_named_so(table) && !lists.contains(table));
    }
    if tables.len() > 1 {
        let kinds: Result<Vec<_>, DataError> = tables.iter().map(|table| Content::of(table)).collect();
        let kinds = kinds?;
        // Coordinates beside the labels, as Kaggle has them for CelebA.
        if kinds.iter().filter(|kind| **kind == Content::Flags).count() == 1 && !kinds.contains(&Content::Other) {
            tables =
                tables.into_iter().zip(kinds).filter(|(_, kind)| *kind == Content::Flags).map(|(it, _)| it).collect();
        }
    }
    Ok(tables)
}

/// The columns of a table besides the first, by the values of its first rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Two columns or more, of a 0 or -1 and 1 for each class.
    Flags,
    /// Two columns or more, of numbers such as coordinates.
    Numbers,
    Other,
}

impl Content {
    fn of(table: &Path) -> Result<Self, DataError> {
        const SAMPLE: usize = 1000;
        let records = TableText::new(table, &read_text(table)?).even_records()?;
        let rows = &records[1.min(records.len())..records.len().min(SAMPLE)];
        let are = |is_one: fn(&str) -> bool| {
            rows.iter().all(|row| row.len() > 2 && row.iter().skip(1).all(is_one)) && !rows.is_empty()
        };
        Ok(if are(|cell| matches!(cell, "0" | "1" | "-1")) {
            Content::Flags
        } else if are(|cell| cell.parse::<f64>().is_ok()) {
            Content::Numbers
        } else {
            Content::Other
        })
    }
}

fn all_tables(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(root)?.into_iter().filter(|path| is_table(path)).collect())
}

/// Whether a table is a competition's sample submission, whose labels are placeholders.
fn is_submission(table: &Path) -> bool {
    let stem = stem_of(table).to_lowercase();
    stem.contains("sample") && stem.contains("submission")
}

/// The class list in the `classes.txt` of a folder, one name per line.
pub(in crate::data) fn class_list(folder: &Path) -> Result<Option<Vec<String>>, DataError> {
    let path = folder.join("classes.txt");
    if !path.is_file() {
        return Ok(None);
    }
    let text = read_text(&path)?;
    let mut names: Vec<String> = Vec::new();
    for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
        if names.iter().any(|known| known == name) {
            return Err(DataError::malformed(&path, format!("lists the class '{name}' twice; list it once")));
        }
        names.push(name.to_owned());
    }
    Ok(Some(names))
}

/// Text files in a folder whose lines are the name of an image there and a label: those of the parts (`train.txt`,
/// `val.txt`), or `labels.txt`.
pub(super) fn labeled_lists(root: &Path) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let mut named = lists::named_after_parts(root, &records::LIST_EXTENSIONS)?;
    let labels = root.join("labels.txt");
    if named.is_empty() && labels.is_file() {
        named.push((Part::Train, labels));
    }
    let Some((_, first)) = named.iter().find(|(part, _)| *part == Part::Train) else { return Ok(Vec::new()) };
    let text = read_text(first)?;
    let lines = text.lines().take(200).filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let lines: Vec<&str> = lines.collect();
    let rows: Vec<(&str, &str)> = lines.iter().filter_map(|line| records::name_and_label(line)).collect();
    // The first line may name the columns.
    let named_columns = usize::from(lines.first().is_some_and(|line| records::name_and_label(line).is_none()));
    if rows.len() + named_columns < lines.len() || rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = Files::of_table(first, &Hints::default())?;
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    Ok(if files.are_paths(&names) || files.are_indexed(&names)? { named } else { Vec::new() })
}
