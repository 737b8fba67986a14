//! Images and masks without a partner of the same name. They may be pairs by their folder or by names with constant
//! ends. Some images need no mask.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::found::{Found, Pair};
use super::halves::Half;
use super::mask::MaskSource;
use crate::data::DataError;
use crate::data::decisions::{LeftOut, Why};
use crate::data::listing::{relative, stem_of};
use crate::data::parts::Part;

/// Pairs of a set so far, and files without partner.
pub(super) struct Leftovers {
    pub pairs: Vec<(Option<Part>, Pair)>,
    pub images: Vec<Half>,
    pub masks: Vec<Half>,
}

impl Leftovers {
    /// Finds partners for these files, and leaves out files that need no partner.
    ///
    /// # Errors
    /// Where two folders hold masks of the same images.
    pub fn resolve(mut self, root: &Path, found: &mut Found) -> Result<Self, DataError> {
        self.two_sets_of_masks(root)?;
        self = self.by_folder(found).by_ends(root, found);
        self.leave_out(found);
        Ok(self)
    }

    /// `ID/images/x.png` with `ID/masks/*.png`: the only image of a folder and the masks beside it, if every folder is
    /// like that.
    fn by_folder(mut self, found: &mut Found) -> Self {
        let mut folders: BTreeMap<(Option<Part>, &str), (usize, usize)> = BTreeMap::new();
        self.images.iter().for_each(|half| folders.entry(half.folder()).or_default().0 += 1);
        self.masks.iter().for_each(|half| folders.entry(half.folder()).or_default().1 += 1);
        let with_masks = folders.values().filter(|(_, masks)| *masks > 0).count();
        let all_are_single = folders.iter().all(|((_, rest), (images, _))| !rest.is_empty() && *images == 1);
        if !self.pairs.is_empty() || with_masks < 2 || !all_are_single {
            return self;
        }
        let mut masks: BTreeMap<(Option<Part>, String), Vec<PathBuf>> = BTreeMap::new();
        for half in self.masks.drain(..) {
            let (part, rest) = half.folder();
            masks.entry((part, rest.to_string())).or_default().push(half.path);
        }
        let mut lone = Vec::new();
        for half in self.images.drain(..) {
            let (part, rest) = half.folder();
            match masks.remove(&(part, rest.to_string())) {
                Some(paths) => self.pairs.push((part, Pair::new(half.path, MaskSource::Joined(paths)))),
                None => lone.push(half),
            }
        }
        let note = "each folder holds one image; the masks in its folder of masks are joined";
        found.decisions.notes.push(note.into());
        Self { images: lone, ..self }
    }

    /// `21_training.tif` with `21_manual1.gif`: names that are equal without the end or the start that all images or
    /// all masks share.
    fn by_ends(mut self, root: &Path, found: &mut Found) -> Self {
        for part in [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)] {
            let is_paired = self.pairs.iter().any(|(of_pair, _)| *of_pair == part);
            let own = |half: &&Half| half.reading.part == part;
            let [images, masks] = [&self.images, &self.masks]
                .map(|halves| halves.iter().filter(own).map(|half| half.reading.stem.clone()).collect::<Vec<_>>());
            let Some(partners) = (if is_paired || masks.len() < 2 { None } else { partners(&images, &masks) }) else {
                continue;
            };
            let (own_images, images): (Vec<Half>, Vec<Half>) =
                self.images.into_iter().partition(|half| half.reading.part == part);
            let (own_masks, masks): (Vec<Half>, Vec<Half>) =
                self.masks.into_iter().partition(|half| half.reading.part == part);
            (self.images, self.masks) = (images, masks);
            if let (Some(image), Some(mask)) = (partners.first().map(|at| &own_images[*at]), own_masks.first()) {
                let [image, mask] = [image, mask].map(|half| relative(root, &half.path));
                found
                    .decisions
                    .notes
                    .push(format!("names of images and masks differ in their ends, such as {image} and {mask}"));
            }
            for (mask, &at) in own_masks.into_iter().zip(&partners) {
                let image = own_images[at].path.clone();
                self.pairs.push((part, Pair::new(image, MaskSource::File(mask.path))));
            }
            let lone = own_images.into_iter().enumerate().filter(|(at, _)| !partners.contains(at));
            self.images.extend(lone.map(|(_, half)| half));
        }
        self
    }

    /// Refuses masks without partner that are second masks of paired images.
    fn two_sets_of_masks(&self, root: &Path) -> Result<(), DataError> {
        for part in [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)] {
            let images: Vec<&Pair> =
                self.pairs.iter().filter(|(of_pair, _)| *of_pair == part).map(|(_, pair)| pair).collect();
            let masks: Vec<&Half> = self.masks.iter().filter(|half| half.reading.part == part).collect();
            let stems: Vec<String> = images.iter().map(|pair| stem_of(&pair.image)).collect();
            let other: Vec<String> = masks.iter().map(|half| half.reading.stem.clone()).collect();
            if other.len() < 2 {
                continue;
            }
            if let Some(partners) = partners(&stems, &other) {
                let pair = images[partners[0]];
                let problem = format!(
                    "holds two masks of {}: {} and {}; move one of their folders elsewhere",
                    relative(root, &pair.image),
                    relative(root, Path::new(&pair.mask.name())),
                    relative(root, &masks[0].path)
                );
                return Err(DataError::malformed(root, problem));
            }
        }
        Ok(())
    }

    /// Leaves out a test part without masks, and pictures that belong to another picture.
    fn leave_out(&mut self, found: &mut Found) {
        let has_test = self.pairs.iter().any(|(part, _)| *part == Some(Part::Test))
            || self.masks.iter().any(|half| half.reading.part == Some(Part::Test));
        let has_others = self.pairs.iter().any(|(part, _)| *part != Some(Part::Test));
        let paired: BTreeSet<String> = self.pairs.iter().map(|(_, pair)| stem_of(&pair.image)).collect();
        let folders: BTreeSet<PathBuf> =
            self.pairs.iter().filter_map(|(_, pair)| pair.image.parent().map(Path::to_path_buf)).collect();
        // Folders of other pictures of the same names, such as `overlays/`.
        let mut whole: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for half in &self.images {
            let folder = half.path.parent().map(Path::to_path_buf).unwrap_or_default();
            let is_copy = paired.contains(&half.reading.stem) && !folders.contains(&folder);
            whole.entry(folder).and_modify(|all| *all &= is_copy).or_insert(is_copy);
        }
        let left_out = &mut found.decisions.left_out;
        self.images.retain(|half| {
            let is_test = !has_test && has_others && half.reading.part == Some(Part::Test);
            let in_copies = half.path.parent().and_then(|folder| whole.get(folder)).copied().unwrap_or(false);
            let is_accessory = in_copies || accessory_of(&half.reading.stem).is_some_and(|base| paired.contains(base));
            if is_test || is_accessory {
                let why = if is_test { Why::UnlabeledTest } else { Why::Accessory };
                left_out.push(LeftOut::new(&half.path, why));
            }
            !is_test && !is_accessory
        });
    }
}

