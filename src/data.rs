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
mod copies;
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
mod in_memory;
mod kept;
mod levels;
mod limited;
mod list_index;
mod list_tables;
mod listing;
mod lists;
mod loader;
mod mix;
mod multilabel;
mod names;
mod normalize;
mod open;
mod options;
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

pub use augment::{Augment, Augmentation};
pub use bad_image::{BadImage, ImageProblem};
pub use bands::{Bands, fourth_statistics};
pub use batch::{Batch, Identity, SampleLayout, SampleMut, Source, digest};
pub use center_crop::{CenterCrop, CenterCropped};
pub use color::{ColorSpace, lightness};
#[cfg(feature = "tasks")]
pub(crate) use copies::are_kept as copies_are_kept;
#[cfg(feature = "tasks")]
pub(crate) use csv::holds_table;
pub use dataset::{ClassificationDataset, Splits, Subset};
pub use decisions::{ClassReading, Decisions, LeftOut, TableColumns, Why};
pub use decode::{DecodeLimits, decode_bytes, decode_file, decode_file_at};
#[cfg(feature = "tasks")]
pub(crate) use decode::{decode_bands, has_16_bits};
pub use depth::SampleDepth;
pub use error::{DataError, MissingHint};
pub use format::{Confidence, Evidence};
pub use formats::{
    FormatInfo, Recognized, formats, recognize_classification, recognize_multi_label, recognize_segmentation,
};
pub use hints::Hints;
pub use images::{ImageDataset, ImageSplits, open_images};
pub use in_memory::{MemoryClassification, MemoryImages, MemorySamples, MemorySegmentation};
#[cfg(feature = "tasks")]
pub(crate) use kept::Kept;
pub use limited::limited;
#[cfg(feature = "tasks")]
pub(crate) use listing::MARK as OUTPUT_MARK;
#[cfg(feature = "cli")]
pub(crate) use listing::Walk;
pub use loader::{Epoch, Loader, LoaderOptions, Part};
pub use mix::{Mix, MixOf, Mixed};
pub use multilabel::{MultiLabelSet, MultiLabelSplits};
pub(crate) use names::one_line;
pub use normalize::{Inputs, Normalization, PixelSums};
pub use open::{open_classification, open_multi_label, open_segmentation};
pub use options::{OpenOptions, SetOptions};
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
