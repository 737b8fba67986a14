//! Images in, batches out: data sets, decoding, checking, normalization, the loader and the built-in
//! scenes.
//!
//! ```text
//! open_classification ──► Splits ──► prepare ──► Prepared ──► ClassificationSource ──► Loader ──► Batch
//! SceneDataset ───────────┘          every image decoded once, bad ones named          background threads
//!
//! open_segmentation ──► SegmentationSplits ──► prepare_segmentation ──► PreparedPairs ──► SegmentationSource ──► Loader
//! open_images ──► ImageSplits ──► prepare_images ──► PreparedImages ──► ColorizationSource ──► Loader
//! ```
//!
//! [`augment`] changes training samples at random between `prepare` and the loader. [`check`] reads a whole data set and names what is wrong with it.
//!
//! Everything random goes through [`crate::random`], so what a step sees depends on the seed, the epoch and
//! the sample alone.

pub mod augment;
mod batch;
pub mod check;
mod cifar;
pub mod color;
mod csv;
mod dataset;
mod decode;
mod error;
mod folder;
mod idx;
mod images;
mod listing;
mod loader;
mod memory;
mod mix;
mod normalize;
mod packed;
mod parts;
mod prepare;
mod prepare_images;
mod prepare_pairs;
mod resize;
pub mod scenes;
mod segmentation;
mod split;
mod store;
mod truncation;

use std::path::Path;

pub use augment::{Augment, Augmentation};
pub use batch::{Batch, SampleLayout, SampleMut, Source};
pub use color::{ColorSpace, lightness};
pub(crate) use dataset::one_line;
pub use dataset::{ClassificationDataset, Splits, Subset};
pub use decode::{DecodeLimits, decode_bytes, decode_file};
pub use error::{BadImage, DataError, ImageProblem};
pub use images::{ImageDataset, ImageSplits, open_images};
pub(crate) use listing::images_below;
pub use loader::{Epoch, Loader, LoaderOptions};
pub use memory::{MemoryClassification, MemoryImages, MemorySamples, MemorySegmentation};
pub use mix::{Mix, Mixed};
pub use normalize::{Normalization, PixelSums};
pub use prepare::{ClassificationSource, PrepareOptions, Prepared, ProgressFn, prepare};
pub use prepare_images::{ColorizationSource, PreparedImages, prepare_images};
pub use prepare_pairs::{PreparedPairs, SegmentationSource, SizeOptions, prepare_segmentation};
pub use resize::{cover_into, nearest_into, square, square_into, stretch_into};
pub use segmentation::{ClassList, IGNORED, SegmentationDataset, SegmentationSplits, open_segmentation};

/// How to open a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Share of the images held out for validation where the data set brings no validation part;
    /// above 0 and below 1.
    pub val_split: f32,
    /// Decides which images those are.
    pub seed: u64,
}

impl Default for OpenOptions {
    /// A fifth for validation, seed 0.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0 }
    }
}

impl OpenOptions {
    /// `val_split`, or an error where it is no share.
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

/// How to open a data set of images with masks, or of images alone.
#[derive(Debug, Clone)]
pub struct SetOptions {
    /// Share of the images held out for validation where the data set brings no validation part;
    /// above 0 and below 1.
    pub val_split: f32,
    /// Decides which images those are.
    pub seed: u64,
    /// Leave out what is incomplete instead of failing.
    pub skip_bad: bool,
}

impl Default for SetOptions {
    /// A fifth for validation, seed 0, nothing left out.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0, skip_bad: false }
    }
}

impl SetOptions {
    /// `val_split`, or an error where it is no share.
    fn checked_val_split(&self) -> Result<f32, DataError> {
        OpenOptions { val_split: self.val_split, seed: self.seed }.checked_val_split()
    }
}

/// Opens the classification data set at `path` and tells its format by what is there:
///
/// | format | what is looked for |
/// |---|---|
/// | class folders | `train/CLASS/*.png` with `val/` or `test/` (or other names of these parts, in either case) beside it, or `CLASS/*.png` split by seed |
/// | CIFAR-10, CIFAR-100 | the binary version's `data_batch_*.bin` / `train.bin` (here or in `cifar-10-batches-bin/`, `cifar-100-binary/`) |
/// | idx | `*images-idx3-ubyte[.gz]` and `*labels-idx1-ubyte[.gz]` (MNIST and its kin) |
/// | CSV | a `.csv` file of path,label, or a folder whose only data is one |
///
/// Class names are sorted (integers by value), and both parts share one class list.
///
/// # Errors
/// Names the path, what was found there, what was expected.
pub fn open_classification(path: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if !metadata.is_dir() {
        let is_csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        return if is_csv { csv::open(path, options) } else { Err(DataError::NotAFolder(path.into())) };
    }
    if let Some(splits) = cifar::open(path, options)? {
        return Ok(splits);
    }
    if let Some(splits) = idx::open(path, options)? {
        return Ok(splits);
    }
    if let Some(splits) = csv::open_in_folder(path, options)? {
        return Ok(splits);
    }
    folder::open(path, options)
}
