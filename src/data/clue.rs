//! A guess at the content of a folder that no format recognizes, for the error message.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::folder::holds_classes;
use super::listing::{entries, is_image, name_of, relative, stem_of, subfolders};
use super::parts::{PartFolders, is_part_name, part_in_name};
use super::text::open_regular;

/// Files that hold many images or a table: offset and magic bytes, kind, remedy.
const CONTAINERS: [(usize, &[u8], &str, &str); 13] = [
    (0, b"PK\x03\x04", "a ZIP archive", UNPACK),
    (0, b"\x1f\x8b", "a gzip file", UNPACK),
    (0, b"BZh", "a bzip2 file", UNPACK),
    (0, b"\xfd7zXZ", "an XZ file", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"PAR1", "a Parquet file", SAVE),
    (0, b"ARROW1", "an Arrow file", SAVE),
    (0, b"\x89HDF", "an HDF5 file", SAVE),
    (0, b"MATLAB", "a MATLAB file", SAVE),
    (0, b"\x93NUMPY", "a NumPy array", SAVE),
    (0, b"SQLite", "an SQLite database", SAVE),
];
const UNPACK: &str = "unpack it";
const SAVE: &str = "save its images as PNG files in a folder for each class";
/// Extensions of files without magic bytes.
const NAMES: [(&str, &str); 2] = [("npz", "NumPy arrays"), ("mdb", "an LMDB database")];
/// Part of the name of a TFRecord file: `x.tfrecord`, `x.tfrecord-00000-of-00010`.
const RECORDS: &str = ".tfrecord";
/// Largest number of files that are looked at.
const LOOKED_AT: usize = 40;

/// The place of the data or the kind of its files, as the rest of a sentence; `None` without a clue.
pub(crate) fn clue(root: &Path) -> Option<String> {
    nested(root).or_else(|| container(root)).or_else(|| named_labels(root))
}

/// The folder of class folders or parts, inside folders that hold one folder each.
fn nested(root: &Path) -> Option<String> {
    let mut folder = root.to_path_buf();
    for _ in 0..4 {
        let [inner] = &subfolders(&folder).ok()?[..] else { return None };
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

/// The first file in the folder, or in a folder there, that holds images in another form.
fn container(root: &Path) -> Option<String> {
    let folders = std::iter::once(root.to_path_buf()).chain(subfolders(root).ok()?);
    let files = folders.flat_map(|folder| entries(&folder).unwrap_or_default()).filter(|path| path.is_file());
    files.take(LOOKED_AT).find_map(|path| {
        let (kind, remedy) = kind_of(&path)?;
        Some(format!("{} is {kind}, which is not read; {remedy}", relative(root, &path)))
    })
}

fn kind_of(path: &Path) -> Option<(&'static str, &'static str)> {
    if name_of(path).to_lowercase().contains(RECORDS) {
        return Some(("a TFRecord file", SAVE));
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    if let Some((_, kind)) = NAMES.iter().find(|(known, _)| *known == extension) {
        return Some((kind, SAVE));
    }
    let mut bytes = Vec::new();
    open_regular(path).ok()?.0.take(512).read_to_end(&mut bytes).ok()?;
    let starts = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(magic));
    CONTAINERS.iter().find(|(at, magic, ..)| starts(*at, magic)).map(|(_, _, kind, remedy)| (*kind, *remedy))
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
