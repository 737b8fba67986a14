//! Folders of images and masks that belong together by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::pairing::{Reading, Role, image_base, mask_base, part_in, read};
use super::{Found, Pair};
use crate::data::listing::{images_below, name_of, subfolders};
use crate::data::parts::Part;
use crate::data::{BadImage, DataError, ImageProblem};

/// What pairs go by: part, other folders, name without what marks a mask or an image.
type Key = (Option<Part>, String, String);

struct Half {
    path: PathBuf,
    reading: Reading,
    base: String,
}

impl Half {
    fn key(&self) -> Key {
        (self.reading.part, self.reading.rest.clone(), self.base.clone())
    }

    /// Without the other folders: `images/a.jpg` and `annotations/trimaps/a.png`.
    fn loose_key(&self) -> Key {
        (self.reading.part, String::new(), self.base.clone())
    }
}

/// Pairs what lies below `root`.
pub(crate) fn find(root: &Path) -> Result<Found, DataError> {
    let (images, masks) = halves(root, images_below(root)?);
    if images.is_empty() || masks.is_empty() {
        let (images, masks) = (images.len(), masks.len());
        let problem = format!(
            "no pairs of image and mask found ({images} images, {masks} masks); expected images/ and masks/ (or labels/, \
             annotations/) with equal names, x.jpg beside x_mask.png, CamVid's train.txt, Pascal VOC or Cityscapes"
        );
        return Err(DataError::malformed(root, problem));
    }
    let has_val = names_validation(root)?;
    let mut found = Found { format: "images and masks by name", has_val, ..Found::default() };
    let (pairs, images, masks) = join(images, masks, Half::key, &mut found.faults);
    let (more, images, masks) = join(images, masks, Half::loose_key, &mut found.faults);
    let fault = |half: Half, problem| BadImage { image: half.path.display().to_string(), problem };
    found.faults.extend(images.into_iter().map(|half| fault(half, ImageProblem::NoMask)));
    found.faults.extend(masks.into_iter().map(|half| fault(half, ImageProblem::NoImage)));
    let mut pairs: Vec<_> = pairs.into_iter().chain(more).collect();
    pairs.sort();
    let divided = pairs.iter().any(|(part, _)| part.is_some());
    for (part, pair) in pairs {
        match part {
            Some(Part::Train) => found.train.push(pair),
            Some(Part::Val) => found.val.push(pair),
            Some(Part::Test) => found.test.push(pair),
            None if !divided => found.train.push(pair),
            None => {
                let problem = ImageProblem::NoPart;
                found.faults.push(BadImage { image: pair.image.display().to_string(), problem });
            }
        }
    }
    found.faults.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(found)
}

/// Whether a folder in `root`, or one in that (`images/val`), is named as the validation part.
fn names_validation(root: &Path) -> Result<bool, DataError> {
    let mut folders = subfolders(root)?;
    for folder in folders.clone() {
        folders.extend(subfolders(&folder)?);
    }
    Ok(folders.iter().any(|folder| part_in(&name_of(folder)) == Some(Part::Val)))
}

/// Sorts files into images and masks. Where no folder tells, the name does: `x_mask.png` is a mask
/// where there is an `x.*`.
fn halves(root: &Path, paths: Vec<PathBuf>) -> (Vec<Half>, Vec<Half>) {
    let readings: Vec<(PathBuf, Reading)> = paths
        .into_iter()
        .map(|path| {
            let reading = read(path.strip_prefix(root).unwrap_or(&path));
            (path, reading)
        })
        .collect();
    let stems: BTreeSet<String> = readings.iter().map(|(_, reading)| image_base(&reading.stem)).collect();
    let any_mask_folder = readings.iter().any(|(_, reading)| reading.role == Some(Role::Mask));
    let (mut images, mut masks) = (Vec::new(), Vec::new());
    for (path, reading) in readings {
        let marked = mask_base(&reading.stem);
        let by_name = !any_mask_folder && marked.as_ref().is_some_and(|base| stems.contains(base));
        if reading.role == Some(Role::Mask) || by_name {
            // In a mask folder a suffix is cut off only where that leads to an image.
            let base = marked.filter(|base| stems.contains(base)).unwrap_or_else(|| image_base(&reading.stem));
            masks.push(Half { path, reading, base });
        } else {
            let base = image_base(&reading.stem);
            images.push(Half { path, reading, base });
        }
    }
    (images, masks)
}

type Joined = (Vec<(Option<Part>, Pair)>, Vec<Half>, Vec<Half>);

/// Joins halves whose key is the same and belongs to no others; the rest is handed back.
fn join(images: Vec<Half>, masks: Vec<Half>, key: fn(&Half) -> Key, faults: &mut Vec<BadImage>) -> Joined {
    let mut groups: BTreeMap<Key, (Vec<Half>, Vec<Half>)> = BTreeMap::new();
    images.into_iter().for_each(|half| groups.entry(key(&half)).or_default().0.push(half));
    masks.into_iter().for_each(|half| groups.entry(key(&half)).or_default().1.push(half));
    let (mut pairs, mut lone_images, mut lone_masks) = (Vec::new(), Vec::new(), Vec::new());
    for (mut images, mut masks) in groups.into_values() {
        match (images.len(), masks.len()) {
            (1, 1) => {
                let (Some(image), Some(mask)) = (images.pop(), masks.pop()) else { continue };
                pairs.push((image.reading.part, Pair { image: image.path, mask: mask.path }));
            }
            (0, _) | (_, 0) => {
                lone_images.extend(images);
                lone_masks.extend(masks);
            }
            _ => {
                let names = |halves: &[Half]| {
                    halves.iter().map(|half| half.path.display().to_string()).collect::<Vec<_>>().join(", ")
                };
                let problem = ImageProblem::Ambiguous(format!("{} and {}", names(&images), names(&masks)));
                faults.extend(images.iter().map(|half| {
                    let image = half.path.display().to_string();
                    BadImage { image, problem: problem.clone() }
                }));
            }
        }
    }
    (pairs, lone_images, lone_masks)
}
