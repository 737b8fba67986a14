//! The search for the image files that a table names.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use crate::data::decisions::{LeftOut, Why};
use crate::data::foreign::Wanted;
use crate::data::list_index::{Index, Match};
use crate::data::listing::{Walk, entries, holds_image, is_image, name_of, stem_of, subfolders};
use crate::data::{DataError, Hints, names};

/// The images in the folders of `named` that are not in `named`, and the other folders of images below `root`, the folder of the table.
///
/// # Errors
/// Where a folder cannot be listed.
pub(in crate::data) fn unlisted<'a>(
    root: &Path,
    named: impl Iterator<Item = &'a Path>,
) -> Result<Vec<LeftOut>, DataError> {
    let named: Vec<&Path> = named.collect();
    // Consecutive rows often name files of the same folder.
    let mut folders: Vec<&Path> = named.iter().filter_map(|path| path.parent()).collect();
    folders.dedup_by(|a, b| a.as_os_str() == b.as_os_str());
    let folders: BTreeSet<&Path> = folders.into_iter().collect();
    let named: HashSet<Cow<'_, OsStr>> = named.into_iter().map(key).collect();
    let in_folder = |folder: &&Path| -> Result<Vec<LeftOut>, DataError> {
        let images = entries(folder)?.into_iter().filter(|path| is_image(path) && !named.contains(&key(path)));
        Ok(images.map(|path| LeftOut::new(&path, Why::InNoList)).collect())
    };
    let existing: Vec<&Path> = folders.iter().copied().filter(|folder| folder.is_dir()).collect();
    let found: Result<Vec<_>, DataError> = existing.par_iter().map(in_folder).collect();
    let mut found = found?.concat();
    found.extend(other_folders(root, &folders)?.iter().map(|path| LeftOut::new(path, Why::InNoList)));
    Ok(found)
}

/// The folders of images below `root` that neither are among `folders` nor lie in or around one of them.
fn other_folders(root: &Path, folders: &BTreeSet<&Path>) -> Result<Vec<PathBuf>, DataError> {
    let plain = |path: &Path| path.components().filter(|one| *one != Component::CurDir).collect::<PathBuf>();
    let root = plain(root);
    let own: BTreeSet<PathBuf> = folders.iter().map(|folder| plain(folder)).collect();
    // The folder of a table in the working folder has an empty path, with which every path starts: that of the root of the disk too.
    let is_below = |folder: &&Path| {
        folder.starts_with(&root)
            && folder.has_root() == root.has_root()
            && (root.starts_with("..") || !folder.starts_with(".."))
    };
    let above = own.iter().flat_map(|folder| folder.ancestors()).filter(is_below);
    let around: BTreeSet<&Path> = above.chain([root.as_path()]).collect();
    let mut found = Vec::new();
    for &folder in &around {
        let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        for inner in if listed.is_dir() { subfolders(listed)? } else { Vec::new() } {
            if !around.contains(plain(&inner).as_path()) && holds_image(&inner)? {
                found.push(inner);
            }
        }
    }
    Ok(found)
}

/// A path without `//` and `/./`, as a key for hashing: equal paths have equal keys. Hashing a million `Path`s is slow.
pub(super) fn key(path: &Path) -> Cow<'_, OsStr> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let is_plain = |pair: &[u8]| !(pair[0] == b'/' && matches!(pair[1], b'/' | b'.') || pair[0] == b'\\');
    match bytes.windows(2).all(is_plain) && !bytes.ends_with(b"/") {
        true => path.as_os_str().into(),
        false => path.components().collect::<PathBuf>().into_os_string().into(),
    }
}

/// A remark on missing files; `None` if all exist. `named` has the path of each row, with its line.
pub(in crate::data) fn missing<'a>(table: &Path, named: impl Iterator<Item = (&'a Path, u64)>) -> Option<String> {
    let named: Vec<(&Path, u64)> = named.collect();
    let missing: Vec<(&Path, u64)> = named.into_par_iter().filter(|(path, _)| !path.exists()).collect();
    let (&(first, line), count) = (missing.first()?, missing.len());
    let stem = stem_of(first);
    let zeros = |name: &str| name.trim_start_matches('0').to_owned();
    let near = first.parent().and_then(|folder| entries(folder).ok()).unwrap_or_default().into_iter();
    let near =
        near.filter(|path| is_image(path)).find(|path| stem_of(path) == stem || zeros(&stem_of(path)) == zeros(&stem));
    let near = near.map(|path| format!("; {} is there", path.display())).unwrap_or_default();
    Some(format!(
        "{count} rows of {} name a file that is not there, the first on line {line}: {}{near}",
        name_of(table),
        names::shortened(&first.display().to_string())
    ))
}

/// The form of a name: `a0` for `img17` and for `x3`.
pub(super) fn form_of(name: &str) -> String {
    let kind = |c: char| match c {
        c if c.is_numeric() => '0',
        c if c.is_alphabetic() => 'a',
        other => other,
    };
    let mut form: Vec<char> = name.chars().map(kind).collect();
    form.dedup();
    form.into_iter().collect()
}

