//! Data sets, decoding, checks, normalization, the loader and built-in scenes: images in, batches out.
//!
//! ```text
//! open_classification ──► Splits ─────────────┐                          ┌──► ClassificationSource ──┐
//! open_multi_label ─────► MultiLabelSplits ───┤                          ├──► MultiLabelSource ──────┤
//! open_segmentation ────► SegmentationSplits ─┼──► prepare ──► Prepared ─┼──► SegmentationSource ────┼──► Loader ──► Batch
//! open_images ──────────► ImageSplits ────────┘                          └──► ColorizationSource ────┘
//! ```
//!
//! | step | action |
//! |---|---|
//! | open | recognizes the format of a folder ([`formats()`]), pairs files, finds classes and parts; decodes no image |
//! | prepare | decodes every image once on all cores, reports the unreadable ones, keeps the resized ones in memory; of a set that does not fit, a sample |
//! | source | normalizes a sample, and applies the augmentation ([`augment`]) |
//! | loader | fills batches on background threads |
//!
//! [`Decisions`] records how a data set was read. A set with two readings is refused, and both are reported; a file
//! beside it (`classes.toml`) decides. [`check`] reads a whole data set and reports all faults.
//!
//! Every random number is `f(seed, epoch, sample, use)` (`random.rs`). Samples do not depend on threads or on earlier
//! reads.

mod agreement;
mod annotated_part;
mod aside;
pub mod augment;
mod bad_image;
mod bands;
mod batch;
mod bounds;
mod center_crop;
mod channels;
pub mod check;
mod cifar;
mod class_depths;
mod class_names;
mod class_walk;
mod clue;
pub mod color;
pub mod color_bins;
pub mod correct;
mod csv;
mod dataset;
mod decisions;
mod decode;
mod depth;
mod disagree;
mod division;
mod error;
mod flat;
mod folder;
mod folds;
mod foreign;
mod format;
mod formats;
mod frames;
mod hints;
mod icc;
mod idx;
mod images;
mod kept;
mod levels;
mod limited;
mod list_index;
mod list_tables;
mod listing;
mod lists;
mod loader;
mod memory;
mod mix;
mod multilabel;
mod names;
mod normalize;
mod open;
mod packed;
mod pair_columns;
mod parts;
mod prepare;
mod reading;
mod records;
mod resize;
mod sampler;
pub mod scenes;
mod segmentation;
mod sniff;
mod split;
mod store;
mod text;
mod tiff;
mod truncation;
mod unused_lists;

use std::path::Path;

pub use augment::{Augment, Augmentation};
pub use bad_image::{BadImage, ImageProblem};
pub use bands::{Bands, fourth_statistics};
pub use batch::{Batch, Identity, SampleLayout, SampleMut, Source, digest};
pub use center_crop::{CenterCrop, CenterCropped};
pub use color::{ColorSpace, lightness};
pub use dataset::{ClassificationDataset, Splits, Subset};
pub use decisions::{ClassReading, Decisions, LeftOut, TableColumns, Why};
pub use decode::{DecodeLimits, decode_bytes, decode_file, decode_file_at};
#[cfg(feature = "tasks")]
pub(crate) use decode::{decode_bands, has_16_bits};
pub use depth::SampleDepth;
pub use error::{DataError, MissingHint};
use foreign::Wanted;
pub use format::{Confidence, Evidence};
pub use formats::{
    FormatInfo, Recognized, formats, recognize_classification, recognize_multi_label, recognize_segmentation,
};
pub use hints::Hints;
pub use images::{ImageDataset, ImageSplits, open_images};
#[cfg(feature = "tasks")]
pub(crate) use kept::Kept;
pub use limited::limited;
#[cfg(feature = "tasks")]
pub(crate) use listing::MARK as OUTPUT_MARK;
#[cfg(feature = "cli")]
pub(crate) use listing::Walk;
pub use loader::{Epoch, Loader, LoaderOptions, Part};
pub use memory::{MemoryClassification, MemoryImages, MemorySamples, MemorySegmentation};
pub use mix::{Mix, Mixed};
pub use multilabel::{MultiLabelSet, MultiLabelSplits};
pub(crate) use names::one_line;
pub use normalize::{Inputs, Normalization, PixelSums};
pub use open::{open_classification, open_multi_label, open_segmentation};
pub use prepare::{
    ClassificationSource, ColorizationSource, CropSource, Crops, Labeled, LabeledSource, MultiLabelSource, Own,
    PairFacts, Place, PrepareOptions, Prepared, PreparedClasses, PreparedImages, PreparedLabels, PreparedPairs,
    ProgressFn, SAMPLED, SampleSet, SegmentationSource, prepare,
};
#[cfg(feature = "tasks")]
pub(crate) use resize::square_with_margin;
pub use resize::{cover_into, nearest_into, square, square_into, stretch_into};
pub use sampler::{Balance, Sampler};
pub use segmentation::{ClassList, IGNORED, SegmentationDataset, SegmentationSplits};

