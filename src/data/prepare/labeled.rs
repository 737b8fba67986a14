//! Prepared images with a class or with labels each, and their source for the loader.

use std::cell::RefCell;
use std::sync::Arc;

use image::{RgbImage, RgbaImage};

use super::{Augmenting, Prepared, SampleSet};
use crate::data::augment::{Picture, View};
use crate::data::batch::{Identity, digest};
use crate::data::class_depths;
use crate::data::kept::Kept;
use crate::data::multilabel::MultiLabelSet;
use crate::data::{
    Augmentation, Bands, ClassificationDataset, DataError, Inputs, Mix, MixOf, Normalization, PixelSums, SampleDepth,
    SampleLayout, SampleMut, Source,
};

/// Prepared images with a class each.
pub type PreparedClasses = Prepared<Arc<dyn ClassificationDataset>>;
/// Prepared images with a set of labels each.
pub type PreparedLabels = Prepared<MultiLabelSet>;
/// Prepared images with a class each, for the loader.
pub type ClassificationSource = LabeledSource<Arc<dyn ClassificationDataset>>;
/// Prepared images with a set of labels each, for the loader.
pub type MultiLabelSource = LabeledSource<MultiLabelSet>;

/// A set in which whole images have classes.
pub trait Labeled: SampleSet<Facts = PixelSums> {
    /// Whether each image has exactly one class. The class is then a label of the batch, and a target only if images
    /// are mixed.
    const ONE_CLASS: bool;

    /// Names of the classes.
    fn class_names(&self) -> &[String];

    /// Calls `f` with each class of image `index`, ascending.
    fn each_class(&self, index: usize, f: impl FnMut(u32));
}

impl SampleSet for Arc<dyn ClassificationDataset> {
    type Count = PixelSums;
    type Facts = PixelSums;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn name(&self, index: usize) -> String {
        self.describe(index)
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

    fn count(&self, sample: &[u8]) -> PixelSums {
        PixelSums::of(sample)
    }

    fn facts(&self, counts: Vec<(usize, PixelSums)>) -> PixelSums {
        sum(counts)
    }

    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError> {
        let Some(train) = prepared.first() else { return Ok(()) };
        train.require_every_class()?;
        if let Some(depth) = (**train.dataset()).depth().filter(|depth| depth.images() > 0 && depth.is_of_set())
            && let Some(note) = class_depths::compare(&**train.dataset())?
        {
            depth.remark(note);
        }
        Ok(())
    }
}

impl Labeled for Arc<dyn ClassificationDataset> {
    const ONE_CLASS: bool = true;

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn each_class(&self, index: usize, mut f: impl FnMut(u32)) {
        f(self.label(index));
    }
}

impl SampleSet for MultiLabelSet {
    type Count = PixelSums;
    type Facts = PixelSums;

    fn len(&self) -> usize {
        self.len()
    }

    fn name(&self, index: usize) -> String {
        self.name(index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.depth()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.image(index)
    }

    fn count(&self, sample: &[u8]) -> PixelSums {
        PixelSums::of(sample)
    }

    fn facts(&self, counts: Vec<(usize, PixelSums)>) -> PixelSums {
        sum(counts)
    }

    fn check(prepared: &[Prepared<Self>]) -> Result<(), DataError> {
        prepared.first().map_or(Ok(()), Prepared::require_every_class)
    }
}

impl Labeled for MultiLabelSet {
    const ONE_CLASS: bool = false;

    fn class_names(&self) -> &[String] {
        self.class_names()
    }

    fn each_class(&self, index: usize, f: impl FnMut(u32)) {
        self.labels(index).iter().copied().for_each(f);
    }
}

fn sum(counts: Vec<(usize, PixelSums)>) -> PixelSums {
    counts.into_iter().fold(PixelSums::default(), |all, (_, one)| all.plus(one))
}

impl<S: Labeled> Prepared<S> {
    /// Names of the classes.
    pub fn class_names(&self) -> &[String] {
        self.set.class_names()
    }

    /// Number of good images of each class.
    pub fn positives(&self) -> Vec<usize> {
        self.images_of_classes((0..self.len()).map(|index| self.original_index(index)))
    }

    fn images_of_classes(&self, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut counts = vec![0; self.class_names().len()];
        indices.for_each(|index| self.set.each_class(index, |class| counts[class as usize] += 1));
        counts
    }

    /// Refuses a set in which all images of a class are unreadable. A class without images is not a fault here, because
    /// opening the set noted it.
    fn require_every_class(&self) -> Result<(), DataError> {
        let (listed, read) = (self.images_of_classes(0..self.set.len()), self.positives());
        match listed.iter().zip(&read).position(|(&listed, &read)| listed > 0 && read == 0) {
            Some(class) => Err(DataError::ClassLost { class: self.class_names()[class].clone() }),
            None => Ok(()),
        }
    }
}

impl PreparedClasses {
    /// Class of good image `index`.
    pub fn label(&self, index: usize) -> u32 {
        self.set.label(self.original_index(index))
    }
}

impl PreparedLabels {
    /// Classes of good image `index`, ascending.
    pub fn labels(&self, index: usize) -> &[u32] {
        self.set.labels(self.original_index(index))
    }
}

/// Prepared images for the loader: the normalized image (H, W, 3), and its classes:
///
/// | images | classes in the batch |
/// |---|---|
/// | with one class each | the label |
/// | with labels | targets, 1 or 0 for each class |
/// | mixed | targets, shares from 0 to 1 |
pub struct LabeledSource<S: Labeled> {
    prepared: Arc<Prepared<S>>,
    inputs: Inputs,
    augmentation: Augmenting,
    mix: Mix,
    originals: Option<Kept<Bands>>,
}

/// No change, for images that are only resampled.
static UNCHANGED: Augmentation = Augmentation::none();

thread_local! {
    /// The image that is mixed into another.
    static OTHER: RefCell<Vec<f32>> = RefCell::default();
}

impl<S: Labeled> LabeledSource<S> {
    /// A source of `prepared`.
    pub fn new(prepared: Arc<Prepared<S>>, normalization: &Normalization) -> Self {
        Self { prepared, inputs: Inputs::rgb(normalization), augmentation: None, mix: Mix::default(), originals: None }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Option<Arc<Augmentation>>) -> Self {
        Self { augmentation, ..self }
    }

