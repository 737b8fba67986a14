//! Cityscapes: `labelIds` of 34 values, of which 19 are trained.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::class_list::{ClassList, IGNORED};
use super::coding::Coding;
use super::found::{Found, Pair};
use super::listed;
use super::mask::MaskSource;
use crate::data::format::{Evidence, Format};
use crate::data::listing::{images_below, name_of, stem_of};
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

/// Label id, name and color of the trained classes, in the order of their train ids.
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

const IMAGE_END: &str = "_leftImg8bit";
/// Endings of the names of masks, and whether their values are train ids.
const MASK_ENDS: [(&str, bool); 2] = [("_labelIds", false), ("_labelTrainIds", true)];

/// Cityscapes.
pub(crate) struct Cityscapes;

impl Format for Cityscapes {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Cityscapes"
    }

    fn looks_for(&self) -> &'static str {
        "`leftImg8bit/{train,val}/CITY/*_leftImg8bit.png` (or `.jpg`) and `gtFine/` or `gtCoarse/` with `*_labelIds.png` or `*_labelTrainIds.png`; 19 classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let Some((images, masks)) = folders(root) else { return Ok(None) };
        Ok(Some(Evidence::certain([images, masks].map(|folder| format!("{}/", name_of(&folder))))))
    }

    /// The official test part has no public labels and is left out.
    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let Some((images, masks)) = folders(root) else { return Ok(Found::default()) };
        let names = images_below(&masks)?;
        let has = |end: &str| names.iter().any(|path| stem_of(path).ends_with(end));
        let (end, train_ids) = MASK_ENDS.into_iter().find(|(end, _)| has(end)).unwrap_or(MASK_ENDS[0]);
        let mut found = Found { known: Some(coding(train_ids)), ..Found::default() };
        let part = |name: &str| [images.join(name), masks.join(name)];
        found.train = pairs(part("train"), end, &mut found.faults)?;
        found.has_val = images.join("val").is_dir();
        found.val = pairs(part("val"), end, &mut found.faults)?;
        found.decisions.notes.push(format!("masks are the files *{end}.png"));
        if !train_ids {
            require_label_ids(root, &found)?;
        }
        Ok(found)
    }
}

fn folders(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let images = root.join("leftImg8bit");
    let masks = ["gtFine", "gtCoarse"].map(|name| root.join(name)).into_iter().find(|p| p.is_dir())?;
    images.is_dir().then_some((images, masks))
}

/// Refuses files named as label ids that hold train ids: values below 19 and 255, which is not a label id.
fn require_label_ids(root: &Path, found: &Found) -> Result<(), DataError> {
    let values = listed::values_in(&found.parts()).present();
    let is_train_id = |value: &u8| *value == IGNORED || usize::from(*value) < CLASSES.len();
    if !values.contains(&IGNORED) || !values.iter().all(is_train_id) {
        return Ok(());
    }
    let problem = "the values of its *_labelIds.png are 255 and some below 19: either they are train ids (rename the files to \
                   *_labelTrainIds.png), or label ids of which 255 is a fault (write it as 0)";
    Err(DataError::malformed(root, problem))
}

/// Values 0 to 33 are label ids. Untrained ids are ignored.
fn coding(train_ids: bool) -> Coding {
    let names: Vec<(&str, [u8; 3])> = CLASSES.iter().map(|&(_, name, color)| (name, color)).collect();
    if train_ids {
        return Coding::by_position(ClassList::of(&names, "value 255", "Cityscapes (train ids)"));
    }
    let list = ClassList::of(&names, "the label ids that Cityscapes does not train, value 255", "Cityscapes");
    let untrained: Vec<u8> = (0..=33).collect();
    Coding::by_values(list, &CLASSES.map(|(value, ..)| value), &untrained)
}

/// Files below `folder` with the ending `end`, by city and the name before `end` (for masks before `_gtFine`).
fn by_frame(folder: &Path, end: &str) -> Result<BTreeMap<String, PathBuf>, DataError> {
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let frame = |path: PathBuf| {
        let name = stem_of(&path);
        let front = name.strip_suffix(end)?;
        let front = front.strip_suffix("_gtFine").or(front.strip_suffix("_gtCoarse")).unwrap_or(front);
        let city = path.parent().map(name_of).unwrap_or_default();
        Some((format!("{city}/{front}"), path))
    };
    Ok(images_below(folder)?.into_iter().filter_map(frame).collect())
}

fn pairs([images, masks]: [PathBuf; 2], end: &str, faults: &mut Vec<BadImage>) -> Result<Vec<Pair>, DataError> {
    let (mut images, mut masks) = (by_frame(&images, IMAGE_END)?, by_frame(&masks, end)?);
    let frames: BTreeSet<String> = images.keys().chain(masks.keys()).cloned().collect();
    let mut pairs = Vec::new();
    for frame in frames {
        let mut fault = |path: PathBuf, problem| faults.push(BadImage { image: path.display().to_string(), problem });
        match (images.remove(&frame), masks.remove(&frame)) {
            (Some(image), Some(mask)) => pairs.push(Pair::new(image, MaskSource::File(mask))),
            (Some(image), None) => fault(image, ImageProblem::NoMask),
            (None, Some(mask)) => fault(mask, ImageProblem::NoImage),
            (None, None) => {}
        }
    }
    Ok(pairs)
}
