//! A table of images with several labels as a data set: rows are joined by image and divided into parts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::annotators;
use super::labels::{self, Labels};
use super::table::Table;
use super::{MultiLabelSet, MultiLabelSplits, split};
use crate::data::decisions::{Decisions, Why};
use crate::data::format::{Evidence, Format};
use crate::data::images::ImageFiles;
use crate::data::parts::Part;
use crate::data::split::require_classes;
use crate::data::{DataError, OpenOptions, SampleDepth, csv, list_tables, unused_lists};

/// A table in a folder.
pub(crate) struct LabelTable;

impl Format for LabelTable {
    type Opened = MultiLabelSplits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "CSV of path,labels"
    }

    fn looks_for(&self) -> &'static str {
        "a `.csv` or `.tsv` file with a column of lists, a line for each label, or a column of 0 and 1 for each class; or a \
         folder without class folders whose only table it is, or with a table for each part (`train.csv`, `val.csv`, or \
         `train/labels.csv`, `val/labels.csv`)"
    }

    fn has_columns(&self) -> bool {
        true
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        csv::Table.recognize(root)
    }

    fn open(&self, root: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
        open_folder(root, options)
    }
}

/// An image of the table.
struct Image {
    path: PathBuf,
    labels: Vec<u32>,
    part: Part,
    /// Its first row.
    row: usize,
}

/// Opens the only table of a folder, or the tables of its parts.
pub(in crate::data) fn open_folder(root: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let tables = csv::part_tables(root)?;
    if tables.is_empty() {
        let only = csv::only_table(root)?;
        let mut splits = open(&only, options)?;
        let others = csv::of_no_part(root, &[(Part::Train, only)], &splits.decisions.lists)?;
        splits.decisions.left_out.extend(others);
        return Ok(splits);
    }
    let (table, decisions) = Table::read_parts(root, tables, &options.hints)?;
    divided(root, root, &table, decisions, options)
}

/// Opens a table. Without validation rows the rows of the split `test` are the validation part.
pub(in crate::data) fn open(path: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let table = Table::read(path, &options.hints)?;
    divided(path, path.parent().unwrap_or(Path::new("")), &table, Decisions::default(), options)
}

/// Divides the rows of a table by their parts, or by seed. `folder` may hold a class list.
fn divided(
    path: &Path,
    folder: &Path,
    table: &Table,
    mut decisions: Decisions,
    options: &OpenOptions,
) -> Result<MultiLabelSplits, DataError> {
    let mut labels = labels::read(table, csv::class_list(folder)?)?;
    require_classes(&labels.classes, path, options)?;
    let images = images(table, &mut labels)?;
    let Labels { classes, format, notes, doubt, .. } = labels;
    let (classes, depth): (Arc<[String]>, _) = (classes.into(), Arc::default());
    decisions.notes.extend(notes);
    decisions.columns = table.column_names();
    let paths = || images.iter().map(|image| image.path.as_path());
    decisions.notes.extend(csv::missing(path, paths().zip(images.iter().map(|image| table.line(image.row)))));
    if decisions.left_out.iter().all(|one| one.why != Why::UnlabeledTest) {
        decisions.left_out.extend(csv::unlisted(folder, paths())?);
    }
    decisions.split = match table.split_words() {
        _ if table.is_of_parts() && images.iter().all(|image| image.part == Part::Train) => String::new(),
        _ if table.is_of_parts() => format!("by the tables {}", decisions.lists.join(", ")),
        Some(columns) => format!("by the {columns}"),
        None => String::new(),
    };
    let mut images = images;
    if decisions.split.is_empty() {
        images = by_lists(path, images, options.undivided, &mut decisions)?;
    }
    if decisions.split.is_empty() {
        if let Some(problem) = doubt {
            return Err(DataError::malformed(path, problem));
        }
        return split::stratified(&set(images, &classes, &depth), options, path, format, decisions);
    }
    let (train, held_out): (Vec<Image>, Vec<Image>) = images.into_iter().partition(|image| image.part == Part::Train);
    let (test, val): (Vec<Image>, Vec<Image>) = held_out.into_iter().partition(|image| image.part == Part::Test);
    let (val, test) = if val.is_empty() { (test, val) } else { (val, test) };
    for (images, split) in [(&train, "train"), (&val, "validation")] {
        if images.is_empty() {
            let reason = format!("no row is of its part ({split}); name the parts train and val");
            return Err(DataError::EmptySplit { path: path.to_path_buf(), split, reason });
        }
    }
    let set = |images| set(images, &classes, &depth);
    let test = (!test.is_empty()).then(|| set(test));
    Ok(MultiLabelSplits { train: set(train), val: set(val), test, by_seed: false, format, decisions })
}

/// The images with the parts that lists beside the table give them.
fn by_lists(
    table: &Path,
    images: Vec<Image>,
    is_undivided: bool,
    decisions: &mut Decisions,
) -> Result<Vec<Image>, DataError> {
    let paths: Vec<&Path> = images.iter().map(|image| image.path.as_path()).collect();
    let root = csv::folder_of(table);
    let Some(parts) = list_tables::deal_beside_table(root, &paths, None, decisions)? else {
        unused_lists::report(root, &csv::of_labels(table), paths, is_undivided, decisions)?;
        return Ok(images);
    };
    Ok(images.into_iter().zip(parts).filter_map(|(image, part)| Some(Image { part: part?, ..image })).collect())
}

fn set(images: Vec<Image>, classes: &Arc<[String]>, depth: &Arc<SampleDepth>) -> MultiLabelSet {
    let (paths, labels) = images.into_iter().map(|image| (image.path, image.labels)).unzip();
    MultiLabelSet::new(Arc::new(ImageFiles::new(paths, depth)), Arc::clone(classes), labels)
}

/// Images in the order of their first rows. Rows of the same image are joined if each has one label. Otherwise their
/// labels must agree.
fn images(table: &Table, labels: &mut Labels) -> Result<Vec<Image>, DataError> {
    let mut images: Vec<Image> = Vec::new();
    let mut seen: HashMap<PathBuf, usize> = HashMap::new();
    let (mut joined, mut repeated) = (0, 0);
    for row in 0..table.len() {
        let (path, part, own) = (table.image_path(row)?, table.part(row)?, labels.of_rows[row].clone());
        let Some(&at) = seen.get(&path) else {
            seen.insert(path.clone(), images.len());
            images.push(Image { path, labels: own, part, row });
            continue;
        };
        let first = &mut images[at];
        let there = table.place(first.row);
        if first.part != part {
            return Err(table.fail(row, format!("the image is in another split than {there}; keep one line")));
        }
        if first.labels == own {
            repeated += 1;
        } else if labels.one_a_row {
            joined += 1;
            first.labels.extend(own);
        } else {
            return Err(table.fail(row, contradiction(&labels.classes, &own, &first.labels, &there)));
        }
    }
    if joined > 0 {
        annotators::require_one_opinion(table, labels)?;
        labels
            .notes
            .push(format!("{joined} lines name an image of an earlier line: each adds its label to that image"));
    }
    if repeated > 0 {
        labels.notes.push(format!("{repeated} lines repeat an earlier line and count once"));
    }
    labels.notes.extend(table.note());
    Ok(images)
}

/// The message for two rows of one image with different lists.
fn contradiction(classes: &[String], here: &[u32], there: &[u32], place: &str) -> String {
    let names = |own: &[u32]| labels::names(classes, own);
    format!(
        "the image has {} here and {} {place}: the labels can be those of one of the lines or of both together; keep \
         one line with all its labels",
        names(here),
        names(there)
    )
}
