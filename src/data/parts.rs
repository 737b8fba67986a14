//! The parts of a data set, and their names in folders, lists and tables.

use std::path::{Path, PathBuf};

use super::DataError;
use super::listing::{entries, name_of, subfolders};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Train,
    Val,
    Test,
}

impl Part {
    /// The usual name of the part.
    pub fn word(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }
}

/// Names of a column of parts.
pub(super) const PART_COLUMNS: [&str; 13] = [
    "split",
    "splits",
    "set",
    "subset",
    "subsets",
    "partition",
    "partitions",
    "fold_name",
    "is_valid",
    "is_val",
    "is_test",
    "is_train",
    "is_training",
];
/// Names of a column that holds parts, or something else: `dataset` may be the source of an image.
pub(super) const POSSIBLE_PART_COLUMNS: [&str; 5] = ["part", "phase", "division", "dataset", "data set"];

/// The words of a name, in lower case and without numbers around them: `split`, `fold` and `cv` of `Split_2-5fold_cv`.
pub(super) fn words_of(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let words = lower.split(['_', '-', '.', ' ']).map(|word| word.trim_matches(|c: char| c.is_ascii_digit()));
    words.filter(|word| !word.is_empty()).map(String::from).collect()
}

/// Whether a lower-case word stands for folds. Nothing says which fold validates.
pub(super) fn is_fold_word(word: &str) -> bool {
    matches!(word, "fold" | "folds" | "kfold" | "cv")
}

/// The part that a lower-case word names.
pub(crate) fn part_of(word: &str) -> Option<Part> {
    match word {
        "train" | "training" | "trn" => Some(Part::Train),
        "val" | "valid" | "validate" | "validation" | "dev" => Some(Part::Val),
        "test" | "testing" | "tst" => Some(Part::Test),
        _ => None,
    }
}

/// Whether a name is that of a part or of a list: `train`, `test_images`, `val_list`.
pub(super) fn is_part_name(stem: &str) -> bool {
    part_of_list(stem).is_some()
}

/// The part in the name of a folder or a list; see [`is_part_name`]. `trainval` is not a part.
pub(super) fn part_in_name(stem: &str) -> Option<Part> {
    part_of_list(stem).filter(|(_, both)| !both).map(|(part, _)| part)
}

/// A name without the number at its end: `train` for `train_1`.
pub(super) fn without_number(stem: &str) -> &str {
    stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['_', '-', '.', ' '])
}

/// The part in the name of a list, and whether the list holds training and validation together.
pub(super) fn part_of_list(stem: &str) -> Option<(Part, bool)> {
    const FILLERS: [&str; 28] = [
        "list", "lists", "images", "image", "imgs", "img", "files", "ids", "names", "set", "split", "pairs", "seg",
        "data", "dataset", "folder", "photos", "pictures", "raw", "jpg", "jpeg", "png", "tif", "tiff", "x", "v",
        "part", "kaggle",
    ];
    const SUFFIXES: [&str; 4] = ["list", "set", "images", "data"];
    let lower = stem.to_lowercase();
    let mut found = None;
    for word in lower.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty()) {
        // `train2017`, `test1`, `v2`.
        let word = match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "" => word,
            letters => letters,
        };
        let bare = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word);
        let this = match bare {
            // `default.txt` is CVAT's list of an undivided set.
            "trainval" | "default" => Some((Part::Train, true)),
            other => part_of(other).map(|part| (part, false)),
        };
        match this {
            Some(_) if found.is_some() => return None,
            Some(this) => found = Some(this),
            None if FILLERS.contains(&word) => {}
            None => return None,
        }
    }
    found
}

/// The folders of a data set by their parts.
#[derive(Debug, Default)]
pub(crate) struct PartFolders {
    pub train: Option<PathBuf>,
    pub val: Option<PathBuf>,
    pub test: Option<PathBuf>,
    /// Folders that are not parts.
    pub others: Vec<PathBuf>,
}

impl PartFolders {
    /// Finds the part of each folder in `root` by its name, without regard to case.
    ///
    /// Where no folder is named `train`, names with other words count too (`seg_train`, `X_train`, `test-jpg`,
    /// `val2017`): if there is one training folder, which `accept` accepts, and one of another part.
    ///
    /// If the only entry of a part is a folder of the same name, as unpacked archives often have it, that folder is the
    /// part.
    ///
    /// # Errors
    /// Where two folders are the same part. Choosing one would leave the other out silently.
    pub fn find(root: &Path, accept: impl Fn(&Path) -> Result<bool, DataError>) -> Result<Self, DataError> {
        let folders = subfolders(root)?;
        let exact = Self::by_names(root, &folders, |name| part_of(&name.to_lowercase()))?;
        if exact.train.is_some() {
            return exact.unwrapped();
        }
        let Ok(loose) = Self::by_names(root, &folders, part_in_name).and_then(Self::unwrapped) else {
            return exact.unwrapped();
        };
        match &loose.train {
            Some(train) if (loose.val.is_some() || loose.test.is_some()) && accept(train)? => Ok(loose),
            _ => exact.unwrapped(),
        }
    }

    /// The folders by their parts.
    fn by_names(root: &Path, folders: &[PathBuf], part: impl Fn(&str) -> Option<Part>) -> Result<Self, DataError> {
        let mut found = Self::default();
        for folder in folders {
            let (slot, part) = match part(&name_of(folder)) {
                Some(Part::Train) => (&mut found.train, "training"),
                Some(Part::Val) => (&mut found.val, "validation"),
                Some(Part::Test) => (&mut found.test, "test"),
                None => {
                    found.others.push(folder.clone());
                    continue;
                }
            };
            if let Some(first) = slot {
                let names = [first.as_path(), folder.as_path()].map(name_of);
                let problem = format!(
                    "{}/ and {}/ are both named as its {part} part; merge them, or rename one of them",
                    names[0], names[1]
                );
                return Err(DataError::malformed(root, problem));
            }
            *slot = Some(folder.clone());
        }
        Ok(found)
    }

    /// The same with `train/train/` for `train/`.
    fn unwrapped(mut self) -> Result<Self, DataError> {
        for folder in [&mut self.train, &mut self.val, &mut self.test].into_iter().flatten() {
            if let [inner] = &entries(folder)?[..]
                && inner.is_dir()
                && name_of(inner).eq_ignore_ascii_case(&name_of(folder))
            {
                folder.clone_from(inner);
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lists_say_their_part() {
        for (stem, expected) in [
            ("train", Some((Part::Train, false))),
            ("Val_list", Some((Part::Val, false))),
            ("trainval", Some((Part::Train, true))),
            ("test_images", Some((Part::Test, false))),
            ("trainset", Some((Part::Train, false))),
            ("train_val", None),
            ("test_readme", None),
            ("label_colors", None),
            ("list", None),
        ] {
            assert_eq!(part_of_list(stem), expected, "{stem}");
        }
    }
}
