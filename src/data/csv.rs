//! Tables of image and label.
//!
//! ```text
//! columns (of files, labels and parts) ──► rows ──► class list ──► Splits
//! ```
//!
//! Paths are relative to the folder of the table. They may lack the extension, have backslashes, or be absolute paths
//! of another machine: see [`super::lists::Index`].

mod columns;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::csv::{ReaderBuilder, StringRecord};

use super::depth::SampleDepth;
use super::folder::looks_like_classes;
use super::format::{Confidence, Evidence, Format};
use super::listing::{FileDataset, entries, name_of};
use super::parts::{Part, part_of};
use super::split::{aligned, labeled_test, missing_notes, require_classes, stratified};
use super::text::read_text;
use super::{ClassificationDataset, DataError, OpenOptions, Splits, names};
use columns::{Columns, Files, Labels};
pub(super) use columns::{LABEL_NAMES, PATH_NAMES};

/// Names of the column with the name of the part.
pub(super) const SPLIT_NAMES: [&str; 3] = ["split", "set", "subset"];

/// A table in a folder, or given as the path.
pub(crate) struct Table;

impl Format for Table {
    type Opened = Splits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "CSV of path,label"
    }

    fn looks_for(&self) -> &'static str {
        "a `.csv` or `.tsv` file; or a folder whose only table it is, without class folders"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let tables = tables(root)?;
        if tables.is_empty() || looks_like_classes(root)? {
            return Ok(None);
        }
        Ok(Some(Evidence::new(Confidence::Likely, tables.iter().map(|table| name_of(table)))))
    }

    fn open(&self, root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
        open(&only_table(root)?, options)
    }
}

/// The only table of a folder.
///
/// # Errors
/// Where the folder has several.
pub(super) fn only_table(root: &Path) -> Result<PathBuf, DataError> {
    let mut tables = tables(root)?;
    if let [_] = tables.as_slice()
        && let Some(table) = tables.pop()
    {
        return Ok(table);
    }
    let names: Vec<_> = tables.iter().map(|t| name_of(t)).collect();
    let problem = format!("holds several tables ({}); give the one to use", names.join(", "));
    Err(DataError::malformed(root, problem))
}

/// Whether a file's name is that of a table.
pub(crate) fn is_table(path: &Path) -> bool {
    let known = ["csv", "tsv"];
    path.extension().is_some_and(|e| known.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

fn tables(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(root)?.into_iter().filter(|path| is_table(path)).collect())
}

struct Row {
    path: PathBuf,
    label: String,
    /// `None` if the table has no such column.
    part: Option<Part>,
}

/// Opens a table. Without validation rows the rows of the split `test` are the validation part.
///
/// # Errors
/// Where no column names images or labels, a row lacks one, or a part is empty.
pub(crate) fn open(table: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let depth = Arc::new(SampleDepth::default());
    let (rows, columns) = read(table)?;
    let classes: Arc<[String]> = class_names(&rows).into();
    require_one_spelling(&classes, table)?;
    require_classes(&classes, table)?;
    if rows.iter().all(|row| row.part.is_none()) {
        let all = Arc::new(dataset(&rows, &classes, &depth));
        let mut splits = stratified(all, options, table, Table.name())?;
        splits.decisions.notes.push(columns);
        return Ok(splits);
    }
    let (train, val, test) = parts(rows);
    for (rows, split) in [(&train, "train"), (&val, "validation")] {
        if rows.is_empty() {
            let reason = format!("the split column has no {split} row; name them train and val");
            return Err(DataError::EmptySplit { path: table.to_path_buf(), split, reason });
        }
    }
    let at = |part: &str| PathBuf::from(format!("{} ({part} rows)", table.display()));
    let classes: Arc<[String]> = class_names(&train).into();
    require_classes(&classes, table)?;
    let train_at = at("train");
    let known = (&classes, train_at.as_path());
    let own = |rows: &[Row]| dataset(rows, &class_names(rows).into(), &depth);
    let val = aligned(own(&val), &at("validation"), known)?;
    let test = labeled_test(own(&test), &at("test"), known)?;
    let mut decisions = super::Decisions { split: "by a column of the table".into(), ..Default::default() };
    decisions.notes.push(columns);
    decisions.notes.extend(missing_notes(&val, "validation"));
    let train: Arc<dyn ClassificationDataset> = Arc::new(dataset(&train, &classes, &depth));
    Ok(Splits { train, val: Arc::new(val), test, by_seed: false, format: Table.name(), decisions })
}

/// Training, validation and test rows.
fn parts(rows: Vec<Row>) -> (Vec<Row>, Vec<Row>, Vec<Row>) {
    let (train, held_out): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.part == Some(Part::Train));
    let (test, val): (Vec<Row>, Vec<Row>) = held_out.into_iter().partition(|row| row.part == Some(Part::Test));
    if val.is_empty() { (train, test, val) } else { (train, val, test) }
}

