//! Files that name images of a set but do not divide it, because lists in such a place or form are not read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::decisions::{Decisions, LeftOut, Why};
use super::division;
use super::list_index::{Index, Match};
use super::listing::{Walk, entries, is_image, is_own_output, is_table, relative, stem_of, subfolders};
use super::names::value;
use super::parts::{Part, part_in_name, part_of, without_number, words_of};
use super::records::is_attribute_table;
use super::text::{decode, read_file};

/// Extensions of files that may be lists.
const EXTENSIONS: [&str; 7] = ["txt", "lst", "csv", "tsv", "json", "jsonl", "ndjson"];
/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// Largest number of files that are read.
const MAX_FILES: usize = 60;
/// Number of names in a file that are looked up.
const MAX_NAMES: usize = 20_000;
/// Names of files that list classes.
const CLASS_LISTS: [&str; 6] = ["classes", "labels", "codes", "class_names", "names", "obj"];

/// Records the unused lists of a set that was divided by seed as left out. An unused list is a text file in the folder
/// of the set, or in a folder there, that names at least two images. A file that belongs to one image, as `a.txt` to
/// `a.png`, is not a list. `used` are the tables of labels. An undivided set has no parts.
///
/// # Errors
/// Where an unused list has the name of a list of a part, or the names of all images begin with those of parts, unless the set is
/// undivided.
pub(crate) fn report<'a>(
    root: &Path,
    used: &[PathBuf],
    images: impl IntoIterator<Item = &'a Path>,
    is_undivided: bool,
    decisions: &mut Decisions,
) -> Result<(), DataError> {
    // The table `a.csv` lies in the folder `.`, where it is found as `./a.csv`.
    let plain = |path: &PathBuf| path.strip_prefix(".").unwrap_or(path).to_path_buf();
    let known: BTreeSet<PathBuf> = decisions.left_out.iter().map(|one| &one.path).chain(used).map(plain).collect();
    let mut candidates = candidates(root);
    candidates.retain(|path| !known.contains(&plain(path)));
    let mut unread = named_as_lists(root);
    unread.retain(|path| !known.contains(&plain(path)));
    let images: Vec<&Path> = images.into_iter().collect();
    if !is_undivided {
        require_no_parts_in_names(root, &images)?;
    }
    if candidates.is_empty() && unread.is_empty() {
        return Ok(());
    }
    let stems: BTreeSet<String> = images.iter().map(|path| stem_of(path)).collect();
    candidates.retain(|path| !stems.contains(&stem_of(path)));
    let index = Index::new(root, images);
    candidates.retain(|path| names_images(path, &index));
    match candidates.iter().find(|path| !is_undivided && is_list_of_part(path)) {
        None => {}
        Some(list) => {
            let problem = "names images of this set and is named as the list of a part, in a place or form that is not read; write the \
                           lists of the parts as train.txt and val.txt in the folder of the set, or move this file elsewhere";
            return Err(DataError::malformed(list, problem));
        }
    }
    unread.retain(|path| !candidates.contains(path) && !stems.contains(&stem_of(path)));
    decisions.left_out.extend(candidates.iter().map(|path| LeftOut::new(path, Why::UnusedList)));
    decisions.left_out.extend(unread.iter().map(|path| LeftOut::new(path, Why::UnreadList)));
    Ok(())
}

/// Refuses a set whose images are all named after parts: `train_1.png`, `testA_3.png`.
fn require_no_parts_in_names(root: &Path, images: &[&Path]) -> Result<(), DataError> {
    let part = |path: &Path| {
        let words = words_of(&stem_of(path));
        let first = words.first()?;
        // `testA` of two test parts.
        part_of(first).or_else(|| part_of(first.strip_suffix(['a', 'b'])?))
    };
    let mut first: Option<(Part, &Path)> = None;
    let mut other = None;
    for &path in images {
        let Some(own) = part(path) else { return Ok(()) };
        let (known, _) = *first.get_or_insert((own, path));
        other = other.or_else(|| (own != known).then_some((own, path)));
    }
    match (first, other) {
        (Some((a, first)), Some((b, second))) if a == Part::Train || b == Part::Train => {
            let problem = format!(
                "the names of all images begin with those of parts, such as {} and {}: they can divide the set, or mean nothing; list the \
                 images of each part in train.txt and val.txt, or move them into folders of these names",
                relative(root, first),
                relative(root, second)
            );
            Err(DataError::malformed(root, problem))
        }
        _ => Ok(()),
    }
}

