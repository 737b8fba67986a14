//! CamVid as SegNet packed it: lists of image and mask paths, ids 0 to 10, void 11. (The original,
//! colour-coded CamVid is folders of images and masks with a `label_colors.txt`.)

use std::path::{Path, PathBuf};

use super::classes::ClassList;
use super::{Coding, Found, IGNORED, Pair};
use crate::data::listing::entries;
use crate::data::parts::{Part, part_of};
use crate::data::{BadImage, DataError, ImageProblem};

/// Names, ids and colours of SegNet's eleven classes.
const CLASSES: [(&str, [u8; 3]); 11] = [
    ("Sky", [128, 128, 128]),
    ("Building", [128, 0, 0]),
    ("Pole", [192, 192, 128]),
    ("Road", [128, 64, 128]),
    ("Pavement", [60, 40, 222]),
    ("Tree", [128, 128, 0]),
    ("SignSymbol", [192, 128, 128]),
    ("Fence", [64, 64, 128]),
    ("Car", [64, 0, 128]),
    ("Pedestrian", [64, 64, 0]),
    ("Bicyclist", [0, 128, 192]),
];
const VOID: u8 = 11;

/// Finds `train.txt` and its like where their lines are pairs of paths.
pub(crate) fn find(root: &Path) -> Result<Option<Found>, DataError> {
    let mut found = Found { format: "lists of image and mask paths (CamVid)", ..Found::default() };
    let mut any = false;
    for list in entries(root)? {
        let is_text = list.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"));
        let stem = list.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let (true, Some(part)) = (is_text && list.is_file(), part_of(&stem)) else { continue };
        let text = std::fs::read_to_string(&list).map_err(|e| DataError::io(&list, e))?;
        found.has_val |= part == Part::Val;
        if !is_pair_list(&text) {
            continue;
        }
        any = true;
        let pairs = read_list(root, &list, &text, &mut found.faults);
        match part {
            Part::Train => found.train = pairs,
            Part::Val => found.val = pairs,
            Part::Test => found.test = pairs,
        }
    }
    if root.join("trainannot").is_dir() {
        found.known = Some(coding());
    }
    Ok(any.then_some(found))
}

fn coding() -> Coding {
    let classes = ClassList::of(&CLASSES, "value 11 (void), value 255", "SegNet's CamVid");
    let mut coding = Coding::by_position(classes);
    if let Some(values) = &mut coding.values {
        values[usize::from(VOID)] = Some(IGNORED);
    }
    if let Some(colors) = &mut coding.colors {
        colors.insert([0; 3], IGNORED);
    }
    coding
}

/// The two paths of a line.
fn halves(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.split([',', ';', '\t', ' ']).map(str::trim).filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(image), Some(mask), None) => Some((image, mask)),
        _ => None,
    }
}

/// Whether most lines are two paths, so that a list of single names is left to others.
fn is_pair_list(text: &str) -> bool {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let pairs = lines().filter(|line| halves(line).is_some_and(|(a, b)| a.contains('.') && b.contains('.'))).count();
    pairs > 0 && 2 * pairs >= lines().count()
}

fn read_list(root: &Path, list: &Path, text: &str, faults: &mut Vec<BadImage>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut fault = |text: String| {
            let image = format!("{}, line {}", list.display(), number + 1);
            faults.push(BadImage { image, problem: ImageProblem::Listed(text) });
        };
        let Some((image, mask)) = halves(line) else {
            fault(format!("'{}' is not a path of an image and a path of a mask", line.trim()));
            continue;
        };
        match (resolve(root, image), resolve(root, mask)) {
            (Some(image), Some(mask)) => pairs.push(Pair { image, mask }),
            (None, None) => fault(format!("neither {image} nor {mask} is there")),
            (None, Some(_)) => fault(format!("the image {image} is not there (its mask is)")),
            (Some(_), None) => fault(format!("the mask {mask} is not there (its image is)")),
        }
    }
    pairs
}

/// The file that `listed` means: lists made elsewhere hold paths of another machine
/// (`/SegNet/CamVid/train/x.png`), so leading folders are dropped until a file is found below `root`.
fn resolve(root: &Path, listed: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = listed.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return None;
    }
    (0..parts.len())
        .map(|from| parts[from..].iter().fold(root.to_path_buf(), |p, part| p.join(part)))
        .find(|p| p.is_file())
}
