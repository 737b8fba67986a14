//! What the masks of a set hold: their values, and the colors that these show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::class_files::Wishes;
use super::coding::shows_greys;
use super::colors::Colors;
use super::counts::{Count, Values};
use super::notation::Links;
use super::raw::{RawMask, Shown, Stored};

/// Content of masks.
#[derive(Default)]
pub(super) struct Seen {
    /// Values of the files that store values.
    pub values: Values,
    /// Greys that the files of values show, for those that show only greys.
    pub shown: Values,
    /// Greys of the files that store colors, if all of these are grey.
    pub greys: Values,
    /// Colors of palettes that are not grey.
    pub palettes: Colors,
    /// Colors of the other files.
    pub colors: Colors,
    pub color_files: usize,
    /// The first file of colors.
    pub first_of_colors: Option<PathBuf>,
    pub links: Links,
}

impl Seen {
    pub fn of(path: &Path, raw: RawMask) -> Self {
        let mut seen = Self::default();
        let width = raw.width as usize;
        match raw.stored {
            Stored::Values(values, shown) => {
                let colors: Vec<[u8; 3]> = values.iter().map(|&value| shown.color(value)).collect();
                seen.shown_by(path, &colors, width, shows_greys(&shown, &values));
                seen.values = Values::of(path, &values, width, &shown);
                seen.links = Links::of(path, seen.values.present().into_iter(), &shown);
            }
            Stored::Colors(colors) if colors.iter().all(|[r, g, b]| r == g && g == b) => {
                let values: Vec<u8> = colors.iter().map(|color| color[0]).collect();
                seen.greys = Values::of(path, &values, width, &Shown::Greys(1));
                seen.links = Links::of(path, seen.greys.present().into_iter(), &Shown::Greys(1));
            }
            Stored::Colors(colors) => {
                seen.colors = Colors::of(&colors, width);
                seen.color_files = 1;
                seen.first_of_colors = Some(path.to_path_buf());
            }
        }
        seen
    }

    /// Adds the colors that a file of values shows.
    fn shown_by(&mut self, path: &Path, colors: &[[u8; 3]], width: usize, are_grey: bool) {
        if are_grey {
            let greys: Vec<u8> = colors.iter().map(|color| color[0]).collect();
            self.shown = Values::of(path, &greys, width, &Shown::Greys(1));
        } else {
            self.palettes = Colors::of(colors, width);
        }
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            values: self.values.plus(other.values),
            shown: self.shown.plus(other.shown),
            greys: self.greys.plus(other.greys),
            palettes: self.palettes.plus(other.palettes),
            colors: self.colors.plus(other.colors),
            color_files: self.color_files + other.color_files,
            first_of_colors: self.first_of_colors.or(other.first_of_colors),
            links: self.links.plus(other.links),
        }
    }

    pub fn has_files(&self) -> bool {
        !self.values.files.is_empty() || !self.greys.files.is_empty() || self.color_files > 0
    }

    /// This content without the ignored values and the ignored color.
    pub fn without(mut self, wishes: &Wishes) -> Self {
        for values in [&mut self.values, &mut self.shown, &mut self.greys] {
            wishes.ignored.iter().for_each(|&value| values.remove(value));
        }
        for colors in [&mut self.palettes, &mut self.colors] {
            wishes.ignored_color.iter().for_each(|color| colors.remove(color));
        }
        self
    }

    /// All colors, with the greys.
    pub fn all_colors(&self) -> Colors {
        let counted = self.shown.counts().chain(self.greys.counts());
        let greys: BTreeMap<[u8; 3], Count> = counted.fold(BTreeMap::new(), |mut all, (grey, one)| {
            let count = all.entry([grey; 3]).or_default();
            *count = count.plus(one);
            all
        });
        Colors::default().plus(Colors::of_counts(greys)).plus(self.palettes.clone()).plus(self.colors.clone())
    }
}
