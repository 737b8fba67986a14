//! Lists of pairs: each line has the path of an image and the path of its mask. SegNet's version of CamVid has this
//! format, with ids 0 to 10 and 11 for void. The original CamVid is folders of images and color masks with a
//! `label_colors.txt`.

use std::path::{Path, PathBuf};

use super::class_list::{ClassList, IGNORED};
use super::coding::Coding;
use super::found::{Found, Pair};
use super::mask::MaskSource;
use crate::data::format::{Confidence, Evidence, Format};
use crate::data::list_index::{Index, Match};
use crate::data::list_tables;
use crate::data::listing::{Walk, name_of, relative, stem_of};
use crate::data::lists::ListFile;
use crate::data::names::shortened;
use crate::data::parts::Part;
use crate::data::reading::{self, Role};
use crate::data::{BadImage, DataError, ImageProblem, SetOptions};

/// Names, ids and colors of SegNet's eleven classes.
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

/// Longest path of Linux, in bytes.
const LONGEST_PATH: usize = 4096;

/// Lists of image and mask paths.
pub(crate) struct PairLists;

impl Format for PairLists {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "lists of image and mask paths (CamVid)"
    }

    fn looks_for(&self) -> &'static str {
        "`train.txt`, `val.txt` (and `test.txt`) whose lines are the path of an image and the path of its mask"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let lists = list_tables::find(root)?;
        if lists.is_empty() {
            return Ok(None);
        }
        let files = Files::below(root)?;
        let seen: Vec<String> =
            lists.iter().filter(|list| files.are_pairs(list)).map(|list| name_of(&list.path)).collect();
        Ok((!seen.is_empty()).then(|| Evidence::new(Confidence::Likely, seen)))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let files = Files::below(root)?;
        let (mut found, mut is_named) = (Found::default(), false);
        for list in list_tables::find(root)? {
            is_named |= list.lines.iter().any(|(_, line)| line.to_lowercase().contains("camvid"));
            found.has_val |= list.part == Part::Val;
            let pairs = files.read(&list, &mut found.faults);
            match list.part {
                Part::Train => found.train = pairs,
                Part::Val => found.val = pairs,
                Part::Test => found.test = pairs,
            }
            found.decisions.lists.push(relative(root, &list.path));
        }
        found.decisions.notes.extend(files.index.note());
        if root.join("trainannot").is_dir() && (is_named || proves_classes(&found)) {
            found.known = Some(coding());
        }
        Ok(found)
    }
}

/// Whether the names of most images are those of CamVid's videos: `0001TP_006690`, `0006R0_f00930`, `0016E5_07959`, `Seq05VD_f00000`.
/// Other sets have its folders too. The published lists name it: `/SegNet/CamVid/train/x.png`.
fn proves_classes(found: &Found) -> bool {
    const VIDEOS: [&str; 4] = ["0001TP_", "0006R0_", "0016E5_", "Seq05VD_"];
    let is_own = |pair: &&Pair| VIDEOS.iter().any(|video| stem_of(&pair.image).starts_with(video));
    2 * found.parts().into_iter().flatten().filter(is_own).count() > found.len()
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

/// The image files of a set, by their names in lists.
struct Files<'a> {
    root: &'a Path,
    index: Index,
    paths: Vec<PathBuf>,
}

impl<'a> Files<'a> {
    fn below(root: &'a Path) -> Result<Self, DataError> {
        let paths = Walk::below(root)?.images;
        Ok(Self { root, index: Index::new(root, paths.iter().map(PathBuf::as_path)), paths })
    }

    fn find(&self, name: &str) -> Option<&PathBuf> {
        match self.index.find(name) {
            Match::One(at) => Some(&self.paths[at]),
            _ => None,
        }
    }

    /// The image and the mask of a line. The line is cut where both halves name a file, because names may contain blanks.
    /// The folders of the files can say that the mask stands first.
    fn pair(&self, line: &str) -> Option<(PathBuf, PathBuf)> {
        if line.len() > 2 * LONGEST_PATH + 1 {
            return None;
        }
        line.match_indices([',', ';', '\t', ' ']).find_map(|(at, separator)| {
            let halves = [&line[..at], &line[at + separator.len()..]].map(str::trim);
            let pair = Some((self.find(halves[0])?.clone(), self.find(halves[1])?.clone()))
                .filter(|(image, mask)| image != mask)?;
            let role = |path: &Path| reading::read(path.strip_prefix(self.root).unwrap_or(path)).role;
            Some(match (role(&pair.0), role(&pair.1)) {
                (Some(Role::Mask), Some(Role::Image) | None) => (pair.1, pair.0),
                _ => pair,
            })
        })
    }

    /// Whether most lines are two paths. Lists of single names belong to other formats.
    fn are_pairs(&self, list: &ListFile) -> bool {
        let is_pair = |line: &str| {
            self.pair(line).is_some() || halves(line).is_some_and(|(a, b)| a.contains('.') && b.contains('.'))
        };
        let pairs = list.lines.iter().filter(|(_, line)| is_pair(line)).count();
        pairs > 0 && 2 * pairs >= list.lines.len()
    }

    fn read(&self, list: &ListFile, faults: &mut Vec<BadImage>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (number, line) in &list.lines {
            if let Some((image, mask)) = self.pair(line) {
                pairs.push(Pair::new(image, MaskSource::File(mask)));
                continue;
            }
            let problem = match halves(line) {
                None => format!("'{}' is not a path of an image and a path of a mask", shortened(line)),
                Some((image, mask)) => match (self.find(image), self.find(mask)) {
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

/// The two words of a line.
fn halves(line: &str) -> Option<(&str, &str)> {
    let mut parts = line.split([',', ';', '\t', ' ']).map(str::trim).filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(image), Some(mask), None) => Some((image, mask)),
        _ => None,
    }
}
