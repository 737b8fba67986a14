//! The search for the files of listed names.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use super::listing::{is_image, name_of, relative};
use super::names::composed;
use super::reading;

/// Longest line that begins with a name, in bytes.
const LONGEST_NAME: usize = 1 << 12;
/// Least number of images that a text must name to count as a list of images.
const FEWEST_NAMES: usize = 2;

/// The result of looking up a listed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// The index of the only item.
    One(usize),
    /// No item.
    None,
    /// Several items; two of them.
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
    /// Name of the folder of the set.
    home: String,
    /// The paths as they are.
    exact: Forms,
    /// The paths in lower case. They are made for the first name that `exact` lacks.
    lower: OnceLock<Forms>,
    /// Of the names whose files have another case, the first in sorted order, and the number of its file. Lookups may
    /// run in parallel.
    other_case: Mutex<Option<(String, usize)>>,
}

/// The paths by which a list may refer to files: each as it is, and without its extension.
///
/// They are sorted by their reversed bytes, so all paths with an ending stand side by side.
#[derive(Default)]
struct Forms {
    /// The reversed bytes of all paths, one after the other.
    reversed: Vec<u8>,
    sorted: Vec<Form>,
    /// Largest number of `/` in a path.
    depth: usize,
}

/// A path in [`Forms::reversed`].
#[derive(Clone, Copy)]
struct Form {
    /// Its first 8 bytes: most comparisons end there, without a look at the others.
    front: u64,
    start: usize,
    len: u32,
    /// The number of its file.
    number: u32,
}

/// The first 8 bytes as a number with the same order. A shorter text is padded with zeros.
fn front(bytes: &[u8]) -> u64 {
    let mut front = [0; 8];
    front.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    u64::from_be_bytes(front)
}

impl Forms {
    fn of<'a>(paths: impl Iterator<Item = (usize, Cow<'a, str>)>) -> Self {
        let mut forms = Self::default();
        for (number, path) in paths {
            forms.depth = forms.depth.max(path.matches('/').count());
            let (start, len) = (forms.reversed.len(), path.len());
            forms.reversed.extend(path.bytes().rev());
            let extension = without_extension(&path).map(|short| len - short.len());
            forms.sorted.extend([Some(0), extension].into_iter().flatten().map(|skipped| Form {
                front: front(&forms.reversed[start + skipped..]),
                start: start + skipped,
                len: u32::try_from(len - skipped).expect("a path is shorter than 4 GiB"),
                number: u32::try_from(number).expect("a set has fewer than 4 billion files"),
            }));
        }
        let Self { reversed, sorted, .. } = &mut forms;
        sorted.par_sort_unstable_by_key(|form| (form.front, form.of(reversed), form.number));
        forms
    }

    /// Looks up a name. `home` is the name of the folder of the set.
    fn find(&self, name: &str, home: &str) -> Match {
        // An ending with more `/` than any path matches nothing. Damaged lists may have lines with thousands of `/`.
        let mut starts: Vec<usize> = name.rmatch_indices('/').map(|(at, _)| at + 1).take(self.depth + 1).collect();
        if starts.len() <= self.depth {
            starts.push(0);
        }
        let mut reversed: Vec<u8> = name.bytes().rev().collect();
        let whole = starts.into_iter().rev().filter(|&at| may_start(name, at, home));
        let mut whole = whole.map(|at| self.only(&reversed[..name.len() - at], |form, path| form == path));
        whole.find(|found| *found != Match::None).unwrap_or_else(|| {
            reversed.push(b'/');
            self.only(&reversed, <[u8]>::starts_with)
        })
    }

    /// The only file with a path that matches `wanted`, or two of several files. Matching paths are neighbors.
    fn only(&self, wanted: &[u8], matches: impl Fn(&[u8], &[u8]) -> bool) -> Match {
        let of = |form: &Form| (form.front, form.of(&self.reversed));
        let start = self.sorted.partition_point(|form| of(form) < (front(wanted), wanted));
        let found = self.sorted[start..].iter().take_while(|form| matches(form.of(&self.reversed), wanted));
        let mut numbers = found.map(|form| form.number as usize);
        let Some(first) = numbers.next() else { return Match::None };
        let other = numbers.find(|&number| number != first);
        other.map_or(Match::One(first), |other| Match::Several(first.min(other), first.max(other)))
    }
}

