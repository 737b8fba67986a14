//! Compares listed classes with the masks: whether their values or their colors are the listed ones, and what 255
//! means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::class_list::{ClassList, IGNORED};
use super::coding::Coding;
use super::counts::Values;
use super::found::Pair;
use super::habits;
use super::mask::MaskSource;
use super::raw::{RawMask, Samples, Shown, Stored};
use super::seen::Seen;
use crate::data::{DataError, one_line};

/// Largest number of masks that are read.
const LOOKED_AT: usize = 200;

/// Some of the masks, spread over the parts.
struct Looked {
    seen: Seen,
    /// Files whose values are not plain greys, with their values and the colors that these show.
    files: Vec<(PathBuf, Vec<u8>, Shown)>,
}

impl Looked {
    /// Unreadable masks are reported when the set is prepared.
    fn at(parts: &[&[Pair]]) -> Self {
        let is_drawn = |pair: &&Pair| matches!(pair.mask, MaskSource::Drawn(_));
        let pairs: Vec<&Pair> = parts.iter().flat_map(|part| part.iter()).filter(|pair| !is_drawn(pair)).collect();
        let read = |pair: &&Pair| {
            let path = PathBuf::from(pair.mask.name());
            let raw = pair.mask.read(&pair.image, pair.posture, Samples::Numbers).ok()?;
            let shown = match &raw.stored {
                Stored::Values(_, shown) if *shown != Shown::Greys(1) => Some(shown.clone()),
                _ => None,
            };
            let seen = Seen::of(&path, raw);
            let file = shown.map(|shown| (path, seen.values.present(), shown));
            Some(Self { seen, files: file.into_iter().collect() })
        };
        let step = pairs.len().div_ceil(LOOKED_AT).max(1);
        let looked_at: Vec<&Pair> = pairs.into_iter().step_by(step).collect();
        let none = || Self { seen: Seen::default(), files: vec![] };
        looked_at.par_iter().filter_map(read).reduce(none, |mut all, one| {
            all.files.extend(one.files);
            Self { seen: all.seen.plus(one.seen), files: all.files }
        })
    }

    /// The numbers in the masks, as a coding takes them.
    fn numbers(&self, samples: Samples) -> Values {
        let of_files = if samples == Samples::Numbers { &self.seen.values } else { &self.seen.shown };
        of_files.clone().plus(self.seen.greys.clone())
    }

    /// Whether every value of these masks has a class or is ignored.
    fn fits(&self, coding: &Coding) -> bool {
        let plain = |values: &Values| (PathBuf::new(), values.present(), Shown::Greys(1));
        let greys = [plain(&self.numbers(coding.samples))];
        let is_read = |(_, values, shown): &(PathBuf, Vec<u8>, Shown)| ids(coding, values, shown).is_some();
        self.files.iter().all(is_read)
            && (self.files.len() == self.seen.values.files.len() || greys.iter().all(is_read))
    }
}

/// The values in some of the masks, spread over the parts.
pub(super) fn values_in(parts: &[&[Pair]]) -> Values {
    Looked::at(parts).numbers(Samples::Numbers)
}

/// The classes of some values of a file; `None` if one of them has no class.
fn ids(coding: &Coding, values: &[u8], shown: &Shown) -> Option<Vec<u8>> {
    let raw = RawMask { width: values.len() as u32, height: 1, stored: Stored::Values(values.to_vec(), shown.clone()) };
    coding.apply(&raw).ok().map(image::GrayImage::into_raw)
}

/// Compares a coding with the masks, and returns it with remarks.
///
/// # Errors
/// Where the values or the colors may be the classes, or 255 may be ignored or a class.
pub(super) fn settle(root: &Path, parts: &[&[Pair]], coding: Coding) -> Result<(Coding, Vec<String>), DataError> {
    let is_open = !coding.is_said || coding.assumes_ignored;
    if coding.values.is_none() || coding.samples == Samples::Brightness || !is_open {
        return Ok((coding, vec![]));
    }
    let looked = Looked::at(parts);
    let said = coding.is_said;
    let by_value = numbered(root, &looked, coding.clone());
    if said || looked.files.is_empty() {
        return by_value;
    }
    let exact = Coding { samples: Samples::Colors, nearest: false, ..coding.clone() };
    let by_color = numbered(root, &looked, exact);
    let clash = looked.seen.links.clash();
    let fits =
        |read: &Result<(Coding, Vec<String>), DataError>| read.as_ref().is_ok_and(|(coding, _)| looked.fits(coding));
    match (fits(&by_value), fits(&by_color)) {
        (true, of_colors) => {
            if let Some(problem) = contradiction(&looked, &coding) {
                return Err(DataError::malformed(root, problem));
            }
            match clash.filter(|_| of_colors && differ(&looked, &by_value, &by_color)) {
                Some(clash) => Err(clash.refused(root)),
                None => by_value,
            }
        }
        (false, true) => by_color.map(|(read, mut notes)| {
            notes.push(
                "masks are read by the colors that they show, because their values are not those of the listed classes"
                    .into(),
            );
            (Coding { nearest: coding.nearest, ..read }, notes)
        }),
        (false, false) => by_value,
    }
}

/// Whether two readings give some value of a file different classes.
fn differ(
    looked: &Looked,
    one: &Result<(Coding, Vec<String>), DataError>,
    other: &Result<(Coding, Vec<String>), DataError>,
) -> bool {
    let (Ok((one, _)), Ok((other, _))) = (one, other) else { return false };
    looked.files.iter().any(|(_, values, shown)| ids(one, values, shown) != ids(other, values, shown))
}

/// The problem of a value of a palette whose color is listed for another class.
fn contradiction(looked: &Looked, coding: &Coding) -> Option<String> {
    let (table, colors) = (coding.values.as_ref()?, coding.colors.as_ref()?);
    let name = |id: u8| match coding.classes.names.get(usize::from(id)) {
        Some(name) => format!("class '{}'", one_line(name)),
        None => "ignored".into(),
    };
    looked.files.iter().filter(|(_, _, shown)| shown.palette().is_some()).find_map(|(file, values, shown)| {
        values.iter().find_map(|&value| {
            let color = shown.color(value);
            let (by_value, by_color) = (table[usize::from(value)]?, *colors.get(&color)?);
            let [r, g, b] = color;
            (by_value != by_color).then(|| {
                format!(
                    "value {value} of {} is {} by its value, and {} by its color in the palette, #{r:02x}{g:02x}{b:02x}, as {} lists \
                     them; set coding = \"value\" or coding = \"color\" in a classes.toml",
                    file.display(),
                    name(by_value),
                    name(by_color),
                    coding.classes.source
                )
            })
        })
    })
}

/// A coding with the meaning of 255, and a remark on the first value.
///
/// # Errors
/// Where 255 may be ignored or a class, or the classes may count from 1.
fn numbered(root: &Path, looked: &Looked, coding: Coding) -> Result<(Coding, Vec<String>), DataError> {
    if !coding.assumes_ignored {
        return Ok((coding, vec![]));
    }
    let seen = looked.numbers(coding.samples);
    if let Some(problem) = habits::of_two_classes(&seen).filter(|_| coding.classes.len() == 2) {
        return Err(DataError::Masks { path: root.to_path_buf(), problem, threshold: Some(1) });
    }
    let remark = first_value(root, &seen, &coding)?;
    Ok((settle_255(root, &seen, coding)?, remark.into_iter().collect()))
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

/// Decides what 255 means beside listed classes. By convention it is ignored. The convention is in doubt if 255 covers
/// areas and fewer than two listed classes have a pixel. With two listed classes, 255 is then the second.
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
