//! Images with a class for every pixel: what such a data set is and how it is opened.
//!
//! ```text
//! find (pairs of files) ──► Coding (stored values to classes) ──► SegmentationSplits ──► prepare_segmentation
//! ```
//!
//! Finding never stops at the first fault: halves without their other half and list lines that name
//! no file are collected, so that all of them can be shown at once.

mod camvid;
mod cityscapes;
mod classes;
mod coding;
mod detect;
mod folders;
mod mask;
mod pairing;
mod voc;
mod written;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, RgbImage};

use super::{BadImage, DataError, SetOptions, decode_file};
use crate::random::{self, op};
pub use classes::ClassList;
pub(crate) use coding::Coding;

/// Train id of a pixel that counts for nothing: neither in the loss nor in a metric.
pub const IGNORED: u8 = crate::label::IGNORED_BYTE;

/// Images with a class for each pixel. Indices run from 0 to `len() - 1`; an index beyond may panic.
pub trait SegmentationDataset: Send + Sync {
    /// Number of pairs of image and mask.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes; a train id is an index into them.
    fn classes(&self) -> &ClassList;

    /// What to call image `index` to a person: its path, or `street #17 of seed 1`.
    fn name(&self, index: usize) -> String;

    /// What to call the mask of image `index` to a person.
    fn mask_name(&self, index: usize) -> String {
        format!("mask of {}", self.name(index))
    }

    /// Image `index` at its native size, decoded now.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with what is wrong with it.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// The train id of each pixel of image `index`, [`IGNORED`] for pixels that do not count.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with what is wrong with it, values that stand for no class included.
    fn mask(&self, index: usize) -> Result<GrayImage, DataError>;
}

/// Training, validation and (where there are any) test images with one class list.
#[derive(Clone)]
pub struct SegmentationSplits {
    /// Images to learn from.
    pub train: Arc<dyn SegmentationDataset>,
    /// Images to choose settings by.
    pub val: Arc<dyn SegmentationDataset>,
    /// Images for the last word.
    pub test: Option<Arc<dyn SegmentationDataset>>,
    /// Whether the validation part was split off by seed, since the data set brings none.
    pub by_seed: bool,
    /// Name of the format that was found, for people.
    pub format: &'static str,
    /// Images without mask, masks without image, list lines without file: left out with `skip_bad`.
    pub left_out: Vec<BadImage>,
}

impl std::fmt::Debug for SegmentationSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentationSplits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(|t| t.len()))
            .field("classes", &self.train.classes().names)
            .finish()
    }
}

/// The files of one image and its mask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub image: PathBuf,
    pub mask: PathBuf,
}

/// What lies in a folder, before anything is decoded.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub format: &'static str,
    pub train: Vec<Pair>,
    pub val: Vec<Pair>,
    /// Whether the set brings a validation part; else it is split off from `train` by seed.
    pub has_val: bool,
    pub test: Vec<Pair>,
    /// Halves without their other half, list lines without file.
    pub faults: Vec<BadImage>,
    /// Classes that come with the format; a file in the folder has precedence.
    pub known: Option<Coding>,
}

/// Opens the segmentation data set at `path` and tells its format by what is there:
///
/// | format | what is looked for |
/// |---|---|
/// | Cityscapes | `leftImg8bit/{train,val}/CITY/*_leftImg8bit.png` and `gtFine/…/*_labelIds.png`, 19 train ids |
/// | Pascal VOC | `JPEGImages/`, `SegmentationClass/`, `ImageSets/Segmentation/{train,val}.txt`, here or below `VOCdevkit/` |
/// | CamVid lists | `train.txt`, `val.txt` (and `test.txt`) of image and mask paths |
/// | folders | images and masks paired by name: `images/` + `masks/`, `train/images/`, `train` + `trainannot`, `x.jpg` + `x_mask.png`, … |
///
/// Classes come from `classes.toml`, `info.json`, `label_colors.txt`, `class_dict.csv` or `codes.txt` in
/// the folder, from the format, or else from the values in the masks; [`ClassList`] says which.
///
/// # Errors
/// Names the path, what was found there, what was expected; every incomplete pair, unless `skip_bad`.
pub fn open_segmentation(path: &Path, options: &SetOptions) -> Result<SegmentationSplits, DataError> {
    options.checked_val_split()?;
    let mut found = find(path)?;
    if !found.faults.is_empty() && !options.skip_bad {
        let checked = found.faults.len() + found.train.len() + found.val.len() + found.test.len();
        return Err(DataError::BadImages { checked, bad: found.faults });
    }
    let coding = coding_of(path, &mut found)?;
    splits(path, found, coding, options)
}

