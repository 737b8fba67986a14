//! Counts of the values in masks.
//!
//! A value has **areas** if at least 20 % of its pixels have eight neighbors of the same value. Greys at edges, made by
//! scaling or JPEG, have no areas.

use std::path::{Path, PathBuf};

use super::raw::Shown;

/// Values in all masks of a set.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// Pixels of each value.
    pub(super) pixels: Box<[u64; 256]>,
    /// Pixels of each value whose eight neighbors have the same value.
    pub(super) inner: Box<[u64; 256]>,
    pub files: Vec<FileValues>,
    pub palette: Option<Vec<[u8; 3]>>,
}

/// Counts of a value or a color in all masks of a set.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub pixels: u64,
    /// Pixels whose eight neighbors have the same value.
    pub inner: u64,
    pub files: u64,
}

impl Count {
    pub fn plus(self, other: Self) -> Self {
        Self { pixels: self.pixels + other.pixels, inner: self.inner + other.inner, files: self.files + other.files }
    }

    /// Whether these are a few pixels in one file, of `total` pixels in the set: a slip of the pen, or a very rare
    /// class.
    pub fn is_stray(self, total: u64) -> bool {
        const FEW: u64 = 4;
        const SCATTERED: u64 = 16;
        let most = if self.inner == 0 { SCATTERED } else { FEW };
        self.files == 1 && self.pixels <= most && 500 * self.pixels < total
    }
}

/// The values in a file.
#[derive(Debug, Clone)]
pub(super) struct FileValues {
    pub path: PathBuf,
    pub held: [bool; 256],
    /// Whether the file has a palette of other colors than the greys of its values.
    pub has_palette: bool,
}

impl Default for Values {
    fn default() -> Self {
        let zeros = || Box::new([0; 256]);
        Self { pixels: zeros(), inner: zeros(), files: Vec::new(), palette: None }
    }
}

/// Calls `found` with each pixel whose eight neighbors equal it.
pub(super) fn each_inner<T: Copy + PartialEq>(pixels: &[T], width: usize, mut found: impl FnMut(T)) {
    let rows: Vec<&[T]> = pixels.chunks_exact(width.max(1)).collect();
    for three in rows.windows(3) {
        for (at, middle) in three[1].windows(3).enumerate() {
            let value = middle[1];
            if three.iter().all(|row| row[at..at + 3] == [value; 3]) {
                found(value);
            }
        }
    }
}

impl Values {
    pub fn of(path: &Path, values: &[u8], width: usize, shown: &Shown) -> Self {
        let mut found = Self { palette: shown.palette().cloned(), ..Self::default() };
        values.iter().for_each(|&v| found.pixels[usize::from(v)] += 1);
        each_inner(values, width, |value| found.inner[usize::from(value)] += 1);
        let held = std::array::from_fn(|v| found.pixels[v] > 0);
        found.files.push(FileValues { path: path.to_path_buf(), held, has_palette: found.palette.is_some() });
        found
    }

    pub fn plus(mut self, other: Self) -> Self {
        self.pixels.iter_mut().zip(other.pixels.iter()).for_each(|(a, b)| *a += b);
        self.inner.iter_mut().zip(other.inner.iter()).for_each(|(a, b)| *a += b);
        self.files.extend(other.files);
        self.palette = self.palette.or(other.palette);
        self
    }

    /// Forgets a value.
    pub fn remove(&mut self, value: u8) {
        let at = usize::from(value);
        (self.pixels[at], self.inner[at]) = (0, 0);
        self.files.iter_mut().for_each(|file| file.held[at] = false);
    }

    /// Each value with its counts.
    pub fn counts(&self) -> impl Iterator<Item = (u8, Count)> {
        self.present().into_iter().map(|v| (v, self.count(v)))
    }

    pub fn count(&self, value: u8) -> Count {
        let at = usize::from(value);
        let files = self.files.iter().filter(|file| file.held[at]).count() as u64;
        Count { pixels: self.pixels[at], inner: self.inner[at], files }
    }

    pub fn present(&self) -> Vec<u8> {
        (0..=255u8).filter(|&v| self.pixels[usize::from(v)] > 0).collect()
    }

    pub fn share(&self, values: impl IntoIterator<Item = u8>) -> f64 {
        let pixels: u64 = values.into_iter().map(|v| self.pixels[usize::from(v)]).sum();
        pixels as f64 / self.pixels.iter().sum::<u64>().max(1) as f64
    }

    /// Whether a value has areas. In masks too small for areas, 5 % of the pixels count as one.
    pub fn has_areas(&self, value: u8) -> bool {
        let at = usize::from(value);
        match self.inner.iter().all(|&inner| inner == 0) {
            true => self.share([value]) >= 0.05,
            false => self.share([value]) >= 0.005 && 5 * self.inner[at] >= self.pixels[at],
        }
    }

    pub fn file_with(&self, value: u8) -> String {
        let named = |file: &FileValues| file.held[usize::from(value)].then(|| file.path.display().to_string());
        self.files.iter().find_map(named).unwrap_or_default()
    }

    /// `254 (0.08 % of the pixels)` for the most frequent of some values.
    pub fn words(&self, values: &[u8]) -> String {
        const SHOWN: usize = 6;
        let mut sorted = values.to_vec();
        sorted.sort_by_key(|&v| std::cmp::Reverse(self.pixels[usize::from(v)]));
        let word = |&v: &u8| format!("{v} ({:.2} % of the pixels)", 100.0 * self.share([v]));
        let mut words: Vec<String> = sorted.iter().take(SHOWN).map(word).collect();
        if sorted.len() > SHOWN {
            words.push(format!("{} more", sorted.len() - SHOWN));
        }
        words.join(", ")
    }
}
