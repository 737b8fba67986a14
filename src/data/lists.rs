//! Lists that divide a set, such as `train.txt` and `val.txt`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::decisions::{Decisions, TableColumns};
use super::list_index::{Index, Match};
use super::listing::{entries, is_image, name_of, relative, stem_of, subfolders};
use super::names::shortened;
use super::parts::{Part, part_of_list, without_number};
use super::reading::{Role, role_in};
use super::records::NUMBERED;
use super::text::read_text;
use super::{BadImage, DataError, ImageProblem};

/// The list of a part.
#[derive(Debug, Clone)]
pub(crate) struct ListFile {
    pub path: PathBuf,
    pub part: Part,
    /// Number (from 1) and text of each line that is not empty.
    pub lines: Vec<(usize, String)>,
    /// The unit of the numbers.
    pub unit: Unit,
    /// The columns of a table of images and masks.
    pub columns: Option<PairColumns>,
    /// Whether numbers say the parts.
    pub is_numbered: bool,
}

/// A note on each file of `lists` whose numbers say the parts.
pub(crate) fn numbered(lists: &[ListFile]) -> Vec<String> {
    let mut notes: Vec<String> = lists
        .iter()
        .filter(|list| list.is_numbered)
        .map(|list| format!("the numbers in {} are parts: {NUMBERED}", name_of(&list.path)))
        .collect();
    notes.dedup();
    notes
}

/// The columns of images and of masks in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairColumns {
    /// `images in column 'image', masks in column 'mask'`.
    pub words: String,
    /// Their names, if the first line has them.
    pub names: Option<TableColumns>,
}

/// What the numbers of a list count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Lines of the file.
    Line,
    /// Names of the part, because a JSON file may hold all of them in one line.
    Name,
}

impl ListFile {
    fn read(path: &Path, part: Part) -> Result<Self, DataError> {
        let text = read_text(path)?;
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim().to_string()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        Ok(Self { path: path.to_path_buf(), part, lines, unit: Unit::Line, columns: None, is_numbered: false })
    }

    /// `train.txt, line 3`, or `split.json, name 3 of train`.
    pub fn place(&self, number: usize) -> String {
        match self.unit {
            Unit::Line => format!("{}, line {number}", self.path.display()),
            Unit::Name => format!("{}, name {number} of {}", self.path.display(), self.part.word()),
        }
    }

    /// An error about an entry.
    pub fn fault(&self, number: usize, problem: String) -> DataError {
        match self.unit {
            Unit::Line => DataError::CsvRow { path: self.path.clone(), line: number as u64, problem },
            Unit::Name => DataError::malformed(&self.path, format!("name {number} of {} {problem}", self.part.word())),
        }
    }
}

/// Extensions of files that may be lists, in any form.
const EXTENSIONS: [&str; 8] = ["json", "jsonl", "yaml", "yml", "csv", "tsv", "txt", "lst"];

/// Folders in which lists are sought, besides the root.
const FOLDERS: [&str; 8] =
    ["lists", "splits", "split", "meta", "annotations", "ImageSets/Segmentation", "ImageSets/Main", "ImageSets"];

/// Whether `folder` is one of [`FOLDERS`] below `root`.
pub(super) fn is_place(root: &Path, folder: &Path) -> bool {
    FOLDERS.iter().any(|name| root.join(name) == *folder)
}

/// The lists of the set at `root`: text files named after a part (`train.txt`, `val_list.txt`) in the root, or else in
/// a folder of lists or of images. Without a `train.txt`, `trainval.txt` is the training list.
///
/// # Errors
/// Where a list cannot be read, or a part has two lists.
pub(crate) fn find(root: &Path) -> Result<Vec<ListFile>, DataError> {
    match places(root)?.into_iter().next() {
        Some(lists) => Ok(lists),
        None => numbered_split(root),
    }
}

/// The lists of each folder that has any.
///
/// # Errors
/// Those of [`find`].
pub(super) fn places(root: &Path) -> Result<Vec<Vec<ListFile>>, DataError> {
    let mut places = Vec::new();
    for folder in folders(root) {
        // Pascal VOC has a different division for each of its tasks; the first folder counts.
        let is_other_task = folder.starts_with(root.join("ImageSets")) && !places.is_empty();
        let lists = if is_other_task { vec![] } else { in_folder(&folder)? };
        if !lists.is_empty() {
            places.push(lists);
        }
    }
    Ok(places)
}

/// `root`, those of [`FOLDERS`] that exist below it, and its folders of images.
fn folders(root: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let of_images = subfolders(root).unwrap_or_default();
    let of_images = of_images.into_iter().filter(|folder| role_in(&name_of(folder)) == Some(Role::Image));
    let all = std::iter::once(root.to_path_buf()).chain(FOLDERS.map(|name| root.join(name)));
    all.filter(|folder| folder.is_dir()).chain(of_images)
}

