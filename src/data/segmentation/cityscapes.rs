//! Cityscapes: `labelIds` of 34 values, of which 19 are trained.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::classes::ClassList;
use super::coding::{Coding, ValueTable, color_table};
use super::{Found, IGNORED, Pair};
use crate::data::listing::{images_below, name_of};
use crate::data::{BadImage, DataError, ImageProblem};

/// Label id, name and colour of the trained classes, in the order of their train ids.
const CLASSES: [(u8, &str, [u8; 3]); 19] = [
    (7, "road", [128, 64, 128]),
    (8, "sidewalk", [244, 35, 232]),
    (11, "building", [70, 70, 70]),
    (12, "wall", [102, 102, 156]),
    (13, "fence", [190, 153, 153]),
    (17, "pole", [153, 153, 153]),
    (19, "traffic light", [250, 170, 30]),
    (20, "traffic sign", [220, 220, 0]),
    (21, "vegetation", [107, 142, 35]),
    (22, "terrain", [152, 251, 152]),
    (23, "sky", [70, 130, 180]),
    (24, "person", [220, 20, 60]),
    (25, "rider", [255, 0, 0]),
    (26, "car", [0, 0, 142]),
    (27, "truck", [0, 0, 70]),
    (28, "bus", [0, 60, 100]),
    (31, "train", [0, 80, 100]),
    (32, "motorcycle", [0, 0, 230]),
    (33, "bicycle", [119, 11, 32]),
];

const IMAGE_END: &str = "_leftImg8bit.png";
const MASK_END: &str = "_labelIds.png";

/// Finds `leftImg8bit/` and `gtFine/` (or `gtCoarse/`) in `root`. The official test part has no
/// public labels and is left out.
pub(crate) fn find(root: &Path) -> Result<Option<Found>, DataError> {
    let images = root.join("leftImg8bit");
    let masks = ["gtFine", "gtCoarse"].map(|name| root.join(name)).into_iter().find(|p| p.is_dir());
    let (true, Some(masks)) = (images.is_dir(), masks) else { return Ok(None) };
    let mut found = Found { format: "Cityscapes", known: Some(coding()), ..Found::default() };
    found.train = pairs(&images.join("train"), &masks.join("train"), &mut found.faults)?;
    found.has_val = images.join("val").is_dir();
    found.val = pairs(&images.join("val"), &masks.join("val"), &mut found.faults)?;
    Ok(Some(found))
}

/// Values 0 to 33 are label ids; those that are not trained are ignored.
fn coding() -> Coding {
    let names: Vec<(&str, [u8; 3])> = CLASSES.iter().map(|&(_, name, color)| (name, color)).collect();
    let list = ClassList::of(&names, "the label ids that Cityscapes does not train, value 255", "Cityscapes");
    let mut values: Box<ValueTable> = Box::new([None; 256]);
    values[..=33].fill(Some(IGNORED));
    values[usize::from(IGNORED)] = Some(IGNORED);
    CLASSES.iter().enumerate().for_each(|(id, &(value, ..))| values[usize::from(value)] = Some(id as u8));
    let colors = color_table(&list.palette);
    Coding { classes: Arc::new(list), values: Some(values), colors }
}

/// Files below `folder` that end on `end`, by city and the name before `end` (for masks: before
/// `_gtFine`).
fn by_frame(folder: &Path, end: &str) -> Result<BTreeMap<String, PathBuf>, DataError> {
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let frame = |path: PathBuf| {
        let name = name_of(&path);
        let front = name.strip_suffix(end)?;
        let front = front.strip_suffix("_gtFine").or(front.strip_suffix("_gtCoarse")).unwrap_or(front);
        let city = path.parent().map(name_of).unwrap_or_default();
        Some((format!("{city}/{front}"), path))
    };
    Ok(images_below(folder)?.into_iter().filter_map(frame).collect())
}

fn pairs(images: &Path, masks: &Path, faults: &mut Vec<BadImage>) -> Result<Vec<Pair>, DataError> {
    let (mut images, mut masks) = (by_frame(images, IMAGE_END)?, by_frame(masks, MASK_END)?);
    let frames: BTreeSet<String> = images.keys().chain(masks.keys()).cloned().collect();
    let mut pairs = Vec::new();
    for frame in frames {
        let mut fault = |path: PathBuf, problem| faults.push(BadImage { image: path.display().to_string(), problem });
        match (images.remove(&frame), masks.remove(&frame)) {
            (Some(image), Some(mask)) => pairs.push(Pair { image, mask }),
            (Some(image), None) => fault(image, ImageProblem::NoMask),
            (None, Some(mask)) => fault(mask, ImageProblem::NoImage),
            (None, None) => {}
        }
    }
    Ok(pairs)
}
