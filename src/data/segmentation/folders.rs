//! Folders of images and masks, paired by name.

use std::path::{Path, PathBuf};

use super::class_masks;
use super::found::{Found, Pair};
use super::halves::{Half, halves, join};
use super::leftovers::Leftovers;
use super::mask::MaskSource;
use crate::data::decisions::{LeftOut, Why};
use crate::data::foreign::{self, Wanted};
use crate::data::format::{Confidence, Evidence, Format};
use crate::data::list_index::{Index, Match};
use crate::data::list_tables;
use crate::data::listing::{Walk, name_of, relative, subfolders};
use crate::data::lists::{ListFile, numbered, rest_trains, second_unused};
use crate::data::names::shortened;
use crate::data::parts::Part;
use crate::data::reading::part_in;
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

/// Images and masks, paired by name.
pub(crate) struct ByName;

impl Format for ByName {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "images and masks by name"
    }

    fn looks_for(&self) -> &'static str {
        "`images/` and `masks/` (or `labels/`, `annotations/`, …), `train/images/`, `train` and `trainannot`, `img_dir/` and \
         `ann_dir/`, `imagesTr/` and `labelsTr/`, `x.jpg` and `x_mask.png`; `train.txt` and `val.txt` may divide them"
    }

    fn recognize(&self, _: &Path) -> Result<Option<Evidence>, DataError> {
        Ok(Some(Evidence::new(Confidence::Possible, ["names of images and masks"])))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let mut found = find(root)?;
        found.decisions.notes.extend(foreign::unread_annotations(root)?);
        Ok(found)
    }
}

/// Pairs the files below `root`.
///
/// # Errors
/// Where there are no pairs.
pub(in crate::data) fn find(root: &Path) -> Result<Found, DataError> {
    pair(root, Walk::below(root)?)
}

/// The deepest folder around all paths.
fn common_folder(paths: &[PathBuf]) -> Option<PathBuf> {
    let (first, others) = paths.split_first()?;
    let is_around = |folder: &&Path| others.iter().all(|path| path.starts_with(folder));
    first.parent()?.ancestors().find(is_around).map(Path::to_path_buf)
}

/// Pairs the files of `walk`, which are those below `root`.
///
/// # Errors
/// Where there are no pairs.
pub(in crate::data) fn pair(root: &Path, walk: Walk) -> Result<Found, DataError> {
    let Walk { images, left_out } = walk;
    let (images, masks) = match halves(root, images) {
        (images, masks) if images.is_empty() || masks.is_empty() => {
            // The folder around all files may have a word of masks in its name: `Kvasir-SEG/images`, `Kvasir-SEG/masks`.
            let paths: Vec<PathBuf> = images.into_iter().chain(masks).map(|half| half.path).collect();
            halves(&common_folder(&paths).unwrap_or_else(|| root.to_path_buf()), paths)
        }
        found => found,
    };
    if images.is_empty() || masks.is_empty() {
        let (images, masks) = (images.len(), masks.len());
        let problem = match foreign::find(root, Wanted::Masks)? {
            Some(stranger) => format!("no pairs of image and mask found; {stranger}"),
            None => format!(
                "no pairs of image and mask found ({images} images, {masks} masks); expected images/ and masks/ (or \
                 labels/, annotations/) with equal names, x.jpg beside x_mask.png, CamVid's train.txt, Pascal VOC or \
                 Cityscapes"
            ),
        };
        return Err(DataError::malformed(root, problem));
    }
    let mut found = Found { has_val: names_validation(root)?, ..Found::default() };
    found.decisions.left_out = left_out;
    let (pairs, images, masks) = join(images, masks, Half::key, &mut found.faults);
    let (more, images, masks) = join(images, masks, Half::loose_key, &mut found.faults);
    let (other_case, images, masks) = join(images, masks, Half::lower_key, &mut found.faults);
    if let Some((_, pair)) = other_case.first() {
        let (image, mask) = (name_of(&pair.image), pair.mask.name());
        let mask = name_of(Path::new(&mask));
        found.decisions.notes.push(format!("names of images and masks differ in case, such as {image} and {mask}"));
    }
    let pairs: Vec<_> = pairs.into_iter().chain(more).chain(other_case).collect();
    if pairs.is_empty() {
        class_masks::refuse(root)?;
    }
    let Leftovers { mut pairs, images, masks } = Leftovers { pairs, images, masks }.resolve(root, &mut found)?;
    let fault = |half: Half, problem| BadImage { image: half.path.display().to_string(), problem };
    pairs.sort_by(|a, b| (a.0, &a.1.image).cmp(&(b.0, &b.1.image)));
    let joined = pairs.iter().filter(|(_, pair)| matches!(pair.mask, MaskSource::Joined(_))).count();
    if joined > 0 {
        found.decisions.notes.push(format!("{joined} images have several masks, which are joined"));
    }
    found.faults.extend(images.into_iter().map(|half| fault(half, ImageProblem::NoMask)));
    found.faults.extend(masks.into_iter().map(|half| fault(half, ImageProblem::NoImage)));
    divide(root, pairs, &mut found)?;
    found.faults.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(found)
}