    /// The same, with mixed samples. A single image stays unchanged.
    pub fn mixed(self, mix: Mix) -> Self {
        Self { mix, ..self }
    }

    /// The same with 1, 3 or 4 channels; 4 are read from the original images.
    pub fn with_inputs(self, inputs: Inputs) -> Self {
        let from_originals = inputs.channels() == 4 && self.originals.is_none();
        let this = Self { inputs, ..self };
        if from_originals { this.from_originals(0) } else { this }
    }

    /// The same, augmented from the original images: each sample is resampled once, from the image at its own size.
    /// Decoded images are kept while `budget` bytes last.
    pub fn from_originals(self, budget: u64) -> Self {
        Self { originals: Some(Kept::new(self.prepared.len(), budget)), ..self }
    }

    /// Writes the image of sample `index` without mixing.
    fn image(&self, epoch: u64, index: usize, to: &mut [f32]) -> Result<(), DataError> {
        let Some(originals) = &self.originals else {
            let write = |rgb: &[u8], _: &[u8]| self.inputs.write(rgb, to);
            return self.prepared.augmented(self.augmentation.as_deref(), epoch, index, write);
        };
        let (set, at, channels) = (&self.prepared.set, self.prepared.original_index(index), self.inputs.channels());
        let read = || match channels {
            4 => set.bands(at).map(Bands::from),
            _ => set.image(at).map(|rgb| Bands { rgb, fourth: None }),
        };
        let bytes = |image: &Bands| (channels.max(3) * image.rgb.as_raw().len() / 3) as u64;
        let image = originals.get(index, bytes, read)?;
        let usizes = |(height, width): (u32, u32)| (height as usize, width as usize);
        let size = usizes((image.rgb.height(), image.rgb.width()));
        let view = View::center(size, usizes(self.prepared.size), self.prepared.margin);
        let augmentation = self.augmentation.as_deref().unwrap_or(&UNCHANGED);
        let write = |rgb: &[u8], _: &[u8]| self.inputs.write(rgb, to);
        augmentation.with_view(Picture { size, rgb: &image.rgb, mask: &[] }, view, epoch, index, write);
        if let Some(fourth) = image.fourth_as_rgb() {
            let write = |rgb: &[u8], _: &[u8]| self.inputs.write_fourth(rgb, to);
            let picture = Picture { size, rgb: &fourth, mask: &[] };
            augmentation.with_view(picture, view.without_colors(), epoch, index, write);
        }
        Ok(())
    }

    fn each_class(&self, index: usize, f: impl FnMut(u32)) {
        self.prepared.set.each_class(self.prepared.original_index(index), f);
    }
}

impl<S: Labeled> Source for LabeledSource<S> {
    fn len(&self) -> usize {
        self.prepared.len()
    }

    fn layout(&self) -> SampleLayout {
        let has_targets = !S::ONE_CLASS || self.mix.is_on();
        let targets = if has_targets { self.prepared.class_names().len() } else { 0 };
        SampleLayout {
            image: self.inputs.channels() * self.prepared.pixels(),
            labels: usize::from(S::ONE_CLASS),
            targets,
        }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        let names = self.prepared.class_names();
        let mut of_image: Vec<&str> = vec![];
        self.each_class(index, |class| of_image.extend(names.get(class as usize).map(String::as_str)));
        let (name, label) = (self.prepared.name(index), of_image.join("; "));
        let image_digest = self.prepared.store.first(index).map(digest);
        let own_digest = self.prepared.own_digest(index);
        Some(Identity { name, label, image_digest, own_digest, ..Identity::default() })
    }

    fn classes_of(&self, index: usize) -> Option<Vec<u32>> {
        let mut classes = vec![];
        self.each_class(index, |class| classes.push(class));
        Some(classes)
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let SampleMut { image, labels, targets } = sample;
        self.image(epoch, index, image)?;
        if S::ONE_CLASS {
            self.each_class(index, |class| labels[0] = class);
        }
        if targets.is_empty() {
            return Ok(());
        }
        targets.fill(0.0);
        let mut add = |index, share| self.each_class(index, |class| targets[class as usize] += share);
        if !self.mix.is_on() || self.len() == 1 {
            add(index, 1.0);
            return Ok(());
        }
        let (height, width) = self.prepared.size;
        let size = (height as usize, width as usize);
        let mixed = self.mix.draw(MixOf { epoch, index, samples: self.len(), size });
        add(index, mixed.share);
        add(mixed.other, 1.0 - mixed.share);
        OTHER.with_borrow_mut(|other| {
            other.resize(image.len(), 0.0);
            self.image(epoch, mixed.other, other)?;
            mixed.apply(image, other, width as usize, self.inputs.channels());
            Ok(())
        })
    }
}
