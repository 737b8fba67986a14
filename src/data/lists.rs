//! Lists that divide a set, such as `train.txt` and `val.txt`, and the search for the file of a listed name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::decisions::{Decisions, LeftOut, Why};
use super::listing::{entries, name_of, relative, stem_of};
use super::names::{composed, shortened};
use super::parts::{Part, part_of};
use super::segmentation::pairing;
use super::text::read_text;
use super::{BadImage, DataError, ImageProblem};

/// The list of a part.
#[derive(Debug, Clone)]
pub(crate) struct ListFile {
    pub path: PathBuf,
    pub part: Part,
    /// Number (from 1) and text of each line that is not empty.
    pub lines: Vec<(usize, String)>,
}

impl ListFile {
    fn read(path: &Path, part: Part) -> Result<Self, DataError> {
        let text = read_text(path)?;
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim().to_string()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        Ok(Self { path: path.to_path_buf(), part, lines })
    }

    /// `train.txt, line 3`.
    pub fn place(&self, line: usize) -> String {
        format!("{}, line {line}", self.path.display())
    }
}

/// Folders that lists lie in, apart from the root.
const FOLDERS: [&str; 8] =
    ["lists", "splits", "split", "meta", "annotations", "ImageSets/Segmentation", "ImageSets/Main", "ImageSets"];

/// Whether a folder in `root` is one that lists lie in, and has some.
pub(crate) fn is_folder_of_lists(root: &Path, folder: &Path) -> bool {
    FOLDERS.iter().any(|name| root.join(name) == *folder) && in_folder(folder).is_ok_and(|lists| !lists.is_empty())
}

/// The lists of the set at `root`: text files named after a part (`train.txt`, `val_list.txt`), in the root, else in a
/// folder of lists. Without a `train.txt`, `trainval.txt` is the training list.
///
/// # Errors
/// Where a list cannot be read, or a part has two lists.
pub(crate) fn find(root: &Path) -> Result<Vec<ListFile>, DataError> {
    let lists = first_of(root, in_folder)?;
    if lists.is_empty() { numbered_split(root) } else { Ok(lists) }
}

/// The lists of the CUB birds: `images.txt` numbers the images, and `train_test_split.txt` gives 1 to those for training.
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
    let mut lists = [Part::Train, Part::Test].map(|part| ListFile { path: split.clone(), part, lines: Vec::new() });
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

/// What `read` finds in the first of the folders of lists that has any.
pub(super) fn first_of<T>(root: &Path, read: impl Fn(&Path) -> Result<Vec<T>, DataError>) -> Result<Vec<T>, DataError> {
    for folder in std::iter::once(root.to_path_buf()).chain(FOLDERS.map(|name| root.join(name))) {
        if folder.is_dir() {
            let found = read(&folder)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(Vec::new())
}

/// The lists directly in `folder`.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<ListFile>, DataError> {
    named_after_parts(folder, &["txt", "lst"])?.into_iter().map(|(part, path)| ListFile::read(&path, part)).collect()
}

/// The list at `path`, of whatever name.
pub(crate) fn in_file(path: &Path, part: Part) -> Result<ListFile, DataError> {
    ListFile::read(path, part)
}

/// The files directly in `folder` that are named after a part and have one of `extensions`.
///
/// # Errors
/// Where a part has two.
pub(super) fn named_after_parts(folder: &Path, extensions: &[&str]) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let mut named: Vec<(Part, bool, PathBuf)> = Vec::new();
    for path in entries(folder)? {
        let is_known = |e: &std::ffi::OsStr| extensions.iter().any(|known| e.eq_ignore_ascii_case(known));
        let is_list = path.extension().is_some_and(is_known) && path.is_file();
        if let (true, Some((part, both))) = (is_list, part_of_list(&stem_of(&path))) {
            named.push((part, both, path));
        }
    }
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

/// Whether a name is that of a part or of its list: `train`, `test_images`, `val_list`.
pub(super) fn is_part_name(stem: &str) -> bool {
    part_of_list(stem).is_some()
}

/// The part in the name of a folder or a list; see [`is_part_name`]. `trainval` is none.
pub(super) fn part_in_name(stem: &str) -> Option<Part> {
    part_of_list(stem).filter(|(_, both)| !both).map(|(part, _)| part)
}

/// The part in the name of a list, and whether the list holds training and validation together.
fn part_of_list(stem: &str) -> Option<(Part, bool)> {
    const FILLERS: [&str; 28] = [
        "list", "lists", "images", "image", "imgs", "img", "files", "ids", "names", "set", "split", "pairs", "seg",
        "data", "dataset", "folder", "photos", "pictures", "raw", "jpg", "jpeg", "png", "tif", "tiff", "x", "v",
        "part", "kaggle",
    ];
    const SUFFIXES: [&str; 4] = ["list", "set", "images", "data"];
    let lower = stem.to_lowercase();
    let mut found = None;
    for word in lower.split(['_', '-', '.', ' ']).filter(|word| !word.is_empty()) {
        // `train2017`, `test1`, `v2`.
        let word = match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
            "" => word,
            letters => letters,
        };
        let bare = SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word);
        let this = match bare {
            // `default.txt` is CVAT's list of an undivided set.
            "trainval" | "default" => Some((Part::Train, true)),
            other => part_of(other).map(|part| (part, false)),
        };
        match this {
            Some(_) if found.is_some() => return None,
            Some(this) => found = Some(this),
            None if FILLERS.contains(&word) => {}
            None => return None,
        }
    }
    found
}