/// The lists of the CUB birds: `images.txt` numbers the images, and `train_test_split.txt` gives 1 to those for
/// training.
fn numbered_split(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let [images, split] = ["images.txt", "train_test_split.txt"].map(|name| root.join(name));
    if !images.is_file() || !split.is_file() {
        return Ok(Vec::new());
    }
    let columns = |path: &Path| -> Result<Vec<(usize, String, String)>, DataError> {
        let text = read_text(path)?;
        let lines = text.lines().enumerate();
        let columns =
            lines.filter_map(|(at, line)| line.trim().split_once(' ').map(|(a, b)| (at + 1, a.into(), b.into())));
        Ok(columns.collect())
    };
    let names: HashMap<String, String> =
        columns(&images)?.into_iter().map(|(_, number, name)| (number, name)).collect();
    let mut lists = [Part::Train, Part::Test].map(|part| ListFile {
        path: split.clone(),
        part,
        lines: Vec::new(),
        unit: Unit::Line,
        columns: None,
        is_numbered: false,
    });
    for (line, number, mark) in columns(&split)? {
        let Some(name) = names.get(&number) else {
            let problem = format!("line {line}: images.txt has no image of the number '{}'", shortened(&number));
            return Err(DataError::malformed(&split, problem));
        };
        let list = match mark.trim() {
            "1" => &mut lists[0],
            "0" => &mut lists[1],
            other => {
                let problem = format!("line {line}: '{}', expected 1 (training) or 0 (test)", shortened(other));
                return Err(DataError::malformed(&split, problem));
            }
        };
        list.lines.push((line, name.clone()));
    }
    Ok(lists.into())
}

/// The results of `read` in all folders of lists.
pub(super) fn all_of<T>(root: &Path, read: impl Fn(&Path) -> Result<Vec<T>, DataError>) -> Result<Vec<T>, DataError> {
    folders(root).try_fold(Vec::new(), |mut all, folder| {
        all.extend(read(&folder)?);
        Ok(all)
    })
}

/// The results of `read` in the first folder of lists that has any.
pub(super) fn first_of<T>(root: &Path, read: impl Fn(&Path) -> Result<Vec<T>, DataError>) -> Result<Vec<T>, DataError> {
    for folder in folders(root) {
        let found = read(&folder)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The lists directly in `folder`.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<ListFile>, DataError> {
    named_after_parts(folder, &["txt", "lst"])?.into_iter().map(|(part, path)| ListFile::read(&path, part)).collect()
}

/// The files directly in `folder` that may be lists, in any form, by their extensions.
///
/// # Errors
/// Where the folder cannot be listed.
pub(super) fn text_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let is_known = |e: &str| EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known));
    let is_text = |path: &PathBuf| path.extension().and_then(|e| e.to_str()).is_some_and(is_known) && path.is_file();
    Ok(entries(folder)?.into_iter().filter(is_text).collect())
}

/// Whether a file has the name of a list of a part.
pub(super) fn is_named_after_part(path: &Path) -> bool {
    part_of_list(without_number(&stem_of(path))).is_some()
}

/// The text files directly in `folder` whose names do not name a part.
///
/// # Errors
/// Where one cannot be read.
pub(crate) fn of_no_part(folder: &Path) -> Result<Vec<ListFile>, DataError> {
    let is_list = |path: &PathBuf| {
        let is_text =
            path.extension().is_some_and(|e| ["txt", "lst"].iter().any(|known| e.eq_ignore_ascii_case(known)));
        is_text && !is_named_after_part(path)
    };
    let files = text_files(folder)?.into_iter().filter(is_list);
    files.map(|path| ListFile::read(&path, Part::Train)).collect()
}

/// Reads the file at `path`, of any name, as the list of `part`.
pub(crate) fn in_file(path: &Path, part: Part) -> Result<ListFile, DataError> {
    ListFile::read(path, part)
}

/// The files directly in `folder` that are named after a part and have one of `extensions`.
///
/// # Errors
/// If a part has two such files.
pub(super) fn named_after_parts(folder: &Path, extensions: &[&str]) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let mut named: Vec<(Part, bool, PathBuf)> = Vec::new();
    for path in entries(folder)? {
        let is_known = |e: &std::ffi::OsStr| extensions.iter().any(|known| e.eq_ignore_ascii_case(known));
        let is_list = path.extension().is_some_and(is_known) && path.is_file();
        // The number in `train_1.txt` may be that of the only fold in the folder.
        if let (true, Some((part, both))) = (is_list, part_of_list(without_number(&stem_of(&path)))) {
            named.push((part, both, path));
        }
    }
    // `train.txt` beside `train.jpg` is that image's.
    let is_of_image = |path: &PathBuf| {
        let image = |other: &PathBuf| is_image(other) && stem_of(other) == stem_of(path);
        role_in(&name_of(folder)) == Some(Role::Image) && entries(folder).is_ok_and(|all| all.iter().any(image))
    };
    named.retain(|(_, _, path)| !is_of_image(path));
    if named.iter().any(|(part, both, _)| *part == Part::Train && !both) {
        named.retain(|(_, both, _)| !both);
    }
    for pair in named.windows(2) {
        if let [(a, _, first), (b, _, second)] = pair
            && a == b
        {
            let problem = format!(
                "{} and {} are both named as lists of the same part; rename or remove one of them",
                name_of(first),
                name_of(second)
            );
            return Err(DataError::malformed(folder, problem));
        }
    }
    Ok(named.into_iter().map(|(part, _, path)| (part, path)).collect())
}

