//! Decisions made when a data set was opened, for the start of training, the report and `data check`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::names::one_line;

/// How a data set was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Decisions {
    /// Name of the format.
    pub format: String,
    /// Evidence for the format: files and folders that were found.
    pub evidence: Vec<String>,
    /// The classes in the order of their numbers. Each has its representation in the data: a folder, a label, or a
    /// mask's value or color.
    pub classes: Vec<ClassReading>,
    /// The ignored mask values, in words; `None` without masks.
    pub ignored: Option<String>,
    /// Lists that divide the set, relative to its folder.
    pub lists: Vec<String>,
    /// How the parts were found.
    pub split: String,
    /// Effect of the image size on the pictures.
    pub size: String,
    /// Height and width of a typical picture, where pictures are resized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<[usize; 2]>,
    /// How pictures with an EXIF orientation were turned; `None` if no picture has one.
    pub orientation: Option<String>,
    /// The columns of a table whose first line names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<TableColumns>,
    /// Files and folders that are not read.
    pub left_out: Vec<LeftOut>,
    /// Other remarks.
    pub notes: Vec<String>,
}

/// Names of the columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableColumns {
    /// The column of files.
    pub path: String,
    /// The column of labels or masks; `None` if each class has a column.
    pub label: Option<String>,
}

/// A class and its representation in the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassReading {
    /// Name of the class.
    pub name: String,
    /// The stored value or folder of the class, in words. Empty if it equals the name.
    pub from: String,
}

/// A file or folder that is not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LeftOut {
    /// The reason.
    pub why: Why,
    /// Its path.
    pub path: PathBuf,
}

/// Reason why a file or folder is not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Why {
    /// An image of a kind that has no decoder.
    UnreadKind,
    /// An archive, or a file of arrays or records.
    Packed,
    /// An image, by its content, whose name has no extension of images.
    OtherExtension,
    /// A file whose name has no extension.
    NoExtension,
    /// A link without target.
    DanglingLink,
    /// A FIFO, a socket or a device.
    NotRegular,
    /// Output of shadegrad: a run, a folder of runs or predictions.
    OwnOutput,
    /// An image beside the class folders, not in one.
    BesideClasses,
    /// An image, or a folder of images, beside the parts of a set.
    BesideParts,
    /// An image that no list names.
    InNoList,
    /// A table or list beside class folders, which define the classes.
    TableBesideFolders,
    /// A table that is not named after a part, beside tables that are.
    NoPart,
    /// A link that leads back to a folder around it.
    LoopingLink,
    /// A folder that a system made: thumbnails, a recycle bin.
    System,
    /// A list or table that names images of the set, in a place or form that is not read.
    UnusedList,
    /// A file with the name of a list of parts, in a form that is not read.
    UnreadList,
    /// A list that repeats the division that the set already has.
    RepeatsDivision,
    /// A list or table that pairs images and masks as another one does.
    RepeatsPairs,
    /// A competition's sample submission.
    Submission,
    /// A test part whose folders are not classes of the training part.
    UnlabeledTest,
    /// A mask beside the picture that it belongs to.
    Mask,
    /// An annotation without area: a point, a line, a box.
    NoArea,
    /// Annotations of another kind: captions, keypoints, stuff.
    OtherAnnotations,
    /// An image without annotation, or with one that its annotator skipped.
    Unannotated,
    /// A picture that belongs to another one, such as its superpixels.
    Accessory,
    /// A visualization, or a copy that another file of the format replaces.
    Duplicate,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::UnreadKind => "images of kinds that are not read",
            Why::Packed => "archives and files of arrays, which may hold images (unpack them if so)",
            Why::OtherExtension => "images whose names have no extension of images",
            Why::NoExtension => "files without an extension",
            Why::DanglingLink => "links whose target does not exist",
            Why::NotRegular => "no regular files (FIFOs, sockets or devices)",
            Why::OwnOutput => "written by shadegrad",
            Why::BesideClasses => "images beside the class folders",
            Why::BesideParts => "images or folders of images beside the parts of the set",
            Why::InNoList => "images that no list or table names",
            Why::TableBesideFolders => "tables or lists beside class folders",
            Why::NoPart => "tables that are not named after a part",
            Why::LoopingLink => "links that lead back to their own folder",
            Why::System => "folders of the system (thumbnails, recycle bins)",
            Why::UnusedList => {
                "files that name images of this set and are not used (lists of parts are train.txt and val.txt)"
            }
            Why::UnreadList => {
                "files named as lists of parts that are not read (lists of parts are train.txt and val.txt)"
            }
            Why::RepeatsDivision => "lists that divide the set as it is divided already",
            Why::RepeatsPairs => "lists of pairs that agree with others",
            Why::Submission => "samples of a submission",
            Why::UnlabeledTest => "test images without known classes or masks",
            Why::Mask => "masks beside their pictures",
            Why::NoArea => "annotations without an area",
            Why::OtherAnnotations => "annotations of other kinds than instances",
            Why::Unannotated => "images whose tasks have no annotation, or a skipped one",
            Why::Accessory => "pictures that belong to another one",
            Why::Duplicate => "copies that the format also has in another form",
        })
    }
}

