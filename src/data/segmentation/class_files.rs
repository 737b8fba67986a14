//! The files that list classes: `classes.toml`, `codes.txt`, `label_colors.txt` and others.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::numbered_names::with_numbers;
use super::written::{self, Byte, Rgb, WrittenClass};
use crate::data::DataError;
use crate::data::decode::Posture;
use crate::data::listing::{files_named, name_of};
use crate::data::text::read_text;

/// The entries of `classes.toml`, all optional.
///
/// ```toml
/// ignore_index = 11            # a value or a list of them; 255 too, unless a class has it
/// ignore_color = [0, 0, 0]
/// coding = "value"             # of masks with palettes or of few bits: "value" (default) or "color"
/// nearest = true               # an unlisted value or color becomes the nearest listed one
/// threshold = 128              # two classes: below it, and from it on
/// orientation = "upright"      # of pictures that EXIF turns, and their masks: "upright" or "stored"
/// [[classes]]                  # or: classes = ["sky", "road"] and palette = [[…], […]]
/// name = "sky"
/// color = [128, 128, 128]
/// value = 0                    # default: its position in the list
/// ```
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default, deserialize_with = "written::classes")]
    pub classes: Vec<WrittenClass>,
    pub palette: Option<Vec<Rgb>>,
    #[serde(default, deserialize_with = "written::values")]
    pub ignore_index: Vec<u8>,
    #[serde(alias = "ignore_colour")]
    pub ignore_color: Option<Rgb>,
    pub coding: Option<WrittenCoding>,
    #[serde(default)]
    pub nearest: bool,
    pub threshold: Option<Byte>,
    pub orientation: Option<Posture>,
}

impl Written {
    pub fn of(classes: Vec<WrittenClass>) -> Self {
        let (palette, ignore_color, coding, threshold, orientation) = Default::default();
        Self { classes, palette, ignore_index: vec![], ignore_color, coding, nearest: false, threshold, orientation }
    }

