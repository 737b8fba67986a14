//! A guess at the content of a folder that no format recognizes, for the error message.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::class_walk::holds_classes;
use super::foreign::{self, Wanted};
use super::listing::{entries, holds_image, is_image, name_of, relative, stem_of, subfolders};
use super::parts::{PartFolders, is_part_name, part_in_name};
use super::unused_lists;

/// The place of the data or the kind of its files, as the rest of a sentence; `None` without a clue.
pub(crate) fn clue(root: &Path) -> Option<String> {
    nested(root).or_else(|| foreign::find(root, Wanted::Classes).ok()?)
}

/// Where the labels of images without class folders may be, as the rest of a sentence; `None` without a clue.
pub(crate) fn of_labels(root: &Path) -> Option<String> {
    unused_lists::clue(root).or_else(|| named_labels(root))
}

/// The folder of class folders or parts, inside folders that hold one folder of images each.
fn nested(root: &Path) -> Option<String> {
    let mut folder = root.to_path_buf();
    for _ in 0..4 {
        // Annotations and tools may lie beside the images.
        let inner = subfolders(&folder).ok()?.into_iter().filter(|inner| holds_image(inner).unwrap_or(true));
        let [inner] = &inner.collect::<Vec<_>>()[..] else { return None };
        folder.clone_from(inner);
        let found = PartFolders::find(&folder, holds_classes).ok()?;
        let place = relative(root, &folder);
        if let (Some(train), Some(other)) = (&found.train, found.val.as_ref().or(found.test.as_ref())) {
            let [train, other] = [train, other].map(|part| name_of(part));
            return Some(format!("{place}/ holds {train}/ and {other}/; give that folder"));
        }
        if holds_classes(&folder).ok()? {
            return Some(format!("{place}/ holds folders of images; if those are the classes, give that folder"));
        }
    }
    None
}

/// Images without class folders whose names start with a few words: `cat.0.jpg`, `dog.12.jpg`.
fn named_labels(root: &Path) -> Option<String> {
    let part = |folder: &PathBuf| part_in_name(&name_of(folder)).is_some();
    let folders = std::iter::once(root.to_path_buf()).chain(subfolders(root).ok()?.into_iter().filter(part));
    let images = folders.flat_map(|folder| entries(&folder).unwrap_or_default()).filter(|path| is_image(path));
    let mut words: BTreeMap<String, (usize, PathBuf)> = BTreeMap::new();
    for path in images.take(10_000) {
        let stem = stem_of(&path);
        let word = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['.', '_', '-', ' ']);
        if word.len() < stem.len() && !word.is_empty() && !is_part_name(word) {
            words.entry(word.to_owned()).or_insert((0, path)).0 += 1;
        }
    }
    let are_few = (2..=50).contains(&words.len()) && words.values().all(|(count, _)| *count > 1);
    let examples: Vec<String> = words.values().take(2).map(|(_, path)| name_of(path)).collect();
    are_few.then(|| {
        format!(
            "the names of the images may hold their classes ({}): write them as a table of path,label (.csv), or sort the images \
             into a folder for each class",
            examples.join(", ")
        )
    })
}
