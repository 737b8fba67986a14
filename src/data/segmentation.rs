//! Data sets with a class for every pixel, and how they are opened.
//!
//! ```text
//! find (pairs of files) ──► Coding (stored values to classes) ──► SegmentationSplits ──► prepare
//! ```
//!
//! Finding does not stop at the first fault. Images without mask, masks without image and list lines without file are
//! collected and reported together.

mod bitmap;
mod boxes;
pub(crate) mod camvid;
pub(crate) mod cityscapes;
mod class_files;
mod class_list;
mod class_masks;
mod classes;
pub(crate) mod coco;
mod coding;
mod colors;
mod counts;
mod detect;
pub(crate) mod folders;
pub(crate) mod found;
mod gathered;
mod habits;
mod halves;
pub(crate) mod label_studio;
pub(crate) mod labelme;
mod leftovers;
mod listed;
pub(crate) mod mask;
mod model;
mod name_lists;
mod notation;
mod numbered_names;
mod orientation;
mod pair_files;
mod pairing;
pub(crate) mod pets;
mod proof;
mod raw;
pub(crate) mod roboflow;
mod seen;
mod set;
mod shapes;
mod strangers;
pub(crate) mod supervisely;
mod values;
pub(crate) mod voc;
mod written;
pub(crate) mod yolo;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, RgbImage, RgbaImage};
use rayon::prelude::*;

use super::decode::{decode_file_as, decode_four, read_bytes};
use super::depth::SampleDepth;
use super::split::{Halves, hold_out};
use super::{BadImage, DataError, DecodeLimits, ImageProblem, SetOptions, frames, list_tables, unused_lists};
pub use class_list::{ClassList, IGNORED};
use coding::Coding;
use found::{Found, Pair};
pub use set::{SegmentationDataset, SegmentationSplits};

/// The set of the pairs `found` at `path`, with its classes. `faults` gets the faults of pairs, even if this fails.
///
/// # Errors
/// Where there are faults, unless `skip_bad`; the classes are unclear, or a part is empty.
pub(crate) fn complete(
    path: &Path,
    mut found: Found,
    options: &SetOptions,
    faults: &mut Vec<BadImage>,
) -> Result<SegmentationSplits, DataError> {
    divide_by_lists(path, &mut found)?;
    take_out_of_two_parts(&mut found);
    if found.len() == 0
        && let Some(problem) = strangers::problem(path, &found)?
    {
        return Err(DataError::malformed(path, problem));
    }
    faults.clone_from(&found.faults);
    if !found.faults.is_empty() && !options.skip_bad {
        return Err(DataError::BadImages { checked: found.faults.len() + found.len(), bad: found.faults });
    }
    let beside = beside(path, &found, options.hints.mask_threshold)?;
    orientation::decide(&mut found, beside.orientation);
    faults.clone_from(&found.faults);
    if !found.faults.is_empty() && !options.skip_bad {
        return Err(DataError::BadImages { checked: found.faults.len() + found.len(), bad: found.faults });
    }
    if found.len() == 0 {
        let reason = "no complete pair of image and mask was found for it".to_string();
        return Err(DataError::EmptySplit { path: path.into(), split: "train", reason });
    }
    let notes = class_files_in_folders(path, &found)?;
    found.decisions.notes.extend(notes);
    if let Some(coding) = &beside.coding {
        name_lists::require_same(found.home.as_deref().unwrap_or(path), coding)?;
    }
    let coding = coding_of(path, &mut found, beside, options)?;
    let (coding, remarks) = listed::settle(path, &found.parts(), coding)?;
    found.decisions.notes.extend(remarks);
    if options.model_classes.is_empty() {
        proof::require_two_classes(path, &coding, &found.train)?;
    }
    found.decisions.notes.extend(gathered::twins(&coding.classes.names));
    found.decisions.notes.extend(several_pages(&found));
    found.decisions.notes.extend(boxes::note(&found));
    splits(path, found, coding, options)
}