/// What lists say of the images of a set.
pub(crate) struct Dealt {
    /// The part of each image; `None` for an image that no list names.
    pub parts: Vec<Option<Part>>,
    /// Index of an image, the text after its name, and the place in the list.
    pub second: Vec<(usize, String, String)>,
}

/// The part of each of `count` images by the lists. `files` are the files below `root`, each with the index of its image. A line
/// is the name of a file, with or without other columns after it. Without a list of training images, images that no list names
/// are for training. `decisions` gets the lists and the remarks on them.
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
    let (mut parts, mut second) = (vec![None; count], Vec::new());
    let mut bad = Vec::new();
    for list in lists {
        for (number, line) in &list.lines {
            let (found, rest) = index.find_first(line);
            let problem = match found {
                Match::One(item) => {
                    parts[item] = Some(list.part);
                    second.extend((!rest.is_empty()).then(|| (item, rest.to_string(), list.place(*number))));
                    continue;
                }
                Match::None => format!("'{}' is the name of no image", shortened(line)),
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
    decisions.lists = lists.iter().map(|list| relative(root, &list.path)).collect();
    decisions.lists.dedup();
    decisions.split = format!("by the lists {}", decisions.lists.join(", "));
    decisions.notes.extend(index.note());
    if lists.iter().all(|list| list.part != Part::Train) {
        let rest: Vec<&mut Option<Part>> = parts.iter_mut().filter(|part| part.is_none()).collect();
        decisions.notes.push(rest_trains(rest.len(), &decisions.lists));
        rest.into_iter().for_each(|part| *part = Some(Part::Train));
    }
    Ok(Dealt { parts, second })
}

/// The remark that images without list train.
pub(crate) fn rest_trains(images: usize, lists: &[String]) -> String {
    format!(
        "there is no list of training images: the {images} images that {} does not name are for training",
        lists.join(", ")
    )
}

/// The remark that the second column of lists is not read.
pub(crate) fn second_unused(second: &[(usize, String, String)]) -> Option<String> {
    let (_, text, place) = second.first()?;
    Some(format!("text after the names of images is not read, such as '{}' in {place}", shortened(text)))
}

/// Refuses lists that put an image into another part than its folder does. Returns the lists that name images.
///
/// # Errors
/// The first such line.
pub(crate) fn require_agreement(root: &Path, files: &[(Part, &Path)]) -> Result<Vec<LeftOut>, DataError> {
    // The folders divide the set, whatever else lies there.
    let lists = find(root).unwrap_or_default();
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let index = Index::new(root, files.iter().map(|(_, path)| *path));
    let mut agreeing = Vec::new();
    for list in lists {
        let (_, is_both) = part_of_list(&stem_of(&list.path)).unwrap_or((list.part, false));
        let mut names_some = false;
        for (number, line) in &list.lines {
            let (Match::One(item), _) = index.find_first(line) else { continue };
            names_some = true;
            let (part, path) = files[item];
            if part != list.part && !(is_both && part == Part::Val) {
                let problem = format!(
                    "names {}, whose folder is that of another part; remove the list, or give a folder without parts",
                    relative(root, path)
                );
                return Err(DataError::CsvRow { path: list.path.clone(), line: *number as u64, problem });
            }
        }
        if names_some {
            agreeing.push(LeftOut::new(&list.path, Why::RepeatsFolders));
        }
    }
    Ok(agreeing)
}

/// The result of looking up a listed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The index of the only item.
    One(usize),
    /// No item.
    None,
    /// Several items, of which these are two.
    Several(usize, usize),
}

/// Finds items by the names in lists.
///
/// | in the list | the file |
/// |---|---|
/// | `images/x.png` | `images/x.png` |
/// | `images/x`, `x.png` or `x` | `images/x.png`, if no other file has that ending |
/// | `/home/a/set/images/x.png` | `images/x.png` |
/// | `images/X.PNG` | `images/x.png`, if there is no file of that case, and one of another case; see [`Index::note`] |
pub(crate) struct Index {
    /// Path of each file below the root, with its number.
    files: Vec<(usize, String)>,
    /// The paths as they are.
    exact: Forms,
    /// The paths in lower case. They are made for the first name that `exact` lacks.
    lower: OnceLock<Forms>,
    /// The first name whose file has another case, and the number of that file.
    other_case: OnceLock<(String, usize)>,
}

/// The names by which a list may refer to files.
#[derive(Default)]
struct Forms {
    /// Every ending of every path, with extension and without.
    ends: HashMap<String, Match>,
    /// Whole paths, with extension and without.
    whole: HashMap<String, Match>,
    /// Largest number of `/` in a path.
    depth: usize,
}

impl Forms {
    fn of<'a>(paths: impl Iterator<Item = (usize, Cow<'a, str>)>) -> Self {
        let mut forms = Self::default();
        for (number, path) in paths {
            forms.depth = forms.depth.max(path.matches('/').count());
            for form in [Some(&*path), without_extension(&path)].into_iter().flatten() {
                insert(&mut forms.whole, form, number);
                let cuts = form.match_indices('/').map(|(at, _)| at + 1);
                std::iter::once(0).chain(cuts).for_each(|at| insert(&mut forms.ends, &form[at..], number));
            }
        }
        forms
    }

    fn find(&self, name: &str) -> Match {
        // A longer ending is no path. A damaged list may have lines of thousands of `/`.
        let mut starts: Vec<usize> = name.rmatch_indices('/').map(|(at, _)| at + 1).take(self.depth + 1).collect();
        if starts.len() <= self.depth {
            starts.push(0);
        }
        let whole = starts.into_iter().rev().find_map(|at| self.whole.get(&name[at..]));
        whole.or_else(|| self.ends.get(name)).copied().unwrap_or(Match::None)
    }
}

