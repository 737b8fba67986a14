//! The classes of masks of colors, if no file lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::class_list::{ClassList, color_table, voc_color};
use super::coding::Coding;
use super::counts::{Count, each_inner};
use super::raw::Samples;
use super::values::single_class;
use crate::data::DataError;

/// Largest number of classes in a mask, without the ignored value.
const MAX_CLASSES: usize = 255;
/// Largest difference of a channel between colors that hardly differ. Fewer bits and other rounding make such ones.
const NEAR: u8 = 2;

/// The colors of masks.
#[derive(Debug, Clone, Default)]
pub(super) struct Colors {
    counts: BTreeMap<[u8; 3], Count>,
    /// Pairs of colors that hardly differ and share a file.
    together: BTreeSet<[[u8; 3]; 2]>,
}

impl Colors {
    pub fn of(colors: &[[u8; 3]], width: usize) -> Self {
        let mut found = Self::default();
        for run in colors.chunk_by(|a, b| a == b) {
            found.add(run[0], Count { pixels: run.len() as u64, ..Count::default() });
        }
        if found.counts.len() <= MAX_CLASSES {
            each_inner(colors, width, |color| {
                if let Some(count) = found.counts.get_mut(&color) {
                    count.inner += 1;
                }
            });
            found.together = found.near_pairs().into_iter().collect();
        }
        found.counts.values_mut().for_each(|count| count.files = 1);
        found
    }

    pub fn of_counts(counts: BTreeMap<[u8; 3], Count>) -> Self {
        Self { counts, together: BTreeSet::new() }
    }

    /// A photograph has tens of thousands of colors. A few above the limit are enough.
    fn add(&mut self, color: [u8; 3], one: Count) {
        if self.counts.len() <= MAX_CLASSES || self.counts.contains_key(&color) {
            let count = self.counts.entry(color).or_default();
            *count = count.plus(one);
        }
    }

    pub fn plus(mut self, other: Self) -> Self {
        other.counts.into_iter().for_each(|(color, count)| self.add(color, count));
        self.together.extend(other.together);
        self
    }

    pub fn remove(&mut self, color: &[u8; 3]) {
        self.counts.remove(color);
    }

    /// Pairs of colors, not both grey, that differ by [`NEAR`] at most in each channel.
    fn near_pairs(&self) -> Vec<[[u8; 3]; 2]> {
        let is_grey = |[r, g, b]: &[u8; 3]| r == g && g == b;
        let is_near = |a: &[u8; 3], b: &[u8; 3]| {
            a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= NEAR) && !(is_grey(a) && is_grey(b))
        };
        let all: Vec<[u8; 3]> = self.counts.keys().copied().collect();
        let after =
            |(at, a): (usize, &[u8; 3])| all[at + 1..].iter().filter(|b| is_near(a, b)).map(|b| [*a, *b]).collect();
        all.iter().enumerate().flat_map(|one| -> Vec<[[u8; 3]; 2]> { after(one) }).collect()
    }

    /// Two colors that hardly differ and never share a file: one color written by two programs, or two classes. The
    /// rarer one is first.
    fn twins(&self) -> Option<[[u8; 3]; 2]> {
        let pair = self.near_pairs().into_iter().find(|pair| !self.together.contains(pair))?;
        let [a, b] = pair;
        Some(if self.counts[&a].pixels <= self.counts[&b].pixels { [a, b] } else { [b, a] })
    }

    fn total(&self) -> u64 {
        self.counts.values().map(|count| count.pixels).sum()
    }

    /// Colors of a few pixels in one file, beside colors with areas.
    fn strays(&self) -> Vec<[u8; 3]> {
        let (total, has_areas) = (self.total(), self.counts.values().any(|count| count.inner > 0));
        let strays = self.counts.iter().filter(|(_, count)| has_areas && count.is_stray(total));
        strays.map(|(color, _)| *color).collect()
    }

    pub fn has(&self, color: &[u8; 3]) -> bool {
        self.counts.contains_key(color)
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub fn each(&self) -> impl Iterator<Item = &[u8; 3]> {
        self.counts.keys()
    }

    fn stray_words(&self, color: &[u8; 3]) -> String {
        let (pixels, [r, g, b]) = (self.counts.get(color).map_or(0, |count| count.pixels), color);
        format!(
            "its masks hold the color {} in {pixels} pixels of one file alone: either they are a fault (correct the mask, or set \
             ignore_color = [{r}, {g}, {b}] in a classes.toml), or a class (list the classes with their colors there)",
            hex(color)
        )
    }

    /// Whether each of `colors` has less than 1 % of the pixels.
    fn are_rare(&self, colors: &[[u8; 3]]) -> bool {
        let total = self.total();
        colors.iter().filter_map(|color| self.counts.get(color)).all(|count| 100 * count.pixels < total)
    }

    /// Colors that are likely blends: on the line between two others, and not in Pascal VOC's map. They have less than
    /// 1 % of the pixels between frequent ones, or no areas between ones with areas.
    fn blends(&self) -> Vec<[u8; 3]> {
        let total = self.total();
        let is_frequent = |count: &Count| 100 * count.pixels >= total;
        let has_areas = |count: &Count| 5 * count.inner >= count.pixels;
        let those = |fits: &dyn Fn(&Count) -> bool| -> Vec<[u8; 3]> {
            self.counts.iter().filter(|(_, count)| fits(count)).map(|(color, _)| *color).collect()
        };
        let (frequent, areas) = (those(&is_frequent), those(&has_areas));
        let known: Vec<[u8; 3]> = (0..=255).map(voc_color).collect();
        let between = |color: &[u8; 3], ends: &[[u8; 3]]| {
            ends.iter().enumerate().any(|(k, a)| ends[k + 1..].iter().any(|b| lies_between(color, a, b)))
        };
        let is_blend = |(color, count): &(&[u8; 3], &Count)| {
            !known.contains(color)
                && (!is_frequent(count) && between(color, &frequent) || !has_areas(count) && between(color, &areas))
        };
        self.counts.iter().filter(is_blend).map(|(color, _)| *color).collect()
    }
}

