//! Tables of image and label.
//!
//! ```text
//! columns (of files, labels and parts) ──► rows ──► class list ──► Splits
//! ```
//!
//! A row whose number of fields differs from the others is refused: see [`super::records`]. Paths are relative to the
//! folder of the table. They may lack the extension, have backslashes or another case, or be absolute paths of another
//! machine: see [`super::list_index::Index`].

mod columns;
mod dispute;
mod files;
mod labels;
mod parts;
mod raw;
mod rivals;
mod tables;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::csv::StringRecord;
use rayon::prelude::*;

use super::decisions::{LeftOut, TableColumns, Why};
use super::depth::SampleDepth;
use super::folder::looks_like_classes;
use super::format::{Confidence, Evidence, Format};
use super::listing::{FileDataset, name_of};
use super::parts::Part;
use super::records::{TableText, is_one};
use super::split::{aligned, labeled_test, require_classes, stratified};
use super::text::read_text;
use super::{
    ClassificationDataset, DataError, Decisions, Hints, OpenOptions, Splits, list_tables, names, unused_lists,
};
use columns::{Columns, Labels};
pub(super) use files::{Files, missing, unlisted};
use labels::{require_named_labels, require_single_labels};
pub(super) use parts::{ClassesOfRow, PartColumns, doubtful};
pub(super) use raw::{Found, LABEL_NAMES, LIST_NAMES, Raw};
pub(super) use rivals::{rival, two_of_labels};
pub(super) use tables::{class_list, folder_of, of_labels, of_no_part, only_table, part_tables};
use tables::{labeled_lists, tables, tables_in_parts};

/// A table in a folder, or given as the path.
pub(crate) struct Table;

impl Format for Table {
    type Opened = Splits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "CSV of path,label"
    }

    fn looks_for(&self) -> &'static str {
        "a `.csv` or `.tsv` file; or a folder without class folders whose only table it is, or with a table for each part \
         (`train.csv`, `val.csv`, or `train/labels.csv`, `val/labels.csv`)"
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let mut tables: Vec<String> = tables(root)?.iter().map(|table| name_of(table)).collect();
        if tables.is_empty() {
            let path = |table: &Path| table.strip_prefix(root).unwrap_or(table).display().to_string();
            tables = tables_in_parts(root)?.iter().map(|(_, table)| path(table)).collect();
        }
        if tables.is_empty() {
            if looks_like_classes(root)? {
                return Ok(None);
            }
            tables = labeled_lists(root)?.iter().map(|(_, list)| name_of(list)).collect();
            return Ok((!tables.is_empty()).then(|| Evidence::new(Confidence::Likely, tables)));
        }
        if looks_like_classes(root)? {
            let in_parts = tables_in_parts(root)?.into_iter().map(|(_, table)| table);
            for table in self::tables(root)?.into_iter().chain(in_parts) {
                if let Some(row) = dispute::contradiction(root, &table)? {
                    return Ok(Some(Evidence::certain([row])));
                }
            }
            return Ok(None);
        }
        Ok(Some(Evidence::new(Confidence::Likely, tables)))
    }

    fn open(&self, root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
        open_folder(root, options)
    }
}

/// Whether the set at `path` is a table, or a folder that is read by the table in it.
#[cfg(feature = "tasks")]
pub(crate) fn holds_table(path: &Path) -> bool {
    super::listing::is_table(path) || Table.recognize(path).is_ok_and(|evidence| evidence.is_some())
}

/// Opens the only table of a folder, or the tables of its parts (`train.csv` and `val.csv`).
///
/// # Errors
/// Those of [`open`]; also if the folder has no table, or several of which none is named after the training part.
pub(super) fn open_folder(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let named = part_tables(root)?;
    if named.is_empty() {
        let only = only_table(root)?;
        let mut splits = open(&only, options)?;
        let others = of_no_part(root, &[(Part::Train, only)], &splits.decisions.lists)?;
        splits.decisions.left_out.extend(others);
        return Ok(splits);
    }
    let (mut rows, mut doubt, mut decisions) =
        (Vec::new(), None, Decisions { left_out: of_no_part(root, &named, &[])?, ..Decisions::default() });
    for (part, path) in named {
        match read(&path, &options.hints) {
            Ok(Read { rows: own, notes, columns, doubt: own_doubt }) => {
                decisions.columns = decisions.columns.or(columns);
                doubt = doubt.or(own_doubt);
                rows.extend(own.into_iter().map(|row| Row { part: row.part.or(Some(part)), ..row }));
                decisions.notes.extend(notes.into_iter().map(|note| format!("{}: {note}", name_of(&path))));
                decisions.lists.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
            }
            // A test part is often published without labels.
            Err(DataError::Columns { .. }) if part == Part::Test => {
                decisions.left_out.push(LeftOut::new(&path, Why::UnlabeledTest));
            }
            Err(error) => return Err(error),
        }
    }
    if rows.iter().all(|row| row.part == Some(Part::Train)) {
        rows.iter_mut().for_each(|row| row.part = None);
    }
    decisions.split = format!("by the tables {}", decisions.lists.join(", "));
    undoubted(divided(root, rows, decisions, options)?, doubt)
}

