//! A table of path,label: paths are relative to the table's own folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::csv::{ReaderBuilder, StringRecord};

use super::folder::looks_like_classes;
use super::listing::{FileDataset, entries};
use super::parts::{Part, part_of};
use super::split::{labelled_test, require_classes, require_same_classes, stratified};
use super::{DataError, OpenOptions, Splits};

const FORMAT: &str = "CSV of path,label";
pub(super) const PATH_NAMES: [&str; 8] =
    ["path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id"];
pub(super) const LABEL_NAMES: [&str; 5] = ["label", "class", "class_name", "category", "target"];
pub(super) const SPLIT_NAMES: [&str; 3] = ["split", "set", "subset"];

struct Row {
    path: PathBuf,
    label: String,
    /// `None` where the table has no such column.
    part: Option<Part>,
}

/// The CSV of a folder that holds exactly one and no class folders.
pub(crate) fn open_in_folder(root: &Path, options: &OpenOptions) -> Result<Option<Splits>, DataError> {
    table_in_folder(root)?.map(|table| open(&table, options)).transpose()
}

/// The only table of a folder without class folders.
///
/// # Errors
/// Where there are several.
pub(super) fn table_in_folder(root: &Path) -> Result<Option<PathBuf>, DataError> {
    let is_csv = |p: &PathBuf| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let mut tables: Vec<PathBuf> = entries(root)?.into_iter().filter(is_csv).collect();
    if tables.is_empty() || looks_like_classes(root)? {
        return Ok(None);
    }
    if tables.len() > 1 {
        let names: Vec<_> = tables.iter().map(|t| super::listing::name_of(t)).collect();
        let problem = format!("holds several tables ({}); give the one to use", names.join(", "));
        return Err(DataError::malformed(root, problem));
    }
    Ok(tables.pop())
}

/// Opens a table. A header is optional: without one the columns are path, label and, where there is
/// a third, split. Labels are names or integers. Without validation rows those of the split `test` are
/// measured on.
pub(crate) fn open(table: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let rows = read(table)?;
    let classes: Arc<[String]> = class_names(&rows).into();
    require_one_spelling(&classes, table)?;
    require_classes(&classes, table)?;
    if rows.iter().all(|row| row.part.is_none()) {
        return stratified(Arc::new(dataset(&rows, &classes)), options, table, FORMAT);
    }
    let (train, val, test) = parts(rows);
    for (rows, split) in [(&train, "train"), (&val, "validation")] {
        if rows.is_empty() {
            let reason = format!("the split column has no {split} row; name them train and val");
            return Err(DataError::EmptySplit { path: table.to_path_buf(), split, reason });
        }
    }
    let at = |part: &str| PathBuf::from(format!("{} ({part} rows)", table.display()));
    require_same_classes((&class_names(&train), &at("train")), (&class_names(&val), &at("validation")))?;
    let classes: Arc<[String]> = class_names(&train).into();
    require_classes(&classes, table)?;
    let test = dataset(&test, &class_names(&test).into());
    let test = labelled_test(test, &at("test"), (&classes, &at("train")))?;
    let part = |rows| Arc::new(dataset(rows, &classes));
    Ok(Splits { train: part(&train), val: part(&val), test, by_seed: false, format: FORMAT })
}

/// Training, validation and test rows.
fn parts(rows: Vec<Row>) -> (Vec<Row>, Vec<Row>, Vec<Row>) {
    let (train, held_out): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.part == Some(Part::Train));
    let (test, val): (Vec<Row>, Vec<Row>) = held_out.into_iter().partition(|row| row.part == Some(Part::Test));
    if val.is_empty() { (train, test, val) } else { (train, val, test) }
}

fn dataset(rows: &[Row], classes: &Arc<[String]>) -> FileDataset {
    let label = |name: &String| classes.iter().position(|class| class == name).unwrap_or_default() as u32;
    let items = rows.iter().map(|row| (row.path.clone(), label(&row.label))).collect();
    FileDataset { classes: Arc::clone(classes), items }
}

