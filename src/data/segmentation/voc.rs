//! Pascal VOC: palette masks whose indices are the classes, 255 on the objects' borders.

use std::path::{Path, PathBuf};

use super::classes::{ClassList, voc_color};
use super::{Coding, Found, IGNORED, Pair};
use crate::data::listing::subfolders;
use crate::data::{BadImage, DataError, ImageProblem};

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

/// Colour of the borders where a palette mask was saved as colours.
const BORDER: [u8; 3] = [224, 224, 192];

/// Finds the three folders in `root`, `root/VOC*` or `root/VOCdevkit/VOC*`.
pub(crate) fn find(root: &Path) -> Result<Option<Found>, DataError> {
    let complete = |p: &Path| p.join("JPEGImages").is_dir() && p.join("SegmentationClass").is_dir();
    let mut candidates = vec![root.to_path_buf()];
    for outer in [root.to_path_buf(), root.join("VOCdevkit")] {
        if outer.is_dir() {
            // The latest year of several.
            candidates.extend(subfolders(&outer)?.into_iter().rev());
        }
    }
    let Some(home) = candidates.into_iter().find(|p| complete(p)) else { return Ok(None) };
    let lists = home.join("ImageSets").join("Segmentation");
    if !lists.join("train.txt").is_file() {
        let problem = "has JPEGImages/ and SegmentationClass/ but no ImageSets/Segmentation/train.txt, which lists the \
                       training images of Pascal VOC; add it (and val.txt)";
        return Err(DataError::malformed(&home, problem));
    }
    let mut found = Found { format: "Pascal VOC", known: Some(coding()), ..Found::default() };
    found.train = read_list(&home, &lists.join("train.txt"), &mut found.faults)?;
    if lists.join("val.txt").is_file() {
        found.has_val = true;
        found.val = read_list(&home, &lists.join("val.txt"), &mut found.faults)?;
    }
    if lists.join("test.txt").is_file() {
        // The official test part has no public masks, and that is no fault.
        let mut without_masks = Vec::new();
        found.test = read_list(&home, &lists.join("test.txt"), &mut without_masks)?;
        if !found.test.is_empty() {
            found.faults.extend(without_masks);
        }
    }
    Ok(Some(found))
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

/// Each line is the name of an image without extension.
fn read_list(home: &Path, list: &Path, faults: &mut Vec<BadImage>) -> Result<Vec<Pair>, DataError> {
    let text = std::fs::read_to_string(list).map_err(|e| DataError::io(list, e))?;
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let image = ["jpg", "jpeg", "png"].map(|e| home.join("JPEGImages").join(format!("{name}.{e}")));
        let image: Option<PathBuf> = image.into_iter().find(|p| p.is_file());
        let mask = Some(home.join("SegmentationClass").join(format!("{name}.png"))).filter(|p| p.is_file());
        let what = match (image, mask) {
            (Some(image), Some(mask)) => {
                pairs.push(Pair { image, mask });
                continue;
            }
            (Some(_), None) => format!("SegmentationClass/{name}.png is not there (its image is)"),
            (None, Some(_)) => format!("JPEGImages/{name}.jpg is not there (its mask is)"),
            (None, None) => format!("'{name}' has neither image nor mask"),
        };
        let image = format!("{}, line {}", list.display(), number + 1);
        faults.push(BadImage { image, problem: ImageProblem::Listed(what) });
    }
    Ok(pairs)
}
