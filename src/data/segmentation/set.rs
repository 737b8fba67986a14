//! The interface of a segmentation set: images with a class for every pixel, in parts with one class list.

use std::sync::Arc;

use image::{GrayImage, RgbImage, RgbaImage};

use super::class_list::{ClassList, IGNORED, voc_color};
use crate::data::decisions::Decisions;
use crate::data::depth::SampleDepth;
use crate::data::{BadImage, DataError, ImageProblem, dataset};

/// Images with a class for each pixel. Indices run from 0 to `len() - 1`; a higher index may panic.
pub trait SegmentationDataset: Send + Sync {
    /// Number of pairs of image and mask.
    fn len(&self) -> usize;

    /// Whether there are no pairs.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes. A train id is an index into them.
    fn classes(&self) -> &ClassList;

    /// Name of image `index` for messages: its path, or `street #17 of seed 1`.
    fn name(&self, index: usize) -> String;

    /// Name of the mask of image `index` for messages.
    fn mask_name(&self, index: usize) -> String {
        format!("mask of {}", self.name(index))
    }

    /// Image `index` at its native size, decoded by this call.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with the fault.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// Image `index` at its native size with its four channels as stored, decoded by this call.
    ///
    /// # Errors
    /// [`DataError::BadImage`], also for an image that has no four channels.
    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        Err(DataError::no_fourth(self.name(index)))
    }

    /// The train id of each pixel of image `index`; [`IGNORED`] for ignored pixels.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with the fault, such as values of no class.
    fn mask(&self, index: usize) -> Result<GrayImage, DataError>;

    /// How 16-bit samples of images are read, if the set may have any.
    fn depth(&self) -> Option<&SampleDepth> {
        None
    }
}

impl dyn SegmentationDataset {
    /// The fault of the mask of image `index`, if its size differs from that of the image.
    pub(crate) fn other_size(&self, index: usize, image: (u32, u32), mask: (u32, u32)) -> Option<BadImage> {
        let problem = ImageProblem::SizesDiffer { image: self.name(index), image_size: image, mask_size: mask };
        (image != mask).then(|| BadImage { image: self.mask_name(index), problem })
    }
}

/// Training, validation and optional test images with one class list.
#[derive(Clone)]
pub struct SegmentationSplits {
    /// Images to train on.
    pub train: Arc<dyn SegmentationDataset>,
    /// Images that settings are chosen by.
    pub val: Arc<dyn SegmentationDataset>,
    /// Images for the final evaluation.
    pub test: Option<Arc<dyn SegmentationDataset>>,
    /// Whether the validation part was split off by seed, because the data set has none.
    pub by_seed: bool,
    /// Name of the detected format.
    pub format: &'static str,
    /// Images without mask, masks without image and list lines without file, left out with `skip_bad`.
    pub left_out: Vec<BadImage>,
    /// How the set was read.
    pub decisions: Decisions,
}

impl SegmentationSplits {
    /// The same pairs with the class list of a trained model: a train id becomes the index of its class in `classes`.
    /// Names are compared in composed Unicode form.
    ///
    /// # Errors
    /// [`DataError::UnknownClasses`] where the data has a class that is not in `classes`.
    pub fn aligned(&self, classes: &[String]) -> Result<Self, DataError> {
        let part = |set: &Arc<dyn SegmentationDataset>| Relabeled::under(set, classes);
        let test = self.test.as_ref().map(part).transpose()?;
        Ok(Self { train: part(&self.train)?, val: part(&self.val)?, test, ..self.clone() })
    }
}

/// Pairs with another class list.
struct Relabeled {
    inner: Arc<dyn SegmentationDataset>,
    classes: ClassList,
    /// New id of each stored id.
    ids: Box<[u8; 256]>,
}

impl Relabeled {
    fn under(
        inner: &Arc<dyn SegmentationDataset>,
        classes: &[String],
    ) -> Result<Arc<dyn SegmentationDataset>, DataError> {
        let own = inner.classes();
        let mut ids = Box::new([IGNORED; 256]);
        let mut list = ClassList { names: classes.to_vec(), ..own.clone() };
        list.palette = (0..classes.len()).map(|id| voc_color(id as u8)).collect();
        for (id, place) in dataset::places(&own.names, classes)?.into_iter().enumerate() {
            ids[id] = place as u8;
            list.palette[place as usize] = own.palette[id];
        }
        Ok(Arc::new(Self { inner: Arc::clone(inner), classes: list, ids }))
    }
}

impl SegmentationDataset for Relabeled {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn classes(&self) -> &ClassList {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(index)
    }

    fn mask_name(&self, index: usize) -> String {
        self.inner.mask_name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.inner.image(index)
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        self.inner.bands(index)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let mut mask = self.inner.mask(index)?;
        mask.iter_mut().for_each(|id| *id = self.ids[usize::from(*id)]);
        Ok(mask)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.inner.depth()
    }
}

impl std::fmt::Debug for SegmentationSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentationSplits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(|t| t.len()))
            .field("classes", &self.train.classes().names)
            .finish()
    }
}