/// What lies at `path`, in whichever format.
pub(crate) fn find(path: &Path) -> Result<Found, DataError> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if !metadata.is_dir() {
        return Err(DataError::NotAFolder(path.into()));
    }
    for finder in [cityscapes::find, voc::find, camvid::find] {
        if let Some(found) = finder(path)? {
            return Ok(found);
        }
    }
    folders::find(path)
}

/// The classes of what was found: from a file beside it, from the format, or from the masks' values.
pub(crate) fn coding_of(path: &Path, found: &mut Found) -> Result<Coding, DataError> {
    if let Some(coding) = classes::read_beside(path)? {
        return Ok(coding);
    }
    match found.known.take() {
        Some(coding) => Ok(coding),
        None => detect::detect(path, &[&found.train, &found.val, &found.test].map(|part| part.as_slice())),
    }
}

/// The parts of what was found as data sets, validation split off by seed where there is none.
pub(crate) fn splits(
    path: &Path,
    found: Found,
    coding: Coding,
    options: &SetOptions,
) -> Result<SegmentationSplits, DataError> {
    let Found { format, mut train, mut val, mut test, faults, has_val, .. } = found;
    let empty = |split, reason: &str| DataError::EmptySplit { path: path.into(), split, reason: reason.into() };
    if train.is_empty() {
        return Err(empty("train", "no complete pair of image and mask was found for it"));
    }
    if val.is_empty() && has_val {
        return Err(empty("validation", "no complete pair of image and mask was found for it; add some, or remove it"));
    }
    if val.is_empty() && !test.is_empty() {
        // As for class folders: with no validation part, the test part is what is measured on.
        val = std::mem::take(&mut test);
    }
    let by_seed = val.is_empty();
    if by_seed {
        (train, val) = hold_out(train, options)?;
    }
    if val.is_empty() {
        return Err(empty("validation", "there is a single pair; add pairs, or a val/ part"));
    }
    let coding = Arc::new(coding);
    let part = |pairs| Arc::new(PairFiles { pairs, coding: Arc::clone(&coding) }) as Arc<dyn SegmentationDataset>;
    let test = if test.is_empty() { None } else { Some(part(test)) };
    Ok(SegmentationSplits { train: part(train), val: part(val), test, by_seed, format, left_out: faults })
}

/// Splits `items` in two: the share `val_split`, rounded, at least one and never the last, is held
/// out. Which ones depends on the seed alone; both parts keep their order.
pub(crate) fn hold_out<T>(items: Vec<T>, options: &SetOptions) -> Result<(Vec<T>, Vec<T>), DataError> {
    let share = options.checked_val_split()?;
    let mut order: Vec<usize> = (0..items.len()).collect();
    random::shuffle(&mut order, options.seed, 0, op::SPLIT);
    let wanted = (items.len() as f32 * share).round() as usize;
    let count = wanted.max(1).min(items.len().saturating_sub(1));
    let mut held = vec![false; items.len()];
    order.into_iter().take(count).for_each(|index| held[index] = true);
    let (held, kept): (Vec<_>, Vec<_>) = items.into_iter().zip(held).partition(|(_, held)| *held);
    let strip = |part: Vec<(T, bool)>| part.into_iter().map(|(item, _)| item).collect();
    Ok((strip(kept), strip(held)))
}

/// Pairs of files, decoded when asked for.
struct PairFiles {
    pairs: Vec<Pair>,
    coding: Arc<Coding>,
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
        self.pairs[index].mask.display().to_string()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        decode_file(&self.pairs[index].image)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let path = &self.pairs[index].mask;
        let mask = mask::read(path).and_then(|raw| self.coding.apply(&raw));
        mask.map_err(|problem| DataError::BadImage(BadImage { image: path.display().to_string(), problem }))
    }
}