/// Fails where all labels are integers and one is written in two ways: `1` and `01` would be two classes.
pub(super) fn require_one_spelling(names: &[String], table: &Path) -> Result<(), DataError> {
    let same = |pair: &&[String]| matches!((value(&pair[0]), value(&pair[1])), (Some(a), Some(b)) if a == b);
    match names.windows(2).find(same) {
        Some(pair) if names.iter().all(|name| value(name).is_some()) => {
            let problem =
                format!("the labels '{}' and '{}' are the same number; write it in one way", pair[0], pair[1]);
            Err(DataError::malformed(table, problem))
        }
        _ => Ok(()),
    }
}

/// The number that a label is.
fn value(label: &str) -> Option<i64> {
    label.parse().ok()
}

/// Distinct labels: by value where all are integers, by name otherwise.
fn class_names(rows: &[Row]) -> Vec<String> {
    sorted_names(rows.iter().map(|row| row.label.as_str()))
}

/// Distinct names: by value where all are integers, in the order of the alphabet otherwise.
pub(super) fn sorted_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: BTreeSet<&str> = names.collect();
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if names.iter().all(|name| value(name).is_some()) {
        names.sort_by_key(|name| value(name));
    }
    names
}

struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
}

fn read(table: &Path) -> Result<Vec<Row>, DataError> {
    let text = std::fs::read(table).map_err(|e| DataError::io(table, e))?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .trim(::csv::Trim::All)
        .from_reader(text.as_slice());
    let mut columns = None;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| DataError::malformed(table, format!("is no readable CSV: {e}")))?;
        match &columns {
            None => {
                let (found, is_header) = header(&record);
                if !is_header {
                    rows.push(row(table, &record, &found)?);
                }
                columns = Some(found);
            }
            Some(columns) => rows.push(row(table, &record, columns)?),
        }
    }
    if rows.is_empty() {
        return Err(DataError::malformed(table, "has no rows; expected lines of path,label"));
    }
    Ok(rows)
}

/// Spreadsheets of many countries write semicolons; some tools write tabs.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    *[b',', b';', b'\t'].iter().find(|d| first.contains(d)).unwrap_or(&b',')
}

/// Where the columns are, and whether this first row names them.
fn header(first: &StringRecord) -> (Columns, bool) {
    let find = |names: &[&str]| first.iter().position(|f| names.iter().any(|n| n.eq_ignore_ascii_case(f)));
    match (find(&PATH_NAMES), find(&LABEL_NAMES)) {
        (Some(path), Some(label)) => (Columns { path, label, split: find(&SPLIT_NAMES) }, true),
        _ => (Columns { path: 0, label: 1, split: (first.len() > 2).then_some(2) }, false),
    }
}

fn row(table: &Path, record: &StringRecord, columns: &Columns) -> Result<Row, DataError> {
    let line = record.position().map_or(0, ::csv::Position::line);
    let fail = |problem: String| DataError::CsvRow { path: table.to_path_buf(), line, problem };
    let field = |column: usize, name: &str| match record.get(column) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(fail(format!(
            "no {name}; expected path,label but found '{}'",
            record.iter().collect::<Vec<_>>().join(",")
        ))),
    };
    let part = match columns.split {
        Some(column) => {
            let split = field(column, "split")?.to_lowercase();
            let unknown = || {
                fail(format!(
                    "split is '{split}', expected train, val or test (or name the columns in a first line: path,label,split)"
                ))
            };
            Some(part_of(&split).ok_or_else(unknown)?)
        }
        None => None,
    };
    let folder = table.parent().unwrap_or(Path::new(""));
    let path = folder.join(field(columns.path, "path")?);
    Ok(Row { path, label: field(columns.label, "label")?.to_string(), part })
}
