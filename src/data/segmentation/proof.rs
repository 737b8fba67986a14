//! Proves that the training part teaches more than one class.

use std::path::Path;

use super::coding::Coding;
use super::found::Pair;
use super::values::single_class;
use crate::data::DataError;

/// Refuses training masks of a single class. A network learns nothing from them: the loss is 0 and every score perfect
/// from the start. Reads masks until two classes are found. Faults of masks are reported when the set is prepared.
///
/// # Errors
/// Where the masks hold one class, or ignored pixels alone.
pub(super) fn require_two_classes(root: &Path, coding: &Coding, train: &[Pair]) -> Result<(), DataError> {
    let names = &coding.classes.names;
    let mut held = vec![false; names.len()];
    let mut read = 0;
    for pair in train {
        let raw = pair.mask.read(&pair.image, pair.posture, coding.samples);
        let Ok(ids) = raw.and_then(|raw| coding.apply(&raw)) else { continue };
        read += 1;
        for &id in ids.as_raw() {
            if let Some(class) = held.get_mut(usize::from(id)) {
                *class = true;
            }
        }
        if held.iter().filter(|class| **class).count() >= 2 {
            return Ok(());
        }
    }
    match held.iter().position(|class| *class) {
        // No training pair is left: the empty part is named.
        _ if read < train.len() || train.is_empty() => Ok(()),
        Some(only) => Err(single_class(root, &format!("the class '{}' alone in its training part", names[only]))),
        None => Err(single_class(root, "ignored pixels alone in its training part")),
    }
}