impl Form {
    /// Its reversed bytes.
    fn of<'a>(&self, reversed: &'a [u8]) -> &'a [u8] {
        &reversed[self.start..self.start + self.len as usize]
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
        let home = name_of(&root.canonicalize().unwrap_or_else(|_| root.to_path_buf()));
        Self { files, home, exact, lower: OnceLock::new(), other_case: Mutex::new(None) }
    }

    /// Looks up a listed name.
    pub fn find(&self, listed: &str) -> Match {
        let name = composed(&listed.trim_matches(['"', '\'']).replace('\\', "/"));
        let name = name.trim_start_matches("./");
        if name.split('/').any(|part| part == "..") {
            return Match::None;
        }
        let exact = self.exact.find(name, &self.home);
        if exact != Match::None || name.is_empty() {
            return exact;
        }
        let lower = |(number, path): &(usize, String)| (*number, Cow::from(path.to_lowercase()));
        let found = self
            .lower
            .get_or_init(|| Forms::of(self.files.iter().map(lower)))
            .find(&name.to_lowercase(), &self.home.to_lowercase());
        if let Match::One(number) = found {
            let mut first = self.other_case.lock().unwrap_or_else(PoisonError::into_inner);
            if first.as_ref().is_none_or(|(first, _)| name < first.as_str()) {
                *first = Some((name.to_string(), number));
            }
        }
        found
    }

    /// The file with the longest ending of a path or an address of another machine, such as `images/x.jpg` for
    /// `/label-studio/data/upload/1/x.jpg` or `s3://bucket/x.jpg?sig=1`. A file in another part than that of the path
    /// does not match. In a folder that is named neither after images nor after a part, the file name alone does not
    /// match, because such folders may hold different files of one name.
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
        let said = reading::read(Path::new(listed)).part;
        let path = self.files.iter().find(|(known, _)| *known == number).map_or("", |(_, path)| path);
        let reading = reading::read(Path::new(path));
        let contradicts = said.is_some() && reading.part.is_some() && said != reading.part;
        let is_plain = ending.contains('/') || reading.rest.is_empty();
        if is_plain && !contradicts { Match::One(number) } else { Match::None }
    }

    /// Looks up the name at the start of a line, and returns the match and the rest of the line.
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
        // `pic 7.png` is not a line about `pic.png`.
        let is_other_file = !is_image(Path::new(name)) && is_image(Path::new(rest)) && self.find(rest) == Match::None;
        if found == Match::None || is_other_file { (whole, "") } else { (found, rest) }
    }

    /// Whether a text names at least two images.
    pub fn is_used_by(&self, text: &str) -> bool {
        let fields = text.split(['"', ',', ';', '|', ':', '\t', '\n', '\r', '[', ']', '{', '}']).map(str::trim);
        let fields = fields.filter(|field| !field.is_empty());
        // An image and its mask may have one name.
        let named = fields.filter(|field| self.find(field) != Match::None);
        // A name with blanks that stands before its part.
        let lines = text.lines().map(str::trim).filter(|line| line.len() <= LONGEST_NAME);
        let first = lines.filter_map(|line| match self.find_first(line) {
            (Match::None, _) => None,
            (_, rest) => Some(line[..line.len() - rest.len()].trim_end_matches([' ', '\t', ',', ';'])),
        });
        named.chain(first).collect::<BTreeSet<_>>().len() >= FEWEST_NAMES
    }

    /// A note that some listed names differ from their files in case, with the first of them.
    pub fn note(&self) -> Option<String> {
        let first = self.other_case.lock().unwrap_or_else(PoisonError::into_inner);
        let (listed, number) = first.as_ref()?;
        let (_, path) = self.files.iter().find(|(known, _)| known == number)?;
        Some(format!("listed names have another case than their files, such as '{listed}' for '{path}'"))
    }
}

/// Whether the path of a file may start at `at` in a listed name. The `0.png` in `y/0.png` is not the `0.png` of the
/// set, unless `y` is the folder of the set or the name is an absolute path.
fn may_start(name: &str, at: usize, home: &str) -> bool {
    let (before, rest) = name.split_at(at);
    let is_absolute = name.starts_with('/') || name.chars().nth(1) == Some(':');
    let folder = before.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    at == 0 || rest.contains('/') || is_absolute || folder == home
}

fn without_extension(path: &str) -> Option<&str> {
    let at = path.rfind('.')?;
    (at > path.rfind('/').map_or(0, |slash| slash + 1)).then(|| &path[..at])
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn listed_names_find_their_files() {
        let root = Path::new("/r");
        let paths = ["images/im 0.png", "images/b.png", "train/x.png", "val/x.png", "val/cafe\u{301}.png", "c.png"]
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
            ("y/c.png", Match::None),
            ("r/c.png", Match::One(5)),
            ("/mnt/c.png", Match::One(5)),
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
        let note = "listed names have another case than their files, such as 'Images/b' for 'images/B.png'";
        assert_eq!(index.note().as_deref(), Some(note));
    }
}
