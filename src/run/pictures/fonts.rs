//! The font of each letter: a bundled one, else one from the system's folders of fonts, else none.
//!
//! | letter | drawn with |
//! |---|---|
//! | Latin, Greek, Cyrillic | Ubuntu, bundled: the same on every machine |
//! | emoji | Noto Emoji, bundled |
//! | of another script | the first font of the system that has an outline of it |
//! | that no font has | its number, such as `\u{732b}` |

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use ab_glyph::{Font, FontArc, FontRef, FontVec};

use super::script::in_drawing_order;

/// Limit on the bytes of fonts that are read to find letters.
const MOST_BYTES: u64 = 512 << 20;
/// Index of the font that draws blanks and the numbers of letters.
const BUNDLED: usize = 0;
/// Maximum depth below a folder of fonts.
const MOST_DEPTH: usize = 4;

/// Parts of the names of fonts that have letters of many scripts. These fonts are tried first.
const FIRST: [&str; 14] = [
    "notosanscjk",
    "sourcehansans",
    "droidsansfallback",
    "wqy",
    "pingfang",
    "hiragino",
    "msyh",
    "yugoth",
    "malgun",
    "unifont",
    "arialuni",
    "dejavusans.",
    "notosans",
    "segoeui",
];

/// A letter and the font that draws it.
pub(super) struct Letter {
    pub letter: char,
    pub font: FontArc,
    /// Index of the font. Letters of one font are kerned.
    pub number: usize,
}

/// The fonts, shared by all pictures, so that each letter is searched for once.
static FONTS: LazyLock<Mutex<Fonts>> = LazyLock::new(|| Mutex::new(Fonts::new(system_folders())));

/// The letters of a text from left to right, each with its font.
pub(super) fn letters(text: &str) -> Vec<Letter> {
    FONTS.lock().unwrap_or_else(PoisonError::into_inner).letters(text)
}

/// A note on the letters that no font has, which pictures show as numbers. A second call omits them.
pub fn take_missing() -> Option<String> {
    let missing = std::mem::take(&mut FONTS.lock().unwrap_or_else(PoisonError::into_inner).missing);
    if missing.is_empty() {
        return None;
    }
    let shown: String = missing.iter().take(20).collect();
    let more = if missing.len() > 20 { "…" } else { "" };
    Some(format!(
        "no font of this machine has {shown}{more}: pictures show their numbers, such as {}",
        number(shown.chars().next()?)
    ))
}

fn number(letter: char) -> String {
    format!("\\u{{{:x}}}", u32::from(letter))
}

/// Fonts, and the fonts of known letters.
struct Fonts {
    /// The bundled fonts, then those that were read.
    all: Vec<FontArc>,
    /// The font of each letter so far; `None` if no font has it.
    known: HashMap<char, Option<usize>>,
    folders: Vec<PathBuf>,
    /// Files to read; `None` before the folders are listed.
    files: Option<Vec<PathBuf>>,
    bytes: u64,
    missing: BTreeSet<char>,
}

impl Fonts {
    fn new(folders: Vec<PathBuf>) -> Self {
        let all = [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::NOTO_EMOJI_REGULAR]
            .into_iter()
            .filter_map(|bytes| FontRef::try_from_slice(bytes).ok().map(FontArc::from))
            .collect();
        let (known, files, bytes, missing) = Default::default();
        Self { all, known, folders, files, bytes, missing }
    }

    fn letters(&mut self, text: &str) -> Vec<Letter> {
        let mut letters = Vec::new();
        for letter in in_drawing_order(text) {
            match self.font_of(letter) {
                Some(number) => letters.push(self.letter(letter, number)),
                None => {
                    self.missing.insert(letter);
                    letters.extend(number(letter).chars().map(|digit| self.letter(digit, BUNDLED)));
                }
            }
        }
        letters
    }

    fn letter(&self, letter: char, number: usize) -> Letter {
        Letter { letter, font: self.all[number].clone(), number }
    }

    fn font_of(&mut self, letter: char) -> Option<usize> {
        // Blanks and control characters have no outline.
        if letter.is_whitespace() || letter.is_control() {
            return Some(BUNDLED);
        }
        if let Some(known) = self.known.get(&letter) {
            return *known;
        }
        let font = self.all.iter().position(|font| has(font, letter)).or_else(|| self.search(letter));
        self.known.insert(letter, font);
        font
    }

