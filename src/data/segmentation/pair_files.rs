//! The files that lists of pairs name.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::found::{Found, Pair};
use super::mask::MaskSource;
use crate::data::decisions::{LeftOut, Why};
use crate::data::list_index::{Index, Match};
use crate::data::listing::{Walk, relative};
use crate::data::lists::ListFile;
use crate::data::names::shortened;
use crate::data::reading::{self, Role};
use crate::data::{BadImage, DataError, ImageProblem};

/// Longest path of Linux, in bytes.
const LONGEST_PATH: usize = 4096;

/// The image files of a set, by their names in lists.
pub(super) struct Files<'a> {
    root: &'a Path,
    pub index: Index,
    /// The files in folders of masks, and the others.
    by_role: [Index; 2],
    paths: Vec<PathBuf>,
    pub left_out: Vec<LeftOut>,
}

impl<'a> Files<'a> {
    /// The files below `root`.
    ///
    /// # Errors
    /// Where a folder cannot be listed.
    pub fn below(root: &'a Path) -> Result<Self, DataError> {
        let Walk { images: paths, left_out } = Walk::below(root)?;
        let numbered = || paths.iter().map(PathBuf::as_path).enumerate();
        let is_mask = |path: &Path| role(root, path) == Some(Role::Mask);
        let by_role =
            [true, false].map(|masks| Index::numbered(root, numbered().filter(|(_, path)| is_mask(path) == masks)));
        Ok(Self { root, index: Index::numbered(root, numbered()), by_role, paths, left_out })
    }

    /// Leaves out the images that no pair names.
    pub fn leave_out_unnamed(&self, found: &mut Found) {
        let pairs = found.parts().into_iter().flatten();
        let used: HashSet<&PathBuf> = pairs.flat_map(|pair| pair.mask.files().iter().chain([&pair.image])).collect();
        let unnamed = self.paths.iter().filter(|path| !used.contains(path));
        let unnamed: Vec<LeftOut> = unnamed.map(|path| LeftOut::new(path, Why::InNoList)).collect();
        found.decisions.left_out.extend(unnamed);
    }

    /// The file of a name. Of several files, `wanted` can select the one in a folder of masks, or the one outside.
    fn find(&self, name: &str, wanted: Option<Role>) -> Option<&PathBuf> {
        let only = |found: Match| if let Match::One(at) = found { Some(&self.paths[at]) } else { None };
        match (self.index.find(name), wanted) {
            (Match::Several(..), Some(Role::Mask)) => only(self.by_role[0].find(name)),
            (Match::Several(..), Some(Role::Image)) => only(self.by_role[1].find(name)),
            (found, _) => only(found),
        }
    }

    /// The image and the mask of a line. The line is cut where both halves name a file, because names may contain
    /// blanks. The folders of the files can say that the mask stands first.
    fn pair(&self, list: &ListFile, line: &str) -> Option<(PathBuf, PathBuf)> {
        if line.len() > 2 * LONGEST_PATH + 1 {
            return None;
        }
        line.match_indices([',', ';', '\t', ' ']).find_map(|(at, separator)| {
            let halves = [&line[..at], &line[at + separator.len()..]].map(str::trim);
            // A table has columns of names.
            if list.columns.is_none() && counts_or_scores(halves) {
                return None;
            }
            let [first, second] = [(halves[0], Role::Image), (halves[1], Role::Mask)];
            let pair = Some((self.find(first.0, Some(first.1))?.clone(), self.find(second.0, Some(second.1))?.clone()))
                .filter(|(image, mask)| image != mask)?;
            Some(match (role(self.root, &pair.0), role(self.root, &pair.1)) {
                (Some(Role::Mask), Some(Role::Image) | None) => (pair.1, pair.0),
                _ => pair,
            })
        })
    }