    fn names(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum WrittenCoding {
    Value,
    #[serde(alias = "colour")]
    Color,
}

/// Entries of a `classes.toml` without classes; they change the classes that another file or the masks give.
#[derive(Default)]
pub(super) struct Wishes {
    pub ignored: Vec<u8>,
    pub ignored_color: Option<[u8; 3]>,
    pub coding: Option<WrittenCoding>,
    pub nearest: bool,
}

impl Wishes {
    fn of(written: &Written) -> Self {
        let Written { ignore_index, ignore_color, coding, nearest, .. } = written;
        let ignored_color = ignore_color.map(|Rgb(color)| color);
        Self { ignored: ignore_index.clone(), ignored_color, coding: *coding, nearest: *nearest }
    }

    /// `self`, or `other` if `self` has no entry.
    pub fn or(self, other: Self) -> Self {
        if self.are_none() { other } else { self }
    }

    fn are_none(&self) -> bool {
        self.ignored.is_empty() && self.ignored_color.is_none() && self.coding.is_none() && !self.nearest
    }
}

/// Content of the files about classes beside a set.
pub(super) struct Said {
    pub written: Option<(Written, PathBuf)>,
    pub orientation: Option<Posture>,
    pub wishes: Wishes,
}

/// Reads a file of classes; `None` for a file about something else.
type Reader = fn(&Path) -> Result<Option<Written>, DataError>;

/// The names of files of classes besides `classes.toml`, in the order in which they are looked for.
const FILES: [(&str, Reader); 9] = [
    ("info.json", from_json),
    ("label_colors.txt", from_color_list),
    ("label_colours.txt", from_color_list),
    ("class_dict.csv", from_color_table),
    ("class_dict_seg.csv", from_color_table),
    ("objectInfo150.txt", from_object_info),
    ("labelmap.txt", from_label_map),
    ("class_names.txt", from_class_names),
    ("codes.txt", from_names),
];

/// The names in [`FILES`].
pub(super) const CLASS_FILES: [&str; FILES.len()] = {
    let mut names = [""; FILES.len()];
    let mut at = 0;
    while at < FILES.len() {
        names[at] = FILES[at].0;
        at += 1;
    }
    names
};

/// The content of the first file of classes, and the entries of a `classes.toml` without classes.
pub(super) fn written_beside(root: &Path) -> Result<Said, DataError> {
    let (mut orientation, mut wishes) = (None, Wishes::default());
    if let Some(toml) = files_named(root, &["classes.toml"])?.into_iter().next() {
        let written: Written =
            toml::from_str(&read_text(&toml)?).map_err(|e| DataError::malformed(&toml, e.to_string()))?;
        orientation = written.orientation;
        if !written.classes.is_empty() || written.threshold.is_some() {
            return Ok(Said { written: Some((written, toml)), orientation, wishes });
        }
        if written.palette.is_some() {
            return Err(DataError::malformed(
                &toml,
                "has a palette and no classes; list the classes, a name for each color",
            ));
        }
        wishes = Wishes::of(&written);
        if orientation.is_none() && wishes.are_none() {
            let problem = "says nothing: list the classes, or give threshold, ignore_index, ignore_color, coding, nearest or orientation";
            return Err(DataError::malformed(&toml, problem));
        }
    }
    let mut found: Option<(Written, PathBuf)> = None;
    for path in files_named(root, &CLASS_FILES)? {
        let is_it = |(name, _): &&(&str, Reader)| name.eq_ignore_ascii_case(&name_of(&path));
        let Some((_, read)) = FILES.iter().find(is_it) else { continue };
        match &found {
            None => found = read(&path)?.map(|written| (written, path)),
            // A file that is not in use need not be one of classes.
            Some((first, place)) => {
                if let Ok(Some(other)) = read(&path) {
                    require_same_names((&first.names(), place), (&other.names(), &path))?;
                }
            }
        }
    }
    Ok(Said { written: found, orientation, wishes })
}

/// Refuses two files of classes with other names, or with the same names in another order.
pub(super) fn require_same_names(
    (first, place): (&[String], &Path),
    (second, other): (&[String], &Path),
) -> Result<(), DataError> {
    let names = |names: &[String]| -> Vec<String> {
        let names = names.iter().map(|name| name.to_lowercase());
        names.filter(|name| !matches!(name.as_str(), "void" | "__ignore__" | "_background_" | "background")).collect()
    };
    let (ours, others) = (names(first), names(second));
    if ours == others {
        return Ok(());
    }
    let at = ours.iter().zip(&others).take_while(|(a, b)| a == b).count();
    let name = |names: &[String]| names.get(at).map_or("none".into(), |name| format!("'{name}'"));
    let problem = format!(
        "class {} is {} by {} and {} by {}; remove the file that does not hold, or list the classes in a classes.toml",
        at + 1,
        name(&ours),
        name_of(place),
        name(&others),
        name_of(other)
    );
    Err(DataError::malformed(place.parent().unwrap_or(place), problem))
}

/// Classes of a JSON file, which may have other entries; `None` for a file about something else.
fn from_json(path: &Path) -> Result<Option<Written>, DataError> {
    let failed = |e: serde_json::Error| DataError::malformed(path, e.to_string());
    let mut value: serde_json::Value = serde_json::from_str(&read_text(path)?).map_err(failed)?;
    let Some(object) = value.as_object_mut().filter(|object| object.contains_key("classes")) else {
        return Ok(None);
    };
    object.retain(|key, _| matches!(key.as_str(), "classes" | "palette" | "ignore_index"));
    serde_json::from_value(value).map(Some).map_err(failed)
}

/// Lines `R G B name`, as in the original CamVid.
fn from_color_list(path: &Path) -> Result<Option<Written>, DataError> {
    let split = |line: &str| {
        let mut words = line.split_whitespace();
        let mut channel = || words.next().and_then(|word| word.parse::<u8>().ok());
        let color = [channel()?, channel()?, channel()?];
        Some((words.collect::<Vec<_>>().join(" "), color))
    };
    of_lines(path, 0, "R G B name", split)
}

/// A header, then lines `name,r,g,b`: a common form of CamVid. The header gives the order of the columns. A header
/// without known words stands for this order, and a first line with a color is a row.
fn from_color_table(path: &Path) -> Result<Option<Written>, DataError> {
    const WORDS: [&[&str]; 4] =
        [&["name", "class", "label", "class_name"], &["r", "red"], &["g", "green"], &["b", "blue"]];
    let cells = |line: &str| -> Vec<String> {
        line.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let split = |line: &str, places: [usize; 4]| {
        let cells = cells(line);
        let channel = |at: usize| cells.get(places[at]).and_then(|cell| cell.parse::<u8>().ok());
        Some((cells.get(places[0])?.clone(), [channel(1)?, channel(2)?, channel(3)?]))
    };
    let text = read_text(path)?;
    let header = text.lines().find(|line| !line.trim().is_empty() && !is_remark(line)).unwrap_or_default();
    let named = cells(&header.to_lowercase());
    let place = |words: &&[&str]| named.iter().position(|cell| words.contains(&cell.as_str()));
    let found = WORDS.each_ref().map(place);
    let (places, skipped) = match found {
        [Some(name), Some(r), Some(g), Some(b)] => ([name, r, g, b], 1),
        [_, None, None, None] if split(header, [0, 1, 2, 3]).is_some() => ([0, 1, 2, 3], 0),
        [_, None, None, None] => ([0, 1, 2, 3], 1),
        _ => {
            let problem = format!("'{header}' does not name all of the columns name, r, g and b; name them so");
            return Err(DataError::CsvRow { path: path.into(), line: 1, problem });
        }
    };
    of_lines(path, skipped, "name,r,g,b", |line| split(line, places))
}

/// Reads the rows after the first `skipped`. The class `Void` is ignored. Palettes are read as colors.
fn of_lines(
    path: &Path,
    skipped: usize,
    expected: &str,
    split: impl Fn(&str) -> Option<(String, [u8; 3])>,
) -> Result<Option<Written>, DataError> {
    let (mut classes, mut ignore_color) = (Vec::new(), None);
    let text = read_text(path)?;
    let is_row = |(_, line): &(usize, &str)| !line.trim().is_empty() && !is_remark(line);
    for (number, line) in text.lines().enumerate().filter(is_row).skip(skipped) {
        let bare = line.split(" #").next().unwrap_or_default();
        let Some((name, color)) = split(bare) else {
            let problem = format!("'{line}' is not '{expected}' with three numbers from 0 to 255");
            return Err(DataError::CsvRow { path: path.into(), line: number as u64 + 1, problem });
        };
        if name.eq_ignore_ascii_case("void") {
            ignore_color = Some(color);
        } else {
            classes.push(WrittenClass { name, color: Some(Rgb(color)), value: None });
        }
    }
    let ignore_color = ignore_color.map(Rgb);
    Ok(Some(Written { ignore_color, coding: Some(WrittenCoding::Color), ..Written::of(classes) }))
}

/// ADE20K's table of 150 classes: a header with `Idx` and `Name`, then rows with tabs. Value 0 is not a class.
fn from_object_info(path: &Path) -> Result<Option<Written>, DataError> {
    let text = read_text(path)?;
    let mut rows = text.lines().map(|line| line.split('\t').map(str::trim).collect::<Vec<_>>());
    let header = rows.next().unwrap_or_default();
    let column = |name: &str| header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
    let (Some(index), Some(name)) = (column("Idx"), column("Name")) else { return Ok(None) };
    let class = |row: Vec<&str>| {
        let value = Byte(row.get(index)?.parse().ok()?);
        Some(WrittenClass { name: (*row.get(name)?).to_string(), value: Some(value), color: None })
    };
    let classes: Vec<WrittenClass> = rows.filter_map(class).collect();
    let classes = classes_of_distinct_names(classes);
    Ok((!classes.is_empty()).then(|| Written { ignore_index: vec![0], ..Written::of(classes) }))
}

/// Appends its value to each name that several classes have: ADE20K has two `screen`.
fn classes_of_distinct_names(classes: Vec<WrittenClass>) -> Vec<WrittenClass> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    classes.iter().for_each(|class| *counts.entry(class.name.clone()).or_default() += 1);
    let distinct = |class: WrittenClass| match (counts.get(&class.name), class.value) {
        (Some(2..), Some(Byte(value))) => WrittenClass { name: format!("{} ({value})", class.name), ..class },
        _ => class,
    };
    classes.into_iter().map(distinct).collect()
}

/// Whether a line of a list is a remark.
fn is_remark(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// One name per line, with its place from 0 as the value, or a value and a name per line. `Void` is ignored. Lines that
/// start with `#` are remarks.
fn from_names(path: &Path) -> Result<Option<Written>, DataError> {
    let text = read_text(path)?;
    let names = text.trim_end().lines().enumerate().filter(|(_, line)| !is_remark(line));
    let mut names: Vec<(usize, String)> = names.map(|(at, line)| (at, line.trim().to_string())).collect();
    let from = names.iter().position(|(_, name)| !name.is_empty()).unwrap_or(names.len());
    names.drain(..from);
    if let Some((at, _)) = names.iter().find(|(_, name)| name.is_empty()) {
        let problem = format!(
            "line {} is blank, so the values after it may count it or not; remove the line, or name it",
            at + 1
        );
        return Err(DataError::malformed(path, problem));
    }
    let names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    if let Some(numbered) = with_numbers(path, &names)? {
        let is_void = |(_, name): &&(u8, String)| name.eq_ignore_ascii_case("void");
        let ignore_index = numbered.iter().filter(is_void).map(|(value, _)| *value).collect();
        let class = |(value, name)| WrittenClass { value: Some(Byte(value)), ..WrittenClass::named(name) };
        return Ok(Some(Written { ignore_index, ..Written::of(numbered.into_iter().map(class).collect()) }));
    }
    let void = names.iter().position(|name| name.eq_ignore_ascii_case("void")).and_then(|at| u8::try_from(at).ok());
    let classes = names.into_iter().map(WrittenClass::named).collect();
    Ok(Some(Written { ignore_index: void.into_iter().collect(), ..Written::of(classes) }))
}

/// CVAT's lines `label:color_rgb:parts:actions`, such as `cat:250,50,83::`. Palettes are read as colors.
fn from_label_map(path: &Path) -> Result<Option<Written>, DataError> {
    let mut classes = Vec::new();
    let text = read_text(path)?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if is_remark(line) {
            continue;
        }
        let mut cells = line.split(':');
        let name = cells.next().unwrap_or_default().trim().to_string();
        let channels: Vec<&str> = cells.next().unwrap_or_default().split(',').map(str::trim).collect();
        let channels: Vec<u8> = channels.into_iter().filter_map(|channel| channel.parse::<u8>().ok()).collect();
        let Ok(color) = <[u8; 3]>::try_from(channels) else {
            let problem = format!("'{line}' is not 'label:r,g,b:parts:actions' with three numbers from 0 to 255");
            return Err(DataError::CsvRow { path: path.into(), line: number as u64 + 1, problem });
        };
        classes.push(WrittenClass { name, color: Some(Rgb(color)), value: None });
    }
    Ok(Some(Written { coding: Some(WrittenCoding::Color), ..Written::of(classes) }))
}

/// labelme2voc's names, one per line. A first line `__ignore__` is value -1, which is stored as 255.
fn from_class_names(path: &Path) -> Result<Option<Written>, DataError> {
    let text = read_text(path)?;
    let names = text.lines().filter(|line| !is_remark(line)).map(str::trim);
    let names: Vec<&str> = names.filter(|name| !name.is_empty() && *name != "__ignore__").collect();
    let classes = match with_numbers(path, &names)? {
        Some(numbered) => {
            let class = |(value, name)| WrittenClass { value: Some(Byte(value)), ..WrittenClass::named(name) };
            numbered.into_iter().map(class).collect()
        }
        None => names.into_iter().map(|name| WrittenClass::named(name.to_string())).collect(),
    };
    Ok(Some(Written::of(classes)))
}
