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
    /// How pictures with an EXIF orientation were turned; `None` if no picture has one.
    pub orientation: Option<String>,
    /// Files and folders that are not read.
    pub left_out: Vec<LeftOut>,
    /// Other remarks.
    pub notes: Vec<String>,
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
    /// A folder of images beside the parts of a set.
    BesideParts,
    /// An image that no list names.
    InNoList,
    /// A table or list beside class folders, which define the classes.
    TableBesideFolders,
    /// A test part whose folders are not classes of the training part.
    UnlabeledTest,
    /// An annotation without area: a point, a line, a box.
    NoArea,
    /// A visualization, or a copy that another file of the format replaces.
    Duplicate,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::UnreadKind => "images of kinds that are not read",
            Why::NoExtension => "files without an extension",
            Why::DanglingLink => "links whose target does not exist",
            Why::NotRegular => "no regular files (FIFOs, sockets or devices)",
            Why::OwnOutput => "written by shadegrad",
            Why::BesideClasses => "images beside the class folders",
            Why::BesideParts => "folders of images beside the parts of the set",
            Why::InNoList => "images that no list names",
            Why::TableBesideFolders => "tables or lists beside class folders",
            Why::UnlabeledTest => "test images without known classes",
            Why::NoArea => "annotations without an area",
            Why::Duplicate => "copies that the format also has in another form",
        })
    }
}

impl LeftOut {
    pub(crate) fn new(path: &Path, why: Why) -> Self {
        Self { why, path: path.to_path_buf() }
    }
}

/// Number of names in a line before the others are only counted.
const SHOWN: usize = 3;

impl Decisions {
    /// One line per reason: the number of files left out for it, and the first of them.
    pub fn left_out_lines(&self) -> Vec<String> {
        let mut sorted: Vec<&LeftOut> = self.left_out.iter().collect();
        sorted.sort();
        let same = |a: &&LeftOut, b: &&LeftOut| a.why == b.why;
        sorted
            .chunk_by(same)
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

    /// Text for the start of training. A long list of classes is shortened.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.evidence.is_empty() {
            lines.push(format!("format:  {} ({})", self.format, self.evidence.join(", ")));
        }
        if !self.classes.is_empty() {
            let mut words: Vec<String> = self.classes.iter().take(12).map(ToString::to_string).collect();
            if self.classes.len() > 12 {
                words.push(format!("{} more", self.classes.len() - 12));
            }
            let label = if self.ignored.is_some() { "masks:   " } else { "classes: " };
            lines.push(format!("{label}{}", words.join(", ")));
        }
        lines.extend(self.ignored.as_ref().map(|ignored| format!("ignored: {ignored}")));
        if !self.split.is_empty() {
            lines.push(format!("split:   {}", self.split));
        }
        lines.extend(self.orientation.as_ref().map(|orientation| format!("turned:  {orientation}")));
        lines.extend(self.left_out_lines().into_iter().map(|line| format!("left out: {line}")));
        lines.extend(self.notes.iter().map(|note| format!("note:    {note}")));
        lines
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
