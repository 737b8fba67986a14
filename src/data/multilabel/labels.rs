//! The labels of a table's rows, from a column of lists or from one 0/1 column per class.

use std::collections::{BTreeSet, HashMap};

use super::separator::{Decided, Separator, Unclear};
use super::table::Table;
use crate::data::DataError;
use crate::data::csv::sorted_names;
use crate::data::names::quoted;

/// Labels of each row of a table.
pub(super) struct Labels {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Labels of each row as indices into `classes`, ascending and distinct.
    pub of_rows: Vec<Vec<u32>>,
    /// Name of their format.
    pub format: &'static str,
    /// Whether each row has at most one label, so that an image has a row for each of its labels.
    pub one_a_row: bool,
    /// Why the rows may not be divided by seed.
    pub doubt: Option<String>,
    /// Notes on how they were read.
    pub notes: Vec<String>,
}

/// The classes with these indices, in words.
pub(super) fn names(classes: &[String], labels: &[u32]) -> String {
    match labels {
        [] => "no label".into(),
        labels => quoted(&labels.iter().map(|&label| &classes[label as usize]).collect::<Vec<_>>()),
    }
}

/// Finds the column or columns of labels and reads them.
pub(super) fn read(table: &Table, classes: Option<Vec<String>>) -> Result<Labels, DataError> {
    let columns = table.label_columns();
    let lists: Vec<usize> = columns.iter().copied().filter(|&column| table.is_named_list(column)).collect();
    let malformed = |problem: String| Err(DataError::malformed(&table.path, problem));
    let names = |columns: &[usize]| quoted(&columns.iter().map(|&c| table.column_name(c)).collect::<Vec<_>>());
    match (&lists[..], &columns[..]) {
        (_, []) => malformed("has no column of labels; expected path,labels, or path and a 0/1 column a class".into()),
        ([], &[only]) if is_flags(table, only) => malformed(format!(
            "the column {} of 0 and 1 can be one class, present or absent, or hold the two classes '0' and '1'; at least 2 \
             columns of 0 and 1 are needed, or name the column 'labels' if its cells are classes",
            names(&columns)
        )),
        ([], &[only]) => of_lists(table, only, &[], classes),
        ([], several) if several.iter().all(|&column| !holds_numbers(table, column)) => malformed(format!(
            "the labels can be in each of the columns {}; join them in one column 'labels', with ; between labels",
            names(several)
        )),
        ([], several) => {
            let listed = |name: &str| classes.iter().flatten().any(|class| class == name);
            let folds: Vec<usize> =
                several.iter().copied().filter(|&column| !listed(table.column_name(column))).collect();
            match table.folds(&folds) {
                Some(problem) => malformed(problem),
                None => of_flags(table, several, classes),
            }
        }
        (&[list], _) => {
            let others: Vec<usize> = columns.iter().copied().filter(|&column| column != list).collect();
            let flags: Vec<usize> = others.iter().copied().filter(|&column| is_flags(table, column)).collect();
            if flags.len() > 1 {
                return malformed(format!(
                    "the labels can be those in the column {} or the 0/1 columns {}; remove one or the other",
                    names(&lists),
                    names(&flags)
                ));
            }
            if let Some(problem) = table.rival(list, &others) {
                return malformed(problem);
            }
            let labels = of_lists(table, list, &others, classes)?;
            Ok(Labels { doubt: table.doubtful_parts(&others), ..labels })
        }
        _ => malformed(format!("the labels can be in each of the columns {}; remove all but one", names(&lists))),
    }
}