/// Options for opening a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Share of the images held out for validation if the data set has no validation part; above 0 and below 1.
    pub val_split: f32,
    /// Seed of that split.
    pub seed: u64,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Whether the set is for a trained model, which defines the classes. The set may then have a single one of them.
    pub for_model: bool,
    /// Whether a data set without parts stays whole: training and validation part then are all its images.
    pub undivided: bool,
}

impl Default for OpenOptions {
    /// 20 % for validation, seed 0, no hints, for training.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0, hints: Hints::default(), for_model: false, undivided: false }
    }
}

impl OpenOptions {
    /// `val_split`, or an error if it is out of range.
    fn checked_val_split(&self) -> Result<f32, DataError> {
        if self.val_split > 0.0 && self.val_split < 1.0 {
            return Ok(self.val_split);
        }
        Err(DataError::Setting {
            name: "val_split",
            value: self.val_split.to_string(),
            expected: "a share above 0 and below 1, such as 0.2",
        })
    }
}

/// Options for opening a data set of images with masks, or of images alone.
#[derive(Debug, Clone)]
pub struct SetOptions {
    /// Share of the images held out for validation if the data set has no validation part; above 0 and below 1.
    pub val_split: f32,
    /// Seed of that split.
    pub seed: u64,
    /// Leave out incomplete pairs, instead of an error.
    pub skip_bad: bool,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Whether a data set without parts stays whole: training and validation part then are all its images.
    pub undivided: bool,
    /// Classes of the trained model that masks are read for; empty for training.
    pub model_classes: Vec<String>,
}

impl Default for SetOptions {
    /// 20 % for validation, seed 0, no hints, nothing left out.
    fn default() -> Self {
        Self {
            val_split: 0.2,
            seed: 0,
            skip_bad: false,
            hints: Hints::default(),
            undivided: false,
            model_classes: Vec::new(),
        }
    }
}

impl SetOptions {
    /// `val_split`, or an error if it is out of range.
    fn checked_val_split(&self) -> Result<f32, DataError> {
        OpenOptions { val_split: self.val_split, ..OpenOptions::default() }.checked_val_split()
    }
}

/// Whether the set at `path` is a table, or a folder that is read by the table in it.
#[cfg(feature = "tasks")]
pub(crate) fn holds_table(path: &Path) -> bool {
    listing::is_table(path) || csv::is_read_by_table(path)
}

/// Refuses a path that is not a folder.
fn require_folder(path: &Path, wanted: Wanted) -> Result<(), DataError> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if metadata.is_dir() { Ok(()) } else { Err(not_a_folder(path, wanted)) }
}

/// The error for a file instead of a folder, with its kind if it is one that is not read.
fn not_a_folder(path: &Path, wanted: Wanted) -> DataError {
    match foreign::words("", path, wanted) {
        Some(words) => DataError::malformed(path, words.trim_start()),
        None => DataError::NotAFolder(path.into()),
    }
}
