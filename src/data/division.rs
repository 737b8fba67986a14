//! One file that divides a set into its parts.
//!
//! | file | reading |
//! |---|---|
//! | `split.json`: `{"train": ["a.png"], "val": ["b.png"]}` | the names of each part; of an entry in brackets, the first value is the name |
//! | `{"train": [{"image": "a.png"}], …}` | of each object the name of the image, and of the mask if there is one |
//! | `split.json`: `{"a.png": "train", "b.png": "val"}` | the part of each name |
//! | `split.yaml` | as `split.json` |
//! | `split.csv`: a column of names, a column of `train`, `val` and `test` | the part of each row |
//! | `split.jsonl`: `{"file": "a.png", "split": "train"}` in each line | the part of each line |
//!
//! A file divides a set if its name has a word such as `split`, `division` or `partition`, if the name of a column
//! has one, or if the keys of its object are parts. A file of such a name is refused if it lists images of the set in
//! another form. Lists of folds, and lists in folders of folds, are refused too, because nothing says which fold
//! validates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde_json::Value;

use super::DataError;
use super::folds;
use super::list_index::{Index, Match};
use super::listing::{Walk, is_image, is_table, stem_of};
use super::lists::{self, ListFile, PairColumns, Unit};
use super::names;
use super::pair_columns::{self, FileColumns, Named};
use super::parts::{PART_COLUMNS, POSSIBLE_PART_COLUMNS, Part, part_in_name, part_of, part_of_list, words_of};
use super::reading::{Role, role_in};
use super::records::{Entries, PATH_NAMES, TableText, are_part_numbers, flagged_part, part_of_number, part_of_value};
use super::text::{read_text, require_right, start_of};

/// Words in the name of a file that divides a set.
pub(super) const DIVISIONS: [&str; 7] = ["split", "splits", "division", "partition", "partitions", "subset", "subsets"];
/// Largest file whose keys are read, in bytes.
const LARGEST: u64 = 16 << 20;
/// Bytes of a table in which its columns are sought.
const LONGEST_LINE: u64 = 1 << 16;
/// Meaning of a file's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Division,
    Fold,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        let is_division = words_of(&stem_of(path)).iter().any(|word| DIVISIONS.contains(&word.as_str()));
        match (folds::is_named_so(path), is_division) {
            (true, _) => Some(Kind::Fold),
            // `train_split.txt` is the list of a part.
            (false, true) => part_of_list(&stem_of(path)).is_none().then_some(Kind::Division),
            (false, false) => None,
        }
    }
}

/// Whether a file's name is that of a division or of folds.
pub(super) fn is_named_so(path: &Path) -> bool {
    Kind::of(path).is_some()
}

/// The files that may divide a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// Those with such a name or keys. A table with a column of parts has the labels.
    Named,
    /// Those with such a name, keys or column.
    NamedOrWithColumn,
}

/// The lists of the parts in the file that divides the set at `root`; empty without such a file.
///
/// # Errors
/// Where there are several, or one has a form that is not read.
pub(super) fn find(root: &Path, sought: Sought) -> Result<Vec<ListFile>, DataError> {
    let mut candidates = lists::all_of(root, candidates)?;
    candidates.retain(|path| sought == Sought::NamedOrWithColumn || is_named_so(path) || has_part_keys(path));
    let folds = folds::below(root)?;
    if candidates.is_empty() && folds.is_empty() {
        return Ok(Vec::new());
    }
    let images = Walk::below(root)?.images;
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let mut found: Option<(PathBuf, Vec<ListFile>)> = None;
    for path in candidates {
        let text = read_text(&path)?;
        if !index.is_used_by(&text) {
            continue;
        }
        if Kind::of(&path) == Some(Kind::Fold) {
            return Err(folds::refusal(&path));
        }
        let named = Named { root, index: &index, images: &images };
        let lists = match lists_of(&path, &text, named) {
            Err(_) if !is_named_so(&path) => continue,
            lists => lists?,
        };
        if let Some((first, _)) = &found {
            let problem = format!("{} divides this set too; keep one of them", first.display());
            return Err(DataError::malformed(&path, problem));
        }
        found = Some((path, lists));
    }
    match found {
        Some((_, lists)) => Ok(lists),
        None => folds::require_none(folds, &index).map(|()| Vec::new()),
    }
}

