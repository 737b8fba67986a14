//! Sets of images without labels, for colorization.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::class_walk::beside;
use super::decisions::{Decisions, LeftOut, Why};
use super::decode::decode_file_at;
use super::depth::SampleDepth;
use super::division::Sought;
use super::foreign::{self, Wanted};
use super::format::{Confidence, Evidence, Format};
use super::list_tables;
use super::listing::{Walk, holds_image, name_of, require_no_run};
use super::lists::{self, ListFile};
use super::parts::{Part, PartFolders};
use super::split::{Halves, hold_out};
use super::{DataError, SetOptions, agreement, unused_lists};

/// Images. Indices run from 0 to `len() - 1`; a higher index may panic.
pub trait ImageDataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of image `index` for messages.
    fn name(&self, index: usize) -> String;

    /// Image `index` at its native size, decoded by this call.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with the fault.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;

    /// How 16-bit samples are read, if the set may have any.
    fn depth(&self) -> Option<&SampleDepth> {
        None
    }
}

/// Training, validation and optional test images.
#[derive(Clone)]
pub struct ImageSplits {
    /// Images to train on.
    pub train: Arc<dyn ImageDataset>,
    /// Images that settings are chosen by.
    pub val: Arc<dyn ImageDataset>,
    /// Images for the final evaluation.
    pub test: Option<Arc<dyn ImageDataset>>,
    /// Whether the validation part was split off by seed, because the data set has none.
    pub by_seed: bool,
    /// How the parts were found, in words.
    pub format: &'static str,
    /// How the set was read.
    pub decisions: Decisions,
}

impl std::fmt::Debug for ImageSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSplits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(|t| t.len()))
            .finish()
    }
}

/// Image files, decoded on request.
pub(crate) struct ImageFiles {
    paths: Vec<PathBuf>,
    depth: Arc<SampleDepth>,
}

impl ImageFiles {
    /// A set of the image files `paths`. Sets with the same `depth` read 16-bit samples alike.
    pub fn new(paths: Vec<PathBuf>, depth: &Arc<SampleDepth>) -> Self {
        Self { paths, depth: Arc::clone(depth) }
    }
}

impl ImageDataset for ImageFiles {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn name(&self, index: usize) -> String {
        self.paths[index].display().to_string()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        decode_file_at(&self.paths[index], &self.depth)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        Some(&self.depth)
    }
}

/// Opens every image below `path`, at any depth. Folders `train/`, `val/` and `test/` directly in it (or their usual
/// other names) are the parts. Without them all images are one set, class folders or not. Lists (`train.txt`,
/// `val.txt`) divide it; without lists, the seed does.
///
/// # Errors
/// Where there are fewer than two images, a part has no image, or a list names a file that does not exist.
pub fn open_images(path: &Path, options: &SetOptions) -> Result<ImageSplits, DataError> {
    options.checked_val_split()?;
    foreign::require_folder(path, Wanted::Images)?;
    require_no_run(path)?;
    let opened = ImageFolders.open(path, options).map_err(|error| {
        let clue = foreign::find(path, Wanted::Images).ok().flatten();
        match (clue, matches!(error, DataError::EmptySplit { .. } | DataError::Malformed { .. })) {
            (Some(clue), true) => DataError::Clue { error: Box::new(error), clue },
            _ => error,
        }
    });
    let mut splits = opened?;
    if !splits.by_seed {
        let paths = |set: &dyn ImageDataset| (0..set.len()).map(|index| PathBuf::from(set.name(index))).collect();
        let parts = [Some(&splits.train), Some(&splits.val), splits.test.as_ref()];
        let parts = || agreement::in_parts(parts.map(|part| part.map(|set| paths(&**set))));
        agreement::require(path, Sought::NamedOrWithColumn, &mut splits.decisions, parts)?;
    }
    Ok(splits)
}

/// Folders of images.
pub(crate) struct ImageFolders;

