//! What can be wrong with a data set, said so that a person can put it right.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// File types that are decoded, as shown in messages.
pub(crate) const SUPPORTED: &str = "JPEG, PNG, WebP, BMP, GIF and TIFF";

/// An error about data: says which file, what is wrong with it and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path given does not exist.
    #[error("{}: no such file or folder; check the path given as data", .0.display())]
    NotFound(PathBuf),
    /// A folder was needed and a file was given.
    #[error("{}: is a file, expected the folder of a data set (or, for classification, a .csv file of path,label)", .0.display())]
    NotAFolder(PathBuf),
    /// Reading a file or a folder failed.
    #[error("{}: cannot be read: {source}; check that it exists and that you may read it", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without anything that is data.
    #[error("{}: no data found ({found}); expected class folders of images, train/ and val/ folders of them, CIFAR .bin files, idx files, or a .csv of path,label", path.display())]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// What there is instead.
        found: String,
    },
    /// A class folder without images.
    #[error("class '{class}' has no images: {} holds no {SUPPORTED} file; add images or remove the folder", path.display())]
    EmptyClass {
        /// Name of the class.
        class: String,
        /// Its folder or list.
        path: PathBuf,
    },
    /// Every training image of a class was left out.
    #[error(
        "class '{class}' has no readable training image left after skipping bad files; repair its images or remove the class"
    )]
    ClassLost {
        /// Name of the class.
        class: String,
    },
    /// Classification needs two classes.
    #[error("{}: at least 2 classes are needed, found {}{}", path.display(), classes.len(), only(classes))]
    TooFewClasses {
        /// Root of the data set.
        path: PathBuf,
        /// Those found.
        classes: Vec<String>,
    },
    /// A class that the training part lacks.
    #[error("class '{class}' is in {} but not in {}; add training images of it or remove it", present.display(), absent.display())]
    ClassMismatch {
        /// Name of the class.
        class: String,
        /// Where it is.
        present: PathBuf,
        /// Where it is missing.
        absent: PathBuf,
    },
    /// Classes that a trained model does not know.
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
        /// Why, and what to do.
        reason: String,
    },
    /// A file that is not what its format demands.
    #[error("{}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// A row of a CSV that cannot be used.
    #[error("{}, line {line}: {problem}", path.display())]
    CsvRow {
        /// The CSV.
        path: PathBuf,
        /// 1-based line.
        line: u64,
        /// What was found and what was expected.
        problem: String,
    },
    /// One image cannot be read.
    #[error("{0}; repair or remove it, or have bad images skipped")]
    BadImage(BadImage),
    /// Images that cannot be read: all of them.
    #[error("{} of {checked} images cannot be read:{}\nrepair or remove them, or have bad images skipped", bad.len(), list(bad))]
    BadImages {
        /// How many images were checked.
        checked: usize,
        /// Every bad one, in the order of the data set.
        bad: Vec<BadImage>,
    },
    /// No image could be read, so that skipping bad ones leaves nothing.
    #[error("none of the {checked} images can be read:{}", list(bad))]
    NothingLeft {
        /// How many images were checked.
        checked: usize,
        /// Every bad one.
        bad: Vec<BadImage>,
    },
    /// Nothing to learn colors from.
    #[error(
        "all {images} training images are grey ({first} and the others): colorization learns from color images; give others"
    )]
    NoColor {
        /// How many there are.
        images: usize,
        /// Name of the first.
        first: String,
    },
    /// A set that two formats recognize.
    #[error("{}: can be read as {first} and as {second}; move one of them elsewhere, or give the folder of one", path.display())]
    TwoFormats {
        /// Root of the data set.
        path: PathBuf,
        /// Name of a format and what speaks for it.
        first: String,
        /// The other.
        second: String,
    },
    /// Masks in which nothing counts.
    #[error(
        "every pixel of the {masks} masks of a part is ignored ({first} and the others), so no score can be computed; \
         correct the masks or the ignored values"
    )]
    NothingCounts {
        /// How many masks.
        masks: usize,
        /// Name of the first.
        first: String,
    },
    /// A setting outside of its range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// Name of the setting as the user knows it.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A loader thread panicked: a defect of this library, reported instead of taking the run down.
    #[error("sample {index} could not be prepared: {message}; please report this as a bug")]
    Panicked {
        /// Index in the data set.
        index: usize,
        /// Message of the panic.
        message: String,
    },
    /// The operating system gave no thread.
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

    pub(crate) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_path_buf(), problem: problem.into() }
    }
}