/// The files in `folder` that may divide a set: by their name, by the name of a column, or by their keys.
///
/// # Errors
/// If the user may not read a table or JSON file in it, which may be the division.
pub(super) fn candidates(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let files = lists::text_files(folder)?;
    let may_divide = |path: &&PathBuf| is_table(path) || has_ending(path, &["json"]);
    files.iter().filter(may_divide).try_for_each(|path| require_right(path))?;
    let is_one = |path: &PathBuf| is_named_so(path) || has_column(path) || has_part_keys(path);
    Ok(files.into_iter().filter(is_one).collect())
}

/// Whether a table has a column whose name is that of a column of parts.
fn has_column(table: &Path) -> bool {
    let is_part = |name: &String| {
        let name = name.to_lowercase();
        let is_flag = || name.starts_with("is") && flagged_part(&name).is_some();
        let known = [&PART_COLUMNS[..], &POSSIBLE_PART_COLUMNS, &DIVISIONS];
        known.iter().any(|names| names.contains(&name.as_str())) || is_flag()
    };
    let first = || {
        let start = start_of(table, LONGEST_LINE).unwrap_or_default().replace("\r\n", "\n").replace('\r', "\n");
        // The last line may be cut.
        let whole = start.rfind('\n').map_or(start.as_str(), |end| &start[..end]);
        TableText::new(table, whole).first()
    };
    is_table(table) && first().iter().any(is_part)
}