/// Notes on files of classes in the folders of images and masks, unless the format defines the classes.
///
/// # Errors
/// Those of [`name_lists::in_folders`].
fn class_files_in_folders(root: &Path, found: &Found) -> Result<Vec<String>, DataError> {
    let pairs = || found.parts().into_iter().flatten();
    if found.known.is_some() || pairs().all(|pair| pair.mask.files().is_empty()) {
        return Ok(vec![]);
    }
    let files = pairs().flat_map(|pair| pair.mask.files().iter().chain([&pair.image]));
    name_lists::in_folders(root, found.home.as_deref(), files.map(PathBuf::as_path))
}

/// The coding of the masks: by the files beside the set, by its format, by a threshold, by a list of names, or by the
/// masks.
fn coding_of(
    path: &Path,
    found: &mut Found,
    beside: classes::Beside,
    options: &SetOptions,
) -> Result<Coding, DataError> {
    let classes::Beside { coding, wishes, .. } = beside;
    let coding = match (coding, found.known.take(), options.hints.mask_threshold) {
        (_, Some(_), Some(threshold)) => {
            let problem =
                format!("{} says the classes of its masks: a threshold of {threshold} has no use", found.format);
            return Err(DataError::malformed(path, problem));
        }
        (Some(coding), ..) | (None, Some(coding), None) => coding,
        (None, None, Some(threshold)) => {
            let coding = classes::by_threshold(threshold, path)?;
            return coding.ignoring(&wishes).map_err(|problem| DataError::malformed(path, problem));
        }
        (None, None, None) => {
            let home = found.home.as_deref().unwrap_or(path);
            let (listed, notes) = name_lists::find(home)?;
            found.decisions.notes.extend(notes);
            match listed {
                Some(coding) => coding,
                None => {
                    let (coding, notes) = detect::detect(path, &found.parts(), &wishes, &options.model_classes)?;
                    found.decisions.notes.extend(notes);
                    return Ok(coding);
                }
            }
        }
    };
    coding
        .wished(&wishes)
        .map_err(|problem| DataError::malformed(path, format!("its classes.toml does not fit: {problem}")))
}

/// Divides a set whose format has no parts by the lists beside it.
fn divide_by_lists(path: &Path, found: &mut Found) -> Result<(), DataError> {
    let has_parts = found.has_val || !found.val.is_empty() || !found.test.is_empty();
    if has_parts || !found.decisions.lists.is_empty() {
        return Ok(());
    }
    let lists = list_tables::find(path)?;
    if !lists.is_empty() {
        let pairs = std::mem::take(&mut found.train);
        folders::divide_by(path, pairs, &lists, found);
    }
    Ok(())
}

/// Takes out images that lists put into two parts, and adds them to the faults.
fn take_out_of_two_parts(found: &mut Found) {
    let mut parts: HashMap<&Path, &str> = HashMap::new();
    let (mut twice, mut faults) = (HashSet::new(), Vec::new());
    for (part, pairs) in ["train", "val", "test"].into_iter().zip(found.parts()) {
        for pair in pairs {
            let first = *parts.entry(&pair.image).or_insert(part);
            if first != part {
                let lists = found.decisions.lists.join(", ");
                let problem = format!("it is in the {first} part and in the {part} part, by {lists}");
                faults
                    .push(BadImage { image: pair.image.display().to_string(), problem: ImageProblem::Listed(problem) });
                twice.insert(pair.image.clone());
            }
        }
    }
    for pairs in [&mut found.train, &mut found.val, &mut found.test] {
        pairs.retain(|pair| !twice.contains(&pair.image));
    }
    found.faults.extend(faults);
}

/// A note on masks with several pages, of which the first is read.
fn several_pages(found: &Found) -> Option<String> {
    const KINDS: [&str; 3] = ["tif", "tiff", "gif"];
    let files = found.parts().into_iter().flatten().flat_map(|pair| pair.mask.files());
    let files: Vec<&PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| KINDS.iter().any(|kind| e.eq_ignore_ascii_case(kind))))
        .collect();
    let limits = DecodeLimits::default();
    let has_several = |path: &&&PathBuf| read_bytes(path, &limits).is_ok_and(|bytes| frames::are_several(&bytes));
    let several: Vec<&&PathBuf> = files.par_iter().filter(has_several).collect();
    let first = several.first()?;
    Some(format!("{} masks hold several pages, such as {}; the first page is read", several.len(), first.display()))
}

