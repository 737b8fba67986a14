//! Prepared pairs of image and mask, and their source for the loader.

use std::sync::Arc;

use image::{RgbImage, RgbaImage};

use super::{Augmenting, Own, Prepared, SampleSet, Size};
use crate::data::batch::{Identity, digest};
use crate::data::names::quoted;
use crate::data::resize::{nearest_into, stretch_into};
use crate::data::{
    Augmentation, ClassList, DataError, IGNORED, Inputs, Normalization, PixelSums, SampleDepth, SampleLayout,
    SampleMut, SegmentationDataset, Source, one_line,
};

/// Prepared pairs of image and mask.
pub type PreparedPairs = Prepared<Arc<dyn SegmentationDataset>>;

/// Counts over the good pairs, resized.
#[derive(Debug, Clone, Default)]
pub struct PairFacts {
    /// Exact sums over the images.
    pub sums: PixelSums,
    /// Number of pixels of each class.
    pub class_pixels: Vec<u64>,
    /// For each class, the number of pixels of the images with this class, ignored ones included.
    pub class_image_pixels: Vec<u64>,
    /// Number of ignored pixels.
    pub ignored_pixels: u64,
}

impl SampleSet for Arc<dyn SegmentationDataset> {
    const BYTES: usize = 4;
    type Count = PairFacts;
    type Facts = PairFacts;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        (**self).depth()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        (**self).image(index)
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        (**self).bands(index)
    }

    /// Stretches both to the size, the mask by the nearest pixel. The whole picture stays in view.
    fn fill(&self, index: usize, ((height, width), _): (Size, f64), out: &mut [u8]) -> Result<Own, DataError> {
        let (image, mask) = (self.image(index)?, self.mask(index)?);
        if let Some(bad) = self.other_size(index, image.dimensions(), mask.dimensions()) {
            return Err(DataError::BadImage(bad));
        }
        let (image_out, mask_out) = halves_mut(out);
        stretch_into(&image, width, height, image_out);
        nearest_into(&mask, width, height, mask_out);
        let digest = digest(image.as_raw()) ^ digest(mask.as_raw()).rotate_left(1);
        Ok(Own { size: (image.height(), image.width()), digest })
    }

    fn count(&self, sample: &[u8]) -> PairFacts {
        let (image, mask) = halves(sample);
        let (class_pixels, ignored_pixels) = count(mask, self.classes().len());
        let pixels = mask.len() as u64;
        let class_image_pixels = class_pixels.iter().map(|&n| if n > 0 { pixels } else { 0 }).collect();
        PairFacts { sums: PixelSums::of(image), class_pixels, class_image_pixels, ignored_pixels }
    }

    fn facts(&self, counts: Vec<(usize, PairFacts)>) -> PairFacts {
        let zeros = vec![0; self.classes().len()];
        let empty = PairFacts { class_pixels: zeros.clone(), class_image_pixels: zeros, ..PairFacts::default() };
        counts.into_iter().fold(empty, |all, (_, one)| all.plus(one))
    }

    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError> {
        match prepared.iter().find(|one| one.facts.class_pixels.iter().all(|&pixels| pixels == 0)) {
            Some(empty) => {
                let first = empty.set.mask_name(empty.original_index(0));
                Err(DataError::NothingCounts { masks: empty.own_sizes().len(), first })
            }
            None => Ok(()),
        }
    }
}

impl PairFacts {
    fn plus(self, other: Self) -> Self {
        let sum = |a: Vec<u64>, b: Vec<u64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
        Self {
            sums: self.sums.plus(other.sums),
            class_pixels: sum(self.class_pixels, other.class_pixels),
            class_image_pixels: sum(self.class_image_pixels, other.class_image_pixels),
            ignored_pixels: self.ignored_pixels + other.ignored_pixels,
        }
    }
}

/// Image and mask of a sample.
fn halves(sample: &[u8]) -> (&[u8], &[u8]) {
    sample.split_at(sample.len() / 4 * 3)
}

fn halves_mut(sample: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    sample.split_at_mut(sample.len() / 4 * 3)
}

/// Number of pixels of each class, and of ignored pixels.
pub(crate) fn count(mask: &[u8], classes: usize) -> (Vec<u64>, u64) {
    let mut counts = [0u64; 256];
    mask.iter().for_each(|&id| counts[usize::from(id)] += 1);
    (counts.iter().take(classes).copied().collect(), counts[usize::from(IGNORED)])
}

/// Notes on the classes without a pixel in a part (`train`, `val`, `test`): one for each, or one for many.
pub(crate) fn no_pixels<'a>(classes: impl Iterator<Item = (&'a str, u64)>, part: &str) -> Vec<String> {
    const ALONE: usize = 3;
    let absent: Vec<String> = classes.filter(|(_, pixels)| *pixels == 0).map(|(class, _)| one_line(class)).collect();
    let effect = |it: &str, classes: &str| match part {
        "train" => format!(
            "no pixel in the training masks: {it} cannot be learned; remove {classes} from the classes if {it} is none"
        ),
        part => format!("no pixel in the {part} part: no score counts {classes}"),
    };
    if absent.len() <= ALONE {
        return absent.iter().map(|class| format!("class '{class}' has {}", effect("it", "it"))).collect();
    }
    let effect = effect("they", "them").replace("if they is none", "if they are none");
    vec![format!("{} classes have {effect}: {}", absent.len(), quoted(&absent))]
}

impl PreparedPairs {
    /// A note on each class that the part (`train`, `val`, `test`) lacks. Empty if only a sample was read.
    #[cfg(feature = "tasks")]
    pub(crate) fn missing_classes(&self, part: &str) -> Vec<String> {
        if self.is_sampled() {
            return vec![];
        }
        let classes = self.classes().names.iter().map(String::as_str).zip(self.facts.class_pixels.iter().copied());
        no_pixels(classes, part)
    }

    /// Identity of pair `index`.
    pub(super) fn identity(&self, index: usize) -> Option<Identity> {
        let halves = self.store.first(index).map(halves);
        Some(Identity {
            name: self.name(index),
            mask: Some(self.set.mask_name(self.original_index(index))),
            image_digest: halves.map(|(image, _)| digest(image)),
            mask_digest: halves.map(|(_, mask)| digest(mask)),
            own_digest: self.own_digest(index),
            ..Identity::default()
        })
    }

    /// The classes.
    pub fn classes(&self) -> &ClassList {
        self.set.classes()
    }
}

/// Prepared pairs for the loader: the normalized image (H, W, 3), and labels (H, W) with 255 for ignored pixels.
pub struct SegmentationSource {
    prepared: Arc<PreparedPairs>,
    inputs: Inputs,
    augmentation: Augmenting,
}

impl SegmentationSource {
    /// A source of `prepared`.
    pub fn new(prepared: Arc<PreparedPairs>, normalization: &Normalization) -> Self {
        Self { prepared, inputs: Inputs::rgb(normalization), augmentation: None }
    }

    /// The same with 1 or 3 channels.
    pub fn with_inputs(self, inputs: Inputs) -> Self {
        Self { inputs, ..self }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }
}

impl Source for SegmentationSource {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let pixels = self.prepared.pixels();
        SampleLayout { image: self.inputs.channels() * pixels, labels: pixels, targets: 0 }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        self.prepared.identity(index)
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let write = |rgb: &[u8], mask: &[u8]| {
            self.inputs.write(rgb, sample.image);
            sample.labels.iter_mut().zip(mask).for_each(|(label, &id)| *label = u32::from(id));
        };
        self.prepared.augmented(self.augmentation.as_deref(), epoch, index, write)
    }
}
