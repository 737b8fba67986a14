//! Masks beside pictures: colorization, class folders and prediction leave them out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::decisions::{LeftOut, Why};
use super::flat::is_flat;
use super::listing::Walk;
use super::segmentation::folders;
use super::segmentation::mask::MaskSource;

/// Number of masks whose pixels are read.
const SAMPLE: usize = 4;
impl Walk {
    /// The image files below a folder without masks. A mask has the name of an image, as segmentation pairs them
    /// (`x_mask.png` beside `x.jpg`, `masks/x.png` beside `images/x.jpg`), and few colors.
    ///
    /// # Errors
    /// As [`Walk::below`].
    pub fn pictures(folder: &Path) -> Result<Self, DataError> {
        let mut walk = Self::below(folder)?;
        let masks = masks_among(folder, walk.images.clone());
        let (masks, images): (Vec<PathBuf>, _) = walk.images.into_iter().partition(|path| masks.contains(path));
        walk.images = images;
        walk.left_out.extend(masks.iter().map(|path| LeftOut::new(path, Why::Mask)));
        Ok(walk)
    }
}

/// The masks of the pairs among the `images` below a folder; none if their pixels are not those of masks.
pub(super) fn masks_among(folder: &Path, images: Vec<PathBuf>) -> BTreeSet<PathBuf> {
    let Ok(found) = folders::pair(folder, Walk { images, left_out: vec![] }) else { return BTreeSet::new() };
    let sources = found.parts().into_iter().flatten().map(|pair| &pair.mask);
    let masks: BTreeSet<PathBuf> = sources.flat_map(MaskSource::files).cloned().collect();
    let step = masks.len().div_ceil(SAMPLE).max(1);
    if masks.iter().step_by(step).all(|path| is_flat(path)) { masks } else { BTreeSet::new() }
}