impl Index {
    /// An index of files below `root`, numbered in the given order.
    pub fn new<'a>(root: &Path, paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self::numbered(root, paths.into_iter().enumerate())
    }

    /// An index of the files below `root`, each with a number. Several files may have the same number.
    pub fn numbered<'a>(root: &Path, files: impl IntoIterator<Item = (usize, &'a Path)>) -> Self {
        let files: Vec<_> = files.into_iter().map(|(number, path)| (number, relative(root, path))).collect();
        let exact = Forms::of(files.iter().map(|(number, path)| (*number, Cow::from(path))));
        Self { files, exact, lower: OnceLock::new(), other_case: OnceLock::new() }
    }

    /// Looks up a listed name.
    pub fn find(&self, listed: &str) -> Match {
        let name = composed(&listed.trim_matches(['"', '\'']).replace('\\', "/"));
        let name = name.trim_start_matches("./");
        if name.split('/').any(|part| part == "..") {
            return Match::None;
        }
        let exact = self.exact.find(name);
        if exact != Match::None || name.is_empty() {
            return exact;
        }
        let lower = |(number, path): &(usize, String)| (*number, Cow::from(path.to_lowercase()));
        let found = self.lower.get_or_init(|| Forms::of(self.files.iter().map(lower))).find(&name.to_lowercase());
        if let Match::One(number) = found {
            self.other_case.get_or_init(|| (name.to_string(), number));
        }
        found
    }

    /// The file with the longest ending of a path or an address of another machine, such as `images/x.jpg` for
    /// `/label-studio/data/upload/1/x.jpg` or `s3://bucket/x.jpg?sig=1`. No match are: a file in another part than the path says;
    /// by its name alone, a file in a folder of another name than those of images and parts, which may tell files apart.
    pub fn find_of_other_machine(&self, listed: &str) -> Match {
        let listed = listed.trim().replace('\\', "/");
        let is_address = listed.contains("://");
        let listed = if is_address { listed.split(['?', '#']).next().unwrap_or_default() } else { &listed };
        if !is_address && !listed.starts_with('/') && listed.chars().nth(1) != Some(':') {
            return Match::None;
        }
        let endings = listed.match_indices('/').map(|(at, _)| &listed[at + 1..]).filter(|ending| !ending.is_empty());
        let found = endings.map(|ending| (ending, self.find(ending))).find(|(_, found)| *found != Match::None);
        let Some((ending, Match::One(number))) = found else { return found.map_or(Match::None, |(_, found)| found) };
        let said = pairing::read(Path::new(listed)).part;
        let path = self.files.iter().find(|(known, _)| *known == number).map_or("", |(_, path)| path);
        let reading = pairing::read(Path::new(path));
        let contradicts = said.is_some() && reading.part.is_some() && said != reading.part;
        let is_plain = ending.contains('/') || reading.rest.is_empty();
        if is_plain && !contradicts { Match::One(number) } else { Match::None }
    }

    /// Looks up the name at the start of a line, and returns what stands after it.
    pub fn find_first<'a>(&self, line: &'a str) -> (Match, &'a str) {
        let (mut name, mut rest) = (line, "");
        let whole = self.find(line);
        let mut found = whole;
        while found == Match::None
            && let Some((front, _)) = name.rsplit_once([' ', '\t', ',', ';'])
        {
            name = front.trim_end();
            rest = line[front.len()..].trim_start_matches([' ', '\t', ',', ';']);
            found = self.find(name);
        }
        if found == Match::None { (whole, "") } else { (found, rest) }
    }

    /// The remark that names were found in another case than their files have, with the first of them.
    pub fn note(&self) -> Option<String> {
        let (listed, number) = self.other_case.get()?;
        let (_, path) = self.files.iter().find(|(known, _)| known == number)?;
        Some(format!("listed names have another case than their files, such as '{listed}' for '{path}'"))
    }
}

