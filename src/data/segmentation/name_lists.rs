//! Lists of class names without a fixed form: `classes.txt` and `labels.txt`. A list is read if the value of each name
//! is certain. A note names other files that seem to list classes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::class_files::{CLASS_FILES, require_same_names};
use super::classes;
use super::coding::Coding;
use super::numbered_names::with_numbers;
use crate::data::DataError;
use crate::data::class_names::may_name_classes;
use crate::data::listing::{entries, files_named, name_of, relative};
use crate::data::text::{read_text, start_of};

/// Lists of one name a line.
const LISTS: [&str; 2] = ["classes.txt", "labels.txt"];

/// Names of such files that sets of other kinds do not have.
const UNREAD: [&str; 3] = ["classes.toml.txt", "info.json", "colormap.txt"];

/// Names of the class of value 0.
const BACKGROUNDS: [&str; 9] =
    ["background", "_background_", "bg", "void", "unlabeled", "unlabelled", "none", "other", "__ignore__"];

/// The coding by a list in `root`, and remarks on lists that are not read.
///
/// # Errors
/// Where a list cannot be read or contradicts itself.
pub(super) fn find(root: &Path) -> Result<(Option<Coding>, Vec<String>), DataError> {
    let mut notes = Vec::new();
    for path in files_named(root, &LISTS)? {
        let name = name_of(&path);
        match numbered(&path)? {
            Some(names) => return Ok((Some(classes::of_values(names, &path)?), notes)),
            None => notes.push(format!(
                "{name} is not read, because its first name may be of value 0 or of value 1; list the classes in a \
                 classes.toml"
            )),
        }
    }
    let is_unread = |path: &PathBuf| {
        let name = name_of(path).to_lowercase();
        let is_known = [&LISTS[..], &CLASS_FILES].iter().any(|known| known.contains(&name.as_str()));
        (UNREAD.contains(&name.as_str()) && names_things(path)) || (!is_known && may_name_classes(path))
    };
    for path in entries(root)?.into_iter().filter(|path| path.is_file() && is_unread(path)) {
        notes.push(format!("{} is not read; list the classes in a classes.toml", name_of(&path)));
    }
    Ok((None, notes))
}

/// Notes on files of classes in the folders that `files`, below `root`, lie in. Such files are read in `root` and
/// `home` alone.
///
/// # Errors
/// Where one of them is a `classes.toml`, which somebody wrote for this set.
pub(super) fn in_folders<'a>(
    root: &Path,
    home: Option<&Path>,
    files: impl Iterator<Item = &'a Path>,
) -> Result<Vec<String>, DataError> {
    let mut folders: Vec<&Path> = files.filter_map(Path::parent).collect();
    folders.dedup();
    let inner = folders.into_iter().flat_map(|folder| folder.ancestors().take_while(|above| *above != root));
    let inner: BTreeSet<&Path> = inner.filter(|folder| Some(*folder) != home && folder.starts_with(root)).collect();
    let mut notes = Vec::new();
    for folder in inner {
        if let Some(path) = files_named(folder, &["classes.toml"])?.into_iter().next() {
            let problem = format!("is not read in this folder; move it to {}", root.display());
            return Err(DataError::malformed(&path, problem));
        }
        let named = files_named(folder, &CLASS_FILES)?.into_iter().chain(files_named(folder, &LISTS)?);
        notes.extend(named.filter(|path| names_things(path)).map(|path| {
            format!(
                "{} is not read in that folder; move it to {} if it lists the classes",
                relative(root, &path),
                root.display()
            )
        }));
    }
    Ok(notes)
}

/// Refuses a list in `root` whose names or order differ from the classes of `coding`, which another file gave. A list
/// with another number of names is about something else.
///
/// # Errors
/// The first such list.
pub(super) fn require_same(root: &Path, coding: &Coding) -> Result<(), DataError> {
    let names = &coding.classes.names;
    for path in files_named(root, &LISTS)? {
        let Ok(mut listed) = numbered(&path).map(Option::unwrap_or_default) else { continue };
        listed.sort();
        let listed: Vec<String> = match listed.is_empty() {
            true => {
                read_text(&path)?.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
            }
            false => listed.into_iter().map(|(_, name)| name).collect(),
        };
        if listed.len() == names.len() {
            require_same_names((names, &root.join(&coding.classes.source)), (&listed, &path))?;
        }
    }
    Ok(())
}

/// Whether a file is a text with letters.
fn names_things(path: &Path) -> bool {
    start_of(path, 1 << 12).is_some_and(|start| start.contains(char::is_alphabetic))
}

/// Value and name of each class: `3 road` or `3: road` in every line, or names of which the first is the background.
/// `None` where the value of the first name is not certain.
fn numbered(path: &Path) -> Result<Option<Vec<(u8, String)>>, DataError> {
    let text = read_text(path)?;
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if let Some(names) = with_numbers(path, &lines)? {
        return Ok(Some(names));
    }
    let is_certain = lines.first().is_some_and(|first| BACKGROUNDS.contains(&first.to_lowercase().as_str()));
    // labelme's `__ignore__` has the value -1.
    let names = lines.iter().filter(|name| **name != "__ignore__").map(ToString::to_string);
    let named = names.enumerate().map(|(at, name)| u8::try_from(at).ok().map(|value| (value, name)));
    Ok(named.collect::<Option<Vec<_>>>().filter(|_| is_certain))
}