struct Row {
    path: PathBuf,
    label: String,
    /// `None` if the table has no such column.
    part: Option<Part>,
    /// Its line in the table.
    line: u64,
}

/// Opens a table. Without validation rows the rows of the split `test` are the validation part.
///
/// # Errors
/// Where no column names images or labels, a row lacks one, or a part is empty.
pub(crate) fn open(table: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let Read { rows, notes, columns, doubt } = read(table, &options.hints)?;
    let decisions = Decisions { split: "by a column of the table".into(), notes, columns, ..Decisions::default() };
    undoubted(divided(table, rows, decisions, options)?, doubt)
}

/// Divides the rows of the tables at `table` by their parts, or by seed.
fn divided(table: &Path, rows: Vec<Row>, mut decisions: Decisions, options: &OpenOptions) -> Result<Splits, DataError> {
    let depth = Arc::new(SampleDepth::default());
    // A test table without labels is not read, so its images would count as unlisted.
    if decisions.left_out.iter().all(|one| one.why != Why::UnlabeledTest) {
        decisions.left_out.extend(unlisted(folder_of(table), rows.iter().map(|row| row.path.as_path()))?);
    }
    let rows = by_lists(table, rows, options.undivided, &mut decisions)?;
    let classes: Arc<[String]> = class_names(&rows).into();
    require_classes(&classes, table, options)?;
    if rows.iter().all(|row| row.part.is_none()) {
        let all = Arc::new(dataset(&rows, &classes, &depth));
        let splits = stratified(all, options, table, Table.name())?;
        return Ok(Splits { decisions: Decisions { split: splits.decisions.split, ..decisions }, ..splits });
    }
    let (train, val, test) = parts(rows);
    for (rows, split) in [(&train, "train"), (&val, "validation")] {
        if rows.is_empty() {
            let reason = format!("no row is of its part ({split}); name the parts train and val");
            return Err(DataError::EmptySplit { path: table.to_path_buf(), split, reason });
        }
    }
    let at = |part: &str| PathBuf::from(format!("{} ({part} rows)", table.display()));
    let classes: Arc<[String]> = class_names(&train).into();
    require_classes(&classes, table, options)?;
    let train_at = at("train");
    let known = (&classes, train_at.as_path());
    let own = |rows: &[Row]| dataset(rows, &class_names(rows).into(), &depth);
    let val = aligned(own(&val), &at("validation"), known)?;
    let test = labeled_test(own(&test), &at("test"), known)?;
    let train: Arc<dyn ClassificationDataset> = Arc::new(dataset(&train, &classes, &depth));
    Ok(Splits { train, val: Arc::new(val), test, by_seed: false, format: Table.name(), decisions })
}

/// The rows with the parts from lists beside the table, if the table has no parts.
fn by_lists(
    table: &Path,
    mut rows: Vec<Row>,
    is_undivided: bool,
    decisions: &mut Decisions,
) -> Result<Vec<Row>, DataError> {
    if rows.iter().any(|row| row.part.is_some()) {
        return Ok(rows);
    }
    let images: Vec<&Path> = rows.iter().map(|row| row.path.as_path()).collect();
    let labels: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let Some(parts) = list_tables::deal_beside_table(folder_of(table), &images, Some(&labels), decisions)? else {
        unused_lists::report(folder_of(table), &of_labels(table), images, is_undivided, decisions)?;
        return Ok(rows);
    };
    for (row, part) in rows.iter_mut().zip(parts) {
        row.part = part;
    }
    rows.retain(|row| row.part.is_some());
    Ok(rows)
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

/// Distinct labels: by value if all are numbers, else by name.
fn class_names(rows: &[Row]) -> Vec<String> {
    sorted_names(rows.iter().map(|row| row.label.as_str()))
}

/// Distinct names: by value if all are numbers, else by their characters.
pub(super) fn sorted_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let distinct: BTreeSet<&str> = names.collect();
    let mut sorted: Vec<String> = distinct.into_iter().map(String::from).collect();
    names::sort(&mut sorted, |name| name);
    sorted
}

/// The rows of a table.
struct Read {
    rows: Vec<Row>,
    /// Remarks on how they were read.
    notes: Vec<String>,
    columns: Option<TableColumns>,
    /// Why the set may not be divided by seed.
    doubt: Option<DataError>,
}