/// Labels of a column of lists, beside `unused` columns.
fn of_lists(table: &Table, column: usize, unused: &[usize], classes: Option<Vec<String>>) -> Result<Labels, DataError> {
    let lists: Vec<&str> = (0..table.len()).map(|row| table.cell(row, column)).collect();
    let mut notes = vec![table.words(&[column], unused)];
    let unclear = |Unclear { at, problem }| table.fail(at, problem);
    let Decided { separator, why } = Separator::decide(&lists, classes.as_deref()).map_err(unclear)?;
    let one_a_row = separator == Separator::None;
    if !one_a_row {
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        notes.push(format!("labels are separated by {separator}{why}"));
    }
    let words: Vec<Vec<&str>> = lists.iter().map(|list| separator.split(list)).collect();
    if let Some(problem) = no_names(&words) {
        return Err(DataError::malformed(
            &table.path,
            format!("{} in the column '{}'", problem, table.column_name(column)),
        ));
    }
    let classes = classes.unwrap_or_else(|| sorted_names(words.iter().flatten().copied()));
    notes.extend(joined(&classes));
    let places: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut of_rows = Vec::with_capacity(words.len());
    for (row, words) in words.iter().enumerate() {
        let place = |word: &&str| {
            let unlisted = || format!("the label '{word}' is not in classes.txt; add it there or correct it");
            places.get(word).copied().ok_or_else(|| table.fail(row, unlisted()))
        };
        let mut labels = words.iter().map(place).collect::<Result<Vec<u32>, _>>()?;
        labels.sort_unstable();
        labels.dedup();
        of_rows.push(labels);
    }
    let format = if one_a_row { "CSV of path,label" } else { "CSV with a list column" };
    Ok(Labels { classes, of_rows, format, one_a_row, doubt: None, notes })
}

/// Why the words of lists are not names of classes: they are a 0 or 1 for each class, all have shares, or one denies another.
fn no_names(lists: &[Vec<&str>]) -> Option<String> {
    let words = || lists.iter().flatten();
    let first = lists.iter().find(|list| !list.is_empty())?;
    let are_bits = |word: &&str| word.bytes().all(|digit| matches!(digit, b'0' | b'1'));
    let is_of_one_length = lists.iter().all(|list| list.len() == first.len());
    let is_list = first.len() > 1 && is_of_one_length && words().all(|word| matches!(*word, "0" | "1"));
    // `011` and `100` are marks, not numbers.
    let is_word = first.len() == 1
        && is_of_one_length
        && first[0].len() > 1
        && words().all(|word| are_bits(word) && word.len() == first[0].len())
        && words().any(|word| word.starts_with('0'));
    if is_list || is_word {
        let form = if is_list { first.join(", ") } else { first[0].to_owned() };
        return Some(format!(
            "the labels are 0 and 1 alone, such as '{form}': they can be a mark for each class; write a column of 0 and 1 for each \
             class, or the names of the classes,"
        ));
    }
    let has_share = |word: &&str| {
        let share = word.rsplit_once([':', '=']).map(|(_, share)| share.trim());
        share.is_some_and(|share| share.contains('.') && share.parse::<f64>().is_ok())
    };
    let names: BTreeSet<&str> = words().copied().collect();
    let denied = words().find_map(|word| {
        let bare = word.strip_prefix(['-', '!', '~'])?.trim();
        names.contains(bare).then_some((word, bare))
    });
    if let Some((word, bare)) = denied {
        return Some(format!(
            "'{word}' can say that '{bare}' is absent, or be a class; write the labels that are present alone,"
        ));
    }
    words().all(has_share).then(|| {
        format!("each label has a number, such as '{}', which can be its share; write the names alone", first[0])
    })
}

/// A note on a class whose name has a mark between the names of other classes.
fn joined(classes: &[String]) -> Option<String> {
    let is_class = |name: &str| classes.iter().any(|class| class == name.trim());
    let is_joined = |class: &&String| {
        ['/', '+', '&'].into_iter().any(|mark| class.contains(mark) && class.split(mark).all(is_class))
    };
    let joined: Vec<&String> = classes.iter().filter(is_joined).collect();
    (!joined.is_empty()).then(|| {
        format!(
            "classes whose names join the names of others: {}; write ; between labels if each stands for several",
            quoted(&joined)
        )
    })
}

