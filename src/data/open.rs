//! Opens data sets in the format that fits: the one place that knows both the formats and the kinds of sets.

use std::path::{Path, PathBuf};

use super::decisions::{ClassReading, Decisions};
use super::division::Sought;
use super::foreign::{Wanted, not_a_folder, require_folder};
use super::format::Confidence;
use super::formats::{self, Entry};
use super::listing::{is_table, require_no_run};
use super::multilabel::{MultiLabelSet, MultiLabelSplits, require_every_class, rows};
use super::records::is_attribute_table;
use super::segmentation::{self, SegmentationDataset, SegmentationSplits};
use super::split::missing_note;
use super::{
    BadImage, ClassificationDataset, DataError, OpenOptions, SetOptions, Splits, agreement, class_names, clue, csv,
    names,
};

/// Opens the classification data set at `path`, in the format that [`formats()`](super::formats()) recognizes there.
/// `path` may also be a table of paths and labels.
///
/// Class names are sorted (numbers by value), and all parts share one class list. A class that the validation or test
/// part lacks is noted in [`Splits::decisions`].
///
/// # Errors
/// The message names the path, its content and the expectation.
pub fn open_classification(path: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let [of_table, of_folder] = [csv::open, csv::open_folder];
    let opened = open(path, options, formats::classes, of_table, of_folder);
    let (mut splits, evidence) = opened.map_err(|error| with_clue(path, error))?;
    decide(path, &mut splits.decisions, evidence, splits.format, splits.train.class_names());
    if !splits.by_seed {
        let paths = |set: &dyn ClassificationDataset| -> Vec<PathBuf> {
            (0..set.len()).filter_map(|index| set.path(index).map(Path::to_path_buf)).collect()
        };
        let parts = [Some(&splits.train), Some(&splits.val), splits.test.as_ref()];
        agreement::require(csv::folder_of(path), sought(splits.format), &mut splits.decisions, || {
            agreement::in_parts(parts.map(|part| part.map(|set| paths(&**set))))
        })?;
    }
    let test = splits.test.as_deref().and_then(|test| missing_note(test, "test"));
    splits.decisions.notes.extend(missing_note(&*splits.val, "validation").into_iter().chain(test));
    Ok(splits)
}

/// Opens the multi-label data set at `path`, in the format that [`formats()`](super::formats()) recognizes there.
/// `path` may also be a table.
///
/// | format | how labels are written |
/// |---|---|
/// | CSV with a list column | a table of path,labels: `a.jpg,"car, tree"`; labels are separated by `;`, `,`, `\|` or spaces |
/// | CSV of path,label | a table with a row for each label of an image |
/// | CSV with 0/1 columns | a table of path and one column per class |
/// | class folders | `train/CLASS/*.png` with `val/` or `test/` beside it, or `CLASS/*.png` split by seed; an image is in the folder of each of its classes, as a link or as a copy of the same name |
///
/// A folder has one table, or one for each part: `train.csv` and `val.csv`, or a table in `train/` and one in `val/`.
/// Paths in a table are those of [`open_classification`]. A table may have a column `split` of `train`, `val` and
/// `test`. Class names are sorted (numbers by value), or have the order of the 0/1 columns, or that of a `classes.txt`
/// beside the table. All parts share the class list. Each class needs a training image.
///
/// # Errors
/// The message names the path, its content and the expectation. Ambiguous data is refused with both readings.
pub fn open_multi_label(path: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let opened = open(path, options, formats::labels, rows::open, rows::open_folder);
    let (mut splits, evidence) = opened.map_err(|error| with_clue(path, error))?;
    if !options.for_model {
        require_every_class(&splits.train, path)?;
    }
    decide(path, &mut splits.decisions, evidence, splits.format, splits.train.class_names());
    if !splits.by_seed {
        let paths = |set: &MultiLabelSet| (0..set.len()).map(|index| PathBuf::from(set.name(index))).collect();
        let parts = [Some(&splits.train), Some(&splits.val), splits.test.as_ref()];
        agreement::require(csv::folder_of(path), sought(splits.format), &mut splits.decisions, || {
            agreement::in_parts(parts.map(|part| part.map(paths)))
        })?;
    }
    Ok(splits.noted())
}

/// Opens the segmentation data set at `path`, in the format that [`formats()`](super::formats()) recognizes there.
///
/// Classes come from a file in the folder (`classes.toml`, `info.json`, `label_colors.txt`, `class_dict.csv`,
/// `labelmap.txt`, `class_names.txt` or `codes.txt`), else from the format, else from the values in the masks.
/// [`ClassList`](super::ClassList) has the source.
///
/// # Errors
/// The message names the path, its content and the expectation, and every incomplete pair unless `skip_bad`.
pub fn open_segmentation(path: &Path, options: &SetOptions) -> Result<SegmentationSplits, DataError> {
    open_with(path, options, &mut Vec::new())
}