fn insert(map: &mut HashMap<String, Match>, key: &str, number: usize) {
    let place = map.entry(key.to_string()).or_insert(Match::One(number));
    if let Match::One(other) = *place
        && other != number
    {
        *place = Match::Several(other, number);
    }
}

fn without_extension(path: &str) -> Option<&str> {
    let at = path.rfind('.')?;
    (at > path.rfind('/').map_or(0, |slash| slash + 1)).then(|| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lists_say_their_part() {
        for (stem, expected) in [
            ("train", Some((Part::Train, false))),
            ("Val_list", Some((Part::Val, false))),
            ("trainval", Some((Part::Train, true))),
            ("test_images", Some((Part::Test, false))),
            ("trainset", Some((Part::Train, false))),
            ("train_val", None),
            ("test_readme", None),
            ("label_colors", None),
            ("list", None),
        ] {
            assert_eq!(part_of_list(stem), expected, "{stem}");
        }
    }

    #[test]
    fn listed_names_find_their_files() {
        let root = Path::new("/r");
        let paths = ["images/im 0.png", "images/b.png", "train/x.png", "val/x.png", "val/cafe\u{301}.png"]
            .map(|name| root.join(name));
        let index = Index::new(root, paths.iter().map(PathBuf::as_path));
        for (listed, found) in [
            ("images/im 0.png", Match::One(0)),
            ("im 0", Match::One(0)),
            ("\"im 0.png\"", Match::One(0)),
            (".\\images\\b.png", Match::One(1)),
            ("/home/me/set/images/b", Match::One(1)),
            ("x", Match::Several(2, 3)),
            ("val/x.png", Match::One(3)),
            ("other/x.png", Match::None),
            ("../images/b.png", Match::None),
            ("caf\u{e9}", Match::One(4)),
        ] {
            assert_eq!(index.find(listed), found, "{listed}");
        }
        assert_eq!(index.note(), None);
    }

    #[test]
    fn another_case_finds_the_only_such_file() {
        let root = Path::new("/r");
        let paths = ["images/a.jpg", "images/B.png", "c.png", "C.png", "\u{c9}t\u{e9}.jpg"].map(|name| root.join(name));
        let index = Index::new(root, paths.iter().map(PathBuf::as_path));
        for (listed, found) in [
            ("images/a.JPG", Match::One(0)),
            ("Images/b", Match::One(1)),
            ("c.png", Match::One(2)),
            ("C", Match::One(3)),
            ("c.PNG", Match::Several(2, 3)),
            ("\u{e9}T\u{c9}.jpg", Match::One(4)),
            ("images/a.png", Match::None),
            ("", Match::None),
            (&"a/".repeat(200_000), Match::None),
        ] {
            assert_eq!(index.find(listed), found, "{listed}");
        }
        let note = "listed names have another case than their files, such as 'images/a.JPG' for 'images/a.jpg'";
        assert_eq!(index.note().as_deref(), Some(note));
    }
}
