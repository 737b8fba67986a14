//! Errors about data, with a message that names the file, the fault and the remedy.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decisions::{Decisions, LeftOut};

/// Image kinds that are decoded, as text for messages.
pub(crate) const SUPPORTED: &str = "JPEG, PNG, WebP, BMP, GIF and TIFF";

/// An error about data. The message names the file, the fault and the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The given path does not exist.
    #[error("{}: no such file or folder; check the path given as data", .0.display())]
    NotFound(PathBuf),
    /// A file where a folder is needed.
    #[error("{}: is a file, expected the folder of a data set (or, for classification, a .csv file of path,label)", .0.display())]
    NotAFolder(PathBuf),
    /// Reading a file or a folder failed.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
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
    #[error("class '{class}' is in {} but not in {}; add training images of it or remove it", present.display(), absent.display())]
    ClassMismatch {
        /// Name of the class.
        class: String,
        /// Folder that has the class.
        present: PathBuf,
        /// Folder that lacks it.
        absent: PathBuf,
    },
    /// Classes that a trained model lacks.
    #[error(
        "the model does not know {}; it knows {}: remove their images, or use a model that was trained with them",
        quoted(unknown),
        quoted(known)
    )]
    UnknownClasses {
        /// Classes of the data that the model lacks.
        unknown: Vec<String>,
        /// Classes of the model.
        known: Vec<String>,
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
    /// No thread from the operating system.
    #[error("no loader thread could be started: {0}; lower the number of loader threads")]
    NoThread(io::Error),
}

impl DataError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound(path.to_path_buf()),
            _ => Self::Io { path: path.to_path_buf(), source },
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

/// An image that cannot be used, and its fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadImage {
    /// Its path, or its position in a packed file.
    pub image: String,
    /// The fault.
    pub problem: ImageProblem,
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, self.problem)
    }
}

/// A fault of an image file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// A listed file that does not exist.
    #[error("file not found")]
    Missing,
    /// A file that the system does not let be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// An empty file.
    #[error("file is empty (0 bytes)")]
    Empty,
    /// Content that is no image of a known kind.
    #[error("not an image: its content is none of {SUPPORTED}")]
    NotAnImage,
    /// An image of a kind without decoder.
    #[error("{0} image, which is not supported; convert it to one of {SUPPORTED}")]
    Unsupported(String),
    /// A known kind of file that is not read.
    #[error("is {kind}, which is not read; {remedy}")]
    OtherKind {
        /// The kind, from its first bytes.
        kind: &'static str,
        /// The remedy.
        remedy: String,
    },
    /// Floating-point samples outside of 0 to 1.
    #[error("holds 32-bit floats such as {0}, expected 0 to 1; scale them, or save the image with 8 or 16 bits")]
    FloatRange(String),
    /// A picture turned by EXIF with a mask that is not, where sizes and settings do not decide which one fits.
    #[error(
        "has an EXIF orientation and its mask has none, so the mask may fit the upright or the stored picture; \
         set orientation = \"upright\" or \"stored\" in classes.toml"
    )]
    Orientation,
    /// A file that ends before its picture.
    #[error("truncated: the file ends before the picture is complete")]
    Truncated,
    /// A file that the decoder refuses.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A picture beyond the size limits.
    #[error(
        "its header says {width}x{height} pixels; the limit is {max_side} a side and {max_pixels} in all (make it smaller)"
    )]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Largest side allowed.
        max_side: u32,
        /// Largest area allowed.
        max_pixels: u64,
    },
    /// A file with fewer bytes than any picture of its claimed size.
    #[error("damaged: its header says {width}x{height} pixels, which its {bytes} bytes cannot hold")]
    Hollow {
        /// Size of the file.
        bytes: u64,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// A file beyond the size limit in bytes.
    #[error("has {bytes} bytes; the limit is {limit} bytes")]
    FileTooLarge {
        /// Size of the file.
        bytes: u64,
        /// Largest size allowed.
        limit: u64,
    },
    /// An image without mask.
    #[error("has no mask; add one of the same name, or remove the image")]
    NoMask,
    /// A mask without image.
    #[error("is a mask without image; add an image of the same name, or remove the mask")]
    NoImage,
    /// A pair outside of the parts of its set.
    #[error("lies in neither the train nor the val nor the test part; move it into one")]
    NoPart,
    /// Several files with the same name.
    #[error("cannot be paired by name: {0} have the same name; rename or remove all but one of each")]
    Ambiguous(String),
    /// A line of a list with a fault.
    #[error("{0}; correct the list or add the file")]
    Listed(String),
    /// A mask of another size than its image.
    #[error("is {}x{} pixels, but its image {image} is {}x{}; both must have the same size", mask_size.0, mask_size.1, image_size.0, image_size.1)]
    SizesDiffer {
        /// Name of the image.
        image: String,
        /// Width and height of the image.
        image_size: (u32, u32),
        /// Width and height of the mask.
        mask_size: (u32, u32),
    },
    /// A file of a kind that cannot be a mask.
    #[error("cannot be a mask: {0}")]
    MaskFormat(String),
    /// Pixels of a mask outside of the classes.
    #[error(
        "{} outside the {classes} classes; correct the mask, or list the class or the ignored value in classes.toml",
        outside_words(outside)
    )]
    OutsideClasses {
        /// Each value or color, with its number of pixels.
        outside: Vec<(String, u64)>,
        /// Number of classes.
        classes: usize,
    },
}

/// `value 37 (12 pixels), value 40 (1 pixel)`; of many values the most frequent.
fn outside_words(outside: &[(String, u64)]) -> String {
    const SHOWN: usize = 8;
    let mut sorted: Vec<_> = outside.iter().collect();
    sorted.sort_by_key(|(_, pixels)| std::cmp::Reverse(*pixels));
    let word =
        |&(value, pixels): &&(String, u64)| format!("{value} ({pixels} pixel{})", if *pixels == 1 { "" } else { "s" });
    let mut words: Vec<String> = sorted.iter().take(SHOWN).map(word).collect();
    if sorted.len() > SHOWN {
        words.push(format!("{} more", sorted.len() - SHOWN));
    }
    words.join(", ")
}

fn list(bad: &[BadImage]) -> String {
    bad.iter().map(|b| format!("\n  {b}")).collect()
}

fn only(classes: &[String]) -> String {
    match classes {
        [] => String::new(),
        names => format!(" ('{}')", names.join("', '")),
    }
}

/// `'a', 'b' and 3 more`.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("'{name}'")).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
