//! The parts of a YOLO set as its data file gives them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::data_file::DataFile;
use crate::data::DataError;
use crate::data::list_index::{Index, Match};
use crate::data::listing::{name_of, relative};
use crate::data::lists;
use crate::data::names::shortened;
use crate::data::parts::{Part, part_of};

/// The division of the images of a set.
#[derive(Debug, Default)]
pub(super) struct Division {
    /// The part of each image; `None` for an image that no entry names.
    pub parts: Vec<Option<Part>>,
    /// The lists of images that were used, relative to the root.
    pub lists: Vec<String>,
    pub notes: Vec<String>,
    /// Whether the training and the validation part are the same images, so that validation is held out by seed.
    pub is_whole: bool,
}

/// The target of an entry.
enum Place {
    Folder(PathBuf),
    List(PathBuf),
}

/// An entry of a part that leads to a folder or a list.
struct Entry<'a> {
    part: Part,
    text: &'a str,
    place: Place,
}

/// The parts of `images` by the entries `train`, `val` and `test` of a data file; `None` where it has no such entries,
/// or none of them leads to a folder or a list of the set.
///
/// # Errors
/// Where an entry leads nowhere and another does not, a list names no image, an image is in two parts, or a list of the
/// set puts an image into another part.
pub(super) fn of(root: &Path, file: &DataFile, images: &[PathBuf]) -> Result<Option<Division>, DataError> {
    let Some((entries, notes)) = entries(root, file)? else { return Ok(None) };
    let mut division = Division { parts: vec![None; images.len()], notes, ..Division::default() };
    let index = Index::new(root, images.iter().map(PathBuf::as_path));
    let mut members: Vec<(Part, usize)> = Vec::new();
    for entry in entries {
        let own = match &entry.place {
            Place::Folder(folder) => (0..images.len()).filter(|at| images[*at].starts_with(folder)).collect(),
            Place::List(list) => {
                division.lists.push(relative(root, list));
                listed(list, entry.part, &index)?
            }
        };
        if own.is_empty() && matches!(entry.place, Place::Folder(_)) && entry.part != Part::Test {
            let problem = format!("gives '{}' for {}, which holds no image", entry.text, entry.part.word());
            return Err(DataError::malformed(&file.path, problem));
        }
        members.extend(own.into_iter().map(|at| (entry.part, at)));
    }
    let of_part = |wanted: Part| -> BTreeSet<usize> {
        members.iter().filter(|(part, _)| *part == wanted).map(|(_, at)| *at).collect()
    };
    let (train, val) = (of_part(Part::Train), of_part(Part::Val));
    division.is_whole = !train.is_empty() && train == val;
    if division.is_whole {
        let validation = match of_part(Part::Test).is_empty() {
            true => "val is held out of them",
            false => "the test part validates",
        };
        let note = format!("{} gives the same images for train and val; {validation}", name_of(&file.path));
        division.notes.push(note);
        members.retain(|(part, _)| *part != Part::Val);
    }
    for (part, at) in members {
        if let Some(other) = division.parts[at].replace(part).filter(|other| *other != part) {
            let (image, first, second) = (relative(root, &images[at]), other.word(), part.word());
            let problem = format!("puts {image} into {first} and into {second}; correct one of the entries");
            return Err(DataError::malformed(&file.path, problem));
        }
    }
    Ok(Some(division))
}

/// The entries that lead to a folder or a list, and notes on test entries that do not; `None` where no entry of
/// training or validation leads anywhere.
///
/// # Errors
/// Where only some of the entries of training and validation lead to a folder or a list.
fn entries<'a>(root: &Path, file: &'a DataFile) -> Result<Option<(Vec<Entry<'a>>, Vec<String>)>, DataError> {
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for (part, text) in file.places.iter().flat_map(|(part, entries)| entries.iter().map(|entry| (*part, entry))) {
        match place(root, file.home.as_deref(), text) {
            Some(place) => found.push(Entry { part, text, place }),
            None => lost.push((part, text)),
        }
    }
    if found.iter().all(|entry| entry.part == Part::Test) {
        return Ok(None);
    }
    if let Some((part, text)) = lost.iter().find(|(part, _)| *part != Part::Test) {
        let problem = format!(
            "gives '{text}' for {}, which is neither a folder nor a list in {}; correct the entry",
            part.word(),
            root.display()
        );
        return Err(DataError::malformed(&file.path, problem));
    }
    let note = |text: &str| format!("{} gives '{text}' for test, which is not there", name_of(&file.path));
    let notes = lost.iter().map(|(_, text)| note(text)).collect();
    Ok(Some((found, notes)))
}

/// The images that a list names.
///
/// # Errors
/// Where a line does not name exactly one image.
fn listed(list: &Path, part: Part, index: &Index) -> Result<Vec<usize>, DataError> {
    let image = |(number, line): (usize, String)| match index.find(line.trim_start_matches("../")) {
        Match::One(at) => Ok(at),
        _ => {
            let problem = format!("line {number}: '{}' names no image, or several", shortened(&line));
            Err(DataError::malformed(list, problem))
        }
    };
    lists::in_file(list, part)?.lines.into_iter().map(image).collect()
}

/// The folder or the list of an entry. A path of another machine is matched by its longest ending.
fn place(root: &Path, home: Option<&str>, entry: &str) -> Option<Place> {
    let clean = |path: &str| path.replace('\\', "/");
    let (entry, home) = (clean(entry), home.map(clean));
    let at = |name: &str| -> Option<Place> {
        let path = root.join(name);
        if path.is_dir() {
            return Some(Place::Folder(path));
        }
        path.is_file().then_some(Place::List(path))
    };
    let bare: Vec<&str> = entry.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..").collect();
    if bare.is_empty() {
        return at("");
    }
    let below_home =
        home.filter(|home| Path::new(home).is_relative() && !home.contains("..")).map(|home| format!("{home}/{entry}"));
    let is_below = !entry.starts_with('/') && !entry.split('/').any(|part| part == "..");
    let direct = below_home.filter(|_| is_below).into_iter().chain(is_below.then(|| entry.clone()));
    // `train/images` does not match a bare `images`: an ending must keep the word of the part.
    let has_part = |words: &[&str]| words.iter().any(|word| part_of(&word.to_lowercase()).is_some());
    let endings = (0..bare.len()).filter(|&from| !has_part(&bare[..from]) || has_part(&bare[from..]));
    let endings = endings.map(|from| bare[from..].join("/"));
    direct.chain(endings).find_map(|name| at(&name))
}
