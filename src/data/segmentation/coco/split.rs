//! The field `split` of images in COCO's JSON.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::Read;
use crate::data::DataError;
use crate::data::listing::relative;
use crate::data::names::shortened;
use crate::data::parts::{Part, part_of};

/// Karpathy's word for COCO's validation images that train.
const RESTVAL: &str = "restval";

fn word(split: Option<&Value>) -> Option<String> {
    Some(split?.as_str()?.trim().to_lowercase())
}

/// The part of an entry by its field `split`.
pub(super) fn part(split: Option<&Value>) -> Option<Part> {
    match word(split)? {
        word if word == RESTVAL => Some(Part::Train),
        word => part_of(&word),
    }
}

/// The words on the division if the images of the files `read` have a field `split`; `None` without one.
///
/// # Errors
/// Where only some images have it, it names no part, or it contradicts the name of the file.
pub(super) fn words(root: &Path, read: &[Read]) -> Result<Option<String>, DataError> {
    let (mut places, mut parts) = (Vec::new(), BTreeSet::new());
    let images = || read.iter().flat_map(|(_, _, written)| &written.images);
    if images().all(|image| image.split.is_none()) {
        return Ok(None);
    }
    for (of_file, path, written) in read {
        for image in &written.images {
            let said = part(image.split.as_ref());
            let (id, name) = (&image.id, shortened(&image.file_name));
            let problem = match (&image.split, said, of_file) {
                (None, ..) => {
                    format!("image {id} ({name}) has no 'split', but other images have one; write train, val or test")
                }
                (Some(split), None, _) => format!(
                    "the 'split' of image {id} ({name}) is {}, expected train, val or test",
                    shortened(&split.to_string())
                ),
                (_, Some(said), Some(of_file)) if said != *of_file => format!(
                    "the 'split' of image {id} ({name}) is {}, but its file is named as that of {}; correct one of the two",
                    said.word(),
                    of_file.word()
                ),
                (_, said, _) => {
                    parts.extend(said);
                    continue;
                }
            };
            return Err(DataError::malformed(path, problem));
        }
        places.push(relative(root, path));
    }
    // A training part alone is divided as a set without parts.
    let has_rest = images().any(|image| word(image.split.as_ref()).is_some_and(|word| word == RESTVAL));
    let rest = if has_rest { format!(" ('{RESTVAL}' is for training)") } else { String::new() };
    Ok((parts.len() > 1).then(|| format!("by the field 'split' of the images in {}{rest}", places.join(", "))))
}