/// Whether a JSON file is an object with lists of two parts or more.
fn has_part_keys(path: &Path) -> bool {
    let is_json = has_ending(path, &["json"]) && path.metadata().is_ok_and(|file| file.len() <= LARGEST);
    let text = is_json.then(|| read_text(path).ok()).flatten().filter(|text| text.contains("\"train"));
    let Some(Ok(Entries(entries))) = text.map(|text| serde_json::from_str(&text)) else { return false };
    let parts = entries.iter().filter(|(_, value)| value.is_array()).filter_map(|(key, _)| part_in_name(key));
    parts.collect::<BTreeSet<_>>().len() > 1
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|e| endings.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// The lists of the parts in a table with one column of parts; `None` for other tables.
pub(super) fn of_table(path: &Path, text: &str, named: Named<'_>) -> Option<Vec<ListFile>> {
    lists_of(path, text, named).ok().filter(|lists| !lists.is_empty())
}

/// The lists in a file.
///
/// # Errors
/// Where its form is not read.
fn lists_of(path: &Path, text: &str, named: Named<'_>) -> Result<Vec<ListFile>, DataError> {
    let is_yaml = has_ending(path, &["yaml", "yml"]);
    let mut seen = Seen::default();
    let (unit, rows) = match (has_ending(path, &["json"]), is_yaml) {
        (false, false) => {
            let rows = rows_of_table(path, text, named, &mut seen)?;
            (Unit::Line, rows.or_else(|| rows_of_lines(path, text, named.index, &mut seen)))
        }
        (_, true) => (Unit::Name, serde_saphyr::from_str(text).ok().and_then(rows_of_entries)),
        (true, _) => (Unit::Name, serde_json::from_str(text).ok().and_then(rows_of_entries)),
    };
    let Some(rows) = rows else {
        let problem = "names images of this set and has the name of a division into parts, in a form that is not read; expected \
                       {\"train\": [names], \"val\": [names]} or {\"name\": \"train\"} (.json, .yaml), or a column of names and one of \
                       train, val and test (.csv); rewrite it as one of them or as train.txt and val.txt, or move it elsewhere";
        return Err(DataError::malformed(path, problem));
    };
    let of = |wanted: Part| {
        let own = rows.iter().filter(|(part, ..)| *part == wanted);
        let lines: Vec<_> = own.map(|(_, line, name)| (*line, name.clone())).collect();
        let Seen { columns, is_numbered } = seen.clone();
        ListFile { path: path.to_path_buf(), part: wanted, lines, unit, columns, is_numbered }
    };
    // A competition publishes no masks of its held-out parts.
    let has_masks = |list: &ListFile| {
        list.part == Part::Train || list.columns.is_none() || list.lines.iter().any(|(_, line)| !line.ends_with('\t'))
    };
    let lists = [Part::Train, Part::Val, Part::Test].map(of);
    Ok(lists.into_iter().filter(|list| !list.lines.is_empty() && has_masks(list)).collect())
}

/// What was seen in a file beside its rows.
#[derive(Clone, Default)]
struct Seen {
    columns: Option<PairColumns>,
    /// Whether numbers say the parts.
    is_numbered: bool,
}

/// The part of a name, its line or its number in the list of that part, and the name.
type Row = (Part, usize, String);

/// Keys of lists of classes, not of images.
const CLASS_LISTS: [&str; 4] = ["classes", "class_names", "labels", "names"];

/// The rows of an object that maps parts to lists of names, or names to parts. Other entries of an object with lists
/// are remarks. A key that occurs twice keeps both values, so that a contradiction is found.
fn rows_of_entries(Entries(entries): Entries) -> Option<Vec<Row>> {
    let has_lists = entries.iter().any(|(key, value)| value.is_array() && part_in_name(key).is_some());
    let mut rows = Vec::new();
    for (key, value) in entries {
        match value {
            Value::Array(_) if CLASS_LISTS.contains(&key.as_str()) => {}
            Value::Array(names) => {
                let part = part_in_name(&key)?;
                for (at, name) in names.into_iter().enumerate() {
                    let name = match name {
                        Value::Array(fields) => first_of(&fields)?,
                        Value::Object(fields) => of_fields(&fields)?,
                        name => name,
                    };
                    let name = name.as_str().map(str::to_owned).or_else(|| Some(name.as_u64()?.to_string()))?;
                    rows.push((part, at + 1, name));
                }
            }
            _ if has_lists => {}
            Value::String(part) => rows.push((part_of(&part.to_lowercase())?, rows.len() + 1, key)),
            _ => return None,
        }
    }
    Some(rows)
}

/// The first field; the first two with a tab between if both are paths of images (an image and its mask).
fn first_of(fields: &[Value]) -> Option<Value> {
    let is_path = |field: &&Value| field.as_str().is_some_and(|text| is_image(Path::new(text)));
    match fields {
        [first, second, ..] if [first, second].iter().all(is_path) => {
            Some(Value::String(format!("{}\t{}", first.as_str()?, second.as_str()?)))
        }
        _ => fields.first().cloned(),
    }
}

/// The image that an object names, with a tab and its mask if it names one too: `{"image": "a.png", "label": "masks/a.png"}`.
fn of_fields(fields: &serde_json::Map<String, Value>) -> Option<Value> {
    let texts = || fields.iter().filter_map(|(key, value)| Some((key, value.as_str()?)));
    let is_image_key = |key: &str| PATH_NAMES.iter().any(|known| known.eq_ignore_ascii_case(key));
    let (_, image) = texts().find(|(key, _)| is_image_key(key))?;
    let is_mask = |key: &str, text: &str| role_in(key) == Some(Role::Mask) && is_image(Path::new(text));
    let mask = texts().find(|(key, text)| is_mask(key, text));
    Some(Value::String(mask.map_or_else(|| image.to_owned(), |(_, mask)| format!("{image}\t{mask}"))))
}

/// The rows of a table with a column that names images, possibly one of their masks, and one of parts. `None` if the
/// table has none or several of these columns, such as columns that name different images. `seen` gets the columns of
/// images and masks.
fn rows_of_table(path: &Path, text: &str, named: Named<'_>, seen: &mut Seen) -> Result<Option<Vec<Row>>, DataError> {
    let index = named.index;
    let records = TableText::new(path, text).records()?;
    let Some(first) = records.first() else { return Ok(None) };
    let column = |at: usize| records.iter().map(move |record| record.get(at).unwrap_or(""));
    let numbered: Vec<bool> =
        (0..first.len()).map(|at| are_part_numbers(first.get(at).unwrap_or(""), column(at).skip(1))).collect();
    let part = |at: usize, cell: &str| match numbered[at] {
        true => part_of_number(cell),
        false => part_of_value(first.get(at).unwrap_or(""), cell),
    };
    let naming = |at: &usize| 2 * column(*at).filter(|name| index.find(name) != Match::None).count() > records.len();
    // The first line may name the columns.
    let parts = |at: &usize| records.len() > 1 && column(*at).skip(1).all(|cell| part(*at, cell).is_some());
    let columns = 0..first.len();
    let (naming, parts): (Vec<usize>, Vec<usize>) =
        (columns.clone().filter(naming).collect(), columns.filter(parts).collect());
    let pair = match named.columns(path, &records)? {
        FileColumns::Pair(pair) => Some(pair),
        _ => None,
    };
    let Some(name) = pair.map(|[image, _]| image).or_else(|| name_column(&records, &naming, index)) else {
        return Ok(None);
    };
    let &[at] = &parts[..] else {
        return match nearly_parts(&records, part).filter(|_| parts.is_empty()) {
            Some((line, cell)) => {
                let problem = format!("part is '{}', expected train, val or test", names::shortened(cell));
                Err(DataError::CsvRow { path: path.to_path_buf(), line, problem })
            }
            None => Ok(None),
        };
    };
    // A first row whose image is not there is reported with the others.
    let [name_cell, part_cell] = [name, at].map(|column| first.get(column).unwrap_or(""));
    let is_row =
        is_image(Path::new(name_cell)) || (part_of(&part_cell.to_lowercase()).is_some() && !are_flags(&records, at));
    let has_header = index.find(name_cell) == Match::None && !is_row;
    seen.is_numbered = numbered[at];
    seen.columns = pair.and_then(|pair| pair_columns::described(&pair, Some(first).filter(|_| has_header)));
    let rows = records.iter().skip(usize::from(has_header)).map(|record| {
        let line = record.position().map_or(0, csv::Position::line) as usize;
        let names: Vec<&str> =
            pair.map_or(vec![name], Vec::from).iter().filter_map(|&column| record.get(column)).collect();
        Some((part(at, record.get(at)?)?, line, names.join("\t")))
    });
    Ok(rows.collect())
}

/// The rows of a text whose lines are the name of an image, blanks, and a part or its number. Numbers count in a file
/// whose name is that of a division: CelebA's `list_eval_partition.txt`.
fn rows_of_lines(path: &Path, text: &str, index: &Index, seen: &mut Seen) -> Option<Vec<Row>> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let cells: Option<Vec<(usize, &str, &str)>> = lines
        .map(|(at, line)| {
            let (name, rest) = line.rsplit_once(char::is_whitespace)?;
            (index.find(name.trim_end()) != Match::None).then_some((at + 1, name.trim_end(), rest))
        })
        .collect();
    let cells = cells.filter(|cells| !cells.is_empty())?;
    seen.is_numbered = are_part_numbers(&stem_of(path), cells.iter().map(|(_, _, cell)| *cell));
    let part = |cell: &str| if seen.is_numbered { part_of_number(cell) } else { part_of(&cell.to_lowercase()) };
    cells.into_iter().map(|(line, name, cell)| Some((part(cell)?, line, name.to_owned()))).collect()
}

