//! Lists of folds. Nothing says which fold validates, so folds do not divide a set, and a set with them is not divided
//! by seed.
//!
//! | file | a list of folds because of |
//! |---|---|
//! | `fold1.txt`, `5fold_cv.json` | its name |
//! | `folds/1/train.txt`, `splits/fold0/train.txt` | the name of a folder around it |
//! | `labels/train1.txt` beside `labels/train2.txt` | several lists of training images in a folder without images |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::list_index::Index;
use super::listing::{Walk, holds_image, stem_of, subfolders};
use super::lists::text_files;
use super::names::shortened;
use super::parts::{Part, is_fold_word, part_in_name, without_number, words_of};
use super::text::read_text;

/// Largest number of lists of folds that are read.
const MOST: usize = 20;

/// Whether a file or a folder has a word such as `fold` in its name.
pub(super) fn is_named_so(path: &Path) -> bool {
    words_of(&stem_of(path)).iter().any(|word| is_fold_word(word))
}

/// Why the column `name` with these values may hold folds: its name says so, and its values repeat.
pub(super) fn column(name: &str, values: &[&str]) -> Option<String> {
    /// Largest number of folds.
    const MOST: usize = 20;
    let distinct = values.iter().collect::<BTreeSet<_>>().len();
    let is_few = distinct > 1 && distinct <= MOST && distinct < values.len();
    (is_few && words_of(name).iter().any(|word| is_fold_word(word))).then(|| {
        format!(
            "the column '{}' looks like folds, of which none is said to validate; write a column 'split' of train and val instead, or \
             remove it",
            shortened(name)
        )
    })
}

/// The error for a list of folds that names images of a set.
pub(super) fn refusal(path: &Path) -> DataError {
    let problem = "names images of this set and is a list of folds, of which none is said to validate; copy the lists of one fold to \
                   train.txt and val.txt, or move the lists of folds elsewhere";
    DataError::malformed(path, problem)
}

/// The lists of folds in the folders of `root`, which may name its images.
///
/// # Errors
/// Where a folder cannot be listed.
pub(super) fn below(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    for folder in subfolders(root)? {
        if holds_image(&folder)? {
            continue;
        }
        let is_of_folds = is_named_so(&folder);
        for inner in subfolders(&folder)?.iter().filter(|inner| is_of_folds || is_named_so(inner)) {
            found.extend(text_files(inner)?);
        }
        let files = text_files(&folder)?;
        let part = |path: &PathBuf| part_in_name(without_number(&stem_of(path)));
        let is_repeated = files.iter().filter(|path| part(path) == Some(Part::Train)).count() > 1;
        found.extend(files.into_iter().filter(|path| is_of_folds || (is_repeated && part(path).is_some())));
    }
    found.truncate(MOST);
    Ok(found)
}

/// Refuses lists of folds, among `files`, that name images of `index`.
///
/// # Errors
/// The first such list.
pub(super) fn require_none(files: Vec<PathBuf>, index: &Index) -> Result<(), DataError> {
    for path in files {
        if index.is_used_by(&read_text(&path)?) {
            return Err(refusal(&path));
        }
    }
    Ok(())
}

/// Refuses lists of folds that name images of the set at `root`.
///
/// # Errors
/// The first such list.
pub(super) fn require_none_below(root: &Path) -> Result<(), DataError> {
    let files = below(root)?;
    if files.is_empty() {
        return Ok(());
    }
    let images = Walk::below(root)?.images;
    require_none(files, &Index::new(root, images.iter().map(PathBuf::as_path)))
}
