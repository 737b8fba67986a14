//! The parts of a data set, and what folders, lists and table cells call them.

use std::path::{Path, PathBuf};

use super::DataError;
use super::listing::{name_of, subfolders};

/// Part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Train,
    Val,
    Test,
}

/// Part that a word in lower case stands for.
pub(crate) fn part_of(word: &str) -> Option<Part> {
    match word {
        "train" | "training" | "trn" => Some(Part::Train),
        "val" | "valid" | "validation" | "dev" => Some(Part::Val),
        "test" | "testing" | "tst" => Some(Part::Test),
        _ => None,
    }
}

/// What lies directly in the folder of a data set.
#[derive(Debug, Default)]
pub(crate) struct PartFolders {
    pub train: Option<PathBuf>,
    pub val: Option<PathBuf>,
    pub test: Option<PathBuf>,
    /// Folders that are no part.
    pub others: Vec<PathBuf>,
}

impl PartFolders {
    /// Tells the folders in `root` apart by their names, whose case does not count.
    ///
    /// # Errors
    /// Where two folders are the same part: one of them would be left out without a word.
    pub fn find(root: &Path) -> Result<Self, DataError> {
        let mut found = Self::default();
        for folder in subfolders(root)? {
            let (slot, part) = match part_of(&name_of(&folder).to_lowercase()) {
                Some(Part::Train) => (&mut found.train, "training"),
                Some(Part::Val) => (&mut found.val, "validation"),
                Some(Part::Test) => (&mut found.test, "test"),
                None => {
                    found.others.push(folder);
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
            *slot = Some(folder);
        }
        Ok(found)
    }
}
