//! The parts of a data set, and their names in folders, lists and tables.

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

/// Part of a word in lower case.
pub(crate) fn part_of(word: &str) -> Option<Part> {
    match word {
        "train" | "training" | "trn" => Some(Part::Train),
        "val" | "valid" | "validation" | "dev" => Some(Part::Val),
        "test" | "testing" | "tst" => Some(Part::Test),
        _ => None,
    }
}

/// The entries of the folder of a data set.
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
    /// # Errors
    /// Where two folders are the same part. Choosing one would leave the other out silently.
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
