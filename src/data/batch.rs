//! Batches of samples, and the sources that fill them.

use super::DataError;
pub use crate::batch::Batch;

/// Number of values of one sample in each part of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleLayout {
    /// `f32` values of the input: height x width x channels.
    pub image: usize,
    /// `u32` labels: 1 for a class, height x width for a mask, 0 without labels.
    pub labels: usize,
    /// `f32` values of a target that is a picture (colors to predict); 0 without a target.
    pub targets: usize,
}

/// The slot of one sample in a batch. It holds values of earlier batches and must be filled completely.
#[derive(Debug)]
pub struct SampleMut<'a> {
    /// `layout().image` values.
    pub image: &'a mut [f32],
    /// `layout().labels` labels.
    pub labels: &'a mut [u32],
    /// `layout().targets` values.
    pub targets: &'a mut [f32],
}

/// Identifies a sample. A resumed run compares it with the stored one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Name of the image; the path of a file.
    pub name: String,
    /// Names of its classes; empty without classes and with a mask.
    pub label: String,
    /// Name of its mask, if it has one.
    pub mask: Option<String>,
    /// Digest of the resized image, if that is in memory.
    pub image_digest: Option<u64>,
    /// Digest of the resized mask, if that is in memory.
    pub mask_digest: Option<u64>,
    /// Digest of image and mask as their files have them, if all were read before training.
    pub own_digest: Option<u64>,
}

/// Digest of bytes: the same on every machine, not cryptographic.
pub fn digest(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain(std::iter::once(&last)).map(|word| u64::from_le_bytes(*word));
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(FACTOR).rotate_left(29);
    mix(words.fold(bytes.len() as u64, mix), FACTOR)
}

/// Turns `(epoch, index)` into a sample: the interface between the loader and data. Classes, masks and color targets,
/// with or without augmentation, are sources.
///
/// A sample must depend on nothing but the source's settings, `epoch` and `index`. Random numbers come from `random.rs`
/// with these as key. Batches then do not depend on threads.
pub trait Source: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sizes of a sample, the same for all samples at all times.
    fn layout(&self) -> SampleLayout;

    /// Identity of sample `index` before augmentation. A resumed run names the samples whose identity changed. With
    /// `None` it compares the number of samples alone.
    fn identity(&self, index: usize) -> Option<Identity> {
        let _ = index;
        None
    }

    /// Classes of sample `index`, for draws that are balanced over them; `None` for samples without classes.
    fn classes_of(&self, index: usize) -> Option<Vec<u32>> {
        let _ = index;
        None
    }

    /// Writes sample `index` as it is in `epoch`.
    ///
    /// # Errors
    /// If the sample cannot be read. The loader yields the error instead of the batch.
    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError>;
}

impl Batch {
    /// Resizes the batch to the samples `indices`. It allocates only where the batch was smaller.
    pub(crate) fn resize(&mut self, indices: &[usize], layout: SampleLayout) {
        self.images.resize(indices.len() * layout.image, 0.0);
        self.labels.resize(indices.len() * layout.labels, 0);
        self.targets.resize(indices.len() * layout.targets, 0.0);
        self.indices.clear();
        self.indices.extend_from_slice(indices);
    }

    /// The samples `indices` of a source, as they are in epoch 0.
    ///
    /// # Errors
    /// When a sample cannot be read.
    #[cfg(feature = "tasks")]
    pub(crate) fn load(source: &dyn Source, indices: &[usize]) -> Result<Self, DataError> {
        let (mut batch, layout) = (Batch::default(), source.layout());
        batch.resize(indices, layout);
        for (slot, &index) in indices.iter().enumerate() {
            source.load(0, index, batch.sample_mut(slot, layout))?;
        }
        Ok(batch)
    }

    /// The slot of sample `slot`.
    pub(crate) fn sample_mut(&mut self, slot: usize, layout: SampleLayout) -> SampleMut<'_> {
        fn part<T>(values: &mut [T], slot: usize, length: usize) -> &mut [T] {
            &mut values[slot * length..(slot + 1) * length]
        }
        SampleMut {
            image: part(&mut self.images, slot, layout.image),
            labels: part(&mut self.labels, slot, layout.labels),
            targets: part(&mut self.targets, slot, layout.targets),
        }
    }
}
