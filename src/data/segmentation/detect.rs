//! Detects the classes of masks without a class list.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::class_list::{ClassList, IGNORED, color_table, voc_color};
use super::coding::Coding;
use super::found::Pair;
use super::mask::MaskSource;
use super::raw::{RawMask, Samples, Stored};
use super::values::{self, Values};
use crate::data::{DataError, ImageProblem, one_line};

/// Largest number of classes in an 8-bit mask, without the ignored value.
const MAX_CLASSES: usize = 255;

/// Content of all masks of a set.
#[derive(Default)]
struct Seen {
    /// Values of the files that store values.
    values: Values,
    /// Greys of the files that store colors, all grey.
    greys: Values,
    /// Pixels of each color in the other files.
    colors: BTreeMap<[u8; 3], u64>,
    color_files: usize,
    /// The first file of colors.
    first_of_colors: Option<PathBuf>,
}

impl Seen {
    fn of(path: &Path, raw: RawMask) -> Self {
        let mut seen = Self::default();
        let width = raw.width as usize;
        match raw.stored {
            Stored::Values(values, palette) => seen.values = Values::of(path, &values, width, palette),
            Stored::Colors(colors) if colors.iter().all(|[r, g, b]| r == g && g == b) => {
                let values: Vec<u8> = colors.iter().map(|color| color[0]).collect();
                seen.greys = Values::of(path, &values, width, None);
            }
            Stored::Colors(colors) => {
                for run in colors.chunk_by(|a, b| a == b) {
                    // A photograph has tens of thousands of colors. A few above the limit are enough.
                    if seen.colors.len() <= MAX_CLASSES || seen.colors.contains_key(&run[0]) {
                        *seen.colors.entry(run[0]).or_default() += run.len() as u64;
                    }
                }
                seen.color_files = 1;
                seen.first_of_colors = Some(path.to_path_buf());
            }
        }
        seen
    }

    fn plus(mut self, other: Self) -> Self {
        self.values = self.values.plus(other.values);
        self.greys = self.greys.plus(other.greys);
        for (color, pixels) in other.colors {
            if self.colors.len() <= MAX_CLASSES || self.colors.contains_key(&color) {
                *self.colors.entry(color).or_default() += pixels;
            }
        }
        self.color_files += other.color_files;
        self.first_of_colors = self.first_of_colors.or(other.first_of_colors);
        self
    }
}

/// The error for masks of which some files store values, without a palette of colors, and others colors.
fn two_notations(root: &Path, seen: &Seen) -> Option<DataError> {
    let colors = seen.first_of_colors.as_ref().filter(|_| seen.values.palette.is_none())?;
    let is_number = |(_, held): &&(PathBuf, [bool; 256])| held[1..].iter().any(|held| *held);
    let (values, _) = seen.values.files.iter().find(is_number)?;
    let problem = format!(
        "its masks use two notations: values in files such as {}, colors in files such as {}; write all masks in one, or \
         list the classes with their values and colors in a classes.toml",
        values.display(),
        colors.display()
    );
    Some(DataError::malformed(root, problem))
}

/// Reads every mask, and returns the coding and remarks. Unreadable ones are reported when the set is prepared.
///
/// # Errors
/// Where no mask can be read, masks have two readings, too many colors, or a single class.
pub(super) fn detect(root: &Path, parts: &[&[Pair]]) -> Result<(Coding, Vec<String>), DataError> {
    let pairs: Vec<&Pair> = parts.iter().flat_map(|part| part.iter()).collect();
    let read = |pair: &&Pair| {
        let path = Path::new(&pair.mask.name()).to_path_buf();
        pair.mask.read(&pair.image, pair.posture, Samples::Numbers).map(|raw| Seen::of(&path, raw))
    };
    let seen: Vec<_> = pairs.par_iter().map(read).collect();
    let first_problem =
        seen.iter().zip(&pairs).find_map(|(one, pair)| Some((pair.mask.name(), one.as_ref().err()?.clone())));
    let mut seen = seen.into_iter().flatten().fold(Seen::default(), Seen::plus);
    let value_files = seen.values.files.len();
    if value_files + seen.greys.files.len() + seen.color_files == 0 {
        let threshold = matches!(first_problem, Some((_, ImageProblem::LossyMask(_)))).then_some(128);
        let first = first_problem.map(|(name, problem)| format!("; the first: {name}: {problem}")).unwrap_or_default();
        let problem = format!(
            "none of the {} masks can be read; a mask is a PNG, BMP, GIF or TIFF of values up to 255{first}",
            pairs.len()
        );
        return Err(DataError::Masks { path: root.to_path_buf(), problem, threshold });
    }
    if let Some(error) = two_notations(root, &seen) {
        return Err(error);
    }
    if seen.color_files > value_files {
        // A mask of a set with colors may be all black.
        for (value, &pixels) in seen.greys.pixels.iter().enumerate().filter(|(_, pixels)| **pixels > 0) {
            *seen.colors.entry([value as u8; 3]).or_default() += pixels;
        }
        Ok((of_colors(root, &seen.colors)?, Vec::new()))
    } else {
        let values = seen.values.plus(seen.greys);
        Ok((values::coding(root, &values)?, values::numbers_of_objects(&values).into_iter().collect()))
    }
}

