//! Images with a class for every pixel: what such a data set is and how it is opened.
//!
//! ```text
//! find (pairs of files) ──► Coding (stored values to classes) ──► SegmentationSplits ──► prepare_segmentation
//! ```
//!
//! Finding never stops at the first fault: halves without their other half and list lines that name
//! no file are collected, so that all of them can be shown at once.

pub(crate) mod camvid;
pub(crate) mod cityscapes;
mod classes;
pub(crate) mod coco;
mod coding;
mod detect;
pub(crate) mod folders;
pub(crate) mod labelme;
mod mask;
mod orientation;
mod pairing;
pub(crate) mod pets;
pub(crate) mod roboflow;
mod shapes;
mod values;
pub(crate) mod voc;
mod written;
pub(crate) mod yolo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{GrayImage, RgbImage};

use super::decisions::Decisions;
use super::decode::decode_file_as;
use super::depth::SampleDepth;
use super::split::by_seed;
use super::{BadImage, DataError, SetOptions, dataset, formats, require_folder};
use crate::random::{self, op};
pub use classes::ClassList;
pub(crate) use coding::Coding;
use mask::MaskSource;

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

    /// How 16-bit samples of images are read, where there may be any.
    fn depth(&self) -> Option<&SampleDepth> {
        None
    }
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
    /// How the set was read.
    pub decisions: Decisions,
}

impl SegmentationSplits {
    /// The same pairs under the classes of a trained model: each train id becomes the place of its class in `classes`.
    /// Names are compared in composed Unicode form.
    ///
    /// # Errors
    /// [`DataError::UnknownClasses`] where the data has a class that is not in `classes`.
    pub fn aligned(&self, classes: &[String]) -> Result<Self, DataError> {
        let part = |set: &Arc<dyn SegmentationDataset>| Relabelled::new(set, classes);
        let test = self.test.as_ref().map(part).transpose()?;
        Ok(Self { train: part(&self.train)?, val: part(&self.val)?, test, ..self.clone() })
    }
}

/// Pairs under another class list.
struct Relabelled {
    inner: Arc<dyn SegmentationDataset>,
    classes: ClassList,
    /// New id of each stored one.
    ids: Box<[u8; 256]>,
}

impl Relabelled {
    fn new(
        inner: &Arc<dyn SegmentationDataset>,
        classes: &[String],
    ) -> Result<Arc<dyn SegmentationDataset>, DataError> {
        let own = inner.classes();
        let mut ids = Box::new([IGNORED; 256]);
        let mut list = ClassList { names: classes.to_vec(), ..own.clone() };
        list.palette = (0..classes.len()).map(|id| classes::voc_color(id as u8)).collect();
        for (id, place) in dataset::places(&own.names, classes)?.into_iter().enumerate() {
            ids[id] = place as u8;
            list.palette[place as usize] = own.palette[id];
        }
        Ok(Arc::new(Self { inner: Arc::clone(inner), classes: list, ids }))
    }
}

impl SegmentationDataset for Relabelled {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn classes(&self) -> &ClassList {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        self.inner.name(index)
    }

    fn mask_name(&self, index: usize) -> String {
        self.inner.mask_name(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.inner.image(index)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let mut mask = self.inner.mask(index)?;
        mask.iter_mut().for_each(|id| *id = self.ids[usize::from(*id)]);
        Ok(mask)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.inner.depth()
    }
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

/// One image and its mask.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub image: PathBuf,
    pub mask: MaskSource,
    /// Whether both are turned upright by their EXIF orientation; else both stay as they are stored.
    pub upright: bool,
}

impl Pair {
    pub fn new(image: PathBuf, mask: MaskSource) -> Self {
        Self { image, mask, upright: true }
    }
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
    /// The folder of the set, where it is not the root itself: a file of classes may lie there too.
    pub home: Option<PathBuf>,
    /// Lists, what is left out, notes.
    pub decisions: Decisions,
}

impl Found {
    fn parts(&self) -> [&[Pair]; 3] {
        [&self.train, &self.val, &self.test]
    }

    fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

/// Opens the segmentation data set at `path`, in the format that [`super::formats()`] recognises there.
///
/// Classes come from a file in the folder (`classes.toml`, `info.json`, `label_colors.txt`, `class_dict.csv`,
/// `labelmap.txt`, `class_names.txt` or `codes.txt`), from the format, or else from the values in the masks; [`ClassList`]
/// says which.
///
/// # Errors
/// Names the path, what was found there, what was expected; every incomplete pair, unless `skip_bad`.
pub fn open_segmentation(path: &Path, options: &SetOptions) -> Result<SegmentationSplits, DataError> {
    open_with(path, options, &mut Vec::new())
}

/// [`open_segmentation`], with the faults of pairs even where it fails.
pub(crate) fn open_with(
    path: &Path,
    options: &SetOptions,
    faults: &mut Vec<BadImage>,
) -> Result<SegmentationSplits, DataError> {
    options.checked_val_split()?;
    let mut found = find(path, options)?;
    faults.clone_from(&found.faults);
    if !found.faults.is_empty() && !options.skip_bad {
        return Err(DataError::BadImages { checked: found.faults.len() + found.len(), bad: found.faults });
    }
    let beside = beside(path, &found)?;
    orientation::decide(&mut found, beside.orientation);
    faults.clone_from(&found.faults);
    if !found.faults.is_empty() && !options.skip_bad {
        return Err(DataError::BadImages { checked: found.faults.len() + found.len(), bad: found.faults });
    }
    if found.len() == 0 {
        let reason = "no complete pair of image and mask was found for it".to_string();
        return Err(DataError::EmptySplit { path: path.into(), split: "train", reason });
    }
    let coding = match (beside.coding, found.known.take()) {
        (Some(coding), _) | (None, Some(coding)) => coding,
        (None, None) => detect::detect(path, &found.parts())?,
    };
    splits(path, found, coding, options)
}

/// What lies at `path`, in whichever format.
fn find(path: &Path, options: &SetOptions) -> Result<Found, DataError> {
    require_folder(path)?;
    let (format, evidence) = formats::choose(path, formats::masks)?
        .ok_or_else(|| DataError::malformed(path, "no pairs of image and mask found"))?;
    let mut found = format.open(path, options)?;
    found.format = if found.format.is_empty() { format.name() } else { found.format };
    found.decisions.evidence = evidence.seen;
    Ok(found)
}

/// What a file beside a set says: in its root, or else in its own folder below the root.
fn beside(path: &Path, found: &Found) -> Result<classes::Beside, DataError> {
    let beside = classes::read_beside(path)?;
    match found.home.as_deref().filter(|_| beside.coding.is_none()) {
        Some(home) => {
            let nearer = classes::read_beside(home)?;
            Ok(classes::Beside { orientation: beside.orientation.or(nearer.orientation), ..nearer })
        }
        None => Ok(beside),
    }
}

/// The parts of what was found as data sets, validation split off by seed where there is none.
fn splits(path: &Path, found: Found, coding: Coding, options: &SetOptions) -> Result<SegmentationSplits, DataError> {
    let Found { format, mut train, mut val, mut test, faults, has_val, mut decisions, .. } = found;
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
    let is_by_seed = val.is_empty();
    if is_by_seed {
        (train, val) = hold_out(train, options)?;
        decisions.split = by_seed(options.val_split, options.seed);
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
        let Pair { image, upright, .. } = &self.pairs[index];
        decode_file_as(image, &self.depth, *upright)
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let Pair { image, mask, upright } = &self.pairs[index];
        let ids = mask.read(image, *upright).and_then(|raw| self.coding.apply(&raw));
        ids.map_err(|problem| DataError::BadImage(BadImage { image: mask.name(), problem }))
    }

    fn depth(&self) -> Option<&SampleDepth> {
        Some(&self.depth)
    }
}
