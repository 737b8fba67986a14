//! Errors about data, with a message that names the file, the fault and the remedy.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::bad_image::{BadImage, ImageProblem, SUPPORTED};
use super::decisions::{Decisions, LeftOut};
use super::names::quoted;
use crate::text::meant_path;

/// An error about data. The message names the file, the fault and the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The given path does not exist.
    #[error("{}: no such file or folder; check the path given as data{}", .0.display(), meant_path(.0))]
    NotFound(PathBuf),
    /// A file where a folder is needed.
    #[error("{}: is a file, expected the folder of a data set (or, for classification, a .csv file of path,label); give the folder that it lies in", .0.display())]
    NotAFolder(PathBuf),
    /// Reading a file or a folder failed.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A folder whose format is not known, with a guess at its content.
    #[error("{error}; {clue}")]
    Clue {
        /// The error.
        error: Box<DataError>,
        /// A guess at the content of the folder, with the remedy.
        clue: String,
    },
    /// A folder without data.
    #[error("{}: no data found ({found}); expected class folders of images, train/ and val/ folders of them, CIFAR .bin files, idx files, or a .csv of path,label", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// Content of the folder, in words.
        found: String,
    },
    /// A class folder without images.
    #[error("class '{class}' has no images: {} holds no {SUPPORTED} file{found}; add images or remove the folder", path.display())]
    EmptyClass {
        /// Name of the class.
        class: String,
        /// Its folder or list.
        path: PathBuf,
        /// Content of the folder, as a part of the sentence; may be empty.
        found: String,
    },
    /// A class whose training images were all skipped.
    #[error(
        "class '{class}' has no readable training image left after skipping bad files; repair its images or remove the class"
    )]
    ClassLost {
        /// Name of the class.
        class: String,
    },
    /// Fewer than two classes.
    #[error("{}: at least 2 classes are needed, found {}{}", path.display(), classes.len(), only(classes))]
    TooFewClasses {
        /// Root of the data set.
        path: PathBuf,
        /// The classes found.
        classes: Vec<String>,
    },
    /// A class that the training part lacks.
    #[error("class '{class}' is in {} but not in {}; {}", present.display(), absent.display(), remedy(class, near.as_deref()))]
    ClassMismatch {
        /// Name of the class.
        class: String,
        /// Folder that has the class.
        present: PathBuf,
        /// Folder that lacks it.
        absent: PathBuf,
        /// A class there that differs in case, blanks or leading zeros alone.
        near: Option<String>,
    },
    /// Classes that a trained model lacks.
    #[error(
        "the model does not know {}; it knows {}{}: remove their images, or use a model that was trained with them",
        quoted(unknown),
        quoted(known),
        lacking(unknown, absent)
    )]
    UnknownClasses {
        /// Classes of the data that the model lacks.
        unknown: Vec<String>,
        /// Classes of the model.
        known: Vec<String>,
        /// Classes of the model that the data lacks.
        absent: Vec<String>,
    },
    /// A split without samples.
    #[error("{}: the {split} part is empty: {reason}", path.display())]
    EmptySplit {
        /// Root of the data set.
        path: PathBuf,
        /// `train` or `validation`.
        split: &'static str,
        /// The reason and the remedy.
        reason: String,
    },
    /// A file with content that its format does not allow.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The content and the expectation.
        problem: String,
    },
    /// A row of a CSV with a fault.
    #[error("{}, line {line}: {problem}", path.display())]
    CsvRow {
        /// The CSV.
        path: PathBuf,
        /// 1-based line.
        line: u64,
        /// The content and the expectation.
        problem: String,
    },
    /// A table with several labels for an image, where one class was expected.
    #[error(
        "{}: has a column of 1 and -1 for each of {columns} labels, and rows with several: it is a table of several labels an \
         image, but one class an image was expected", path.display()
    )]
    SeveralLabels {
        /// The table.
        path: PathBuf,
        /// Number of columns of labels.
        columns: usize,
    },
    /// A table whose columns are ambiguous.
    #[error(
        "{}: {problem}; its columns are {}; name the column of paths 'path' and that of labels 'label' in the first line",
        path.display(), column_words(columns)
    )]
    Columns {
        /// The table.
        path: PathBuf,
        /// The column that was not found or is ambiguous, in words.
        problem: String,
        /// First line and a value of each column.
        columns: Vec<(String, String)>,
    },
    /// Hints about a table for data without a table.
    #[error("{}: columns or a root of images are named for a table, but it is no table (.csv, .tsv) and holds none", path.display())]
    NoTable {
        /// The data set.
        path: PathBuf,
    },
    /// Masks that can be read in two ways.
    #[error("{}: {problem}", path.display())]
    Masks {
        /// Root of the data set.
        path: PathBuf,
        /// Both readings.
        problem: String,
        /// The threshold that splits their values into two classes, if that is one of the readings.
        threshold: Option<u8>,
    },
    /// One image cannot be read.
    #[error("{0}; repair or remove it, or have bad images skipped")]
    BadImage(BadImage),
    /// All images that cannot be read.
    #[error("{} of {checked} images cannot be read:{}\nrepair or remove them, or have bad images skipped", bad.len(), list(bad))]
    BadImages {
        /// Number of checked images.
        checked: usize,
        /// Every bad image, in the order of the data set.
        bad: Vec<BadImage>,
    },
    /// A set in which no image can be read, so that skipping is no remedy.
    #[error("none of the {checked} images can be read:{}", list(bad))]
    NothingLeft {
        /// Number of checked images.
        checked: usize,
        /// Every bad image.
        bad: Vec<BadImage>,
    },
    /// A colorization set without color.
    #[error(
        "all {images} training images are grey ({first} and the others): colorization learns from color images; give others"
    )]
    NoColor {
        /// Number of training images.
        images: usize,
        /// Name of the first.
        first: String,
    },
    /// A set that two formats recognize.
    #[error("{}: can be read as {first} and as {second}; move one of them elsewhere, or give the folder of one", path.display())]
    TwoFormats {
        /// Root of the data set.
        path: PathBuf,
        /// Name of a format and the evidence for it.
        first: String,
        /// The same of the other format.
        second: String,
        /// Whether one of them is a table, which a hint about its columns selects.
        of_table: bool,
    },
    /// Masks in which all pixels are ignored.
    #[error(
        "every pixel of the {masks} masks of a part is ignored ({first} and the others), so no score can be computed; \
         correct the masks or the ignored values"
    )]
    NothingCounts {
        /// Number of masks.
        masks: usize,
        /// Name of the first.
        first: String,
    },
    /// 16-bit images of few bits for a model whose training had images of 8 bits alone.
    #[error("{images} images of 16 bits: the brightest: {problem}")]
    DarkForModel {
        /// Number of the images.
        images: usize,
        /// The problem of the brightest one.
        problem: ImageProblem,
    },
    /// An output folder that is not empty.
    #[error("{}: exists already and is not empty; give a folder that does not exist yet", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// An output folder that lies in the data set to be copied.
    #[error("{}: lies in the data set {}, which would then hold the copy too; give a folder elsewhere", path.display(), data.display())]
    InsideData {
        /// The folder of the copy.
        path: PathBuf,
        /// The data set.
        data: PathBuf,
    },
    /// A file of a copy that cannot be written.
    #[error("{}: cannot be written: {source}; check the disk and that you may write there", path.display())]
    Unwritten {
        /// File or folder.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A setting out of range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// A panic of a loader thread, a defect of this library. It is returned instead of ending the run.
    #[error("sample {index} could not be prepared: {message}; please report this as a bug")]
    Panicked {
        /// Index in the data set.
        index: usize,
        /// Message of the panic.
        message: String,
    },
    /// The operating system started no thread.
    #[error("no loader thread could be started: {0}; lower the number of loader threads")]
    NoThread(io::Error),
}