/// Largest number of masks that are read for the meaning of 255.
const LOOKED_AT: usize = 200;

/// The values in some of the masks, spread over the parts. Unreadable masks are reported when the set is prepared.
pub(super) fn values_in(parts: &[&[Pair]]) -> Values {
    let is_drawn = |pair: &&Pair| matches!(pair.mask, MaskSource::Drawn(_));
    let pairs: Vec<&Pair> = parts.iter().flat_map(|part| part.iter()).filter(|pair| !is_drawn(pair)).collect();
    let read = |pair: &&Pair| {
        let path = Path::new(&pair.mask.name()).to_path_buf();
        pair.mask.read(&pair.image, pair.posture, Samples::Numbers).map(|raw| Seen::of(&path, raw))
    };
    let step = pairs.len().div_ceil(LOOKED_AT).max(1);
    let looked_at: Vec<&Pair> = pairs.into_iter().step_by(step).collect();
    let seen = looked_at.par_iter().filter_map(|pair| read(pair).ok()).reduce(Seen::default, Seen::plus);
    seen.values.plus(seen.greys)
}

/// Compares a coding without stated ignored values with the values in the masks, and returns it with a remark.
///
/// # Errors
/// Where 255 may be ignored or a class.
pub(super) fn settle(root: &Path, parts: &[&[Pair]], coding: Coding) -> Result<(Coding, Option<String>), DataError> {
    if coding.values.is_none() || !coding.assumes_ignored || coding.by_brightness {
        return Ok((coding, None));
    }
    let seen = values_in(parts);
    let remark = first_value(root, &seen, &coding)?;
    Ok((settle_255(root, &seen, coding)?, remark))
}

/// Names of a first class that may well have no pixel.
const EMPTY_NAMES: [&str; 7] = ["background", "bg", "void", "unlabeled", "unlabelled", "other", "none"];

/// A remark where no mask has the value 0 of n classes with the values 0 to n - 1: the classes may count from 1.
///
/// # Errors
/// Where the masks have the values 1 to n: the classes count from 1, or n is a fault.
fn first_value(root: &Path, seen: &Values, coding: &Coding) -> Result<Option<String>, DataError> {
    let (Some(table), names) = (&coding.values, &coding.classes.names) else { return Ok(None) };
    let (count, source) = (names.len(), &coding.classes.source);
    let is_in_order = (0..count).all(|value| table[value] == Some(value as u8));
    let present = seen.present().into_iter().map(usize::from).filter(|value| table[*value] != Some(IGNORED));
    let present: Vec<usize> = present.collect();
    match present[..] {
        [first, ..] if first > 0 && is_in_order => {
            let last = present[present.len() - 1];
            if last == count && table[count].is_none() {
                let problem = format!(
                    "its masks have values from 1 to {count} and no 0, and the {count} classes from {source} have the values 0 to \
                     {}: either the classes count from 1 (give each its value in a classes.toml), or the value {count} is a fault",
                    count - 1
                );
                return Err(DataError::malformed(root, problem));
            }
            let name = one_line(&names[0]);
            let is_plain = EMPTY_NAMES.contains(&name.to_lowercase().as_str());
            Ok((!is_plain).then(|| {
                format!(
                    "no mask has the value 0, that of class '{name}': if the classes from {source} count from 1, give each its value \
                     in a classes.toml"
                )
            }))
        }
        _ => Ok(None),
    }
}