/// The division of a set by lists.
pub(crate) struct Dealt {
    /// The part of each image; `None` for an image that no list names.
    pub parts: Vec<Option<Part>>,
    /// For each name with text after it: index of the image, the text, its place in the list.
    pub second: Vec<(usize, String, String)>,
}

impl Dealt {
    /// The images of training, validation and test. Without validation images, the test images are used for validation.
    ///
    /// # Errors
    /// Without images for training or validation.
    pub fn divided(&self, root: &Path) -> Result<[Vec<usize>; 3], DataError> {
        let [train, mut val, mut test] = [Part::Train, Part::Val, Part::Test].map(|part| self.of(Some(part)));
        if val.is_empty() {
            std::mem::swap(&mut val, &mut test);
        }
        for (part, split) in [(&train, "train"), (&val, "validation")] {
            if part.is_empty() {
                let reason = "no list names an image of it; add a list, or remove the others".to_string();
                return Err(DataError::EmptySplit { path: root.to_path_buf(), split, reason });
            }
        }
        Ok([train, val, test])
    }

    /// The images that no list names.
    pub fn unlisted(&self) -> Vec<usize> {
        self.of(None)
    }

    fn of(&self, wanted: Option<Part>) -> Vec<usize> {
        (0..self.parts.len()).filter(|&image| self.parts[image] == wanted).collect()
    }
}

/// The part of each of `count` images by the lists. `files` are the files below `root`, each with the index of its
/// image. A line starts with the name of a file; other columns may follow. Without a list of training images, all
/// unlisted images are for training. `decisions` gets the lists and the remarks on them.
///
/// # Errors
/// [`DataError::BadImages`] with every line that names no image or several.
pub(crate) fn deal(
    root: &Path,
    lists: &[ListFile],
    count: usize,
    files: &[(usize, &Path)],
    decisions: &mut Decisions,
) -> Result<Dealt, DataError> {
    let index = Index::numbered(root, files.iter().copied());
    // The part of each image, and the line that says so.
    let mut first: Vec<Option<(Part, String)>> = vec![None; count];
    let mut second = Vec::new();
    let mut bad = Vec::new();
    for list in lists {
        for (number, line) in &list.lines {
            let (found, rest) = index.find_first(line);
            let problem = match found {
                Match::One(item) => match first[item].replace((list.part, list.place(*number))) {
                    Some((part, place)) if part != list.part => {
                        format!("'{}' is in another part by {place}; remove it from one of the lists", shortened(line))
                    }
                    _ => {
                        second.extend((!rest.is_empty()).then(|| (item, rest.to_string(), list.place(*number))));
                        continue;
                    }
                },
                Match::None if is_image_there(root, line) => {
                    format!("'{}' is there, but is no image of this set: nothing labels it", shortened(line))
                }
                Match::None => format!("'{}' names no image", shortened(line)),
                Match::Several(a, b) => {
                    let name =
                        |item| files.iter().find(|(number, _)| *number == item).map(|(_, path)| relative(root, path));
                    format!(
                        "'{line}' may be {} or {}; write which",
                        name(a).unwrap_or_default(),
                        name(b).unwrap_or_default()
                    )
                }
            };
            bad.push(BadImage { image: list.place(*number), problem: ImageProblem::Listed(problem) });
        }
    }
    if !bad.is_empty() {
        return Err(DataError::BadImages { checked: count, bad });
    }
    let mut parts: Vec<Option<Part>> = first.into_iter().map(|one| one.map(|(part, _)| part)).collect();
    decisions.notes.extend(numbered(lists));
    decisions.lists = lists.iter().map(|list| relative(root, &list.path)).collect();
    decisions.lists.dedup();
    decisions.left_out.retain(|one| !decisions.lists.contains(&relative(root, &one.path)));
    decisions.split = format!("by the lists {}", decisions.lists.join(", "));
    decisions.notes.extend(index.note());
    if lists.iter().all(|list| list.part != Part::Train) {
        let rest: Vec<&mut Option<Part>> = parts.iter_mut().filter(|part| part.is_none()).collect();
        decisions.notes.push(rest_trains(rest.len(), &decisions.lists));
        rest.into_iter().for_each(|part| *part = Some(Part::Train));
    }
    Ok(Dealt { parts, second })
}

/// Whether a line is the path of an image below `root`.
fn is_image_there(root: &Path, line: &str) -> bool {
    is_image(Path::new(line)) && root.join(line).is_file()
}

/// A note that images that no list names are for training.
pub(crate) fn rest_trains(images: usize, lists: &[String]) -> String {
    format!(
        "there is no list of training images: the {images} images that {} does not name are for training",
        lists.join(", ")
    )
}

/// A note that the second column of lists is not read.
pub(crate) fn second_unused(second: &[(usize, String, String)]) -> Option<String> {
    let (_, text, place) = second.first()?;
    Some(format!("text after the names of images is not read, such as '{}' in {place}", shortened(text)))
}
