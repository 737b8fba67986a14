//! Pascal VOC's layout, also written by CVAT and labelme2voc: palette masks whose indices or colors are the classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::class_list::{ClassList, IGNORED, voc_color};
use super::coding::Coding;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::listing::{entries, is_image, name_of, relative, stem_of, subfolders};
use crate::data::lists::{self, ListFile};
use crate::data::parts::Part;
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

const NAMES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// Color of the borders in a palette mask saved as colors.
const BORDER: [u8; 3] = [224, 224, 192];

/// Folders of masks, the one for training first. labelme2voc's `SegmentationClass` has NumPy arrays.
const MASKS: [&str; 2] = ["SegmentationClassPNG", "SegmentationClass"];

/// Files of classes that CVAT and labelme2voc write.
const CLASS_FILES: [&str; 2] = ["labelmap.txt", "class_names.txt"];

/// Pascal VOC and sets with its layout.
pub(crate) struct Voc;

impl Format for Voc {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Pascal VOC"
    }

    fn looks_for(&self) -> &'static str {
        "`JPEGImages/` and `SegmentationClass/` (or `SegmentationClassPNG/`), here or below `VOCdevkit/`; \
         `ImageSets/Segmentation/{train,val,test}.txt` divide them; CVAT's `labelmap.txt` or labelme2voc's \
         `class_names.txt` name the classes"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let Some((home, masks)) = home(root)? else { return Ok(None) };
        let mut seen = vec![relative(root, &home.join("JPEGImages")), relative(root, &masks)];
        seen.extend(CLASS_FILES.iter().filter(|name| home.join(name).is_file()).map(ToString::to_string));
        Ok(Some(Evidence::certain(seen)))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let Some((home, masks)) = home(root)? else { return Ok(Found::default()) };
        let format = match CLASS_FILES.map(|name| home.join(name).is_file()) {
            [true, _] => "CVAT segmentation masks",
            [_, true] => "labelme2voc",
            _ => self.name(),
        };
        let mut found = Found { format, known: Some(coding()), home: Some(home.clone()), ..Found::default() };
        let (images, masks) = (by_stem(&home.join("JPEGImages"))?, by_stem(&masks)?);
        let folder = home.join("ImageSets").join("Segmentation");
        let lists = if folder.is_dir() { lists::in_folder(&folder)? } else { Vec::new() };
        for list in &lists {
            let mut faults = Vec::new();
            let pairs = read_list(list, &images, &masks, &mut faults);
            found.decisions.lists.push(relative(root, &list.path));
            match list.part {
                Part::Train => found.train = pairs,
                Part::Val => (found.val, found.has_val) = (pairs, true),
                // The official test part has no public masks. That is no fault.
                Part::Test if pairs.is_empty() => continue,
                Part::Test => found.test = pairs,
            }
            found.faults.extend(faults);
        }
        if lists.is_empty() {
            whole(images, masks, &mut found);
        }
        for name in ["SegmentationClass", "SegmentationClassVisualization", "SegmentationObject"] {
            if home.join(name).is_dir() && (name != "SegmentationClass" || home.join(MASKS[0]).is_dir()) {
                found.decisions.left_out.push(LeftOut::new(&home.join(name), Why::Duplicate));
            }
        }
        Ok(found)
    }
}

/// The folder of the set (`root`, `root/VOC*` or `root/VOCdevkit/VOC*`) and its folder of masks.
fn home(root: &Path) -> Result<Option<(PathBuf, PathBuf)>, DataError> {
    let mut candidates = vec![root.to_path_buf()];
    for outer in [root.to_path_buf(), root.join("VOCdevkit")] {
        if outer.is_dir() {
            // The latest year.
            candidates.extend(subfolders(&outer)?.into_iter().rev());
        }
    }
    Ok(candidates.into_iter().filter(|home| home.join("JPEGImages").is_dir()).find_map(|home| {
        let masks = MASKS.iter().map(|name| home.join(name)).find(|masks| masks.is_dir())?;
        Some((home, masks))
    }))
}

fn by_stem(folder: &Path) -> Result<BTreeMap<String, PathBuf>, DataError> {
    Ok(entries(folder)?.into_iter().filter(|path| is_image(path)).map(|path| (stem_of(&path), path)).collect())
}

fn coding() -> Coding {
    let colors: Vec<(&str, [u8; 3])> =
        NAMES.iter().enumerate().map(|(id, name)| (*name, voc_color(id as u8))).collect();
    let mut coding = Coding::by_position(ClassList::of(&colors, "value 255 (borders)", "Pascal VOC"));
    if let Some(colors) = &mut coding.colors {
        colors.insert(BORDER, IGNORED);
    }
    coding
}

/// All images and masks as one part.
fn whole(mut images: BTreeMap<String, PathBuf>, masks: BTreeMap<String, PathBuf>, found: &mut Found) {
    for (stem, mask) in masks {
        match images.remove(&stem) {
            Some(image) => found.train.push(Pair::new(image, MaskSource::File(mask))),
            None => found.faults.push(BadImage { image: mask.display().to_string(), problem: ImageProblem::NoImage }),
        }
    }
    let alone = images.into_values().map(|path| path.display().to_string());
    found.faults.extend(alone.map(|image| BadImage { image, problem: ImageProblem::NoMask }));
}

/// Each line is the name of an image without extension, optionally followed by a number.
fn read_list(
    list: &ListFile,
    images: &BTreeMap<String, PathBuf>,
    masks: &BTreeMap<String, PathBuf>,
    faults: &mut Vec<BadImage>,
) -> Vec<Pair> {
    let folder = masks.values().next().and_then(|path| path.parent()).map_or_else(|| MASKS[1].into(), name_of);
    let mut pairs = Vec::new();
    for (number, line) in &list.lines {
        let name = crate::data::names::composed(line);
        let first = name.split_whitespace().next().unwrap_or_default().to_string();
        let name = if images.contains_key(&name) || masks.contains_key(&name) { name } else { first };
        let what = match (images.get(&name), masks.get(&name)) {
            (Some(image), Some(mask)) => {
                pairs.push(Pair::new(image.clone(), MaskSource::File(mask.clone())));
                continue;
            }
            (Some(_), None) => format!("{folder}/{name}.png is not there (its image is)"),
            (None, Some(_)) => format!("JPEGImages/{name}.jpg is not there (its mask is)"),
            (None, None) => format!("'{name}' has neither image nor mask"),
        };
        faults.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(what) });
    }
    pairs
}