/// Settings in a file beside a set: in the root, else in the folder of the set below it.
fn beside(path: &Path, found: &Found, threshold: Option<u8>) -> Result<classes::Beside, DataError> {
    let beside = classes::read_beside(path, threshold)?;
    match found.home.as_deref().filter(|_| beside.coding.is_none()) {
        Some(home) => {
            let nearer = classes::read_beside(home, threshold)?;
            let wishes = beside.wishes.or(nearer.wishes);
            Ok(classes::Beside {
                orientation: beside.orientation.or(nearer.orientation),
                wishes,
                coding: nearer.coding,
            })
        }
        None => Ok(beside),
    }
}

/// The parts as data sets. Without a validation part it is split off by seed.
fn splits(path: &Path, found: Found, coding: Coding, options: &SetOptions) -> Result<SegmentationSplits, DataError> {
    let Found { format, mut train, mut val, mut test, faults, has_val, table, mut decisions, .. } = found;
    let empty = |split, reason: &str| DataError::EmptySplit { path: path.into(), split, reason: reason.into() };
    if train.is_empty() {
        return Err(empty("train", "no complete pair of image and mask was found for it"));
    }
    if val.is_empty() && has_val {
        return Err(empty("validation", "no complete pair of image and mask was found for it; add some, or remove it"));
    }
    if val.is_empty() && !test.is_empty() {
        // As for class folders: without a validation part the test part is the validation part.
        val = std::mem::take(&mut test);
    }
    let is_by_seed = val.is_empty();
    if is_by_seed {
        // Annotation files name the images too, but they are used.
        if train.iter().any(|pair| !pair.mask.files().is_empty()) {
            let used: Vec<PathBuf> = decisions.lists.iter().map(|list| path.join(list)).chain(table).collect();
            let images = train.iter().map(|pair| pair.image.as_path());
            unused_lists::report(path, &used, images, options.undivided, &mut decisions)?;
        }
        Halves { train, val, split: decisions.split } = hold_out(train, |pair| &pair.image, options)?;
    } else if decisions.split.is_empty() {
        decisions.split = match decisions.lists.is_empty() {
            true => "by the folders of the parts".into(),
            false => format!("by the lists {}", decisions.lists.join(", ")),
        };
    }
    if val.is_empty() {
        return Err(empty("validation", "there is a single pair; add pairs, or a val/ part"));
    }
    decisions.format = format.into();
    decisions.classes = coding.readings();
    decisions.ignored = Some(coding.classes.ignored.clone());
    let (coding, depth) = (Arc::new(coding), Arc::new(SampleDepth::default()));
    let part = |pairs| {
        let (coding, depth) = (Arc::clone(&coding), Arc::clone(&depth));
        Arc::new(PairFiles { pairs, coding, depth }) as Arc<dyn SegmentationDataset>
    };
    let test = if test.is_empty() { None } else { Some(part(test)) };
    let (train, val) = (part(train), part(val));
    Ok(SegmentationSplits { train, val, test, by_seed: is_by_seed, format, left_out: faults, decisions })
}

/// Pairs of files, decoded on request.
struct PairFiles {
    pairs: Vec<Pair>,
    coding: Arc<Coding>,
    depth: Arc<SampleDepth>,
}

impl SegmentationDataset for PairFiles {
    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn classes(&self) -> &ClassList {
        &self.coding.classes
    }

    fn name(&self, index: usize) -> String {
        self.pairs[index].image.display().to_string()
    }

    fn mask_name(&self, index: usize) -> String {
        self.pairs[index].mask.name()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let Pair { image, posture, .. } = &self.pairs[index];
        decode_file_as(image, &self.depth, *posture)
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        let Pair { image, posture, .. } = &self.pairs[index];
        decode_four(image, &self.depth, *posture)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let Pair { image, mask, posture } = &self.pairs[index];
        let ids = mask.read(image, *posture, self.coding.samples).and_then(|raw| self.coding.apply(&raw));
        ids.map_err(|problem| DataError::BadImage(BadImage { image: mask.name(), problem }))
    }

    fn depth(&self) -> Option<&SampleDepth> {
        Some(&self.depth)
    }
}
