//! Data in memory, without files, for the loader and the common training loop.
//!
//! | data | type | next |
//! |---|---|---|
//! | pictures and a class for each | [`MemoryClassification`] | [`prepare`](super::prepare), or [`Splits`] |
//! | pictures and a mask for each | [`MemorySegmentation`] | [`prepare`](super::prepare()) |
//! | pictures alone | [`MemoryImages`] | [`prepare`](super::prepare()) |
//! | numbers of any size and number of channels | [`MemorySamples`] | [`Loader`](super::Loader) |

use std::sync::Arc;

use image::{DynamicImage, GrayImage, RgbImage};

use super::decode::on_white;
use super::{
    ClassList, ClassificationDataset, DataError, IGNORED, ImageDataset, SampleLayout, SampleMut, SegmentationDataset,
    Source, Splits,
};

/// Pictures with a class each.
#[derive(Clone, Debug)]
pub struct MemoryClassification {
    images: Vec<RgbImage>,
    labels: Vec<u32>,
    class_names: Vec<String>,
}

impl MemoryClassification {
    /// Pictures of any sizes, with the class of each as an index into `class_names`. Transparent pixels become white.
    ///
    /// # Errors
    /// Where the numbers of labels and pictures differ, there are fewer than 2 classes, or a label is not a class.
    pub fn new<I: Into<DynamicImage>>(
        images: impl IntoIterator<Item = I>,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self, DataError> {
        let images = pictures(images);
        same_number("labels", labels.len(), images.len())?;
        if class_names.len() < 2 {
            return Err(memory("class_names", class_names.len(), "at least 2 names"));
        }
        let classes = class_names.len();
        match labels.iter().position(|&label| label as usize >= classes) {
            Some(index) => {
                let problem = format!("{} for image {index} of {classes} classes", labels[index]);
                Err(memory("labels", problem, "indices into class_names"))
            }
            None => Ok(Self { images, labels, class_names }),
        }
    }
}

impl Splits {
    /// A training and a validation part in memory, for the common training loop.
    ///
    /// # Errors
    /// Where their classes differ.
    pub fn in_memory(train: MemoryClassification, val: MemoryClassification) -> Result<Self, DataError> {
        if train.class_names != val.class_names {
            let given = format!("{:?} and {:?}", train.class_names, val.class_names);
            return Err(memory("class_names", given, "the same names in the training and the validation part"));
        }
        let (train, val) = (Arc::new(train), Arc::new(val));
        Ok(Splits { train, val, test: None, by_seed: false, format: "images in memory", decisions: Default::default() })
    }
}

impl ClassificationDataset for MemoryClassification {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn label(&self, index: usize) -> u32 {
        self.labels[index]
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.images[index].clone())
    }

    fn describe(&self, index: usize) -> String {
        name(index)
    }
}

/// Pictures with a mask each.
#[derive(Clone, Debug)]
pub struct MemorySegmentation {
    images: Vec<RgbImage>,
    masks: Vec<GrayImage>,
    classes: ClassList,
}

impl MemorySegmentation {
    /// Pictures of any sizes, each with a mask of its size: a class index for each pixel, or [`IGNORED`].
    ///
    /// # Errors
    /// Where the numbers of masks and pictures differ, sizes differ, or a pixel is not a class.
    pub fn new<I: Into<DynamicImage>>(
        images: impl IntoIterator<Item = I>,
        masks: Vec<GrayImage>,
        classes: ClassList,
    ) -> Result<Self, DataError> {
        let images = pictures(images);
        same_number("masks", masks.len(), images.len())?;
        for (index, (image, mask)) in images.iter().zip(&masks).enumerate() {
            if image.dimensions() != mask.dimensions() {
                let sizes = format!("{:?} pixels for image {index} of {:?}", mask.dimensions(), image.dimensions());
                return Err(memory("masks", sizes, "as large as its image"));
            }
            let outside = |class: &&u8| usize::from(**class) >= classes.len() && **class != IGNORED;
            if let Some(class) = mask.as_raw().iter().find(outside) {
                let value = format!("{class} in mask {index} of {} classes", classes.len());
                return Err(memory("masks", value, "indices of classes, or 255 for what does not count"));
            }
        }
        Ok(Self { images, masks, classes })
    }
}