/// [`open_segmentation`], which also adds the faults of pairs to `faults`, even if it fails.
pub(super) fn open_with(
    path: &Path,
    options: &SetOptions,
    faults: &mut Vec<BadImage>,
) -> Result<SegmentationSplits, DataError> {
    options.checked_val_split()?;
    require_folder(path, Wanted::Masks)?;
    require_no_run(path)?;
    let (format, evidence) = formats::choose(path, formats::masks)?
        .ok_or_else(|| DataError::malformed(path, "no pairs of image and mask found"))?;
    let mut found = format.open(path, options)?;
    found.format = if found.format.is_empty() { format.name() } else { found.format };
    found.decisions.evidence = evidence.seen;
    let mut splits = segmentation::complete(path, found, options, faults)?;
    if !splits.by_seed {
        let paths =
            |set: &dyn SegmentationDataset| (0..set.len()).map(|index| PathBuf::from(set.name(index))).collect();
        let parts = [Some(&splits.train), Some(&splits.val), splits.test.as_ref()];
        agreement::require(path, Sought::NamedOrWithColumn, &mut splits.decisions, || {
            agreement::in_parts(parts.map(|part| part.map(|set| paths(&**set))))
        })?;
    }
    Ok(splits)
}

/// Opens the table or the folder at `path`. A folder is read in the format with the strongest evidence, or by its table
/// where the hints are about columns. The second value is the evidence.
fn open<T: 'static>(
    path: &Path,
    options: &OpenOptions,
    pick: impl Fn(&Entry) -> Option<&'static formats::Dyn<T, OpenOptions>>,
    of_table: impl Fn(&Path, &OpenOptions) -> Result<T, DataError>,
    of_folder: impl Fn(&Path, &OpenOptions) -> Result<T, DataError>,
) -> Result<(T, Vec<String>), DataError> {
    options.checked_val_split()?;
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if !metadata.is_dir() {
        let opened = if is_table(path) || is_attribute_table(path) {
            of_table(path, options)
        } else {
            Err(not_a_folder(path, Wanted::Classes))
        };
        return Ok((opened?, Vec::new()));
    }
    require_no_run(path)?;
    if options.hints.are_of_a_table() {
        return Ok((of_folder(path, options)?, Vec::new()));
    }
    let (format, evidence) = formats::choose(path, pick)?
        .ok_or_else(|| DataError::EmptyFolder { path: path.into(), found: "nothing known".into() })?;
    Ok((format.open(path, options)?, evidence.seen))
}

/// Which files beside a set may divide it. In formats whose names start with `CSV`, a table with a column of parts has
/// the labels and divides nothing.
fn sought(format: &str) -> Sought {
    if format.starts_with("CSV") { Sought::Named } else { Sought::NamedOrWithColumn }
}

/// Adds a guess at the content of the folder to an error about a folder without classes.
fn with_clue(path: &Path, error: DataError) -> DataError {
    let finds_no_data = match &error {
        DataError::EmptyFolder { .. } | DataError::TooFewClasses { .. } | DataError::EmptyClass { .. } => true,
        DataError::Malformed { path: place, .. } => place == path,
        _ => false,
    };
    if !finds_no_data || !path.is_dir() {
        return error;
    }
    match clue::clue(path).or_else(|| clue_of_masks(path)).or_else(|| clue::of_labels(path)) {
        Some(clue) => DataError::Clue { error: Box::new(error), clue },
        None => error,
    }
}

/// The clue that a folder without classes is a set for segmentation.
fn clue_of_masks(path: &Path) -> Option<String> {
    let (format, evidence) = formats::choose(path, formats::masks).ok()??;
    let is_sure = evidence.confidence > Confidence::Possible;
    is_sure.then(|| format!("the folder is a set for segmentation: {} ({evidence})", format.name()))
}

/// Records the format and the classes of the set at `path`.
fn decide(path: &Path, decisions: &mut Decisions, evidence: Vec<String>, format: &str, classes: &[String]) {
    decisions.evidence = evidence;
    decisions.format = format.into();
    let unread = class_names::unread(csv::folder_of(path), decisions, classes);
    decisions.notes.extend(unread);
    decisions.classes = ClassReading::named(classes);
    decisions.notes.extend(names::case_twins(classes).into_iter().map(|(a, b)| {
        let [a, b] = [a, b].map(|name| name.escape_debug().to_string());
        format!(
            "the classes '{a}' and '{b}' differ in case, blanks or invisible characters alone; give both one name if they are \
             the same"
        )
    }));
    // -1 beside the numbers 0 and more.
    let are_numbers = classes.iter().all(|name| name == "-1" || names::value(name).is_some_and(|value| value >= 0.0));
    let says_nothing = |name: &&String| names::says_nothing(name) || (are_numbers && *name == "-1");
    let empty: Vec<&String> = classes.iter().filter(says_nothing).collect();
    if !empty.is_empty() {
        let words = names::quoted(&empty);
        decisions
            .notes
            .push(format!("{words}: a class of this name may stand for images without label; remove them if so"));
    }
}