/// Decides what 255 means beside listed classes. By convention it is ignored. It is not certain where 255 covers areas and fewer
/// than two listed classes have a pixel: of two listed classes it is then the second.
///
/// # Errors
/// Where it may be ignored or one of several classes.
fn settle_255(root: &Path, seen: &Values, mut coding: Coding) -> Result<Coding, DataError> {
    let Some(table) = coding.values.as_mut() else { return Ok(coding) };
    let (present, highest) = (seen.present(), usize::from(IGNORED));
    let listed = |value: &u8| table[usize::from(*value)].filter(|&id| id != IGNORED);
    let with_pixels: Vec<u8> = present.iter().filter_map(listed).collect();
    if !present.contains(&IGNORED) || !seen.has_areas(IGNORED) || with_pixels.len() > 1 {
        return Ok(coding);
    }
    let names = &coding.classes.names;
    if names.len() == 2 && present == [0, IGNORED] && with_pixels == [0] {
        table[highest] = Some(1);
        coding.classes = Arc::new(ClassList { ignored: "nothing".into(), ..(*coding.classes).clone() });
        return Ok(coding);
    }
    let only = with_pixels.first().and_then(|&id| names.get(usize::from(id)));
    let only = only.map_or_else(|| "no listed class".into(), |name| format!("only class '{}'", one_line(name)));
    let problem = format!(
        "value 255 covers areas of its masks, and {only} of the {} classes from {} has pixels besides: 255 may be a class, or \
         ignored; give the class value = 255 in a classes.toml, or set ignore_index = 255 there",
        names.len(),
        coding.classes.source
    );
    Err(DataError::malformed(root, problem))
}

fn of_colors(root: &Path, colors: &BTreeMap<[u8; 3], u64>) -> Result<Coding, DataError> {
    let palette: Vec<[u8; 3]> = colors.keys().copied().collect();
    if palette.len() > MAX_CLASSES {
        let problem = "its masks hold more than 255 colors, so they are photographs or were saved with loss; \
                       list the classes and their colors in a classes.toml, or save the masks as PNG";
        return Err(DataError::malformed(root, problem));
    }
    let blends = blends(colors);
    let hex = |[r, g, b]: &[u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
    if !blends.is_empty() {
        let words: Vec<String> = blends.iter().take(6).map(hex).collect();
        let problem = format!(
            "its masks hold {} rare colors between others, such as {}; either they are the rims of classes, left by \
             scaling or compression (list the classes with their colors in a classes.toml and set nearest = true), or \
             classes themselves (list them there)",
            blends.len(),
            words.join(", ")
        );
        return Err(DataError::malformed(root, problem));
    }
    let names: Vec<String> = palette.iter().map(hex).collect();
    if let [only] = names.as_slice() {
        return Err(values::single_class(root, &format!("the color {only} alone")));
    }
    let source = "the colors in the masks; name them in a classes.toml".to_string();
    let classes = ClassList { names, palette: palette.clone(), ignored: "nothing".into(), source };
    Ok(Coding {
        classes: Arc::new(classes),
        values: None,
        colors: color_table(&palette),
        nearest: false,
        by_brightness: false,
        assumes_ignored: false,
    })
}

/// Colors that are likely blends: on the line between two frequent colors, with less than 1 % of the pixels, and not in
/// Pascal VOC's map.
fn blends(colors: &BTreeMap<[u8; 3], u64>) -> Vec<[u8; 3]> {
    let total: u64 = colors.values().sum();
    let is_frequent = |pixels: u64| 100 * pixels >= total;
    let frequent: Vec<[u8; 3]> = colors.iter().filter(|(_, n)| is_frequent(**n)).map(|(c, _)| *c).collect();
    let known: Vec<[u8; 3]> = (0..=255).map(voc_color).collect();
    let between = |color: &[u8; 3]| {
        frequent.iter().enumerate().any(|(k, a)| frequent[k + 1..].iter().any(|b| lies_between(color, a, b)))
    };
    let rare = colors.iter().filter(|(_, pixels)| !is_frequent(**pixels)).map(|(color, _)| *color);
    rare.filter(|color| !known.contains(color) && between(color)).collect()
}

/// Whether `c` is a blend of `a` and `b`, within 6 per channel.
fn lies_between(c: &[u8; 3], a: &[u8; 3], b: &[u8; 3]) -> bool {
    let of = |v: &[u8; 3]| v.map(f64::from);
    let (c, a, b) = (of(c), of(a), of(b));
    let [ab, ac]: [[f64; 3]; 2] = [std::array::from_fn(|k| b[k] - a[k]), std::array::from_fn(|k| c[k] - a[k])];
    let dot = |x: &[f64; 3], y: &[f64; 3]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let share = dot(&ab, &ac) / dot(&ab, &ab);
    (0.0..=1.0).contains(&share) && (0..3).all(|k| (ac[k] - share * ab[k]).abs() <= 6.0)
}
