//! Images and masks before they are paired: sorted by their folders and names, and joined by keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::found::Pair;
use super::mask::MaskSource;
use super::pairing::{bases_of_prefixed, image_base, mask_base};
use crate::data::parts::Part;
use crate::data::reading::{Reading, Role, read};
use crate::data::{BadImage, ImageProblem};

/// Key of a pair: part, other folders, and the name without the marks of masks and images.
pub(super) type Key = (Option<Part>, String, String);

/// An image or a mask without its partner.
pub(super) struct Half {
    pub path: PathBuf,
    pub reading: Reading,
    base: String,
}

impl Half {
    /// Its part and the other folders.
    pub fn folder(&self) -> (Option<Part>, &str) {
        (self.reading.part, &self.reading.rest)
    }

    pub fn key(&self) -> Key {
        (self.reading.part, self.reading.rest.clone(), self.base.clone())
    }

    /// The key in lower case: `IMG_1.JPG` and `img_1.png`.
    pub fn lower_key(&self) -> Key {
        (self.reading.part, self.reading.rest.clone(), self.base.to_lowercase())
    }

    /// The key without the other folders: `images/a.jpg` and `annotations/trimaps/a.png`.
    pub fn loose_key(&self) -> Key {
        (self.reading.part, String::new(), self.base.clone())
    }
}

/// Sorts files into images and masks, by folder, else by name: `x_mask.png` and `mask_x.png` are masks if there is an `x.*`.
pub(super) fn halves(root: &Path, paths: Vec<PathBuf>) -> (Vec<Half>, Vec<Half>) {
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
        let prefixed = || bases_of_prefixed(&reading.stem).into_iter().find(|base| stems.contains(base));
        let prefixed = if any_mask_folder { None } else { prefixed() };
        if reading.role == Some(Role::Mask) || by_name || prefixed.is_some() {
            // In a mask folder a suffix is removed only if an image has the name without it.
            let marked = prefixed.or(marked);
            let base = marked.filter(|base| stems.contains(base)).unwrap_or_else(|| image_base(&reading.stem));
            masks.push(Half { path, reading, base });
        } else {
            let base = image_base(&reading.stem);
            images.push(Half { path, reading, base });
        }
    }
    (images, masks)
}

/// Pairs with their parts, and the images and the masks without partner.
pub(super) type Joined = (Vec<(Option<Part>, Pair)>, Vec<Half>, Vec<Half>);

/// Joins halves whose key occurs once on each side. Halves without partner are returned.
pub(super) fn join(images: Vec<Half>, masks: Vec<Half>, key: fn(&Half) -> Key, faults: &mut Vec<BadImage>) -> Joined {
    let mut groups: BTreeMap<Key, (Vec<Half>, Vec<Half>)> = BTreeMap::new();
    images.into_iter().for_each(|half| groups.entry(key(&half)).or_default().0.push(half));
    masks.into_iter().for_each(|half| groups.entry(key(&half)).or_default().1.push(half));
    let (mut pairs, mut lone_images, mut lone_masks) = (Vec::new(), Vec::new(), Vec::new());
    for (mut images, mut masks) in groups.into_values() {
        match (images.len(), masks.len()) {
            (1, 1) => {
                let (Some(image), Some(mask)) = (images.pop(), masks.pop()) else { continue };
                pairs.push((image.reading.part, Pair::new(image.path, MaskSource::File(mask.path))));
            }
            (1, _) if are_numbered(&masks) => {
                let Some(image) = images.pop() else { continue };
                masks.sort_by_key(|mask| number_of(&mask.reading.stem));
                let paths = masks.into_iter().map(|mask| mask.path).collect();
                pairs.push((image.reading.part, Pair::new(image.path, MaskSource::Joined(paths))));
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

/// Whether the masks of an image differ only in a number, which one of them may lack.
fn are_numbered(masks: &[Half]) -> bool {
    let numbers: BTreeSet<Option<u64>> = masks.iter().map(|mask| number_of(&mask.reading.stem)).collect();
    masks.len() > 1 && numbers.len() == masks.len()
}

/// The number at the end of `x_mask_12`.
fn number_of(stem: &str) -> Option<u64> {
    let (front, number) = stem.rsplit_once(['_', '-'])?;
    mask_base(front).and(number.parse().ok())
}
