//! Copies of one original, by the names of files. A division by seed keeps them in one part: a model that trained on a picture knows
//! its mirror image.
//!
//! | names in one folder | copies of |
//! |---|---|
//! | `x_jpg.rf.HASH.jpg`, twice or more | `x.jpg` before Roboflow's export |
//! | `x_flip.png`, `x_rot90.jpg`, `x_hflip_noise.png` beside `x.jpg` | `x.jpg` |
//! | `x_flip.png` and `x_rot90.png` without `x.png` | one original that is not there |
//! | `x_aug_1.png`, `x_aug_2.png` | one original, unless other names have months |
//! | `aug_x.png`, `flip_x_2.png` beside `x.png` | `x.png` |
//! | `x_flip_1.png`, `x_copy.png` without `x.png` | nothing: the words may be the subject |

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::listing::stem_of;
use super::names::quoted;
use super::parts::without_number;

/// The beginning of the words on kept copies in the description of a division.
const KEPT: &str = "copies of one original stay in one part";
/// Number of marks that the words name.
const SHOWN: usize = 4;
/// Mark of Roboflow's exports before the hash of a copy.
const ROBOFLOW: &str = ".rf.";
/// Length of the shortest such hash.
const SHORTEST_HASH: usize = 8;

/// Words for mirrored images.
const MIRRORED: [&str; 13] = [
    "flip",
    "flipped",
    "fliplr",
    "flipud",
    "fliph",
    "flipv",
    "hflip",
    "vflip",
    "lrflip",
    "udflip",
    "mirror",
    "mirrored",
    "mirroring",
];
/// Words for turned images. An angle follows them.
const TURNED: [&str; 5] = ["rot", "rotate", "rotated", "rotation", "rotr"];
/// Words that say that an image was made of another.
const AUGMENTED: [&str; 4] = ["aug", "augmented", "augment", "augmentation"];
/// Words for other changes. They may name the subject too.
const CHANGED: [&str; 17] = [
    "noise",
    "noisy",
    "blur",
    "blurred",
    "bright",
    "brightness",
    "dark",
    "contrast",
    "crop",
    "cropped",
    "zoom",
    "shift",
    "shear",
    "hue",
    "jitter",
    "copy",
    "scaled",
];
/// Directions beside these words: `flip_h`, `horizontal_flip`.
const DIRECTIONS: [&str; 8] = ["h", "v", "lr", "ud", "horizontal", "vertical", "left", "right"];
const MONTHS: [&str; 11] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "sep", "oct", "nov", "dec"];

/// The certainty that a name is that of a copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sure {
    /// If its original lies beside it.
    WithOriginal,
    /// If the words are not dates.
    Augmented,
    Always,
}

/// A name without the words of a copy.
struct Name {
    original: String,
    /// The words of the copy.
    mark: String,
    sure: Sure,
}

/// The images of a set in units: the copies of one original, or a single image.
pub(super) struct Units {
    /// The images of each unit in their order. Units have the order of their first images.
    pub units: Vec<Vec<usize>>,
    /// The marks of copies.
    marks: BTreeSet<String>,
}

