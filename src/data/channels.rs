//! Data sets whose images have 1 or 4 channels.

use std::path::Path;
use std::sync::Arc;

use image::{GrayImage, RgbImage, RgbaImage};

use super::bands::{Bands, greyed};
use super::dataset::ClassificationDataset;
use super::depth::SampleDepth;
use super::segmentation::{ClassList, SegmentationDataset, SegmentationSplits};
use super::{DataError, Splits};

/// A data set whose images have 1 or 4 channels.
struct WithChannels<S: ?Sized> {
    inner: Arc<S>,
    channels: usize,
}

impl<S: ?Sized> WithChannels<S> {
    fn convert(
        &self,
        image: impl FnOnce() -> Result<RgbImage, DataError>,
        bands: impl FnOnce() -> Result<RgbaImage, DataError>,
    ) -> Result<RgbImage, DataError> {
        match self.channels {
            4 => bands().map(|image| Bands::from(image).rgb),
            _ => image().map(greyed),
        }
    }
}

impl ClassificationDataset for WithChannels<dyn ClassificationDataset> {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }

    fn label(&self, index: usize) -> u32 {
        self.inner.label(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.convert(|| self.inner.image(index), || self.inner.bands(index))
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

impl SegmentationDataset for WithChannels<dyn SegmentationDataset> {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn classes(&self) -> &ClassList {
        self.inner.classes()
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(index)
    }

    fn mask_name(&self, index: usize) -> String {
        self.inner.mask_name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.convert(|| self.inner.image(index), || self.inner.bands(index))
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        self.inner.bands(index)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        self.inner.mask(index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.inner.depth()
    }
}

impl Splits {
    /// The same images with 1, 3 or 4 channels.
    pub fn with_channels(self, channels: usize) -> Self {
        let part = |inner: Arc<dyn ClassificationDataset>| match channels {
            1 | 4 => Arc::new(WithChannels { inner, channels }),
            _ => inner,
        };
        Splits { train: part(self.train), val: part(self.val), test: self.test.map(part), ..self }
    }
}

impl SegmentationSplits {
    /// The same images with 1, 3 or 4 channels.
    pub fn with_channels(self, channels: usize) -> Self {
        let part = |inner: Arc<dyn SegmentationDataset>| match channels {
            1 | 4 => Arc::new(WithChannels { inner, channels }) as Arc<dyn SegmentationDataset>,
            _ => inner,
        };
        SegmentationSplits { train: part(self.train), val: part(self.val), test: self.test.map(part), ..self }
    }
}
