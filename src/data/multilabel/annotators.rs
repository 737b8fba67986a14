//! Tables with a line for each annotator of an image. Lines of several annotators that differ have two readings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::labels::{self, Labels};
use super::table::Table;
use crate::data::DataError;
use crate::data::parts::words_of;

/// Words in the name of a column of annotators.
const WORDS: [&str; 18] = [
    "annotator",
    "annotators",
    "annotated",
    "rater",
    "reader",
    "labeler",
    "worker",
    "reviewer",
    "grader",
    "observer",
    "coder",
    "expert",
    "doctor",
    "radiologist",
    "pathologist",
    "physician",
    "rad",
    "user",
];

/// The labels that an annotator gives an image, and their first row.
type Opinion = (BTreeSet<u32>, usize);

/// Refuses a table with a line for each label where two annotators of an image give it other labels.
///
/// # Errors
/// The first such image, with the lines of both.
pub(super) fn require_one_opinion(table: &Table, labels: &Labels) -> Result<(), DataError> {
    let is_of_annotators = |column: &usize| {
        !table.is_named_list(*column)
            && words_of(table.column_name(*column)).iter().any(|word| WORDS.contains(&word.as_str()))
    };
    let Some(column) = table.label_columns().into_iter().find(is_of_annotators) else { return Ok(()) };
    let mut of_images: BTreeMap<PathBuf, BTreeMap<&str, Opinion>> = BTreeMap::new();
    for row in 0..table.len() {
        let opinions = of_images.entry(table.image_path(row)?).or_default();
        let (own, _) = opinions.entry(table.cell(row, column)).or_insert_with(|| (BTreeSet::new(), row));
        own.extend(&labels.of_rows[row]);
    }
    // The first contradiction in the order of the lines.
    let contradiction = |opinions: BTreeMap<&str, Opinion>| {
        let mut opinions: Vec<Opinion> = opinions.into_values().collect();
        opinions.sort_by_key(|(_, row)| *row);
        let at = opinions.iter().position(|(labels, _)| *labels != opinions[0].0)?;
        Some((opinions.swap_remove(at), opinions.swap_remove(0)))
    };
    let first = of_images.into_values().filter_map(contradiction).min_by_key(|((_, row), _)| *row);
    match first {
        None => Ok(()),
        Some(((here, row), (there, first))) => {
            let names = |own: BTreeSet<u32>| labels::names(&labels.classes, &own.into_iter().collect::<Vec<_>>());
            let problem = format!(
                "the image has {} here and {} {}, by the column '{}': its labels can be those of one annotator or of all together; keep \
                 one line an image with all its labels, or remove the column if each line adds a label",
                names(here),
                names(there),
                table.place(first),
                table.column_name(column)
            );
            Err(table.fail(row, problem))
        }
    }
}