/// An image that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadImage {
    /// Its path, or where it lies in a packed file.
    pub image: String,
    /// What is wrong with it.
    pub problem: ImageProblem,
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, self.problem)
    }
}

/// What can be wrong with an image file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// It is listed, but not there.
    #[error("file not found")]
    Missing,
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// No bytes at all.
    #[error("file is empty (0 bytes)")]
    Empty,
    /// Its content is no image of any known kind.
    #[error("not an image: its content is none of {SUPPORTED}")]
    NotAnImage,
    /// An image of a kind that is not decoded.
    #[error("{0} image, which is not supported; convert it to one of {SUPPORTED}")]
    Unsupported(String),
    /// A file of a kind that is known and not decoded.
    #[error("is {kind}, which is not read; {remedy}")]
    OtherKind {
        /// The kind, from its first bytes.
        kind: &'static str,
        /// What to do.
        remedy: String,
    },
    /// Floating-point samples that are no brightness.
    #[error("holds 32-bit floats such as {0}, expected 0 to 1; scale them, or save the image with 8 or 16 bits")]
    FloatRange(String),
    /// Its picture is turned by EXIF, its mask has no such mark, and nothing tells which of them fits.
    #[error(
        "has an EXIF orientation and its mask has none, so the mask may fit the upright or the stored picture; \
         set orientation = \"upright\" or \"stored\" in classes.toml"
    )]
    Orientation,
    /// It ends before its picture does.
    #[error("truncated: the file ends before the picture is complete")]
    Truncated,
    /// The decoder refused it.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Larger than an image may be.
    #[error(
        "its header says {width}x{height} pixels; the limit is {max_side} a side and {max_pixels} in all (make it smaller)"
    )]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Largest side allowed.
        max_side: u32,
        /// Largest area allowed.
        max_pixels: u64,
    },
    /// Fewer bytes than any picture of the size that it claims has.
    #[error("damaged: its header says {width}x{height} pixels, which its {bytes} bytes cannot hold")]
    Hollow {
        /// Size of the file.
        bytes: u64,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The file itself is beyond the limit.
    #[error("has {bytes} bytes; the limit is {limit} bytes")]
    FileTooLarge {
        /// Size of the file.
        bytes: u64,
        /// Largest size allowed.
        limit: u64,
    },
    /// An image that no mask belongs to.
    #[error("has no mask; add one of the same name, or remove the image")]
    NoMask,
    /// A mask that no image belongs to.
    #[error("is a mask without image; add an image of the same name, or remove the mask")]
    NoImage,
    /// A pair beside the parts of its set.
    #[error("lies in neither the train nor the val nor the test part; move it into one")]
    NoPart,
    /// Names that belong to several files.
    #[error("cannot be paired by name: {0} have the same name; rename or remove all but one of each")]
    Ambiguous(String),
    /// A line of a list that cannot be followed.
    #[error("{0}; correct the list or add the file")]
    Listed(String),
    /// A mask that differs from its image.
    #[error("is {}x{} pixels, but its image {image} is {}x{}; both must have the same size", mask_size.0, mask_size.1, image_size.0, image_size.1)]
    SizesDiffer {
        /// Name of the image.
        image: String,
        /// Width and height of the image.
        image_size: (u32, u32),
        /// Width and height of the mask.
        mask_size: (u32, u32),
    },
    /// A mask of a kind that cannot name classes.
    #[error("cannot be a mask: {0}")]
    MaskFormat(String),
    /// Pixels of a mask that stand for no class.
    #[error(
        "{} outside the {classes} classes; correct the mask, or list the class or the ignored value in classes.toml",
        outside_words(outside)
    )]
    OutsideClasses {
        /// Each value or color, and how many pixels have it.
        outside: Vec<(String, u64)>,
        /// How many classes there are.
        classes: usize,
    },
}

/// `value 37 (12 pixels), value 40 (1 pixel)`; of many, the most frequent.
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