    /// Refuses a list that pairs an image of `found` with another mask.
    ///
    /// # Errors
    /// The first such line.
    pub fn require_same(&self, found: &Found, other: &ListFile) -> Result<(), DataError> {
        let masks: HashMap<&Path, &[PathBuf]> =
            found.parts().into_iter().flatten().map(|pair| (pair.image.as_path(), pair.mask.files())).collect();
        for (number, line) in &other.lines {
            let Some((image, mask)) = self.pair(other, line) else { continue };
            if let Some([known]) = masks.get(image.as_path())
                && *known != mask
            {
                let [image, mask, known] = [&image, &mask, known].map(|path| relative(self.root, path));
                let lists = found.decisions.lists.join(", ");
                let problem =
                    format!("pairs {image} with {mask}, and {lists} with {known}; correct or remove one of the two");
                return Err(other.fault(*number, problem));
            }
        }
        Ok(())
    }

    /// Whether most lines hold two paths, and no line holds a path and a number. Lists of single names belong to other formats.
    pub fn are_pairs(&self, list: &ListFile) -> bool {
        let is_pair = |line: &str| {
            self.pair(list, line).is_some() || halves(line).is_some_and(|(a, b)| a.contains('.') && b.contains('.'))
        };
        let pairs = list.lines.iter().filter(|(_, line)| is_pair(line)).count();
        let has_number = |(_, line): &(usize, String)| halves(line).is_some_and(|(a, b)| counts_or_scores([a, b]));
        pairs > 0 && 2 * pairs >= list.lines.len() && (list.columns.is_some() || !list.lines.iter().any(has_number))
    }

    /// The pairs of a list. A line that repeats another counts once.
    pub fn read(&self, list: &ListFile, faults: &mut Vec<BadImage>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let mut known: HashMap<PathBuf, (PathBuf, usize)> = HashMap::new();
        for (number, line) in &list.lines {
            if let Some((image, mask)) = self.pair(list, line) {
                match known.get(&image) {
                    None => {
                        known.insert(image.clone(), (mask.clone(), *number));
                        pairs.push(Pair::new(image, MaskSource::File(mask)));
                    }
                    Some((other, _)) if *other == mask => {}
                    Some((other, at)) => {
                        let [other, mask] = [other, &mask].map(|path| relative(self.root, path));
                        let image = relative(self.root, &image);
                        let problem =
                            format!("{image} has the mask {mask} here and {other} in {}; keep one", list.place(*at));
                        faults.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(problem) });
                    }
                }
                continue;
            }
            let problem = match halves(line) {
                None => format!("'{}' is not a path of an image and a path of a mask", shortened(line)),
                Some((image, mask)) => match (self.find(image, Some(Role::Image)), self.find(mask, Some(Role::Mask))) {
                    (None, Some(_)) => format!("the image {} is not there (its mask is)", shortened(image)),
                    (Some(_), None) => format!("the mask {} is not there (its image is)", shortened(mask)),
                    _ => format!("neither {} nor {} is there", shortened(image), shortened(mask)),
                },
            };
            faults.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(problem) });
        }
        pairs
    }
}

/// Whether one half of a line is a number, such as that of the line or a label, and the other the name of another file. A number names
/// the file `7.png` beside `masks/7.png`, `7_mask.png` or the same number.
fn counts_or_scores([first, second]: [&str; 2]) -> bool {
    let number = |half: &str| half.parse::<f64>().ok().filter(|_| half.contains(|c: char| c.is_ascii_digit()));
    let (number, name) = match [first, second].map(number) {
        [Some(first), Some(second)] => return (first - second).abs() > 0.0,
        [Some(_), None] => (first, second),
        [None, Some(_)] => (second, first),
        [None, None] => return false,
    };
    let stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
    stem.strip_prefix(number).is_none_or(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The role of a file in a pair, by its folders.
fn role(root: &Path, path: &Path) -> Option<Role> {
    reading::read(path.strip_prefix(root).unwrap_or(path)).role
}

/// The two words of a line.
fn halves(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.split([',', ';', '\t', ' ']).map(str::trim).filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(image), Some(mask), None) => Some((image, mask)),
        _ => None,
    }
}
