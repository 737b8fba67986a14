//! What a classification data set is, whatever it is stored as.

use std::path::Path;
use std::sync::Arc;

use image::RgbImage;

use super::DataError;

/// Labelled images. Indices run from 0 to `len() - 1`; an index beyond that may panic.
pub trait ClassificationDataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes; a label is an index into them.
    fn class_names(&self) -> &[String];

    /// Class of image `index`.
    fn label(&self, index: usize) -> u32;

    /// Image `index` at its native size, decoded now.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// What to call image `index` to a person: its path, or `test images #17`.
    fn describe(&self, index: usize) -> String;

    /// The file of image `index`, where it has one of its own.
    fn path(&self, _index: usize) -> Option<&Path> {
        None
    }
}

/// Training, validation and (where there are any) test images with one class list.
#[derive(Clone)]
pub struct Splits {
    /// Images to learn from.
    pub train: Arc<dyn ClassificationDataset>,
    /// Images to choose settings by.
    pub val: Arc<dyn ClassificationDataset>,
    /// Images for the last word.
    pub test: Option<Arc<dyn ClassificationDataset>>,
    /// Whether the validation part was split off by seed, since the data set brings none.
    pub by_seed: bool,
    /// Name of the format that was found, for people.
    pub format: &'static str,
}

impl std::fmt::Debug for Splits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(|t| t.len()))
            .field("classes", &self.train.class_names())
            .finish()
    }
}

/// A name in a line or a row of a table: a line break in it (folders and tables may have them) would tear the row.
pub(crate) fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Some of the images of another data set, in the order given.
pub struct Subset {
    inner: Arc<dyn ClassificationDataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// The images of `inner` at `indices`, each of which must be below `inner.len()`.
    pub fn new(inner: Arc<dyn ClassificationDataset>, indices: Vec<usize>) -> Self {
        Self { inner, indices }
    }
}

impl ClassificationDataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }

    fn label(&self, index: usize) -> u32 {
        self.inner.label(self.indices[index])
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.inner.image(self.indices[index])
    }

    fn describe(&self, index: usize) -> String {
        self.inner.describe(self.indices[index])
    }

    fn path(&self, index: usize) -> Option<&Path> {
        self.inner.path(self.indices[index])
    }
}
