//! Pascal VOC's layout, also written by CVAT and labelme2voc: palette masks whose indices or colors are the classes.

use std::path::{Path, PathBuf};

use super::class_list::{ClassList, IGNORED, voc_color};
use super::coding::Coding;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use super::raw::{RawMask, Samples, Shown, Stored};
use crate::data::decisions::{LeftOut, Why};
use crate::data::format::{Evidence, Format};
use crate::data::list_index::{Index, Match};
use crate::data::listing::{entries, is_image, name_of, relative, stem_of, subfolders};
use crate::data::lists::{self, ListFile};
use crate::data::names::shortened;
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
        let (images, masks) = (Named::in_folder(&home.join("JPEGImages"))?, Named::in_folder(&masks)?);
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
            whole(&images, &masks, &mut found);
        }
        if format == self.name() && !proves_classes(&found) {
            // Other sets have this layout too, with other classes.
            found.known = None;
        }
        found.decisions.notes.extend([&images, &masks].into_iter().find_map(|files| files.index.note()));
        for name in ["SegmentationClass", "SegmentationClassVisualization", "SegmentationObject"] {
            if home.join(name).is_dir() && (name != "SegmentationClass" || home.join(MASKS[0]).is_dir()) {
                found.decisions.left_out.push(LeftOut::new(&home.join(name), Why::Duplicate));
            }
        }
        Ok(found)
    }
}

/// The folder of the set (`root`, `root/VOC*` or `root/VOCdevkit/VOC*`) and its folder of masks.
///
/// # Errors
/// Where there are several such folders, for example of two years.
fn home(root: &Path) -> Result<Option<(PathBuf, PathBuf)>, DataError> {
    let mut candidates = vec![root.to_path_buf()];
    for outer in [root.to_path_buf(), root.join("VOCdevkit")] {
        if outer.is_dir() {
            candidates.extend(subfolders(&outer)?);
        }
    }
    let with_masks = |home: PathBuf| {
        let masks = MASKS.iter().map(|name| home.join(name)).find(|masks| masks.is_dir())?;
        home.join("JPEGImages").is_dir().then_some((home, masks))
    };
    let homes: Vec<(PathBuf, PathBuf)> = candidates.into_iter().filter_map(with_masks).collect();
    match homes.as_slice() {
        [(first, _), (second, _), ..] if first != root => {
            let problem = format!(
                "holds several sets, {} and {}; give the folder of one",
                relative(root, first),
                relative(root, second)
            );
            Err(DataError::malformed(root, problem))
        }
        homes => Ok(homes.first().cloned()),
    }
}

/// The image files of a folder.
struct Named {
    folder: String,
    paths: Vec<PathBuf>,
    index: Index,
}

impl Named {
    fn in_folder(folder: &Path) -> Result<Self, DataError> {
        let paths: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| is_image(path)).collect();
        let index = Index::new(folder, paths.iter().map(PathBuf::as_path));
        Ok(Self { folder: name_of(folder), paths, index })
    }

    /// The file of this name without extension; `None` if there is no such file.
    ///
    /// # Errors
    /// The problem in words, if there are several.
    fn find(&self, name: &str) -> Result<Option<&PathBuf>, String> {
        match self.index.find(name) {
            Match::One(at) => Ok(Some(&self.paths[at])),
            Match::None => Ok(None),
            Match::Several(a, b) => {
                let [a, b] = [a, b].map(|at| name_of(&self.paths[at]));
                Err(format!("'{name}' may be {a} or {b} of {}; remove one", self.folder))
            }
        }
    }
}

/// Number of masks that are checked for Pascal VOC's colors.
const PROOFS: usize = 20;

/// Whether names or colors are those of Pascal VOC: `2007_000032`, or palettes and colors of its map.
fn proves_classes(found: &Found) -> bool {
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let named = |pair: &&Pair| {
        let stem = stem_of(&pair.image);
        stem.split_once('_').is_some_and(|(year, number)| is_number(year, 4) && is_number(number, 6))
    };
    let pairs = || found.parts().into_iter().flatten().take(PROOFS);
    let drawn = || pairs().filter_map(|pair| pair.mask.read(&pair.image, pair.posture, Samples::Numbers).ok());
    pairs().any(|pair| named(&pair)) || drawn().any(|raw| has_own_colors(&raw))
}

/// Whether the colors of a mask are those of Pascal VOC's map, and one of them is a class other than the background.
fn has_own_colors(raw: &RawMask) -> bool {
    let mut classes = 0;
    let mut own = |color: [u8; 3], value: Option<u8>| match (0..NAMES.len() as u8).find(|&id| voc_color(id) == color) {
        Some(0) => true,
        Some(id) => {
            classes += 1;
            value.is_none_or(|value| value == id)
        }
        None => color == BORDER || value == Some(IGNORED),
    };
    let all = match &raw.stored {
        Stored::Values(_, Shown::Greys(_)) => false,
        Stored::Values(values, Shown::Palette(palette)) => {
            values.iter().all(|&value| palette.get(usize::from(value)).is_some_and(|&color| own(color, Some(value))))
        }
        Stored::Colors(colors) => colors.iter().all(|&color| own(color, None)),
    };
    all && classes > 0
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
fn whole(images: &Named, masks: &Named, found: &mut Found) {
    let mut fault = |path: &Path, problem| {
        found.faults.push(BadImage { image: path.display().to_string(), problem });
    };
    for mask in &masks.paths {
        match (images.find(&stem_of(mask)), masks.find(&stem_of(mask))) {
            (Ok(Some(image)), Ok(_)) => found.train.push(Pair::new(image.clone(), MaskSource::File(mask.clone()))),
            (Ok(None), _) => fault(mask, ImageProblem::NoImage),
            (Err(problem), _) | (_, Err(problem)) => fault(mask, ImageProblem::Listed(problem)),
        }
    }
    for image in images.paths.iter().filter(|image| matches!(masks.find(&stem_of(image)), Ok(None))) {
        fault(image, ImageProblem::NoMask);
    }
}

/// Each line is the name of an image without extension, optionally followed by a number.
fn read_list(list: &ListFile, images: &Named, masks: &Named, faults: &mut Vec<BadImage>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (number, line) in &list.lines {
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_known = [images, masks].iter().any(|files| files.index.find(line) != Match::None);
        let name = if is_known { line } else { first };
        let what = match (images.find(name), masks.find(name)) {
            (Ok(Some(image)), Ok(Some(mask))) => {
                pairs.push(Pair::new(image.clone(), MaskSource::File(mask.clone())));
                continue;
            }
            (Ok(Some(_)), Ok(None)) => format!("{}/{name}.png is not there (its image is)", masks.folder),
            (Ok(None), Ok(Some(_))) => format!("JPEGImages/{name}.jpg is not there (its mask is)"),
            (Ok(None), Ok(None)) => format!("'{}' has neither image nor mask", shortened(name)),
            (Err(problem), _) | (_, Err(problem)) => problem,
        };
        faults.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(what) });
    }
    pairs
}
