//! Pairs of image and mask found in a folder, not decoded.

use std::path::PathBuf;

use super::coding::Coding;
use super::mask::MaskSource;
use crate::data::BadImage;
use crate::data::decisions::Decisions;
use crate::data::decode::Posture;

/// One image and its mask.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub image: PathBuf,
    pub mask: MaskSource,
    /// The posture in which both are read.
    pub posture: Posture,
}

impl Pair {
    pub fn new(image: PathBuf, mask: MaskSource) -> Self {
        Self { image, mask, posture: Posture::Upright }
    }
}

/// The pairs, classes and parts of a folder. No image has been decoded.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub format: &'static str,
    pub train: Vec<Pair>,
    pub val: Vec<Pair>,
    /// Whether the set has a validation part. Otherwise one is split off from `train` by seed.
    pub has_val: bool,
    pub test: Vec<Pair>,
    /// Images without mask, masks without image, list lines without file.
    pub faults: Vec<BadImage>,
    /// Classes of the format. A class file in the folder has precedence.
    pub known: Option<Coding>,
    /// The folder of the set if it is below the root. A class file may be there too.
    pub home: Option<PathBuf>,
    /// The table that pairs images and masks, and divides nothing.
    pub table: Option<PathBuf>,
    /// Lists, files left out, notes.
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
