//! Reads the words in the names of folders: part, image or mask.

use std::path::{Component, Path};

use super::listing::stem_of;
use super::names::composed;
use super::parts::{Part, part_of};

/// A half of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Image,
    Mask,
}

/// Facts from the path of a file relative to the root of its set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub part: Option<Part>,
    /// Image or mask, from the folders alone.
    pub role: Option<Role>,
    /// Folders that are neither part nor role, in lower case and composed Unicode form.
    pub rest: String,
    /// File name without extension, in composed Unicode form.
    pub stem: String,
}

fn role_of(word: &str) -> Option<Role> {
    // `manual1`, `gt2`: the masks of an annotator.
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.len() < word.len() {
        return role_of(letters).filter(|role| *role == Role::Mask);
    }
    match word {
        "images" | "image" | "imgs" | "img" | "jpegimages" | "photos" | "photo" | "inputs" | "input" | "rgb"
        | "leftimg8bit" | "stillsraw" | "pictures" => Some(Role::Image),
        "masks" | "mask" | "labels" | "label" | "labelled" | "annotations" | "annotation" | "annot" | "annots"
        | "ann" | "anns" | "gt" | "gtfine" | "groundtruth" | "truth" | "segmentation" | "segmentations"
        | "segmentationclass" | "seg" | "manual" | "labeledapproved" | "targets" | "target" => Some(Role::Mask),
        _ => None,
    }
}

/// Ends of nnU-Net's folders: `imagesTr`, `labelsTs`.
const ENDS: [(&str, &str); 2] = [("tr", "train"), ("ts", "test")];

/// The words of a folder's name. It is cut at `_`, `-`, `.` and blanks, and between a part and a role (`trainannot`, `imagesTr`).
fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let mut found = Vec::new();
    for word in lower.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty()) {
        let glued = ["train", "val", "test"]
            .iter()
            .find_map(|part| word.strip_prefix(part).filter(|rest| role_of(rest).is_some()).map(|rest| (*part, rest)));
        let ended = || {
            ENDS.iter().find_map(|(end, part)| {
                word.strip_suffix(end).filter(|rest| role_of(rest).is_some()).map(|rest| (*part, rest))
            })
        };
        match glued.or_else(ended) {
            Some((part, rest)) => found.extend([part.to_string(), rest.to_string()]),
            None => found.push(word.to_string()),
        }
    }
    found
}

/// The part in a folder's name.
pub(crate) fn part_in(folder: &str) -> Option<Part> {
    words(folder).iter().find_map(|word| part_of(word))
}

/// The role in the name of a folder or a column. The words of masks are rarer, so they win.
pub(crate) fn role_in(name: &str) -> Option<Role> {
    let roles: Vec<Role> = words(&composed(name)).iter().filter_map(|word| role_of(word)).collect();
    roles.iter().copied().find(|role| *role == Role::Mask).or(roles.first().copied())
}

/// Reads the relative path of a file.
pub(crate) fn read(relative: &Path) -> Reading {
    let stem = stem_of(relative);
    let mut reading = Reading { part: None, role: None, rest: String::new(), stem };
    let folders = relative.parent().into_iter().flat_map(Path::components);
    for folder in folders.filter_map(|c| if let Component::Normal(name) = c { name.to_str() } else { None }) {
        let words = words(&composed(folder));
        let part = words.iter().find_map(|word| part_of(word));
        let role = words.iter().find_map(|word| role_of(word));
        // `ground_truth` is two words. Sizes and versions (`full`, `720p`) are ignored.
        if part.is_none() && role.is_none() {
            reading.rest.push_str(&words.concat());
            reading.rest.push('/');
        }
        reading.part = reading.part.or(part);
        // Mask wins where a mask folder is below an image folder or the reverse: its words are rarer.
        if reading.role != Some(Role::Mask) {
            reading.role = role.or(reading.role);
        }
    }
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let read = |path: &str| {
            let r = read(Path::new(path));
            (r.part, r.role, r.rest, r.stem)
        };
        let is = |part, role, rest: &str, stem: &str| (part, role, rest.to_string(), stem.to_string());
        let (train, val) = (Some(Part::Train), Some(Part::Val));
        assert_eq!(read("train/images/a.jpg"), is(train, Some(Role::Image), "", "a"));
        assert_eq!(read("Masks/val/b/a.png"), is(val, Some(Role::Mask), "b/", "a"));
        assert_eq!(read("trainannot/a.png"), is(train, Some(Role::Mask), "", "a"));
        assert_eq!(read("val_labels/a.b.png"), is(val, Some(Role::Mask), "", "a.b"));
        assert_eq!(read("701_StillsRaw_full/a.png"), is(None, Some(Role::Image), "", "a"));
        assert_eq!(read("trainer/a.png"), is(None, None, "trainer/", "a"));
        // MMSegmentation and nnU-Net.
        assert_eq!(read("ann_dir/train/a.png"), is(train, Some(Role::Mask), "", "a"));
        assert_eq!(read("imagesTr/a.png"), is(train, Some(Role::Image), "", "a"));
        assert_eq!(read("labelsTs/a.png"), is(Some(Part::Test), Some(Role::Mask), "", "a"));
    }
}