/// A cell of a 0/1 column.
#[derive(Clone, Copy, PartialEq)]
enum Flag {
    Absent,
    Present,
    /// -1, which is absent in some data sets (CelebA) and unknown in others (CheXpert).
    Minus,
}

fn flag(cell: &str) -> Option<Flag> {
    match cell.to_ascii_lowercase().as_str() {
        "0" | "0.0" | "false" => Some(Flag::Absent),
        "1" | "1.0" | "true" => Some(Flag::Present),
        "-1" | "-1.0" => Some(Flag::Minus),
        _ => None,
    }
}

/// Whether most cells of a column are numbers or empty, or truth values.
fn holds_numbers(table: &Table, column: usize) -> bool {
    let is_one = |row: &usize| {
        let cell = table.cell(*row, column);
        cell.is_empty() || cell.parse::<f64>().is_ok() || flag(cell).is_some()
    };
    2 * (0..table.len()).filter(is_one).count() > table.len()
}

fn is_flags(table: &Table, column: usize) -> bool {
    (0..table.len()).all(|row| flag(table.cell(row, column)).is_some())
}

/// Labels of 0/1 columns. The classes are in the order of the columns, or in that of `classes.txt`.
fn of_flags(table: &Table, columns: &[usize], listed: Option<Vec<String>>) -> Result<Labels, DataError> {
    let names: Vec<String> = columns.iter().map(|&column| table.column_name(column).to_owned()).collect();
    let malformed = |problem: String| DataError::malformed(&table.path, problem);
    if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
        return Err(malformed(format!("has two columns '{}'; remove or rename one", names[twice])));
    }
    let classes = listed.unwrap_or_else(|| names.clone());
    let place = |name: &String| {
        let unlisted =
            || malformed(format!("the column '{name}' is not in classes.txt; add it there or remove the column"));
        classes.iter().position(|class| class == name).map(|at| at as u32).ok_or_else(unlisted)
    };
    let places = names.iter().map(place).collect::<Result<Vec<u32>, _>>()?;
    if let Some(class) = classes.iter().find(|&class| !names.contains(class)) {
        return Err(malformed(format!(
            "has no column '{class}', which classes.txt lists; add the column or remove the line"
        )));
    }
    let (mut of_rows, mut zero, mut minus) = (Vec::with_capacity(table.len()), false, None);
    for row in 0..table.len() {
        let mut labels = Vec::new();
        for ((&column, name), &label) in columns.iter().zip(&names).zip(&places) {
            let cell = table.cell(row, column);
            match flag(cell) {
                Some(Flag::Present) => labels.push(label),
                Some(Flag::Absent) => zero = true,
                Some(Flag::Minus) => minus = minus.or(Some((row, name))),
                None => return Err(table.fail(row, no_flag(name, cell))),
            }
        }
        labels.sort_unstable();
        of_rows.push(labels);
    }
    let mut notes = vec![table.words(columns, &[])];
    match minus {
        Some((row, name)) if zero => {
            let problem = format!(
                "'{name}' is -1, which can mean that the label is absent or that it is not known; write 0 for absent, and \
                 remove the image where a label is not known"
            );
            return Err(table.fail(row, problem));
        }
        Some(_) => notes.push("-1 is read as absent, since the table has no 0".into()),
        None => {}
    }
    Ok(Labels { classes, of_rows, format: "CSV with 0/1 columns", one_a_row: false, doubt: None, notes })
}

fn no_flag(name: &str, cell: &str) -> String {
    match cell {
        "" => format!(
            "'{name}' is empty, which can mean that the label is absent or that it is not known; write 0 for absent"
        ),
        _ => format!(
            "'{name}' is '{cell}', expected 0 or 1; remove the columns that are no classes, or name the column of label \
             lists 'labels'"
        ),
    }
}
