//! The list of formats, and the choice of one for a folder.
//!
//! A format is one file that implements [`Format`], and one line of [`FORMATS`].

use std::path::Path;

use super::format::{Confidence, Evidence, Format};
use super::multilabel::{folders::SharedFolders, rows::LabelTable};
use super::segmentation::found::Found;
use super::segmentation::{
    camvid, cityscapes, coco, folders, label_studio, labelme, pets, roboflow, supervisely, voc, yolo,
};
use super::{
    DataError, ImageSplits, MultiLabelSplits, OpenOptions, SetOptions, Splits, cifar, csv, folder, idx, images,
};

/// All formats, from the most to the least specific.
pub(crate) static FORMATS: &[Entry] = &[
    Entry::Classes(&cifar::Cifar),
    Entry::Classes(&idx::Idx),
    Entry::Classes(&csv::Table),
    Entry::Classes(&folder::ClassFolders),
    Entry::Labels(&LabelTable),
    Entry::Labels(&SharedFolders),
    Entry::Masks(&cityscapes::Cityscapes),
    Entry::Masks(&voc::Voc),
    Entry::Masks(&roboflow::RoboflowMasks),
    Entry::Masks(&coco::Coco),
    Entry::Masks(&yolo::YoloSeg),
    Entry::Masks(&labelme::LabelMe),
    Entry::Masks(&label_studio::LabelStudio),
    Entry::Masks(&supervisely::Supervisely),
    Entry::Masks(&pets::Pets),
    Entry::Masks(&camvid::PairLists),
    Entry::Masks(&folders::ByName),
    Entry::Images(&images::ImageFolders),
];

/// A line of the list.
pub(crate) enum Entry {
    /// Images with a class each.
    Classes(&'static dyn Format<Opened = Splits, Options = OpenOptions>),
    /// Images with several labels each.
    Labels(&'static dyn Format<Opened = MultiLabelSplits, Options = OpenOptions>),
    /// Images with a class for each pixel.
    Masks(&'static dyn Format<Opened = Found, Options = SetOptions>),
    /// Images alone.
    Images(&'static dyn Format<Opened = ImageSplits, Options = SetOptions>),
}

pub(super) type Dyn<T, O> = dyn Format<Opened = T, Options = O>;

/// The format with the strongest evidence.
///
/// # Errors
/// Where two formats are certain. Choosing one would leave the other out silently.
pub(crate) fn choose<T, O>(
    root: &Path,
    pick: impl Fn(&Entry) -> Option<&'static Dyn<T, O>>,
) -> Result<Option<(&'static Dyn<T, O>, Evidence)>, DataError> {
    let mut best: Option<(&'static Dyn<T, O>, Evidence)> = None;
    for format in FORMATS.iter().filter_map(pick) {
        let Some(evidence) = format.recognize(root)? else { continue };
        match best.as_ref().map(|(format, known)| (*format, known)) {
            Some((first, known)) if known.confidence == Confidence::Certain => {
                if evidence.confidence == Confidence::Certain {
                    let words = |format: &Dyn<T, O>, evidence: &Evidence| format!("{} ({evidence})", format.name());
                    let (said, second) = (words(first, known), words(format, &evidence));
                    let of_table = format.has_columns() || first.has_columns();
                    return Err(DataError::TwoFormats { path: root.into(), first: said, second, of_table });
                }
            }
            Some((_, known)) if known.confidence >= evidence.confidence => {}
            _ => best = Some((format, evidence)),
        }
    }
    Ok(best)
}

pub(crate) fn classes(entry: &Entry) -> Option<&'static Dyn<Splits, OpenOptions>> {
    if let Entry::Classes(format) = entry { Some(*format) } else { None }
}

pub(crate) fn labels(entry: &Entry) -> Option<&'static Dyn<MultiLabelSplits, OpenOptions>> {
    if let Entry::Labels(format) = entry { Some(*format) } else { None }
}

pub(crate) fn masks(entry: &Entry) -> Option<&'static Dyn<Found, SetOptions>> {
    if let Entry::Masks(format) = entry { Some(*format) } else { None }
}

/// A format in the table of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatInfo {
    /// Kind of the set: `classes`, `labels`, `masks` or `images`.
    pub holds: &'static str,
    /// Name.
    pub name: &'static str,
    /// The files and folders that it is recognized by.
    pub looks_for: &'static str,
}

/// Every supported format.
pub fn formats() -> Vec<FormatInfo> {
    let info = |entry: &Entry| match entry {
        Entry::Classes(f) => FormatInfo { holds: "classes", name: f.name(), looks_for: f.looks_for() },
        Entry::Labels(f) => FormatInfo { holds: "labels", name: f.name(), looks_for: f.looks_for() },
        Entry::Masks(f) => FormatInfo { holds: "masks", name: f.name(), looks_for: f.looks_for() },
        Entry::Images(f) => FormatInfo { holds: "images", name: f.name(), looks_for: f.looks_for() },
    };
    FORMATS.iter().map(info).collect()
}

/// The format of a folder, and the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognized {
    /// Name of the format.
    pub format: &'static str,
    /// The evidence.
    pub evidence: Evidence,
}

/// Recognizes `root` as a classification set; `None` if no format matches.
///
/// # Errors
/// Where the folder cannot be listed, or two formats are certain.
pub fn recognize_classification(root: &Path) -> Result<Option<Recognized>, DataError> {
    Ok(choose(root, classes)?.map(|(format, evidence)| Recognized { format: format.name(), evidence }))
}

/// Recognizes `root` as a multi-label set; `None` if no format matches.
///
/// # Errors
/// Where the folder cannot be listed, or two formats are certain.
pub fn recognize_multi_label(root: &Path) -> Result<Option<Recognized>, DataError> {
    Ok(choose(root, labels)?.map(|(format, evidence)| Recognized { format: format.name(), evidence }))
}

/// Recognizes `root` as a segmentation set; `None` if no format matches.
///
/// # Errors
/// Where the folder cannot be listed, or two formats are certain.
pub fn recognize_segmentation(root: &Path) -> Result<Option<Recognized>, DataError> {
    Ok(choose(root, masks)?.map(|(format, evidence)| Recognized { format: format.name(), evidence }))
}