impl DataError {
    /// An image without a fourth channel.
    pub(crate) fn no_fourth(image: String) -> Self {
        DataError::BadImage(BadImage { image, problem: ImageProblem::NotFour })
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound(path.to_path_buf()),
            _ => Self::Io { path: path.to_path_buf(), source },
        }
    }

    /// The hint that would make the data readable, if there is one.
    pub fn hint(&self) -> Option<MissingHint> {
        match self {
            Self::Columns { .. } => Some(MissingHint::Columns),
            Self::SeveralLabels { .. } => Some(MissingHint::SeveralLabels),
            Self::TwoFormats { of_table: true, .. } => Some(MissingHint::Columns),
            Self::BadImages { checked, bad } if *checked == bad.len() && are_missing(bad) => {
                Some(MissingHint::ImageRoot)
            }
            Self::Masks { threshold: Some(threshold), .. } => Some(MissingHint::MaskThreshold(*threshold)),
            Self::Clue { error, .. } => error.hint(),
            _ => None,
        }
    }

    /// An error for a class folder without images. `left_out`: its files of other kinds.
    pub(crate) fn empty_class(class: &str, path: &Path, left_out: &[LeftOut]) -> Self {
        let found = Decisions { left_out: left_out.to_vec(), ..Decisions::default() }.left_out_lines();
        let found = if found.is_empty() { String::new() } else { format!(" ({})", found.join("; ")) };
        Self::EmptyClass { class: class.into(), path: path.into(), found }
    }

    pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_path_buf(), problem: problem.into() }
    }
}