/// Divides pairs into the parts: by folders if there is a training part and another one, else by lists if the set has
/// any.
///
/// # Errors
/// Where a list cannot be read.
pub(super) fn divide(root: &Path, pairs: Vec<(Option<Part>, Pair)>, found: &mut Found) -> Result<(), DataError> {
    let has = |is_wanted: fn(Part) -> bool| pairs.iter().any(|(part, _)| part.is_some_and(is_wanted));
    let divided = has(|_| true);
    let by_folders = has(|part| part == Part::Train) && has(|part| part != Part::Train);
    let lists = if by_folders { vec![] } else { list_tables::find(root)? };
    if !lists.is_empty() {
        divide_by(root, pairs.into_iter().map(|(_, pair)| pair).collect(), &lists, found);
        return Ok(());
    }
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
    Ok(())
}

/// Divides pairs by lists of names, in the order of the lists. Numbers after a name are ignored: Pascal VOC's lists and
/// the Pet set's have them.
pub(super) fn divide_by(root: &Path, pairs: Vec<Pair>, lists: &[ListFile], found: &mut Found) {
    let index = Index::new(root, pairs.iter().map(|pair| pair.image.as_path()));
    let mut listed = vec![false; pairs.len()];
    let mut second = Vec::new();
    found.has_val = lists.iter().any(|list| list.part == Part::Val);
    for list in lists {
        for (number, line) in &list.lines {
            let problem = match index.find(line) {
                Match::None => index.find(without_numbers(line)),
                found => found,
            };
            let problem = match problem {
                Match::One(item) => {
                    listed[item] = true;
                    if index.find(line) == Match::None {
                        second.push((
                            item,
                            line[without_numbers(line).len()..].trim().to_string(),
                            list.place(*number),
                        ));
                    }
                    let pair = pairs[item].clone();
                    match list.part {
                        Part::Train => found.train.push(pair),
                        Part::Val => found.val.push(pair),
                        Part::Test => found.test.push(pair),
                    }
                    continue;
                }
                Match::None => format!("'{}' names no image that has a mask", shortened(line)),
                Match::Several(a, b) => {
                    let names = [a, b].map(|item| relative(root, &pairs[item].image));
                    format!("'{line}' may be {} or {}; write which", names[0], names[1])
                }
            };
            found.faults.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(problem) });
        }
    }
    found.decisions.notes.extend(index.note());
    found.decisions.notes.extend(second_unused(&second));
    found.decisions.notes.extend(numbered(lists));
    found.decisions.lists = lists.iter().map(|list| relative(root, &list.path)).collect();
    found.decisions.lists.dedup();
    let unlisted = pairs.iter().zip(&listed).filter(|(_, listed)| !**listed).map(|(pair, _)| pair);
    if lists.iter().all(|list| list.part != Part::Train) {
        let rest: Vec<Pair> = unlisted.cloned().collect();
        found.decisions.notes.push(rest_trains(rest.len(), &found.decisions.lists));
        found.train.extend(rest);
    } else {
        found.decisions.left_out.extend(unlisted.map(|pair| LeftOut::new(&pair.image, Why::InNoList)));
    }
}

/// `Abyssinian_100` of `Abyssinian_100 1 1 -1`.
fn without_numbers(line: &str) -> &str {
    let mut line = line.trim_end();
    while let Some((front, last)) = line.rsplit_once([' ', '\t', ',', ';'])
        && last.parse::<f64>().is_ok()
    {
        line = front.trim_end();
    }
    line
}

/// Whether a folder in `root`, or in a folder of `root` (`images/val`), has the name of the validation part.
fn names_validation(root: &Path) -> Result<bool, DataError> {
    let mut folders = subfolders(root)?;
    for folder in folders.clone() {
        folders.extend(subfolders(&folder)?);
    }
    Ok(folders.iter().any(|folder| part_in(&name_of(folder)) == Some(Part::Val)))
}