/// A class for each color. With `nearest`, doubtful colors such as blends are not classes.
///
/// # Errors
/// Where there are too many colors, a single one, or blends.
pub(super) fn coding(root: &Path, colors: &Colors, nearest: bool) -> Result<Coding, DataError> {
    let (blends, strays, twins) = (colors.blends(), colors.strays(), colors.twins());
    let is_doubtful = |color: &[u8; 3]| {
        blends.contains(color) || strays.contains(color) || twins.is_some_and(|[rarer, _]| rarer == *color)
    };
    let palette: Vec<[u8; 3]> = colors.each().filter(|color| !(nearest && is_doubtful(color))).copied().collect();
    if palette.len() > MAX_CLASSES {
        let problem = "its masks hold more than 255 colors, so they are photographs or were saved with loss; \
                       list the classes and their colors in a classes.toml, or save the masks as PNG";
        return Err(DataError::malformed(root, problem));
    }
    if !blends.is_empty() && !nearest {
        let words: Vec<String> = blends.iter().take(6).map(hex).collect();
        let kind = if colors.are_rare(&blends) { "rare colors" } else { "colors without areas" };
        let problem = format!(
            "its masks hold {} {kind} between others, such as {}; either they are the rims of classes, left by scaling or \
             compression (set nearest = true in a classes.toml, best beside a list of the classes with their colors), or classes \
             themselves (list them there)",
            blends.len(),
            words.join(", ")
        );
        return Err(DataError::malformed(root, problem));
    }
    match (strays.first().filter(|_| !nearest), twins.filter(|_| !nearest)) {
        (Some(stray), _) => return Err(DataError::malformed(root, colors.stray_words(stray))),
        (None, Some([a, b])) => {
            let problem = format!(
                "its masks hold the colors {} and {}, which hardly differ and never stand in one mask: either they are one class (set \
                 nearest = true in a classes.toml, best beside a list of the classes with their colors), or two (list them there)",
                hex(&a),
                hex(&b)
            );
            return Err(DataError::malformed(root, problem));
        }
        (None, None) => {}
    }
    let names: Vec<String> = palette.iter().map(hex).collect();
    match names.as_slice() {
        [] => return Err(single_class(root, "ignored pixels alone")),
        [only] => return Err(single_class(root, &format!("the color {only} alone"))),
        _ => {}
    }
    let source = "the colors in the masks; name them in a classes.toml".to_string();
    let classes = ClassList { names, palette: palette.clone(), ignored: "nothing".into(), source };
    Ok(Coding {
        classes: Arc::new(classes),
        values: None,
        colors: color_table(&palette),
        nearest,
        samples: Samples::Colors,
        is_said: true,
        assumes_ignored: false,
    })
}

fn hex([r, g, b]: &[u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Whether `c` is a blend of `a` and `b`, within 6 per channel.
fn lies_between(c: &[u8; 3], a: &[u8; 3], b: &[u8; 3]) -> bool {
    if c == a || c == b {
        return false;
    }
    let of = |v: &[u8; 3]| v.map(f64::from);
    let (c, a, b) = (of(c), of(a), of(b));
    let [ab, ac]: [[f64; 3]; 2] = [std::array::from_fn(|k| b[k] - a[k]), std::array::from_fn(|k| c[k] - a[k])];
    let dot = |x: &[f64; 3], y: &[f64; 3]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let share = dot(&ab, &ac) / dot(&ab, &ab);
    (0.0..=1.0).contains(&share) && (0..3).all(|k| (ac[k] - share * ab[k]).abs() <= 6.0)
}
