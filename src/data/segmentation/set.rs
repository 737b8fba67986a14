//! What a segmentation set is: images with a class for every pixel, in parts with one class list.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use super::class_list::{ClassList, IGNORED, voc_color};
use crate::data::decisions::Decisions;
use crate::data::depth::SampleDepth;
use crate::data::{BadImage, DataError, dataset};

/// Images with a class for each pixel. Indices run from 0 to `len() - 1`; an index beyond may panic.
pub trait SegmentationDataset: Send + Sync {
    /// Number of pairs of image and mask.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes; a train id is an index into them.
    fn classes(&self) -> &ClassList;

    /// What to call image `index` to a person: its path, or `street #17 of seed 1`.
    fn name(&self, index: usize) -> String;

    /// What to call the mask of image `index` to a person.
    fn mask_name(&self, index: usize) -> String {
        format!("mask of {}", self.name(index))
    }

    /// Image `index` at its native size, decoded now.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with what is wrong with it.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// The train id of each pixel of image `index`, [`IGNORED`] for pixels that do not count.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with what is wrong with it, values that stand for no class included.
    fn mask(&self, index: usize) -> Result<GrayImage, DataError>;

    /// How 16-bit samples of images are read, where there may be any.
    fn depth(&self) -> Option<&SampleDepth> {
        None
    }
}

/// Training, validation and (where there are any) test images with one class list.
#[derive(Clone)]
pub struct SegmentationSplits {
    /// Images to learn from.
    pub train: Arc<dyn SegmentationDataset>,
    /// Images to choose settings by.
    pub val: Arc<dyn SegmentationDataset>,
    /// Images for the last word.
    pub test: Option<Arc<dyn SegmentationDataset>>,
    /// Whether the validation part was split off by seed, since the data set brings none.
    pub by_seed: bool,
    /// Name of the format that was found, for people.
    pub format: &'static str,
    /// Images without mask, masks without image, list lines without file: left out with `skip_bad`.
    pub left_out: Vec<BadImage>,
    /// How the set was read.
    pub decisions: Decisions,
}

impl SegmentationSplits {
    /// The same pairs under the classes of a trained model: each train id becomes the place of its class in `classes`.
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

/// Pairs under another class list.
struct Relabeled {
    inner: Arc<dyn SegmentationDataset>,
    classes: ClassList,
    /// New id of each stored one.
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