/// The first cell, with its line, that does not name a part, in a column that names parts in most rows.
fn nearly_parts(records: &[StringRecord], part: impl Fn(usize, &str) -> Option<Part>) -> Option<(u64, &str)> {
    let rows = records.get(1..).unwrap_or_default();
    let is_part = |record: &StringRecord, at: usize| record.get(at).is_some_and(|cell| part(at, cell).is_some());
    let column =
        (0..records.first()?.len()).find(|&at| 2 * rows.iter().filter(|row| is_part(row, at)).count() > rows.len())?;
    let odd = rows.iter().find(|row| !is_part(row, column))?;
    Some((odd.position().map_or(0, csv::Position::line), odd.get(column).unwrap_or("")))
}

/// The column of names among `naming`: the only one with a known name or with extensions, or any of them if all name
/// the same images. A first column of row numbers may look like names too.
fn name_column(records: &[StringRecord], naming: &[usize], index: &Index) -> Option<usize> {
    let cells = |column: usize| records.iter().skip(1).map(move |record| record.get(column).unwrap_or(""));
    let is_named = |column: &&usize| {
        let header = records.first().and_then(|first| first.get(**column)).unwrap_or("");
        PATH_NAMES.iter().any(|name| name.eq_ignore_ascii_case(header))
    };
    let has_extensions = |column: &&usize| cells(**column).all(|cell| is_image(Path::new(cell)));
    let same = |a: usize, b: usize| cells(a).zip(cells(b)).all(|(a, b)| index.find(a) == index.find(b));
    let only = |found: Vec<&usize>| if let [one] = found[..] { Some(*one) } else { None };
    match naming {
        [] => None,
        [first, others @ ..] if others.iter().all(|other| same(*first, *other)) => Some(*first),
        several => only(several.iter().filter(is_named).collect())
            .or_else(|| only(several.iter().filter(has_extensions).collect())),
    }
}

/// Whether no cell of a column below the first line is the name of a part.
fn are_flags(records: &[StringRecord], column: usize) -> bool {
    records.iter().skip(1).all(|record| record.get(column).is_some_and(|cell| part_of(&cell.to_lowercase()).is_none()))
}
