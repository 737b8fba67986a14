//! An image or mask that cannot be used, and its fault.

use std::fmt;

use thiserror::Error;

/// Image kinds that are decoded, as text for messages.
pub(crate) const SUPPORTED: &str = "JPEG, PNG, WebP, BMP, GIF and TIFF";

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
    /// A file that the system refuses to read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// An empty file.
    #[error("file is empty (0 bytes)")]
    Empty,
    /// Content that is not an image of a known kind.
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
    /// A 16-bit image that needs another number of bits than the images that were read before training.
    #[error(
        "its 16-bit values reach {highest}, which takes {needed} bits, but the images that were read before training gave the \
         set {bits} bits; save the images with 8 bits, or have all of them read before training"
    )]
    OtherDepth {
        /// Highest value of the image.
        highest: u16,
        /// The bits that it needs.
        needed: u8,
        /// The bits of the set.
        bits: u8,
    },
    /// A 16-bit image that needs more bits than the images that a model was trained on.
    #[error(
        "its 16-bit values reach {highest}, which takes {needed} bits, but the model reads 16-bit images as {bits} bits, where {} is \
         white; scale its values as those of the images that the model was trained on, or save it with 8 bits",
        (1u32 << bits) - 1
    )]
    DeeperThanModel {
        /// Highest value of the image.
        highest: u16,
        /// The bits that it needs.
        needed: u8,
        /// The bits of the model.
        bits: u8,
    },
    /// A 16-bit image of few bits for a model whose training had images of 8 bits alone.
    #[error(
        "its 16-bit values reach {highest}, which takes {needed} bits, and the model was trained on images of 8 bits: either its white is \
         {}, or it is a dark picture of 16 bits; save it with 8 bits, with the white that is meant",
        (1u32 << needed) - 1
    )]
    DarkForModel {
        /// Highest value of the image.
        highest: u16,
        /// The bits that it needs.
        needed: u8,
    },
    /// A file without four channels where four are wanted.
    #[error("has no four channels, as RGBA or four bands of 8 or 16 bits")]
    NotFour,
    /// A picture and a mask with different EXIF orientations. Neither sizes nor settings say which posture the mask
    /// fits.
    #[error(
        "and its mask have different EXIF orientations, so the mask may fit the upright or the stored picture; \
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
    /// An image that annotations name, and that is not there.
    #[error("{name} is not there; {remedy}")]
    Absent {
        /// Its name in the annotations.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A pair outside of the parts of its set.
    #[error("lies in neither the train nor the val nor the test part; move it into one")]
    NoPart,
    /// Several files with the same name.
    #[error("cannot be paired by name: {0} have the same name; rename or remove all but one of each")]
    Ambiguous(String),
    /// A line of a list with a fault.
    #[error("{0}; correct the list or add the file")]
    Listed(String),
    /// An annotation with a fault; the text has its remedy.
    #[error("{0}")]
    Annotation(String),
    /// A mask of another size than its image.
    #[error("is {}x{} pixels, but its image {image} is {}x{}; resize the mask by nearest neighbor, or restore the image that it was drawn on", mask_size.0, mask_size.1, image_size.0, image_size.1)]
    SizesDiffer {
        /// Name of the image.
        image: String,
        /// Width and height of the image.
        image_size: (u32, u32),
        /// Width and height of the mask.
        mask_size: (u32, u32),
    },
    /// Annotations that were made on a picture of another size than their image.
    #[error(
        "is for a picture of {}x{} pixels, but its image {image} is {}x{}; annotate this picture, or correct the size in the \
         annotations",
        size.0, size.1, image_size.0, image_size.1
    )]
    DrawnForOtherSize {
        /// Name of the image.
        image: String,
        /// Width and height of the image.
        image_size: (u32, u32),
        /// Width and height in the annotations.
        size: (u32, u32),
    },
    /// A file of a kind that cannot be a mask.
    #[error("cannot be a mask: {0}")]
    MaskFormat(String),
    /// A mask that was saved with loss.
    #[error("cannot be a mask: {0}, whose compression changes the values; save masks as PNG")]
    LossyMask(&'static str),
    /// A good picture that a copy of the set leaves out; the text says why.
    #[error("{0}")]
    Repeated(String),
    /// Pixels of a mask outside of the classes.
    #[error(
        "{} outside the {classes} classes; correct the mask, list the class or the ignored value in classes.toml, or set \
         nearest = true there if these pixels blend two classes",
        outside_words(outside)
    )]
    OutsideClasses {
        /// Each value or color, with its number of pixels.
        outside: Vec<(String, u64)>,
        /// Number of classes.
        classes: usize,
    },
}

/// `value 37 (12 pixels), value 40 (1 pixel)`; of many values, only the most frequent.
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
