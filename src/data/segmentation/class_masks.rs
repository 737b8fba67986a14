//! Sets without a pair of equal names whose images have several masks each. They are refused with the reason: nothing says which
//! class lies above another where masks overlap, or which of two masks counts.
//!
//! | the masks of `images/0.jpg` | may be |
//! |---|---|
//! | `masks/0_hair.png`, `masks/0_skin.png` | a class each |
//! | `masks/hair/0.png`, `masks/skin/0.png` | a class each, or other masks |
//! | `labels/0_train_id.png`, `color_labels/0_train_color.png` (BDD100K) | two forms of one mask |
//! | `task-0-annotation-0-by-1-tag-hair-0.png` | a class each, of Label Studio's task 0 |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::halves::{Half, halves};
use super::leftovers::partners;
use crate::data::DataError;
use crate::data::listing::{Walk, name_of, relative};
use crate::data::names::quoted;
use crate::data::parts::Part;
use crate::data::reading::{Role, role_in};

/// Refuses the set at `root` if its images have several masks each.
///
/// # Errors
/// [`DataError::Malformed`] with two masks of an image and what to do.
pub(super) fn refuse(root: &Path) -> Result<(), DataError> {
    let (images, masks) = halves(root, Walk::below(root)?.images);
    let problem = by_task(root, &masks)
        .or_else(|| by_folder(root, &images, &masks))
        .or_else(|| two_forms(root, &images, &masks))
        .or_else(|| by_suffix(root, &images, &masks));
    problem.map_or(Ok(()), |problem| Err(DataError::malformed(root, problem)))
}

const REMEDY: &str = "write one mask an image, whose pixels are the numbers of the classes (where classes overlap, the one that \
                      shall count), and name them in a classes.toml";

/// Masks of Label Studio's export `Brush labels to PNG`, which name tasks, not images.
fn by_task(root: &Path, masks: &[Half]) -> Option<String> {
    let is_of_task = |half: &&Half| half.reading.stem.starts_with("task-") && half.reading.stem.contains("-tag-");
    let first = masks.iter().find(is_of_task)?;
    Some(format!(
        "holds Label Studio's masks as PNG, such as {}, whose names have tasks and classes, but no images; export as JSON instead, \
         which is read",
        relative(root, &first.path)
    ))
}

/// Masks whose names are those of an image and a word.
fn by_suffix(root: &Path, images: &[Half], masks: &[Half]) -> Option<String> {
    let stems: BTreeMap<(Option<Part>, &str), &Half> =
        images.iter().map(|half| ((half.reading.part, half.reading.stem.as_str()), half)).collect();
    let mut of_images: BTreeMap<&Path, Vec<(&Half, &str)>> = BTreeMap::new();
    for mask in masks {
        let stem = mask.reading.stem.as_str();
        let cut = |(at, _): (usize, &str)| Some((*stems.get(&(mask.reading.part, &stem[..at]))?, &stem[at + 1..]));
        // Each separator is one byte. The longest name of an image counts.
        let (image, word) = stem.rmatch_indices(['_', '-', '.', ' ']).find_map(cut)?;
        of_images.entry(image.path.as_path()).or_default().push((mask, word));
    }
    let words: BTreeSet<&str> = of_images.values().flatten().map(|(_, word)| *word).collect();
    let (image, several) = of_images.iter().find(|(_, masks)| masks.len() > 1)?;
    let are_names = words.iter().all(|word| word.contains(char::is_alphabetic));
    let [(first, _), (second, _), ..] = &several[..] else { return None };
    (are_names && words.len() < masks.len()).then(|| {
        format!(
            "holds several masks of {}, such as {} and {}: {} look like names of classes, a mask for each; {REMEDY}",
            relative(root, image),
            relative(root, &first.path),
            relative(root, &second.path),
            quoted(&words.into_iter().collect::<Vec<_>>())
        )
    })
}

/// Masks of one name in several folders.
fn by_folder(root: &Path, images: &[Half], masks: &[Half]) -> Option<String> {
    let key = |half: &Half| half.loose_key();
    let mut of_names: BTreeMap<_, Vec<&Half>> = BTreeMap::new();
    masks.iter().for_each(|mask| of_names.entry(key(mask)).or_default().push(mask));
    let mut seen = BTreeSet::new();
    let is_alone = images.iter().all(|image| seen.insert(key(image)));
    let folder = |half: &Half| name_of(half.path.parent().unwrap_or(root));
    let has_own_folders = |several: &&Vec<&Half>| {
        several.len() > 1 && several.iter().map(|half| folder(half)).collect::<BTreeSet<_>>().len() == several.len()
    };
    let several = of_names.values().find(has_own_folders).filter(|_| is_alone)?;
    let image = images.iter().find(|image| key(image) == key(several[0]))?;
    let folders: BTreeSet<String> = masks.iter().map(folder).collect();
    Some(format!(
        "holds several masks of {}, such as {} and {}: the folders {} can be classes, or hold other masks of the same images; if they \
         are classes, {REMEDY}; else keep the folder of the masks that count",
        relative(root, &image.path),
        relative(root, &several[0].path),
        relative(root, &several[1].path),
        quoted(&folders.iter().collect::<Vec<_>>())
    ))
}

/// Two folders of masks, of which each has a mask for each image.
fn two_forms(root: &Path, images: &[Half], masks: &[Half]) -> Option<String> {
    let top = |half: &Half| {
        let inside = relative(root, &half.path);
        inside.split('/').rev().skip(1).find(|folder| role_in(folder) == Some(Role::Mask)).map(str::to_owned)
    };
    let mut of_folders: BTreeMap<String, Vec<&Half>> = BTreeMap::new();
    for mask in masks {
        of_folders.entry(top(mask)?).or_default().push(mask);
    }
    let stems = |halves: &[&Half], part: Option<Part>| -> Vec<String> {
        halves.iter().filter(|half| half.reading.part == part).map(|half| half.reading.stem.clone()).collect()
    };
    let all: Vec<&Half> = images.iter().collect();
    let fits = |own: &&Vec<&Half>| {
        [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)].into_iter().any(|part| {
            let own = stems(own, part);
            own.len() > 1 && partners(&stems(&all, part), &own).is_some()
        })
    };
    let mut fitting = of_folders.values().filter(fits);
    let (first, second) = (fitting.next()?, fitting.next()?);
    Some(format!(
        "holds several masks of each image, such as {} and {}: their folders can hold two forms of the same masks, such as numbers and \
         colors, or a class each; keep the folder of the numbers, or {REMEDY}",
        relative(root, &first[0].path),
        relative(root, &second[0].path)
    ))
}