impl SegmentationDataset for MemorySegmentation {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &ClassList {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.images[index].clone())
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        Ok(self.masks[index].clone())
    }
}

/// Pictures without labels.
#[derive(Clone, Debug)]
pub struct MemoryImages(Vec<RgbImage>);

impl MemoryImages {
    /// Pictures of any sizes. Transparent pixels become white.
    pub fn new<I: Into<DynamicImage>>(images: impl IntoIterator<Item = I>) -> Self {
        MemoryImages(pictures(images))
    }
}

impl ImageDataset for MemoryImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, index: usize) -> String {
        name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.0[index].clone())
    }
}

/// Values of equal shape, in the form that the network takes, with any number of channels.
#[derive(Clone, Debug)]
pub struct MemorySamples {
    samples: usize,
    layout: SampleLayout,
    images: Vec<f32>,
    labels: Vec<u32>,
    targets: Vec<f32>,
}

impl MemorySamples {
    /// Images `[H,W,C]`, one after another: `[N,H,W,C]`.
    ///
    /// # Errors
    /// Where the length is not a multiple of an image's.
    pub fn new(image: [usize; 3], images: Vec<f32>) -> Result<Self, DataError> {
        let each: usize = image.iter().product();
        if each == 0 || !images.len().is_multiple_of(each) {
            let given = format!("{} numbers for images of {image:?}", images.len());
            return Err(memory("images", given, "a multiple of height, width and channels"));
        }
        let layout = SampleLayout { image: each, labels: 0, targets: 0 };
        Ok(Self { samples: images.len() / each, layout, images, labels: vec![], targets: vec![] })
    }

    /// Adds class indices: `[N]` for images, or `[N,H,W]` for pixels.
    ///
    /// # Errors
    /// Where the length is not a multiple of the number of images.
    pub fn with_labels(mut self, labels: Vec<u32>) -> Result<Self, DataError> {
        self.layout.labels = self.each("labels", labels.len())?;
        Ok(Self { labels, ..self })
    }

    /// Adds target values, the same number for each image.
    ///
    /// # Errors
    /// Where the length is not a multiple of the number of images.
    pub fn with_targets(mut self, targets: Vec<f32>) -> Result<Self, DataError> {
        self.layout.targets = self.each("targets", targets.len())?;
        Ok(Self { targets, ..self })
    }

    fn each(&self, what: &'static str, given: usize) -> Result<usize, DataError> {
        match given.checked_div(self.samples).filter(|each| each * self.samples == given && *each > 0) {
            Some(each) => Ok(each),
            None => Err(memory(what, format!("{given} for {} images", self.samples), "as many for each image")),
        }
    }
}

impl Source for MemorySamples {
    fn len(&self) -> usize {
        self.samples
    }

    fn layout(&self) -> SampleLayout {
        self.layout
    }

    fn load(&self, _epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        fn copy<T: Copy>(to: &mut [T], from: &[T], index: usize) {
            to.copy_from_slice(&from[index * to.len()..][..to.len()]);
        }
        copy(sample.image, &self.images, index);
        copy(sample.labels, &self.labels, index);
        copy(sample.targets, &self.targets, index);
        Ok(())
    }
}

fn pictures<I: Into<DynamicImage>>(images: impl IntoIterator<Item = I>) -> Vec<RgbImage> {
    images.into_iter().map(|image| on_white(image.into())).collect()
}

fn name(index: usize) -> String {
    format!("image #{index} in memory")
}

fn same_number(name: &'static str, given: usize, images: usize) -> Result<(), DataError> {
    match given == images {
        true => Ok(()),
        false => Err(memory(name, format!("{given} for {images} images"), "one for each image")),
    }
}

fn memory(name: &'static str, value: impl ToString, expected: &'static str) -> DataError {
    DataError::Setting { name, value: value.to_string(), expected }
}
