//! The classes of masks of colors, if no file lists them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::class_list::{ClassList, color_table, voc_color};
use super::coding::Coding;
use super::raw::Samples;
use super::values::{each_inner, single_class};
use crate::data::DataError;

/// Largest number of classes in a mask, without the ignored value.
const MAX_CLASSES: usize = 255;

/// Pixels of each color, and those whose eight neighbors have the same color.
#[derive(Debug, Clone, Default)]
pub(super) struct Colors(BTreeMap<[u8; 3], [u64; 2]>);

impl Colors {
    pub fn of(colors: &[[u8; 3]], width: usize) -> Self {
        let mut found = Self::default();
        for run in colors.chunk_by(|a, b| a == b) {
            found.add(run[0], [run.len() as u64, 0]);
        }
        if found.0.len() <= MAX_CLASSES {
            each_inner(colors, width, |color| {
                if let Some(count) = found.0.get_mut(&color) {
                    count[1] += 1;
                }
            });
        }
        found
    }

    pub fn of_counts(counts: BTreeMap<[u8; 3], [u64; 2]>) -> Self {
        Self(counts)
    }

    /// A photograph has tens of thousands of colors. A few above the limit are enough.
    fn add(&mut self, color: [u8; 3], [pixels, inner]: [u64; 2]) {
        if self.0.len() <= MAX_CLASSES || self.0.contains_key(&color) {
            let count = self.0.entry(color).or_default();
            *count = [count[0] + pixels, count[1] + inner];
        }
    }

    pub fn plus(mut self, other: Self) -> Self {
        other.0.into_iter().for_each(|(color, count)| self.add(color, count));
        self
    }

    pub fn remove(&mut self, color: &[u8; 3]) {
        self.0.remove(color);
    }

    pub fn has(&self, color: &[u8; 3]) -> bool {
        self.0.contains_key(color)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn each(&self) -> impl Iterator<Item = &[u8; 3]> {
        self.0.keys()
    }

    /// Whether each of these has less than 1 % of the pixels.
    fn are_rare(&self, colors: &[[u8; 3]]) -> bool {
        let total: u64 = self.0.values().map(|[pixels, _]| pixels).sum();
        colors.iter().filter_map(|color| self.0.get(color)).all(|[pixels, _]| 100 * pixels < total)
    }

    /// Colors that are likely blends: on the line between two others, and not in Pascal VOC's map. They have less than 1 % of the
    /// pixels between frequent ones, or no areas between ones with areas.
    fn blends(&self) -> Vec<[u8; 3]> {
        let total: u64 = self.0.values().map(|[pixels, _]| pixels).sum();
        let is_frequent = |[pixels, _]: &[u64; 2]| 100 * pixels >= total;
        let has_areas = |[pixels, inner]: &[u64; 2]| 5 * inner >= *pixels;
        let those = |fits: &dyn Fn(&[u64; 2]) -> bool| -> Vec<[u8; 3]> {
            self.0.iter().filter(|(_, count)| fits(count)).map(|(color, _)| *color).collect()
        };
        let (frequent, areas) = (those(&is_frequent), those(&has_areas));
        let known: Vec<[u8; 3]> = (0..=255).map(voc_color).collect();
        let between = |color: &[u8; 3], ends: &[[u8; 3]]| {
            ends.iter().enumerate().any(|(k, a)| ends[k + 1..].iter().any(|b| lies_between(color, a, b)))
        };
        let is_blend = |(color, count): &(&[u8; 3], &[u64; 2])| {
            !known.contains(color)
                && (!is_frequent(count) && between(color, &frequent) || !has_areas(count) && between(color, &areas))
        };
        self.0.iter().filter(is_blend).map(|(color, _)| *color).collect()
    }
}

/// A class for each color. With `nearest`, blends of two colors are none.
///
/// # Errors
/// Where there are too many colors, a single one, or blends.
pub(super) fn coding(root: &Path, colors: &Colors, nearest: bool) -> Result<Coding, DataError> {
    let blends = colors.blends();
    let palette: Vec<[u8; 3]> = colors.each().filter(|color| !(nearest && blends.contains(color))).copied().collect();
    if palette.len() > MAX_CLASSES {
        let problem = "its masks hold more than 255 colors, so they are photographs or were saved with loss; \
                       list the classes and their colors in a classes.toml, or save the masks as PNG";
        return Err(DataError::malformed(root, problem));
    }
    let hex = |[r, g, b]: &[u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    if !blends.is_empty() && !nearest {
        let words: Vec<String> = blends.iter().take(6).map(hex).collect();
        let kind = if colors.are_rare(&blends) { "rare colors" } else { "colors without areas of their own" };
        let problem = format!(
            "its masks hold {} {kind} between others, such as {}; either they are the rims of classes, left by scaling or \
             compression (set nearest = true in a classes.toml, best beside a list of the classes with their colors), or classes \
             themselves (list them there)",
            blends.len(),
            words.join(", ")
        );
        return Err(DataError::malformed(root, problem));
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