fn dataset(rows: &[Row], classes: &Arc<[String]>, depth: &Arc<SampleDepth>) -> FileDataset {
    let places: HashMap<&str, u32> = classes.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
    let label = |name: &str| places.get(name).copied().unwrap_or_default();
    let items = rows.iter().map(|row| (row.path.clone(), label(&row.label))).collect();
    FileDataset { classes: Arc::clone(classes), items, depth: Arc::clone(depth) }
}

/// Fails where all labels are integers and one has two spellings: `1` and `01` would be two classes.
pub(super) fn require_one_spelling(labels: &[String], table: &Path) -> Result<(), DataError> {
    let same =
        |pair: &&[String]| matches!((names::value(&pair[0]), names::value(&pair[1])), (Some(a), Some(b)) if a == b);
    match labels.windows(2).find(same) {
        Some(pair) if labels.iter().all(|name| names::value(name).is_some()) => {
            let problem =
                format!("the labels '{}' and '{}' are the same number; write it in one way", pair[0], pair[1]);
            Err(DataError::malformed(table, problem))
        }
        _ => Ok(()),
    }
}

/// Distinct labels: by value if all are integers, else by name.
fn class_names(rows: &[Row]) -> Vec<String> {
    sorted_names(rows.iter().map(|row| row.label.as_str()))
}

/// Distinct names: by value if all are integers, else by their characters.
pub(super) fn sorted_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let distinct: BTreeSet<&str> = names.collect();
    let mut sorted: Vec<String> = distinct.into_iter().map(String::from).collect();
    names::sort(&mut sorted, |name| name);
    sorted
}

/// Records of a table as text. The delimiter is detected.
pub(crate) fn records(table: &Path, text: &str) -> Result<Vec<StringRecord>, DataError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let records: Result<Vec<StringRecord>, _> = reader.records().collect();
    records.map_err(|e| DataError::malformed(table, format!("is no readable CSV: {e}")))
}

/// The delimiter of a table. Spreadsheets of many countries write semicolons, and some tools write tabs.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    *[b',', b';', b'\t', b'|'].iter().find(|d| first.as_bytes().contains(d)).unwrap_or(&b',')
}

/// The rows, and the text that names their columns.
fn read(table: &Path) -> Result<(Vec<Row>, String), DataError> {
    let records = records(table, &read_text(table)?)?;
    let folder = table.parent().unwrap_or(Path::new(""));
    let mut files = Files::of(folder);
    let columns = Columns::find(table, &records, &mut files)?;
    let data = &records[usize::from(columns.header.is_some())..];
    if data.is_empty() {
        return Err(DataError::malformed(table, "has no rows; expected lines of path,label"));
    }
    let rows: Result<Vec<Row>, DataError> = data.iter().map(|record| row(table, record, &columns, &files)).collect();
    Ok((rows?, columns.words()))
}

fn row(table: &Path, record: &StringRecord, columns: &Columns, files: &Files) -> Result<Row, DataError> {
    let line = record.position().map_or(0, ::csv::Position::line);
    let fail = |problem: String| DataError::CsvRow { path: table.to_path_buf(), line, problem };
    let field = |column: usize, name: &str| match record.get(column) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(fail(format!(
            "no {name}; expected path,label but found '{}'",
            shortened(&record.iter().collect::<Vec<_>>().join(","))
        ))),
    };
    let part = match columns.split {
        Some(column) => {
            let split = field(column, "split")?.to_lowercase();
            let unknown = || {
                fail(format!(
                    "split is '{}', expected train, val or test (or name the columns in a first line: path,label,split)",
                    shortened(&split)
                ))
            };
            let part = columns::part(&split).or_else(|| part_of(&split));
            Some(part.ok_or_else(unknown)?)
        }
        None => None,
    };
    let label = match &columns.labels {
        Labels::Column(column) => names::composed(field(*column, "label")?),
        Labels::OneHot(columns) => {
            let set: Vec<&str> = columns
                .iter()
                .filter(|(c, _)| columns::is_one(field(*c, "0 or 1").unwrap_or_default()))
                .map(|(_, name)| name.as_str())
                .collect();
            match set.as_slice() {
                [name] => names::composed(name),
                [] => return Err(fail("all class columns are 0; one of them must be 1".into())),
                several => {
                    let problem = format!(
                        "is of {} classes ({}): this is a multi-label table, one class an image was expected",
                        several.len(),
                        several.join(", ")
                    );
                    return Err(fail(problem));
                }
            }
        }
    };
    let path = files.path(field(columns.path, "path")?).map_err(fail)?;
    Ok(Row { path, label, part })
}

/// A field, shortened for a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}
