//! The interface of a classification data set.

use std::path::Path;
use std::sync::Arc;

use image::{RgbImage, RgbaImage};

use super::DataError;
use super::decisions::Decisions;
use super::depth::SampleDepth;
use super::names::{composed, one_line};

/// Labeled images. Indices run from 0 to `len() - 1`; a higher index may panic.
pub trait ClassificationDataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes. A label is an index into them.
    fn class_names(&self) -> &[String];

    /// Class of image `index`.
    fn label(&self, index: usize) -> u32;

    /// Image `index` at its native size, decoded by this call.
    ///
    /// # Errors
    /// If the file cannot be read or decoded.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// Image `index` at its native size with its four channels as stored, decoded by this call.
    ///
    /// # Errors
    /// [`DataError::BadImage`], also for an image that has no four channels.
    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        Err(DataError::no_fourth(self.describe(index)))
    }

    /// Name of image `index` for messages: its path, or `test images #17`.
    fn describe(&self, index: usize) -> String;

    /// The file of image `index`, if it holds nothing else.
    fn path(&self, _index: usize) -> Option<&Path> {
        None
    }

    /// How 16-bit samples are read, if the set may have any.
    fn depth(&self) -> Option<&SampleDepth> {
        None
    }
}

/// Training, validation and optional test images with one class list.
#[derive(Clone)]
pub struct Splits {
    /// Images to train on.
    pub train: Arc<dyn ClassificationDataset>,
    /// Images that settings are chosen by.
    pub val: Arc<dyn ClassificationDataset>,
    /// Images for the final evaluation.
    pub test: Option<Arc<dyn ClassificationDataset>>,
    /// Whether the validation part was split off by seed, because the data set has none.
    pub by_seed: bool,
    /// Name of the detected format.
    pub format: &'static str,
    /// How the set was read.
    pub decisions: Decisions,
}

impl Splits {
    /// The same images with the class list of a trained model: a label becomes the index of its class in `classes`. A
    /// class that the data lacks has no image. Names are compared in composed Unicode form.
    ///
    /// # Errors
    /// [`DataError::UnknownClasses`] where the data has a class that is not in `classes`.
    pub fn aligned(&self, classes: &[String]) -> Result<Self, DataError> {
        let part = |set: &Arc<dyn ClassificationDataset>| Relabeled::under(set, classes);
        let test = self.test.as_ref().map(part).transpose()?;
        let missing = classes.iter().filter(|class| place_of(class, self.train.class_names()).is_none());
        let mut decisions = self.decisions.clone();
        decisions.notes.extend(missing.map(|class| format!("class '{}' of the model has no image", one_line(class))));
        Ok(Self { train: part(&self.train)?, val: part(&self.val)?, test, decisions, ..self.clone() })
    }
}

/// The index of a class in a list of names.
pub(crate) fn place_of(name: &str, classes: &[String]) -> Option<usize> {
    let name = composed(name);
    classes.iter().position(|class| composed(class) == name)
}

/// The index in `classes` of each of `names`.
///
/// # Errors
/// [`DataError::UnknownClasses`] where one of `names` is not in `classes`.
pub(crate) fn places(names: &[String], classes: &[String]) -> Result<Vec<u32>, DataError> {
    let found: Vec<_> = names.iter().map(|name| place_of(name, classes)).collect();
    if found.iter().any(Option::is_none) {
        let unknown = names.iter().zip(&found).filter(|(_, place)| place.is_none()).map(|(name, _)| name.clone());
        let absent = classes.iter().filter(|class| place_of(class, names).is_none()).cloned().collect();
        return Err(DataError::UnknownClasses { unknown: unknown.collect(), known: classes.to_vec(), absent });
    }
    Ok(found.into_iter().flatten().map(|place| place as u32).collect())
}

/// A data set with another class list.
struct Relabeled {
    inner: Arc<dyn ClassificationDataset>,
    classes: Arc<[String]>,
    /// Index in `classes` of each class of `inner`.
    places: Vec<u32>,
}

impl Relabeled {
    fn under(
        inner: &Arc<dyn ClassificationDataset>,
        classes: &[String],
    ) -> Result<Arc<dyn ClassificationDataset>, DataError> {
        let places = places(inner.class_names(), classes)?;
        Ok(Arc::new(Self { inner: Arc::clone(inner), classes: classes.into(), places }))
    }
}

impl ClassificationDataset for Relabeled {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.places[self.inner.label(index) as usize]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.inner.image(index)
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        self.inner.bands(index)
    }

    fn describe(&self, index: usize) -> String {
        self.inner.describe(index)
    }

    fn path(&self, index: usize) -> Option<&Path> {
        self.inner.path(index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.inner.depth()
    }
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

/// Some images of another data set, in the given order.
pub struct Subset {
    inner: Arc<dyn ClassificationDataset>,
    indices: Vec<usize>,
}

impl Subset {
    /// The images of `inner` at `indices`, all below `inner.len()`.
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

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        self.inner.bands(self.indices[index])
    }

    fn describe(&self, index: usize) -> String {
        self.inner.describe(self.indices[index])
    }

    fn path(&self, index: usize) -> Option<&Path> {
        self.inner.path(self.indices[index])
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.inner.depth()
    }
}
