//! Random crops of pictures and masks at their own size, for the loader.

use std::sync::Arc;

use super::{Augmenting, PreparedPairs};
use crate::data::augment::{Picture, View};
use crate::data::batch::Identity;
use crate::data::kept::Kept;
use crate::data::{Augmentation, Bands, DataError, Inputs, SampleLayout, SampleMut, Source};
use crate::random::{Random, op};

/// The size of crops, and the range of the factors by which pictures are scaled before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crops {
    /// Height and width in pixels, at least 1.
    pub size: (usize, usize),
    /// Least and largest factor, drawn logarithmically uniform.
    pub scale: [f64; 2],
    /// Where crops are taken.
    pub place: Place,
}

/// Where crops are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    /// At random places of pictures that are scaled by random factors, given their seed.
    Random(u64),
    /// The center of the unscaled picture.
    Center,
    /// The whole picture, stretched to the size.
    Whole,
}

impl Crops {
    /// The view of sample `index` of height and width `original` in an epoch.
    pub fn view(&self, original: (usize, usize), epoch: u64, index: usize) -> View {
        let Crops { size, scale: [least, most], place } = *self;
        let seed = match place {
            Place::Random(seed) => seed,
            Place::Center => return View::crop(original, size, 1.0, (0.5, 0.5)).on_pixels(original),
            Place::Whole => return View::stretched(original, size),
        };
        let mut random = Random::new(seed, epoch, index as u64, op::CROP);
        let unit = |random: &mut Random| f64::from(random.unit());
        let scale = (least.ln() + (most.ln() - least.ln()) * unit(&mut random)).exp();
        let at = (unit(&mut random), unit(&mut random));
        View::crop(original, size, scale, at).on_pixels(original)
    }
}

/// A picture and its mask at their own size.
struct Original {
    image: Bands,
    mask: Vec<u8>,
}

impl Original {
    fn bytes(&self) -> u64 {
        let channels = if self.image.fourth.is_some() { 4 } else { 3 };
        ((1 + channels) * self.mask.len()) as u64
    }
}

/// Crops of prepared pairs at their own size: the normalized image (H, W, 3), and labels (H, W) with 255 for ignored
/// pixels and for pixels outside of the picture. Crop, scale and augmentation are one resampling; the mask takes the
/// nearest pixel.
///
/// Factor and place are `f(seed, epoch, sample)`. Decoded pictures are kept in memory while `budget` bytes last.
pub struct CropSource {
    pairs: Arc<PreparedPairs>,
    inputs: Inputs,
    crops: Crops,
    augmentation: Arc<Augmentation>,
    kept: Kept<Original>,
}

impl CropSource {
    /// A source of crops of `pairs`.
    pub fn new(pairs: Arc<PreparedPairs>, inputs: Inputs, crops: Crops, budget: u64) -> Self {
        let kept = Kept::new(pairs.len(), budget);
        Self { pairs, inputs, crops, augmentation: Arc::new(Augmentation::none()), kept }
    }

    /// The same, with augmentation.
    pub fn augmented(self, augmentation: Augmenting) -> Self {
        let augmentation = augmentation.unwrap_or_else(|| Arc::new(Augmentation::none()));
        Self { augmentation, ..self }
    }

    fn read(&self, index: usize) -> Result<Original, DataError> {
        let (set, index) = (self.pairs.dataset(), self.pairs.original_index(index));
        let image = match self.inputs.channels() {
            4 => set.bands(index)?.into(),
            _ => Bands { rgb: set.image(index)?, fourth: None },
        };
        Ok(Original { image, mask: set.mask(index)?.into_raw() })
    }
}

impl Source for CropSource {
    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn layout(&self) -> SampleLayout {
        let pixels = self.crops.size.0 * self.crops.size.1;
        SampleLayout { image: self.inputs.channels() * pixels, labels: pixels, targets: 0 }
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        self.pairs.identity(index)
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        let original = self.kept.get(index, Original::bytes, || self.read(index))?;
        let Original { image, mask } = &*original;
        let size = (image.rgb.height() as usize, image.rgb.width() as usize);
        let view = self.crops.view(size, epoch, index);
        let SampleMut { image: values, labels, .. } = sample;
        let write = |rgb: &[u8], mask: &[u8]| {
            self.inputs.write(rgb, values);
            labels.iter_mut().zip(mask).for_each(|(label, &id)| *label = u32::from(id));
        };
        let picture = Picture { size, rgb: &image.rgb, mask };
        self.augmentation.with_view(picture, view, epoch, index, write);
        if let Some(fourth) = image.fourth_as_rgb() {
            let write = |rgb: &[u8], _: &[u8]| self.inputs.write_fourth(rgb, values);
            let picture = Picture { size, rgb: &fourth, mask: &[] };
            self.augmentation.with_view(picture, view.without_colors(), epoch, index, write);
        }
        Ok(())
    }
}