impl LeftOut {
    pub(crate) fn new(path: &Path, why: Why) -> Self {
        Self { why, path: path.to_path_buf() }
    }
}

/// Number of names in a line. Others are only counted.
const SHOWN: usize = 3;

impl Decisions {
    /// Files that are left out, grouped by reason.
    fn left_out_groups(&self) -> Vec<Vec<&LeftOut>> {
        let mut sorted: Vec<&LeftOut> = self.left_out.iter().collect();
        sorted.sort();
        sorted.dedup();
        sorted.chunk_by(|a, b| a.why == b.why).map(<[_]>::to_vec).collect()
    }

    /// One line per reason: the number of files left out for it, and the first of them.
    pub fn left_out_lines(&self) -> Vec<String> {
        self.left_out_groups()
            .iter()
            .map(|group| {
                let mut names: Vec<String> =
                    group.iter().take(SHOWN).map(|one| one_line(&one.path.display().to_string())).collect();
                if group.len() > SHOWN {
                    names.push(format!("{} more", group.len() - SHOWN));
                }
                format!("{}: {}", group[0].why, names.join(", "))
            })
            .collect()
    }

    /// Label and text of each decision, with at most `most_classes` classes.
    pub fn rows(&self, most_classes: usize) -> Vec<(&'static str, String)> {
        let mut classes: Vec<String> = self.classes.iter().take(most_classes).map(ToString::to_string).collect();
        if self.classes.len() > most_classes {
            classes.push(format!("{} more", self.classes.len() - most_classes));
        }
        let format = match self.evidence.is_empty() {
            true => self.format.clone(),
            false => format!("{} ({})", self.format, one_line(&self.evidence.join(", "))),
        };
        let single = [
            ("format", format),
            (if self.ignored.is_some() { "masks" } else { "classes" }, classes.join(", ")),
            ("ignored", self.ignored.clone().unwrap_or_default()),
            ("split", self.split.clone()),
            ("turned", self.orientation.clone().unwrap_or_default()),
            ("size", self.size.clone()),
        ];
        let left_out = self.left_out_lines().into_iter().map(|line| ("left out", line));
        let notes = self.notes.iter().map(|note| ("note", note.clone()));
        single.into_iter().filter(|(_, text)| !text.is_empty()).chain(left_out).chain(notes).collect()
    }

    /// Text for the start of training. A long list of classes is shortened.
    pub fn lines(&self) -> Vec<String> {
        let rows = self.rows(12).into_iter();
        // Built-in scenes and images in memory have no evidence. The line of the data names their format.
        let rows = rows.filter(|(label, _)| *label != "format" || !self.evidence.is_empty());
        rows.map(|(label, text)| format!("{:<8} {text}", format!("{label}:"))).collect()
    }

    /// These decisions with at most [`KEPT`] left-out files for each reason. A set may have a million.
    #[cfg(feature = "tasks")]
    pub(crate) fn summary(&self) -> Self {
        let mut summary = Self { left_out: Vec::new(), ..self.clone() };
        for group in self.left_out_groups() {
            summary.left_out.extend(group.iter().take(KEPT).map(|one| (*one).clone()));
            if group.len() > KEPT {
                summary.notes.push(format!("left out: {}: {} files in all", group[0].why, group.len()));
            }
        }
        summary
    }
}

/// Largest number of left-out files for each reason in the facts of a run.
#[cfg(feature = "tasks")]
const KEPT: usize = 20;

impl Decisions {
    /// Decisions for the built-in scenes, drawn by `seed`.
    pub fn of_scenes(classes: &[String], seed: u64) -> Self {
        let (format, split) = ("built-in scenes".into(), format!("drawn by seed {seed}, other scenes in each part"));
        Self { format, split, classes: ClassReading::named(classes), ..Self::default() }
    }
}

impl ClassReading {
    /// Classes whose names the data stores.
    pub(crate) fn named(names: &[String]) -> Vec<Self> {
        names.iter().map(|name| Self { name: name.clone(), from: String::new() }).collect()
    }
}

impl fmt::Display for ClassReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from.as_str() {
            "" => f.write_str(&one_line(&self.name)),
            from => write!(f, "{} ({from})", one_line(&self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_grouped_by_reason() {
        let one = |name: &str, why| LeftOut::new(Path::new(name), why);
        let decisions = Decisions {
            left_out: vec![
                one("b.ppm", Why::UnreadKind),
                one("runs", Why::OwnOutput),
                one("a.ppm", Why::UnreadKind),
                one("d.ppm", Why::UnreadKind),
                one("c.ppm", Why::UnreadKind),
            ],
            ..Decisions::default()
        };
        assert_eq!(
            decisions.left_out_lines(),
            ["images of kinds that are not read: a.ppm, b.ppm, c.ppm, 1 more", "written by shadegrad: runs"]
        );
    }
}