impl Format for ImageFolders {
    type Opened = ImageSplits;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "folders of images"
    }

    fn looks_for(&self) -> &'static str {
        "images at any depth; `train/`, `val/` and `test/` are the parts, or `train.txt` and `val.txt` divide them"
    }

    fn recognize(&self, _: &Path) -> Result<Option<Evidence>, DataError> {
        Ok(Some(Evidence::new(Confidence::Possible, ["images"])))
    }

    fn open(&self, path: &Path, options: &SetOptions) -> Result<ImageSplits, DataError> {
        let mut decisions = Decisions { format: self.name().into(), ..Decisions::default() };
        let parts = PartFolders::find(path, holds_image)?;
        let mut names = Vec::new();
        let mut walk = |folder: Option<&PathBuf>| -> Result<Option<Vec<PathBuf>>, DataError> {
            let Some(folder) = folder else { return Ok(None) };
            names.push(format!("{}/", name_of(folder)));
            let Walk { images, left_out } = Walk::pictures(folder)?;
            decisions.left_out.extend(left_out);
            Ok(Some(images))
        };
        let [train, mut val, mut test] =
            [walk(parts.train.as_ref())?, walk(parts.val.as_ref())?, walk(parts.test.as_ref())?];
        decisions.split = format!("by the folders {}", names.join(", "));
        if val.is_none() {
            val = test.take();
        }
        let is_divided = train.is_some() || val.is_some();
        if is_divided {
            decisions.left_out.extend(beside(path, &parts.others, &Why::BesideParts)?);
        }
        let by_seed = val.is_none();
        let lists = if by_seed { list_tables::find(path)? } else { vec![] };
        let (train, val) = match (train, val) {
            (Some(train), Some(val)) => (train, val),
            (Some(train), None) if !lists.is_empty() => return by_lists(path, train, &lists, options, decisions),
            (Some(train), None) => divided(path, train, options, &mut decisions)?,
            (None, Some(_)) => {
                let reason = "there is a folder of validation or test images, but no train/ beside it".to_string();
                return Err(DataError::EmptySplit { path: path.into(), split: "train", reason });
            }
            (None, None) => {
                let Walk { images, left_out } = Walk::pictures(path)?;
                decisions.left_out.extend(left_out);
                if !lists.is_empty() {
                    return by_lists(path, images, &lists, options, decisions);
                }
                let paths = images.iter().map(PathBuf::as_path);
                unused_lists::report(path, &[], paths, options.undivided, &mut decisions)?;
                divided(path, images, options, &mut decisions)?
            }
        };
        let format = if by_seed { "images, split by seed" } else { self.name() };
        finish(path, [train, val, test.unwrap_or_default()], by_seed, format, decisions)
    }
}

fn finish(
    path: &Path,
    [train, val, test]: [Vec<PathBuf>; 3],
    by_seed: bool,
    format: &'static str,
    decisions: Decisions,
) -> Result<ImageSplits, DataError> {
    for (images, split) in [(&train, "train"), (&val, "validation")] {
        if images.is_empty() {
            let reason = "its folder holds no images".to_string();
            return Err(DataError::EmptySplit { path: path.into(), split, reason });
        }
    }
    let depth = Arc::new(SampleDepth::default());
    let set = |paths| Arc::new(ImageFiles { paths, depth: Arc::clone(&depth) }) as Arc<dyn ImageDataset>;
    let test = (!test.is_empty()).then(|| set(test));
    Ok(ImageSplits { train: set(train), val: set(val), test, by_seed, format, decisions })
}

fn divided(
    path: &Path,
    images: Vec<PathBuf>,
    options: &SetOptions,
    decisions: &mut Decisions,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    if images.len() < 2 && !(options.undivided && images.len() == 1) {
        let left_out = decisions.left_out_lines();
        let left_out =
            if left_out.is_empty() { String::new() } else { format!(" (left out: {})", left_out.join("; ")) };
        let problem = format!(
            "{} images found at any depth{left_out}; at least 2 are needed, one for training and one for validation",
            images.len()
        );
        return Err(DataError::malformed(path, problem));
    }
    let Halves { train, val, split } = hold_out(images, PathBuf::as_path, options)?;
    decisions.split = split;
    Ok((train, val))
}

/// Divides images by lists of their names. Without a list of validation or test images the listed ones are divided by
/// seed.
fn by_lists(
    root: &Path,
    images: Vec<PathBuf>,
    lists: &[ListFile],
    options: &SetOptions,
    mut decisions: Decisions,
) -> Result<ImageSplits, DataError> {
    let files: Vec<_> = images.iter().map(PathBuf::as_path).enumerate().collect();
    let dealt = lists::deal(root, lists, images.len(), &files, &mut decisions)?;
    decisions.notes.extend(lists::second_unused(&dealt.second));
    let mut parts: [Vec<PathBuf>; 3] = Default::default();
    for (path, part) in images.into_iter().zip(dealt.parts) {
        match part {
            Some(Part::Train) => parts[0].push(path),
            Some(Part::Val) => parts[1].push(path),
            Some(Part::Test) => parts[2].push(path),
            None => decisions.left_out.push(LeftOut::new(&path, Why::InNoList)),
        }
    }
    if parts[1].is_empty() {
        parts.swap(1, 2);
    }
    if parts[1].is_empty() {
        let (train, val) = divided(root, std::mem::take(&mut parts[0]), options, &mut decisions)?;
        return finish(root, [train, val, Vec::new()], true, "images of a list, split by seed", decisions);
    }
    finish(root, parts, false, "images divided by lists", decisions)
}