    /// Reads fonts until one has the letter.
    fn search(&mut self, letter: char) -> Option<usize> {
        let files = self.files.get_or_insert_with(|| {
            let mut files: Vec<PathBuf> = self.folders.iter().flat_map(|folder| below(folder, 0)).collect();
            files.sort_by_key(|path| (rank(path), path.clone()));
            files.dedup();
            files.reverse();
            files
        });
        while let Some(path) = files.pop() {
            let size = fs::metadata(&path).map_or(0, |file| file.len());
            if self.bytes + size > MOST_BYTES {
                continue;
            }
            self.bytes += size;
            if let Some(font) = face(&path) {
                self.all.push(font);
                if self.all.last().is_some_and(|font| has(font, letter)) {
                    return Some(self.all.len() - 1);
                }
            }
        }
        None
    }
}

/// Whether a font has an outline of a letter. Fonts of colored bitmaps have no outlines.
fn has(font: &FontArc, letter: char) -> bool {
    let glyph = font.glyph_id(letter);
    glyph.0 != 0 && font.outline(glyph).is_some()
}

/// The font of a file, or the first of a collection; `None` if the file is damaged. The other fonts of a collection
/// have the same letters in another country's form.
fn face(path: &Path) -> Option<FontArc> {
    FontVec::try_from_vec_and_index(fs::read(path).ok()?, 0).ok().map(FontArc::from)
}

/// Files of fonts below a folder, sorted.
fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    let known = ["ttf", "otf", "ttc", "otc"];
    let is_font = |path: &PathBuf| path.extension().is_some_and(|e| known.iter().any(|k| e.eq_ignore_ascii_case(k)));
    let mut files = Vec::new();
    for path in entries {
        if is_font(&path) {
            files.push(path);
        } else if depth < MOST_DEPTH && path.is_dir() {
            files.extend(below(&path, depth + 1));
        }
    }
    files
}

/// Place of a file in the search: those with letters of many scripts first, slanted and bold ones last.
fn rank(path: &Path) -> usize {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase().replace(['-', '_', ' '], "");
    let place = FIRST.iter().position(|part| name.contains(part)).unwrap_or(FIRST.len());
    let is_odd = ["bold", "italic", "oblique", "mono", "serif", "light", "thin"].iter().any(|part| name.contains(part));
    2 * place + usize::from(is_odd)
}

/// The system's folders of fonts.
fn system_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = match std::env::consts::OS {
        "macos" => ["/System/Library/Fonts", "/Library/Fonts"].map(PathBuf::from).to_vec(),
        "windows" => std::env::var_os("WINDIR").map(|root| PathBuf::from(root).join("Fonts")).into_iter().collect(),
        _ => ["/usr/share/fonts", "/usr/local/share/fonts"].map(PathBuf::from).to_vec(),
    };
    if let Some(home) = std::env::home_dir() {
        let own = ["Library/Fonts", ".fonts", ".local/share/fonts", "AppData/Local/Microsoft/Windows/Fonts"];
        folders.extend(own.map(|name| home.join(name)));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(fonts: &mut Fonts, text: &str) -> String {
        fonts.letters(text).into_iter().map(|one| one.letter).collect()
    }

    /// A letter that the bundled fonts lack and Hack has.
    fn foreign() -> char {
        let hack = FontArc::try_from_slice(epaint_default_fonts::HACK_REGULAR).unwrap();
        let fonts = Fonts::new(vec![]);
        let lacks = |letter: &char| !fonts.all.iter().any(|font| has(font, *letter));
        ('\u{100}'..'\u{ffff}').find(|letter| lacks(letter) && has(&hack, *letter)).unwrap()
    }

    /// A system font in any folder draws the letters that it has. Letters without a font are drawn as numbers, and a
    /// note names them.
    #[test]
    fn letters_are_drawn_with_a_font_that_has_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("damaged.ttf"), b"no font").unwrap();
        fs::write(folder.path().join("deep/hack.TTF"), epaint_default_fonts::HACK_REGULAR).unwrap();
        let (letter, text) = (foreign(), format!("a {} 😀", foreign()));
        let mut with = Fonts::new(vec![folder.path().join("gone"), folder.path().into()]);
        assert_eq!(drawn(&mut with, &text), text);
        assert!(with.letters(&text).iter().all(|one| one.letter == ' ' || has(&one.font, one.letter)), "no box");
        assert!(with.missing.is_empty());
        let mut without = Fonts::new(vec![]);
        assert_eq!(drawn(&mut without, &text), format!("a \\u{{{:x}}} 😀", u32::from(letter)));
        assert!(without.letters(&text).iter().all(|one| one.letter == ' ' || has(&one.font, one.letter)), "no box");
        assert_eq!(without.missing.iter().collect::<Vec<_>>(), [&letter]);
    }
}