/// The image files that a table can name.
pub(in crate::data) struct Files {
    folder: PathBuf,
    /// The images below the folder. They are listed once a name is not directly the path of a file.
    indexed: Option<(Index, Vec<PathBuf>)>,
    /// Whether rows are looked up in `indexed`.
    by_index: bool,
}

impl Files {
    /// The files that the table at `table` names: relative to its folder, or to the root that `hints` have.
    ///
    /// # Errors
    /// Where that root is no folder.
    pub fn of_table(table: &Path, hints: &Hints) -> Result<Self, DataError> {
        if let Some(root) = &hints.image_root {
            crate::data::foreign::require_folder(root, Wanted::Images)?;
        }
        let folder = hints.image_root.as_deref().or(table.parent()).unwrap_or(Path::new(""));
        Ok(Self { folder: folder.to_path_buf(), indexed: None, by_index: false })
    }

    fn is_file(&self, name: &str) -> bool {
        !name.is_empty() && self.folder.join(name).is_file()
    }

    fn index(&mut self) -> Result<&Index, DataError> {
        if self.indexed.is_none() {
            let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
            let images = Walk::below(folder)?.images;
            self.indexed = Some((Index::new(folder, images.iter().map(PathBuf::as_path)), images));
        }
        Ok(&self.indexed.as_ref().expect("was just made").0)
    }

    /// Whether `name` stands for a file, directly or by the index.
    pub(super) fn names(&mut self, name: &str) -> Result<bool, DataError> {
        Ok(self.is_file(name) || self.index()?.find(name) != Match::None)
    }

    /// The file whose name is the number `name` with zeros before it.
    pub(super) fn with_zeros(&mut self, name: &str) -> Option<String> {
        let digits = Path::new(name).file_stem()?.to_str()?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.index().ok()?;
        let images = &self.indexed.as_ref()?.1;
        let bare = |stem: &str| stem.trim_start_matches('0').to_owned();
        let is_it = |path: &&PathBuf| {
            let stem = stem_of(path);
            stem.len() > digits.len() && stem.bytes().all(|byte| byte.is_ascii_digit()) && bare(&stem) == bare(digits)
        };
        images.iter().find(is_it).map(|path| name_of(path))
    }

    /// Whether most of `values` are paths of files.
    pub(super) fn are_paths(&self, values: &[&str]) -> bool {
        2 * values.iter().filter(|name| self.is_file(name)).count() > values.len()
    }

    /// Whether most of `values` stand for files of the index.
    pub(super) fn are_indexed(&mut self, values: &[&str]) -> Result<bool, DataError> {
        let index = self.index()?;
        Ok(2 * values.par_iter().filter(|name| index.find(name) != Match::None).count() > values.len())
    }

    /// The index of the file that each of `names` stands for, if exactly one matches.
    ///
    /// # Errors
    /// Where a folder cannot be listed.
    pub(super) fn places(&mut self, names: &[&str]) -> Result<Vec<Option<usize>>, DataError> {
        let index = self.index()?;
        let place = |name: &&str| if let Match::One(at) = index.find(name) { Some(at) } else { None };
        Ok(names.par_iter().map(place).collect())
    }

    /// Lists the images below the folder unless all `names`, those of all rows, are directly paths of files.
    ///
    /// # Errors
    /// Where a folder cannot be listed.
    pub fn list_for<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<(), DataError> {
        let names: Vec<&str> = names.collect();
        self.by_index = names.par_iter().any(|name| !self.is_file(name));
        if self.by_index {
            self.index()?;
        }
        Ok(())
    }

    /// Whether [`Files::list_for`] found each name to be the path of a file.
    pub fn are_all_there(&self) -> bool {
        !self.by_index
    }

    /// A note that some listed names differ from their files in case.
    pub fn note(&self) -> Option<String> {
        self.indexed.as_ref()?.0.note()
    }

    /// The file that `name` stands for, after [`Files::list_for`]. A name without a match is kept as a path below the
    /// folder; reading the images reports it as missing.
    ///
    /// # Errors
    /// The problem in words, if several files match.
    pub fn path(&self, name: &str) -> Result<PathBuf, String> {
        if let (true, Some((index, images))) = (self.by_index, &self.indexed) {
            match index.find(name) {
                Match::One(at) => return Ok(images[at].clone()),
                Match::Several(a, b) => {
                    let [a, b] = [a, b].map(|at| images[at].display());
                    return Err(format!("'{}' may be {a} or {b}; write the path of one", names::shortened(name)));
                }
                Match::None => {
                    if let Match::One(at) = index.find_of_other_machine(name) {
                        return Ok(images[at].clone());
                    }
                }
            }
        }
        Ok(self.folder.join(name))
    }
}