/// The splits, or `doubt` if they were divided by seed.
fn undoubted(splits: Splits, doubt: Option<DataError>) -> Result<Splits, DataError> {
    doubt.filter(|_| splits.by_seed).map_or(Ok(splits), Err)
}

fn read(table: &Path, hints: &Hints) -> Result<Read, DataError> {
    let records = TableText::new(table, &read_text(table)?).records()?;
    let mut files = Files::of_table(table, hints)?;
    let columns = Columns::find(table, &records, &mut files, hints)?;
    let data = &records[usize::from(columns.header.is_some())..];
    if data.is_empty() {
        return Err(DataError::malformed(table, "has no rows; expected lines of path,label"));
    }
    files.list_for(data.iter().filter_map(|record| record.get(columns.path)))?;
    let rows: Vec<Result<Row, DataError>> =
        data.par_iter().map(|record| row(table, record, &columns, &files)).collect();
    // The first error in the order of the lines.
    let (rows, repeated) = distinct(table, rows.into_iter().collect::<Result<_, _>>()?)?;
    require_single_labels(table, &rows)?;
    require_named_labels(table, &rows)?;
    let named = || rows.iter().map(|row| (row.path.as_path(), row.line));
    let missing = if files.are_all_there() { None } else { missing(table, named()) };
    let root = hints.image_root.as_ref().map(|root| format!(", images below {}", root.display())).unwrap_or_default();
    let notes = [columns.words() + &root].into_iter().chain(repeated).chain(files.note()).chain(missing).collect();
    let doubt = columns.doubtful_parts(data).map(|problem| DataError::malformed(table, problem));
    Ok(Read { rows, notes, columns: columns.names(), doubt })
}

/// The rows without those that repeat an earlier one, and a remark on these. An image may be in several parts, which a
/// check reports.
///
/// # Errors
/// Where rows give an image another label than an earlier row.
fn distinct(table: &Path, rows: Vec<Row>) -> Result<(Vec<Row>, Option<String>), DataError> {
    let mut places: HashMap<Cow<'_, OsStr>, usize> = HashMap::with_capacity(rows.len());
    let firsts: Vec<usize> =
        rows.iter().enumerate().map(|(at, row)| *places.entry(files::key(&row.path)).or_insert(at)).collect();
    drop(places);
    let mut keeps = vec![true; rows.len()];
    let mut repeated = 0;
    let mut relabeled: Vec<String> = Vec::new();
    for (at, row) in rows.iter().enumerate().filter(|(at, _)| firsts[*at] != *at) {
        let first = &rows[firsts[at]];
        if first.label != row.label {
            let [there, here] = [&first.label, &row.label].map(|label| names::shortened(label));
            relabeled.push(format!("'{there}' on line {} and '{here}' on line {}", first.line, row.line));
        } else if first.part == row.part {
            repeated += 1;
            keeps[at] = false;
        }
    }
    if !relabeled.is_empty() {
        const SHOWN: usize = 6;
        let count = relabeled.len();
        let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
        relabeled.truncate(SHOWN);
        let problem = format!(
            "gives images two labels each: {}{more}; keep one line an image, or read the table as one of several labels an image",
            relabeled.join(", ")
        );
        return Err(DataError::malformed(table, problem));
    }
    let kept = rows.into_iter().zip(keeps).filter(|(_, keeps)| *keeps).map(|(row, _)| row).collect();
    Ok((kept, (repeated > 0).then(|| format!("{repeated} lines repeat an earlier line and count once"))))
}

fn row(table: &Path, record: &StringRecord, columns: &Columns, files: &Files) -> Result<Row, DataError> {
    let line = record.position().map_or(0, ::csv::Position::line);
    let fail = |problem: String| DataError::CsvRow { path: table.to_path_buf(), line, problem };
    let field = |column: usize, name: &str| match record.get(column) {
        // A path may contain a line break, as its file's name may.
        Some(text) if text.contains('\n') && name != "path" => Err(fail(format!(
            "the {name} goes on over several lines: '{}'; a quotation mark is missing before or after it",
            names::shortened(&text.escape_debug().to_string())
        ))),
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(fail(format!(
            "no {name}; expected path,label but found '{}'",
            names::shortened(&record.iter().collect::<Vec<_>>().join(","))
        ))),
    };
    let part = match &columns.parts {
        Some(parts) => {
            let cells: Result<Vec<&str>, DataError> =
                parts.columns().iter().map(|(column, _)| field(*column, "split")).collect();
            Some(parts.part(&cells?).map_err(fail)?)
        }
        None => None,
    };
    let label = match &columns.labels {
        Labels::Column(column) => names::composed(field(*column, "label")?),
        Labels::OneHot(columns) => {
            let set: Vec<&str> = columns
                .iter()
                .filter(|(c, _)| is_one(field(*c, "0 or 1").unwrap_or_default()))
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
    Ok(Row { path, label, part, line })
}