/// Whether a file's name is that of a list of one part, such as `val_list.txt`.
fn is_list_of_part(path: &Path) -> bool {
    part_in_name(without_number(&stem_of(path))).is_some()
}

/// Records as left out the files beside a divided set that are named as lists of parts, and neither divide it nor are left out already.
pub(crate) fn report_unread(root: &Path, decisions: &mut Decisions) {
    let is_of_table = decisions.format.starts_with("CSV") || decisions.columns.is_some();
    let is_known = |path: &PathBuf| {
        let name = relative(root, path);
        let left_out = || decisions.left_out.iter().any(|one| one.path == *path);
        let is_used = decisions.lists.contains(&name) || decisions.evidence.contains(&name);
        is_used || left_out() || (is_of_table && is_table(path))
    };
    let unread = named_as_lists(root).into_iter().filter(|path| !is_known(path));
    let unread: Vec<LeftOut> = unread.map(|path| LeftOut::new(&path, Why::UnreadList)).collect();
    decisions.left_out.extend(unread);
}

/// The files in a folder whose names have a word of a part or of a division, of kinds that lists may have. Files of a picture there are
/// none.
fn named_as_lists(root: &Path) -> Vec<PathBuf> {
    const KINDS: [&str; 15] = [
        "txt", "lst", "csv", "tsv", "json", "jsonl", "yaml", "yml", "ini", "cfg", "xml", "xlsx", "pkl", "pickle", "mat",
    ];
    let is_list = |path: &&PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        let words = words_of(&stem_of(path));
        let divides = |word: &String| part_of(word).is_some() || division::DIVISIONS.contains(&word.as_str());
        KINDS.iter().any(|known| known.eq_ignore_ascii_case(extension)) && words.iter().any(divides) && path.is_file()
    };
    let found = entries(root).unwrap_or_default();
    let mut lists: Vec<PathBuf> = found.iter().filter(is_list).cloned().collect();
    // `train_1.json` belongs to `train_1.jpg`.
    let stems: BTreeSet<String> =
        found.iter().filter(|path| !lists.is_empty() && is_image(path)).map(|path| stem_of(path)).collect();
    lists.retain(|path| !stems.contains(&stem_of(path)));
    lists
}

/// The first text file of a set without labels that names at least two of its images, as the rest of a sentence.
pub(crate) fn clue(root: &Path) -> Option<String> {
    let images = Walk::below(root).ok()?.images;
    let stems: BTreeSet<String> = images.iter().map(|path| stem_of(path)).collect();
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let candidates: Vec<PathBuf> = candidates(root);
    if let Some(found) = candidates.iter().find(|path| is_attribute_table(path)) {
        return Some(format!(
            "{} has several labels an image; give it as the data set, and the folder of the images as the root of images",
            relative(root, found)
        ));
    }
    let mut candidates = candidates.into_iter().filter(|path| !stems.contains(&stem_of(path)));
    let found = candidates.find(|path| names_images(path, &index))?;
    Some(format!(
        "{} names images; if it has their labels, write them as a table of path,label (.csv)",
        relative(root, &found)
    ))
}

/// Text files in the folder of a set, in the folders there and in those of `ImageSets/`.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    folders.extend(subfolders(root).unwrap_or_default());
    folders.extend(subfolders(&root.join("ImageSets")).unwrap_or_default());
    let is_candidate = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(found)))
    };
    let folders = folders.into_iter().filter(|folder| !is_own_output(folder));
    let files = folders.flat_map(|folder| entries(&folder).unwrap_or_default()).filter(is_candidate);
    files.take(MAX_FILES).collect()
}

fn names_images(path: &Path, index: &Index) -> bool {
    let Some(text) = read_file(path, MAX_BYTES).ok().and_then(|bytes| decode(&bytes).ok()) else { return false };
    let is_class_list = CLASS_LISTS.contains(&stem_of(path).to_lowercase().as_str());
    let mut named = BTreeSet::new();
    for line in text.lines() {
        let fields = line.split(['"', '\'', ',', ';', '|', '\t', '[', ']', '{', '}']).map(str::trim);
        // Names may contain blanks, or be separated by them.
        let words =
            fields.flat_map(|field| std::iter::once(field).chain(field.split(' ').filter(move |word| *word != field)));
        for word in words.filter(|word| !word.is_empty()).take(MAX_NAMES) {
            // A number may be that of a class or of a row.
            let is_bare = value(word).is_some() && (is_class_list || word != line.trim());
            if let (false, Match::One(item)) = (is_bare, index.find(word)) {
                named.insert(item);
                if named.len() > 1 {
                    return true;
                }
            }
        }
    }
    false
}