/// `x` of `x_superpixels` (ISIC) and `x_parts_1` (ADE20K).
fn accessory_of(stem: &str) -> Option<&str> {
    let numbered = stem.rsplit_once('_').filter(|(_, number)| number.parse::<u32>().is_ok()).map(|(front, _)| front);
    stem.strip_suffix("_superpixels").or_else(|| numbered?.strip_suffix("_parts"))
}

/// The number of the image of each mask, where names are equal without the end or the start that all images or all
/// masks share. `None` if two masks have the same image.
pub(super) fn partners(images: &[String], masks: &[String]) -> Option<Vec<usize>> {
    for mask_cut in cuts(masks) {
        for image_cut in cuts(images) {
            let mut bases: BTreeMap<&str, usize> = BTreeMap::new();
            images.iter().enumerate().for_each(|(at, stem)| _ = bases.insert(image_cut.of(stem), at));
            let found: Option<Vec<usize>> = masks.iter().map(|stem| bases.get(mask_cut.of(stem)).copied()).collect();
            let Some(found) = found.filter(|_| bases.len() == images.len()) else { continue };
            if found.iter().collect::<BTreeSet<_>>().len() == masks.len() {
                return Some(found);
            }
        }
    }
    None
}

/// Numbers of bytes to cut from the start and the end of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut(usize, usize);

impl Cut {
    fn of(self, stem: &str) -> &str {
        &stem[self.0..stem.len() - self.1]
    }
}

/// The starts and ends that all of `stems` share, each up to a separator, shortest first. The first cut is empty.
fn cuts(stems: &[String]) -> Vec<Cut> {
    let is_separator = |byte: u8| matches!(byte, b'_' | b'-' | b'.' | b' ');
    let Some(first) = stems.first().map(String::as_bytes) else { return vec![Cut(0, 0)] };
    let shortest = stems.iter().map(String::len).min().unwrap_or(0);
    let same = |of: &dyn Fn(&[u8]) -> u8| stems.iter().all(|stem| of(stem.as_bytes()) == of(first));
    let starts = (0..shortest).take_while(|&at| same(&|stem| stem[at])).filter(|&at| is_separator(first[at]));
    let starts: Vec<usize> = std::iter::once(0).chain(starts.map(|at| at + 1)).collect();
    let end = |stem: &[u8], back: usize| stem[stem.len() - back];
    let ends =
        (1..=shortest).take_while(|&back| same(&|stem| end(stem, back))).filter(|&back| is_separator(end(first, back)));
    let ends: Vec<usize> = std::iter::once(0).chain(ends).collect();
    let all = ends.iter().flat_map(|&end| starts.iter().map(move |&start| Cut(start, end)));
    all.filter(|Cut(start, end)| start + end < shortest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_constant_ends_find_their_partners() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (images, masks, expected) in [
            (&["0", "1", "10"][..], &["0_seg0", "1_seg0"][..], Some(vec![0, 1])),
            (&["21_training", "22_training"], &["21_manual1", "22_manual1"], Some(vec![0, 1])),
            (&["a_0", "b_0", "c_1"], &["b_0_vessels", "a_0_vessels"], Some(vec![1, 0])),
            (&["x", "y"], &["label_y", "label_x"], Some(vec![1, 0])),
            (&["é", "ü"], &["é_k", "ü_k"], Some(vec![0, 1])),
            (&["a", "b"], &["a1", "b1"], None),
            (&["a", "b"], &["a_p", "c_p"], None),
            (&["a_1", "a_2"], &["a_1_x", "a_1_y"], None),
        ] {
            assert_eq!(partners(&names(images), &names(masks)), expected, "{images:?} {masks:?}");
        }
    }
}
