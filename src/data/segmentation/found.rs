//! Pairs of image and mask in a folder, before anything is decoded.

use std::path::PathBuf;

use super::coding::Coding;
use super::mask::MaskSource;
use crate::data::BadImage;
use crate::data::decisions::Decisions;

/// One image and its mask.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub image: PathBuf,
    pub mask: MaskSource,
    /// Whether both are turned upright by their EXIF orientation; else both stay as they are stored.
    pub upright: bool,
}

impl Pair {
    pub fn new(image: PathBuf, mask: MaskSource) -> Self {
        Self { image, mask, upright: true }
    }
}

/// The pairs, classes and parts of a folder. No image is decoded yet.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub format: &'static str,
    pub train: Vec<Pair>,
    pub val: Vec<Pair>,
    /// Whether the set brings a validation part; else it is split off from `train` by seed.
    pub has_val: bool,
    pub test: Vec<Pair>,
    /// Halves without their other half, list lines without file.
    pub faults: Vec<BadImage>,
    /// Classes that come with the format; a file in the folder has precedence.
    pub known: Option<Coding>,
    /// The folder of the set, where it is not the root itself: a file of classes may lie there too.
    pub home: Option<PathBuf>,
    /// Lists, what is left out, notes.
    pub decisions: Decisions,
}

impl Found {
    pub fn parts(&self) -> [&[Pair]; 3] {
        [&self.train, &self.val, &self.test]
    }

    pub fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}
