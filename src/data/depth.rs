//! The number of used bits in 16-bit samples of a data set.
//!
//! Cameras and scanners of 10, 12 or 14 bits store their values in files of 16 bits, mostly in the low bits. Read as 16
//! bits, such pictures are nearly black.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::ImageProblem;

/// Bits per sample of cameras and scanners, and of bytes that were saved with 16 bits.
const DEPTHS: [u8; 4] = [8, 10, 12, 14];

/// The conversion of 16-bit samples of a set to 8 bits: `round(255 value / (2^bits - 1))`.
///
/// It collects the highest value during the first reading of a set. `settle` then chooses one number of bits for the
/// whole set, so that pictures stay comparable.
#[derive(Debug)]
pub struct SampleDepth {
    bits: AtomicU8,
    settled: AtomicU8,
    images: AtomicUsize,
    highest: AtomicU32,
    /// Number of images that need each of [`DEPTHS`], and of those that need more.
    needs: [AtomicUsize; DEPTHS.len() + 1],
    /// What decided the number of bits: a [`Sampled`] as a number.
    sampled: AtomicU8,
    /// Number of files with several pages.
    paged: AtomicUsize,
    /// Files with each color profile other than sRGB.
    profiles: Mutex<BTreeMap<String, usize>>,
    remark: Mutex<Option<String>>,
}

/// The images from which the number of bits is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// All images of the set.
    All,
    /// A random sample of them.
    Sample,
}

/// What decided the number of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampled {
    /// The whole set decided.
    No,
    /// A trained model decided.
    ByModel,
    /// A trained model whose training had no 16-bit image. Such images are read as 16 bits if one of them needs 16.
    ByModelOf8Bits,
    /// The same model, for 16-bit images that all need fewer bits: they are refused.
    DarkForModel,
    /// A sample with 16-bit images.
    With16Bits,
    /// A sample without 16-bit images.
    Without16Bits,
}

impl Default for SampleDepth {
    /// 16 bits, until images show fewer.
    fn default() -> Self {
        Self {
            bits: 16.into(),
            settled: 0.into(),
            images: 0.into(),
            highest: 0.into(),
            needs: Default::default(),
            sampled: (Sampled::No as u8).into(),
            paged: 0.into(),
            profiles: Mutex::default(),
            remark: Mutex::default(),
        }
    }
}

impl SampleDepth {
    /// A fixed number of bits, as of a trained model.
    pub fn fixed(bits: u8) -> Self {
        let depth = Self::default();
        depth.fix(bits);
        depth
    }

    /// Fixes the number of bits to that of a trained model. An image that needs more is refused from now on.
    pub fn fix(&self, bits: u8) {
        self.bits.store(bits.clamp(1, 16), Ordering::Relaxed);
        self.sampled.store(Sampled::ByModel as u8, Ordering::Relaxed);
        self.settled.store(1, Ordering::Relaxed);
    }

    /// Fixes the number of bits to that of a trained model; `None` for a model whose training had no 16-bit image.
    #[cfg(feature = "tasks")]
    pub(crate) fn fix_to(&self, bits: Option<u8>) {
        self.fix(bits.unwrap_or(16));
        if bits.is_none() {
            self.sampled.store(Sampled::ByModelOf8Bits as u8, Ordering::Relaxed);
        }
    }

    /// Whether the number of bits is that of a model of 8-bit images, which says nothing about 16-bit ones.
    pub(crate) fn is_open(&self) -> bool {
        self.sampled.load(Ordering::Relaxed) == Sampled::ByModelOf8Bits as u8
    }

    /// The problem of 16-bit images that all need fewer than 16 bits, for a model of 8-bit images: training would read
    /// them with fewer bits. From now on they are refused.
    pub(crate) fn refuse_dark(&self) -> Option<ImageProblem> {
        let highest = self.highest.load(Ordering::Relaxed);
        let needed = bits_for(highest);
        let is_dark = self.is_open() && highest > 0 && needed < 16;
        is_dark.then(|| {
            self.sampled.store(Sampled::DarkForModel as u8, Ordering::Relaxed);
            ImageProblem::DarkForModel { highest: u16::try_from(highest).unwrap_or(u16::MAX), needed }
        })
    }

    /// Highest value of the 16-bit images that were read.
    pub(crate) fn highest(&self) -> u32 {
        self.highest.load(Ordering::Relaxed)
    }

    /// Whether the images of a set decide the number of bits, not a trained model.
    pub(crate) fn is_of_set(&self) -> bool {
        let by_model = [Sampled::ByModel, Sampled::ByModelOf8Bits, Sampled::DarkForModel].map(|state| state as u8);
        !by_model.contains(&self.sampled.load(Ordering::Relaxed))
    }