/// One of the [`Hints`](super::Hints) without which data cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingHint {
    /// The columns of paths and labels.
    Columns,
    /// The folder that the paths of a table are relative to.
    ImageRoot,
    /// The threshold of masks, with the value that is likely.
    MaskThreshold(u8),
    /// Another task: that of several labels an image.
    SeveralLabels,
}

/// Whether all images are missing.
fn are_missing(bad: &[BadImage]) -> bool {
    bad.iter().all(|one| one.problem == ImageProblem::Missing)
}

/// `'Id' (such as 'a.png')` for each of the first columns.
fn column_words(columns: &[(String, String)]) -> String {
    const SHOWN: usize = 8;
    let shown = columns.iter().take(SHOWN).map(|(name, value)| format!("'{name}' (such as '{value}')"));
    let mut words: Vec<String> = shown.collect();
    if columns.len() > SHOWN {
        words.push(format!("{} more", columns.len() - SHOWN));
    }
    words.join(", ")
}

/// A line for each of the first faults. The error itself has all.
fn list(bad: &[BadImage]) -> String {
    const SHOWN: usize = 50;
    let mut lines: String = bad.iter().take(SHOWN).map(|b| format!("\n  {b}")).collect();
    if bad.len() > SHOWN {
        lines += &format!("\n  and {} more", bad.len() - SHOWN);
    }
    lines
}

/// The remedy for a class that the training part lacks, and the class there with almost the same name.
fn remedy(class: &str, near: Option<&str>) -> String {
    const IMAGES: [&str; 5] = ["images", "image", "imgs", "img", "pictures"];
    match near {
        Some(near) => format!("which has '{near}'; give both one name"),
        None if IMAGES.contains(&class) => {
            "by its name it holds images of all classes: sort them into a folder for each class".into()
        }
        None => "add training images of it or remove it".into(),
    }
}

/// A clause on the classes of a model that the data lacks. They may have other names there.
fn lacking(unknown: &[String], absent: &[String]) -> String {
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>();
    match absent {
        [] => String::new(),
        _ if lower(unknown) == lower(absent) => format!("; {} differ in case alone", quoted(absent)),
        _ => format!("; the data has no {}, perhaps under another name", quoted(absent)),
    }
}

fn only(classes: &[String]) -> String {
    match classes {
        [] => String::new(),
        names => format!(" ('{}')", names.join("', '")),
    }
}
