//! A table of images with several labels as a data set: rows are joined by image and divided into parts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::labels::{self, Labels};
use super::table::Table;
use super::{MultiLabelSet, MultiLabelSplits, quoted, split};
use crate::data::decisions::Decisions;
use crate::data::format::{Evidence, Format};
use crate::data::images::ImageFiles;
use crate::data::parts::Part;
use crate::data::split::require_classes;
use crate::data::{DataError, OpenOptions, SampleDepth, csv};

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
         folder whose only table it is, without class folders"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        csv::Table.recognize(root)
    }

    fn open(&self, root: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
        open(&csv::only_table(root)?, options)
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

/// Opens a table. Without validation rows the rows of the split `test` are the validation part.
pub(in crate::data) fn open(path: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let table = Table::read(path, &options.hints)?;
    let mut labels = labels::read(&table, labels::class_list(path)?)?;
    require_classes(&labels.classes, path)?;
    let images = images(&table, &mut labels)?;
    let Labels { classes, format, notes, .. } = labels;
    let (classes, depth): (Arc<[String]>, _) = (classes.into(), Arc::default());
    let mut decisions = Decisions { notes, ..Decisions::default() };
    let Some(column) = table.split_name() else {
        return split::stratified(&set(images, &classes, &depth), options, path, format, decisions);
    };
    decisions.split = format!("by the column '{column}'");
    let (train, held_out): (Vec<Image>, Vec<Image>) = images.into_iter().partition(|image| image.part == Part::Train);
    let (test, val): (Vec<Image>, Vec<Image>) = held_out.into_iter().partition(|image| image.part == Part::Test);
    let (val, test) = if val.is_empty() { (test, val) } else { (val, test) };
    for (images, split) in [(&train, "train"), (&val, "validation")] {
        if images.is_empty() {
            let reason = format!("the split column has no {split} row; name them train and val");
            return Err(DataError::EmptySplit { path: path.to_path_buf(), split, reason });
        }
    }
    let set = |images| set(images, &classes, &depth);
    let test = (!test.is_empty()).then(|| set(test));
    Ok(MultiLabelSplits { train: set(train), val: set(val), test, by_seed: false, format, decisions })
}

fn set(images: Vec<Image>, classes: &Arc<[String]>, depth: &Arc<SampleDepth>) -> MultiLabelSet {
    let (paths, labels) = images.into_iter().map(|image| (image.path, image.labels)).unzip();
    MultiLabelSet::new(Arc::new(ImageFiles::new(paths, depth)), Arc::clone(classes), labels)
}

/// Images in the order of their first rows. Rows of the same image are joined if each has one label. Otherwise their
/// labels must agree.
fn images(table: &Table<'_>, labels: &mut Labels) -> Result<Vec<Image>, DataError> {
    let mut images: Vec<Image> = Vec::new();
    let mut seen: HashMap<PathBuf, usize> = HashMap::new();
    let (mut joined, mut repeated) = (0, 0);
    for row in 0..table.len() {
        let (path, part, own) = (table.image_path(row)?, table.part(row)?, std::mem::take(&mut labels.of_rows[row]));
        let Some(&at) = seen.get(&path) else {
            seen.insert(path.clone(), images.len());
            images.push(Image { path, labels: own, part, row });
            continue;
        };
        let first = &mut images[at];
        let line = table.line(first.row);
        if first.part != part {
            return Err(table.fail(row, format!("the image is in another split than on line {line}; keep one line")));
        }
        if first.labels == own {
            repeated += 1;
        } else if labels.one_a_row {
            joined += 1;
            first.labels.extend(own);
        } else {
            return Err(table.fail(row, contradiction(&labels.classes, &own, &first.labels, line)));
        }
    }
    if joined > 0 {
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
fn contradiction(classes: &[String], here: &[u32], there: &[u32], line: u64) -> String {
    let names = |labels: &[u32]| match labels {
        [] => "no label".into(),
        labels => quoted(&labels.iter().map(|&label| &classes[label as usize]).collect::<Vec<_>>()),
    };
    format!(
        "the image has {} here and {} on line {line}: the labels can be those of one of the lines or of both together; keep \
         one line with all its labels",
        names(here),
        names(there)
    )
}