impl Units {
    /// The units of the images with these paths. An image without a path is a unit, and so is each image unless `together`.
    pub fn of<'a>(paths: impl Iterator<Item = Option<&'a Path>>, together: bool) -> Self {
        let paths: Vec<Option<&Path>> = paths.collect();
        let alone = || (0..paths.len()).map(|image| vec![image]).collect();
        if !together {
            return Self { units: alone(), marks: BTreeSet::new() };
        }
        let stems: Vec<String> = paths.iter().map(|path| path.map(stem_of).unwrap_or_default()).collect();
        let names: Vec<Vec<Name>> = stems.iter().map(|stem| names_of_copy(stem)).collect();
        if names.iter().all(Vec::is_empty) {
            return Self { units: alone(), marks: BTreeSet::new() };
        }
        let folder = |image: usize| paths[image].and_then(Path::parent).unwrap_or(Path::new(""));
        let known: HashSet<(&Path, &str)> =
            stems.iter().enumerate().map(|(image, stem)| (folder(image), stem.as_str())).collect();
        let has_dates = stems.iter().any(|stem| words(stem).any(|(_, word)| MONTHS.contains(&word.as_str())));
        let is_copy = |image: usize, name: &Name| match name.sure {
            Sure::Always => true,
            Sure::Augmented if !has_dates && !is_year(&name.original) => true,
            _ => known.contains(&(folder(image), name.original.as_str())),
        };
        let copy: Vec<Option<&Name>> =
            names.iter().enumerate().map(|(image, names)| names.iter().find(|name| is_copy(image, name))).collect();
        let original = |image: usize| copy[image].map(|name| (folder(image), name.original.as_str()));
        let originals: HashSet<(&Path, &str)> = (0..stems.len()).filter_map(original).collect();
        let (mut units, mut marks) = (Vec::<Vec<usize>>::new(), BTreeSet::new());
        let mut place: HashMap<(&Path, &str), usize> = HashMap::new();
        for (image, stem) in stems.iter().enumerate() {
            let own = (folder(image), stem.as_str());
            let key = original(image).or_else(|| Some(own).filter(|own| originals.contains(own)));
            match key.map(|key| (key, place.get(&key))) {
                Some((_, Some(&unit))) => units[unit].push(image),
                Some((key, None)) => {
                    place.insert(key, units.len());
                    units.push(vec![image]);
                }
                None => units.push(vec![image]),
            }
        }
        for image in units.iter().filter(|unit| unit.len() > 1).flatten() {
            marks.extend(copy[*image].map(|name| mark_of(&name.mark)));
        }
        Self { units, marks }
    }

    /// How copies were kept together, in words; empty without copies.
    pub fn words(&self) -> String {
        if self.marks.is_empty() {
            return String::new();
        }
        let of_copies = || self.units.iter().filter(|unit| unit.len() > 1);
        let images: usize = of_copies().map(Vec::len).sum();
        let shown: Vec<&String> = self.marks.iter().take(SHOWN).collect();
        let more = self.marks.len() - shown.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(
            "; {KEPT}: {images} images of {} originals, by {}{more} in their names",
            of_copies().count(),
            quoted(&shown)
        )
    }
}

/// Whether the description of a division says that copies were kept together.
#[cfg(feature = "tasks")]
pub(crate) fn are_kept(split: &str) -> bool {
    split.contains(KEPT)
}

/// The mark of a copy for messages: without its number, which differs from copy to copy, unless that is an angle.
fn mark_of(text: &str) -> String {
    if text.starts_with(ROBOFLOW) {
        return ROBOFLOW.into();
    }
    let bare = without_number(text);
    let is_turned = words(bare).last().is_some_and(|(_, word)| TURNED.contains(&word.as_str()));
    if is_turned || bare.is_empty() { text.into() } else { bare.into() }
}

