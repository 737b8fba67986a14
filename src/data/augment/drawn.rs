//! The change of a sample.

use super::{ColorMap, Map, Rect, Tone, op};

/// The change of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// Map of the pixels.
    pub map: Map,
    /// Map of the colors.
    pub colors: ColorMap,
    /// Standard deviation of the blur in pixels; 0 without blur.
    pub sigma: f32,
    /// The erased rectangle.
    pub erased: Option<Rect>,
    /// Tone changes, in order.
    pub tones: [Option<Tone>; Drawn::MOST_TONES],
}

impl Drawn {
    /// Largest number of tone changes of a sample: one of TrivialAugment, and those of RandAugment.
    pub const MOST_TONES: usize = 1 + op::MOST_DRAWN as usize;

    /// No change.
    pub(super) const NONE: Drawn = Drawn {
        map: Map::IDENTITY,
        colors: ColorMap::IDENTITY,
        sigma: 0.0,
        erased: None,
        tones: [None; Drawn::MOST_TONES],
    };

    /// Appends a map of the pixels.
    pub(super) fn move_by(&mut self, map: Map) {
        self.map = self.map.then(map);
    }

    /// Appends a map of the colors.
    pub(super) fn recolor(&mut self, colors: ColorMap) {
        self.colors = self.colors.then(colors);
    }

    /// Appends a tone change.
    pub(super) fn add(&mut self, tone: Tone) {
        if let Some(place) = self.tones.iter_mut().find(|place| place.is_none()) {
            *place = Some(tone);
        }
    }
}