    /// Adds a remark to the note.
    pub(crate) fn remark(&self, remark: String) {
        *self.remark.lock().unwrap_or_else(PoisonError::into_inner) = Some(remark);
    }

    /// Number of 16-bit images that were read.
    pub(crate) fn images(&self) -> usize {
        self.images.load(Ordering::Relaxed)
    }

    /// Number of bits that samples are read with.
    pub fn bits(&self) -> u8 {
        self.bits.load(Ordering::Relaxed)
    }

    /// Records the highest value of a 16-bit image.
    pub(crate) fn saw(&self, highest: u16) {
        self.images.fetch_add(1, Ordering::Relaxed);
        self.highest.fetch_max(u32::from(highest), Ordering::Relaxed);
        if self.settled.load(Ordering::Relaxed) == 0 {
            let need = DEPTHS.iter().position(|&bits| u32::from(highest) < 1 << bits).unwrap_or(DEPTHS.len());
            self.needs[need].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts facts of a file for the note: whether it has several pages or frames, of which the first is read, and the
    /// name of a color profile, which is not applied. Only the first reading of a set counts.
    pub(crate) fn look(&self, seen: impl FnOnce() -> (bool, Option<String>)) {
        if self.settled.load(Ordering::Relaxed) == 1 {
            return;
        }
        let (is_paged, profile) = seen();
        self.paged.fetch_add(usize::from(is_paged), Ordering::Relaxed);
        if let Some(name) = profile {
            *self.profiles.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        }
    }

    /// Chooses the number of bits from the recorded values. Returns whether images must be read again.
    pub(crate) fn settle(&self, basis: Basis) -> bool {
        let is_sampled = basis == Basis::Sample;
        let highest = self.highest.load(Ordering::Relaxed);
        let seen = self.images.load(Ordering::Relaxed) > 0 && highest > 0;
        if !(seen || is_sampled) || self.settled.swap(1, Ordering::Relaxed) == 1 {
            return false;
        }
        if is_sampled {
            let state = if seen { Sampled::With16Bits } else { Sampled::Without16Bits };
            self.sampled.store(state as u8, Ordering::Relaxed);
        }
        let bits = if seen { bits_for(highest) } else { 16 };
        self.bits.swap(bits, Ordering::Relaxed) != bits
    }

    /// Refuses a 16-bit image that would have changed the choice if the sample had held it, or with values that a model
    /// would clip to white.
    ///
    /// # Errors
    /// [`ImageProblem::OtherDepth`], [`ImageProblem::DeeperThanModel`] and [`ImageProblem::DarkForModel`].
    pub(crate) fn require_fits(&self, highest: u16) -> Result<(), ImageProblem> {
        let (bits, needed) = (self.bits(), bits_for(u32::from(highest)));
        let sampled = self.sampled.load(Ordering::Relaxed);
        if sampled == Sampled::ByModel as u8 && needed > bits {
            return Err(ImageProblem::DeeperThanModel { highest, needed, bits });
        }
        if sampled == Sampled::DarkForModel as u8 && highest > 0 {
            return Err(ImageProblem::DarkForModel { highest, needed });
        }
        let is_other = sampled == Sampled::With16Bits as u8 && needed > bits
            || sampled == Sampled::Without16Bits as u8 && needed < 16 && highest > 0;
        if is_other { Err(ImageProblem::OtherDepth { highest, needed, bits }) } else { Ok(()) }
    }

    /// A note on fewer bits than 16 and on files with several pages; `None` without either.
    pub fn note(&self) -> Option<String> {
        let paged = self.paged.load(Ordering::Relaxed);
        let pages = (paged > 0).then(|| format!("{paged} images have several pages or frames: the first is read"));
        let profiles = self.profiles.lock().unwrap_or_else(PoisonError::into_inner);
        let profiles = profiles.iter().map(|(name, images)| {
            let name = super::names::shortened(name);
            format!(
                "{images} images have the color profile '{name}', which is not applied: their values are read as sRGB"
            )
        });
        let remark = self.remark.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let notes: Vec<String> = self.bits_note().into_iter().chain(remark).chain(pages).chain(profiles).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// A note if all 16-bit images need fewer bits than the trained model reads; otherwise `None`.
    pub fn note_for_model(&self) -> Option<String> {
        let (bits, highest) = (self.bits(), self.highest.load(Ordering::Relaxed));
        let needed = bits_for(highest);
        let is_by_model = self.sampled.load(Ordering::Relaxed) == Sampled::ByModel as u8;
        (is_by_model && highest > 0 && needed < bits).then(|| {
            format!(
                "16-bit images hold values up to {highest}, which take {needed} bits, and the model reads 16-bit images as {bits} bits: \
                 they are dark for it; scale them as the images that it was trained on"
            )
        })
    }

    fn bits_note(&self) -> Option<String> {
        let (bits, highest) = (self.bits(), self.highest.load(Ordering::Relaxed));
        let needs = self.needs.each_ref().map(|count| count.load(Ordering::Relaxed));
        let all: usize = needs.iter().sum();
        // Images that need fewer bits than the brightest one become dark. The note is for sets in which most images do.
        let mut below = 0;
        for (&bits_of_most, count) in DEPTHS.iter().zip(needs) {
            below += count;
            if bits_of_most < bits && below < all && 2 * below > all {
                let most = (1u32 << bits_of_most) - 1;
                return Some(format!(
                    "{below} of {all} 16-bit images hold at most {most}, others values up to {highest}: all are read as {bits} \
                     bits, so that those {below} become dark; scale all images alike, or separate them"
                ));
            }
        }
        (bits < 16 && highest > 0).then(|| {
            format!(
                "16-bit images hold values up to {highest}: they are read as {bits} bits, so that {} is white",
                (1u32 << bits) - 1
            )
        })
    }

    /// The 8-bit value of a 16-bit sample.
    pub(crate) fn to_byte(&self, sample: u16) -> u8 {
        let white = (1u32 << self.bits()) - 1;
        ((u32::from(sample).min(white) * 255 + white / 2) / white) as u8
    }
}

/// The smallest of [`DEPTHS`] that holds a value; else 16.
pub(super) fn bits_for(highest: u32) -> u8 {
    DEPTHS.into_iter().find(|&bits| highest < 1 << bits).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_does_not_decide_for_images_that_contradict_it() {
        let depth = SampleDepth::default();
        depth.saw(4000);
        assert!(depth.settle(Basis::Sample));
        assert_eq!(depth.require_fits(4095), Ok(()));
        assert!(depth.require_fits(4096).is_err());
        let depth = SampleDepth::default();
        assert!(!depth.settle(Basis::Sample));
        assert_eq!([depth.require_fits(0), depth.require_fits(40_000)], [Ok(()), Ok(())]);
        assert_eq!(depth.require_fits(4000), Err(ImageProblem::OtherDepth { highest: 4000, needed: 12, bits: 16 }));
        let whole = SampleDepth::default();
        whole.saw(4000);
        whole.settle(Basis::All);
        assert_eq!(whole.require_fits(60_000), Ok(()));
    }

    /// For a model of 8-bit images, a set whose highest value needs fewer than 16 bits is dark.
    #[test]
    fn dark_images_are_refused_for_a_model_of_8_bits() {
        let open = |values: &[u16]| {
            let depth = SampleDepth::default();
            depth.fix_to(None);
            values.iter().for_each(|value| depth.saw(*value));
            depth
        };
        let depth = open(&[900, 4000]);
        assert_eq!(depth.require_fits(900), Ok(()));
        assert_eq!(depth.refuse_dark(), Some(ImageProblem::DarkForModel { highest: 4000, needed: 12 }));
        assert_eq!(depth.require_fits(900), Err(ImageProblem::DarkForModel { highest: 900, needed: 10 }));
        assert_eq!(
            [open(&[900, 40_000]).refuse_dark(), open(&[]).refuse_dark(), open(&[0]).refuse_dark()],
            [None, None, None]
        );
        let known = SampleDepth::default();
        known.fix_to(Some(16));
        known.saw(900);
        assert_eq!(known.refuse_dark(), None);
    }

    #[test]
    fn the_highest_value_decides_for_the_set() {
        for (highest, bits) in [(254, 8), (4094, 12), (4096, 14), (900, 10), (40_000, 16)] {
            let depth = SampleDepth::default();
            depth.saw(12);
            depth.saw(highest);
            assert_eq!((depth.settle(Basis::All), depth.bits()), (bits != 16, bits));
            assert!(!depth.settle(Basis::All), "settled once");
        }
        let depth = SampleDepth::fixed(12);
        depth.saw(9);
        assert!(!depth.settle(Basis::All));
        assert_eq!(depth.require_fits(4095), Ok(()));
        assert_eq!(
            depth.require_fits(4096),
            Err(ImageProblem::DeeperThanModel { highest: 4096, needed: 14, bits: 12 })
        );
        assert!(
            depth
                .note_for_model()
                .is_some_and(|note| note.contains("up to 9, which take 8 bits") && note.contains("12 bits"))
        );
        depth.saw(4000);
        assert_eq!([depth.note_for_model(), SampleDepth::default().note_for_model()], [None, None]);
        assert_eq!([0, 8, 2048, 4095, 60_000].map(|v| depth.to_byte(v)), [0, 0, 128, 255, 255]);
        // The image crate rounds 16 bits to 8 in the same way.
        let whole = SampleDepth::default();
        assert_eq!([0, 0x0180, 0x8000, 0xffff].map(|v| whole.to_byte(v)), [0, 1, 128, 255]);
    }
}
