//! Pictures that EXIF turns, with masks that it does not.
//!
//! A camera stores pixels in the orientation of the sensor, and the orientation beside them. A mask was painted over
//! the upright picture or over the stored pixels, and fits only that one.
//!
//! | orientation of image and mask | both are read |
//! |---|---|
//! | equal | upright |
//! | different; the sizes fit one way only | that way |
//! | different; the sizes fit both ways | as all pairs of the set whose sizes decide, or as `classes.toml` states |
//! | different; nothing decides | not at all: the pair is a fault |

use rayon::prelude::*;

use super::found::{Found, Pair};
use crate::data::decode::{Head, Posture};
use crate::data::{BadImage, ImageProblem};

/// The reading that the headers of a pair allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// Neither is turned, or both are turned alike.
    Alike,
    Upright,
    Stored,
    /// The sizes fit both ways.
    Unknown,
}

impl Fit {
    fn of(pair: &Pair) -> Self {
        let Some(image) = Head::of(&pair.image) else { return Self::Alike };
        let mask = pair.mask.head();
        let same = mask.map_or(!image.is_turned(), |mask: Head| mask.orientation == image.orientation);
        if same {
            return Self::Alike;
        }
        let Some(mask) = mask else { return Self::Unknown };
        match (image.upright() == mask.upright(), image.size == mask.size) {
            (true, false) => Self::Upright,
            (false, true) => Self::Stored,
            (true, true) => Self::Unknown,
            // The sizes fit in no way. Reading the pair reports it.
            (false, false) => Self::Alike,
        }
    }
}

/// Decides for each pair, and records it in the decisions. Undecided pairs become faults.
///
/// `setting` is the orientation in `classes.toml`.
pub(super) fn decide(found: &mut Found, setting: Option<Posture>) {
    let parts = [&mut found.train, &mut found.val, &mut found.test];
    let fits: Vec<Vec<Fit>> = parts.iter().map(|part| part.par_iter().map(Fit::of).collect()).collect();
    let count = |wanted: Fit| fits.iter().flatten().filter(|fit| **fit == wanted).count();
    let (upright, stored, unknown) = (count(Fit::Upright), count(Fit::Stored), count(Fit::Unknown));
    if upright + stored + unknown == 0 {
        return;
    }
    let habit = match (upright > 0, stored > 0) {
        (true, false) => Some(Posture::Upright),
        (false, true) => Some(Posture::Stored),
        _ => None,
    };
    let rest = setting.or(habit);
    for (part, fits) in parts.into_iter().zip(fits) {
        let mut fits = fits.into_iter();
        part.retain_mut(|pair| match (fits.next(), rest) {
            (Some(Fit::Stored), _) => {
                pair.posture = Posture::Stored;
                true
            }
            (Some(Fit::Unknown), Some(posture)) => {
                pair.posture = posture;
                true
            }
            (Some(Fit::Unknown), None) => {
                let image = pair.image.display().to_string();
                found.faults.push(BadImage { image, problem: ImageProblem::Orientation });
                false
            }
            _ => true,
        });
    }
    let by = match (unknown > 0, setting, habit) {
        (false, ..) => "by their sizes",
        (true, Some(_), _) => "by classes.toml where sizes do not decide",
        (true, None, Some(_)) => "like the others where sizes do not decide",
        (true, None, None) => "the others are faults",
    };
    let as_upright = upright + if rest == Some(Posture::Upright) { unknown } else { 0 };
    let as_stored = stored + if rest == Some(Posture::Stored) { unknown } else { 0 };
    found.decisions.orientation = Some(format!(
        "{as_upright} pictures upright as their EXIF says, {as_stored} as stored to fit their masks ({by})"
    ));
}
