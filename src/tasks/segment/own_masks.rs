//! Masks at their own size, for scores at that size.

use std::sync::Arc;

use image::GrayImage;

use crate::data::{DataError, Kept, PreparedPairs};
use crate::run::card::ModelCard;

/// Limit on the bytes of kept masks; further masks are decoded at each use.
const BUDGET: u64 = 512 << 20;

/// Masks of a prepared set at their own size.
pub(super) struct OwnMasks {
    pairs: Arc<PreparedPairs>,
    kept: Kept<GrayImage>,
}

impl OwnMasks {
    /// The masks of `pairs`, if scores at their own sizes differ: the model sees pictures at their own sizes, a picture
    /// has another size than the model sees, or not all sizes are known.
    pub fn beside(pairs: &Arc<PreparedPairs>, card: &ModelCard) -> Option<Arc<Self>> {
        let seen = (card.image_size[0] as u32, card.image_size[1] as u32);
        let differ = || pairs.own_sizes().iter().any(|size| *size != seen);
        (card.sees_own_pixels() || pairs.is_sampled() || differ())
            .then(|| Arc::new(OwnMasks { pairs: Arc::clone(pairs), kept: Kept::new(pairs.len(), BUDGET) }))
    }

    /// The mask of pair `index`.
    ///
    /// # Errors
    /// When it is not kept and its file can no longer be read.
    pub fn get(&self, index: usize) -> Result<Arc<GrayImage>, DataError> {
        let bytes = |mask: &GrayImage| u64::from(mask.width()) * u64::from(mask.height());
        self.kept.get(index, bytes, || self.pairs.dataset().mask(self.pairs.original_index(index)))
    }
}