/// The words of a stem in lower case, each with its start.
fn words(stem: &str) -> impl DoubleEndedIterator<Item = (usize, String)> {
    let is_cut = |c: char| matches!(c, '_' | '-' | ' ' | '.' | '(' | ')');
    let start = move |word: &str| word.as_ptr() as usize - stem.as_ptr() as usize;
    stem.split(is_cut).filter(|word| !word.is_empty()).map(move |word| (start(word), word.to_lowercase()))
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && (text.starts_with("19") || text.starts_with("20")) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The originals that a name can be a copy of.
fn names_of_copy(stem: &str) -> Vec<Name> {
    if let Some((original, hash)) = stem.rsplit_once(ROBOFLOW)
        && hash.len() >= SHORTEST_HASH
        && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !original.is_empty()
    {
        return vec![Name { original: original.into(), mark: ROBOFLOW.into(), sure: Sure::Always }];
    }
    suffixed(stem).into_iter().chain(prefixed(stem)).collect()
}

/// The originals of a name that begins with the word of a copy: `x` and `x_3` for `aug_x_3`.
fn prefixed(stem: &str) -> Vec<Name> {
    let mut words = words(stem);
    let (Some((start, word)), Some((rest, _))) = (words.next(), words.next()) else { return Vec::new() };
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let all = [&MIRRORED[..], &TURNED, &AUGMENTED, &CHANGED];
    if !all.iter().any(|known| known.contains(&letters)) {
        return Vec::new();
    }
    let name =
        |original: &str| Name { original: original.into(), mark: stem[start..rest].into(), sure: Sure::WithOriginal };
    let rest = &stem[rest..];
    let bare = without_number(rest);
    if bare.len() < rest.len() && !bare.is_empty() { vec![name(rest), name(bare)] } else { vec![name(rest)] }
}

/// The original that a name begins with, if words of a copy follow.
fn suffixed(stem: &str) -> Option<Name> {
    let (mut end, mut sure, mut number) = (None, Sure::Always, None::<String>);
    // From the last word to the first.
    for (start, word) in words(stem).rev() {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if letters.is_empty() {
            if number.replace(word).is_some() {
                break;
            }
            continue;
        }
        let own = word[letters.len()..].to_owned();
        let digits = if own.is_empty() { number.take().unwrap_or_default() } else { own };
        let is_angle = matches!(digits.as_str(), "90" | "180" | "270");
        let found = match letters {
            word if MIRRORED.contains(&word) && digits.is_empty() => Sure::Always,
            word if TURNED.contains(&word) && is_angle => Sure::Always,
            word if AUGMENTED.contains(&word) => Sure::Augmented,
            word if MIRRORED.contains(&word) || TURNED.contains(&word) || CHANGED.contains(&word) => Sure::WithOriginal,
            // `flip_h`, `horizontal_flip`: only beside another word of a copy.
            word if DIRECTIONS.contains(&word) && digits.is_empty() => {
                if end.is_some() {
                    end = Some(start);
                }
                continue;
            }
            _ => break,
        };
        if number.is_some() {
            break;
        }
        sure = sure.min(found);
        end = Some(start);
    }
    let original = stem[..end?].trim_end_matches(['_', '-', ' ', '.', '(']);
    (!original.is_empty()).then(|| Name { original: original.into(), mark: stem[original.len()..].into(), sure })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn units(names: &[&str]) -> (Vec<Vec<usize>>, String) {
        let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        let found = Units::of(paths.iter().map(|path| Some(path.as_path())), true);
        let words = found.words();
        (found.units, words)
    }

    #[test]
    fn names_show_the_copies_of_one_original() {
        let cases: [(&[&str], &[&[usize]]); 14] = [
            (&["a/0.jpg", "a/0_flip.png", "a/0_rot90.jpg", "a/1.jpg"], &[&[0, 1, 2], &[3]]),
            (&["a/0_rot_90.png", "a/1.png", "a/0_mirror.png"], &[&[0, 2], &[1]]),
            (&["a/x_aug_1.png", "a/x_aug_2.png", "a/y_aug_1.png"], &[&[0, 1], &[2]]),
            (&["a/x_jpg.rf.0123abcd.jpg", "a/x_jpg.rf.9876dcba.jpg", "a/y_jpg.rf.0123abcd.jpg"], &[&[0, 1], &[2]]),
            (&["a/7.png", "a/7_horizontal_flip.png", "a/7-flip-v.png", "a/7_hflip_noise3.png"], &[&[0, 1, 2, 3]]),
            (&["aug_cat.0_1.jpg", "aug_cat.0_2.jpg", "cat.0.jpg", "cat.1.jpg"], &[&[0, 1, 2], &[3]]),
            (&["flip_x.png", "rot90_x.png", "y_2.png", "flip_y_2.png"], &[&[0], &[1], &[2, 3]]),
            // The same name in two folders is that of two images.
            (&["a/0.jpg", "b/0_flip.jpg"], &[&[0], &[1]]),
            // Dates, and words of the subject.
            (&["2021_aug_3.png", "2021_aug_4.png"], &[&[0], &[1]]),
            (&["x_aug_3.png", "x_aug_4.png", "x_jul_4.png"], &[&[0], &[1], &[2]]),
            (&["pancake_flip_1.png", "pancake_flip_2.png"], &[&[0], &[1]]),
            (&["rot_1.png", "rot_2.png", "flip.png", "h.png", "x_h.png"], &[&[0], &[1], &[2], &[3], &[4]]),
            (&["dog_copy.png", "dog_blur.png", "cat.png"], &[&[0], &[1], &[2]]),
            (&["dog_copy.png", "dog.png", "dog_blur_2.png"], &[&[0, 1, 2]]),
        ];
        for (names, expected) in cases {
            assert_eq!(units(names).0, expected, "{names:?}");
        }
        let (_, words) =
            units(&["0.jpg", "0_flip.jpg", "0_rot90.jpg", "0_aug_1.jpg", "0_aug_2.jpg", "1.jpg", "1_flip.jpg"]);
        let expected = "; copies of one original stay in one part: 7 images of 2 originals, by '_aug', '_flip' and '_rot90' in their names";
        assert_eq!(words, expected);
        assert!(are_kept(&words));
        assert_eq!(units(&["0.jpg", "1_flip.jpg"]).1, "");
    }
}
