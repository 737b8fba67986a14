//! Values and the colors that they show: whether all masks of a set agree on both.
//!
//! A palette gives each value a color, and a sample of 1, 2 or 4 bits is a grey of 0 to 255. Programs that make files
//! smaller keep the colors and change the values. In a set where one color has two values, or one value two colors,
//! either values or colors are the classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::class_list::IGNORED;
use super::raw::Shown;
use crate::data::DataError;

/// The kind of a file of values: its factor to 8-bit greys, or `None` for a palette.
type Kind = Option<u8>;

/// Number of links of palettes that are kept. Random palettes may give as many as files times classes.
const MOST: usize = 1 << 14;

/// The colors that values show, with the first file of each pair.
#[derive(Debug, Default)]
pub(super) struct Links {
    files: BTreeMap<(u8, [u8; 3], Kind), PathBuf>,
}

/// Two files that do not agree on values and colors.
#[derive(Debug, Clone)]
pub(super) struct Clash {
    words: String,
}

impl Links {
    /// The links of one file, without colors that several of its values show.
    pub fn of(path: &Path, values: impl Iterator<Item = u8>, shown: &Shown) -> Self {
        let kind = if let Shown::Greys(scale) = shown { Some(*scale) } else { None };
        let mut by_color: BTreeMap<[u8; 3], Vec<u8>> = BTreeMap::new();
        values.for_each(|value| by_color.entry(shown.color(value)).or_default().push(value));
        let only = by_color.into_iter().filter(|(_, values)| values.len() == 1);
        Self { files: only.map(|(color, values)| ((values[0], color, kind), path.to_path_buf())).collect() }
    }

    pub fn plus(mut self, other: Self) -> Self {
        for (link, file) in other.files {
            if link.2.is_some() || self.files.len() < MOST {
                self.files.entry(link).or_insert(file);
            }
        }
        self
    }

    /// Values other than 0 in grey files, the greys that they show, and a file of each.
    pub fn greys(&self) -> impl Iterator<Item = ([u8; 3], &Path)> {
        let are_grey = self.files.iter().filter(|((value, _, kind), _)| *value > 0 && kind.is_some());
        are_grey.map(|((_, color, _), file)| (*color, file.as_path()))
    }

    /// Two files in which a color has two values, or a value two colors. Value 255 is mostly ignored, so it may have
    /// any color in a palette. A value may have different colors in a palette and in a grey file, because the palette
    /// is for viewing.
    pub fn clash(&self) -> Option<Clash> {
        self.color_of_two_values().or_else(|| self.value_of_two_colors()).map(|words| Clash { words })
    }

    fn color_of_two_values(&self) -> Option<String> {
        let mut known: BTreeMap<[u8; 3], (u8, Kind, &Path)> = BTreeMap::new();
        self.files.iter().find_map(|((value, color, kind), file)| {
            let (first, of_first, at) = known.entry(*color).or_insert((*value, *kind, file));
            let words = || in_order((*first, at, *of_first), (*value, file, *kind));
            (first != value).then(words).map(|[(one, at), (other, file)]| {
                format!("{} is value {one} in {at} and value {other} in {file}", hex(color))
            })
        })
    }

    fn value_of_two_colors(&self) -> Option<String> {
        let mut known: BTreeMap<(u8, bool), ([u8; 3], Kind, &Path)> = BTreeMap::new();
        self.files.iter().find_map(|((value, color, kind), file)| {
            let (first, of_first, at) = known.entry((*value, kind.is_some())).or_insert((*color, *kind, file));
            let is_other = first != color && !(*value == IGNORED && kind.is_none());
            let words = || in_order((*first, at, *of_first), (*color, file, *kind));
            is_other.then(words).map(|[(one, at), (other, file)]| {
                format!("value {value} is {} in {at} and {} in {file}", hex(&one), hex(&other))
            })
        })
    }
}

fn hex([r, g, b]: &[u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Two facts with the names of their files, in the order of the files.
fn in_order<T>(first: (T, &Path, Kind), second: (T, &Path, Kind)) -> [(T, String); 2] {
    let (one, other) = if first.1 <= second.1 { (first, second) } else { (second, first) };
    [one, other].map(|(fact, file, kind)| (fact, named(file, kind)))
}

/// A file, with its bits where they are fewer than 8.
fn named(file: &Path, kind: Kind) -> String {
    let bits = match kind {
        Some(255) => " (1 bit a sample)",
        Some(85) => " (2 bits a sample)",
        Some(17) => " (4 bits a sample)",
        _ => "",
    };
    format!("{}{bits}", file.display())
}

impl Clash {
    /// The error where both the values and the colors may be the classes.
    pub fn refused(&self, root: &Path) -> DataError {
        let problem = format!(
            "the palettes or the bits of its masks differ: {}; either the values are the classes, or the colors that the files show \
             are; set coding = \"value\" or coding = \"color\" in a classes.toml",
            self.words
        );
        DataError::Masks { path: root.to_path_buf(), problem, threshold: None }
    }

    /// The note where one of the readings, `value` or `color`, is proved.
    pub fn settled(&self, by: &str) -> String {
        format!(
            "masks are read by {by}, because no other reading fits: {}; coding = \"value\" or \"color\" in a classes.toml decides \
             otherwise",
            self.words
        )
    }
}
