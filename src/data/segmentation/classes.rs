//! The classes of a segmentation set from files: names, colors and ignored values.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::class_list::{ClassList, IGNORED, voc_color};
use super::coding::{Coding, ValueTable};
use super::written::{self, Byte, Rgb, WrittenClass};
use crate::data::DataError;
use crate::data::listing::name_of;
use crate::data::text::read_text;

/// The entries of `classes.toml`, all optional.
///
/// ```toml
/// ignore_index = 11            # a value or a list of them; 255 too, unless a class has it
/// ignore_color = [0, 0, 0]
/// coding = "value"             # of palette masks: "value" (default) or "color"
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
struct Written {
    #[serde(default, deserialize_with = "written::classes")]
    classes: Vec<WrittenClass>,
    palette: Option<Vec<Rgb>>,
    #[serde(default, deserialize_with = "written::values")]
    ignore_index: Vec<u8>,
    #[serde(alias = "ignore_colour")]
    ignore_color: Option<Rgb>,
    coding: Option<WrittenCoding>,
    #[serde(default)]
    nearest: bool,
    threshold: Option<Byte>,
    orientation: Option<WrittenOrientation>,
}

impl Written {
    fn of(classes: Vec<WrittenClass>) -> Self {
        let (palette, ignore_color, coding, threshold, orientation) = Default::default();
        Self { classes, palette, ignore_index: vec![], ignore_color, coding, nearest: false, threshold, orientation }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum WrittenOrientation {
    Upright,
    Stored,
}

/// Settings in a file beside a set.
#[derive(Default)]
pub(super) struct Beside {
    pub coding: Option<Coding>,
    /// Whether pictures that EXIF turns are read upright, with their masks.
    pub orientation: Option<bool>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum WrittenCoding {
    Value,
    #[serde(alias = "colour")]
    Color,
}

/// The class file in `root`: the first of `classes.toml`, `info.json`, `label_colors.txt`, `class_dict.csv`,
/// `class_dict_seg.csv`, `objectInfo150.txt`, `labelmap.txt`, `class_names.txt` and `codes.txt` that exists.
///
/// # Errors
/// Where the file cannot be read or contradicts itself.
pub(super) fn read_beside(root: &Path, threshold: Option<u8>) -> Result<Beside, DataError> {
    let (written, orientation) = written_beside(root)?;
    let Some((mut written, path)) = written else { return Ok(Beside { coding: None, orientation }) };
    written.threshold = threshold.map(Byte).or(written.threshold);
    Ok(Beside { coding: Some(coding(written, &path)?), orientation })
}

/// What the first file of classes says, and the orientation that `classes.toml` says.
fn written_beside(root: &Path) -> Result<(Option<(Written, PathBuf)>, Option<bool>), DataError> {
    let toml = root.join("classes.toml");
    let mut orientation = None;
    if toml.is_file() {
        let written: Written =
            toml::from_str(&read_text(&toml)?).map_err(|e| DataError::malformed(&toml, e.to_string()))?;
        orientation = written.orientation.map(|one| one == WrittenOrientation::Upright);
        if !written.classes.is_empty() || written.threshold.is_some() {
            return Ok((Some((written, toml)), orientation));
        }
        if orientation.is_none() {
            let problem = "names no classes; list them, or give threshold or orientation";
            return Err(DataError::malformed(&toml, problem));
        }
    }
    for (name, read) in [
        ("info.json", from_json as fn(&Path) -> Result<Option<Written>, DataError>),
        ("label_colors.txt", from_color_list),
        ("label_colours.txt", from_color_list),
        ("class_dict.csv", from_color_table),
        ("class_dict_seg.csv", from_color_table),
        ("objectInfo150.txt", from_object_info),
        ("labelmap.txt", from_label_map),
        ("class_names.txt", from_class_names),
        ("codes.txt", from_names),
    ] {
        let path = root.join(name);
        if path.is_file()
            && let Some(written) = read(&path)?
        {
            return Ok((Some((written, path)), orientation));
        }
    }
    Ok((None, orientation))
}

/// Classes of a JSON file. It may have other entries, or be about something else: `None`.
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

/// A header, then lines `name,r,g,b`, a common form of CamVid.
fn from_color_table(path: &Path) -> Result<Option<Written>, DataError> {
    let split = |line: &str| {
        let mut cells = line.split([',', ';', '\t']).map(str::trim);
        let name = cells.next()?.to_string();
        let mut channel = || cells.next().and_then(|cell| cell.parse::<u8>().ok());
        Some((name, [channel()?, channel()?, channel()?]))
    };
    of_lines(path, 1, "name,r,g,b", split)
}

/// Reads the lines after the first `skipped`. The class `Void` is ignored. Palettes are read as colors.
fn of_lines(
    path: &Path,
    skipped: usize,
    expected: &str,
    split: impl Fn(&str) -> Option<(String, [u8; 3])>,
) -> Result<Option<Written>, DataError> {
    let (mut classes, mut ignore_color) = (Vec::new(), None);
    let text = read_text(path)?;
    let is_row = |(_, line): &(usize, &str)| !line.trim().is_empty() && !is_remark(line);
    for (number, line) in text.lines().enumerate().skip(skipped).filter(is_row) {
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

/// ADE20K's table of 150 classes: a header with `Idx` and `Name`, then rows with tabs. Value 0 is no class.
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

/// The classes with their value behind a name that another class has too: ADE20K has two `screen`.
fn classes_of_distinct_names(classes: Vec<WrittenClass>) -> Vec<WrittenClass> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    classes.iter().for_each(|class| *counts.entry(class.name.clone()).or_default() += 1);
    let distinct = |class: WrittenClass| match (counts.get(&class.name), class.value) {
        (Some(2..), Some(Byte(value))) => WrittenClass { name: format!("{} ({value})", class.name), ..class },
        _ => class,
    };
    classes.into_iter().map(distinct).collect()
}

/// The coding of names with their values. A first name `__ignore__` or `void` is ignored.
pub(super) fn of_values(names: Vec<(u8, String)>, path: &Path) -> Result<Coding, DataError> {
    let is_void = |name: &str| matches!(name.to_lowercase().as_str(), "void" | "__ignore__");
    let ignored = names.iter().filter(|(_, name)| is_void(name)).map(|(value, _)| *value).collect();
    let class = |(value, name)| WrittenClass { value: Some(Byte(value)), ..WrittenClass::named(name) };
    let classes = names.into_iter().map(class).collect();
    coding(Written { ignore_index: ignored, ..Written::of(classes) }, path)
}

/// Whether a line of a list is a remark.
fn is_remark(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// One name per line; the value of a class is its place among them from 0. `Void` is ignored; lines `# text` are remarks.
fn from_names(path: &Path) -> Result<Option<Written>, DataError> {
    let text = read_text(path)?;
    let names = text.lines().filter(|line| !is_remark(line)).map(|line| line.trim().to_string());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
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
        let channels: Vec<u8> = channels.into_iter().filter_map(|channel| channel.parse().ok()).collect();
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
    let names = names.filter(|name| !name.is_empty() && *name != "__ignore__");
    Ok(Some(Written::of(names.map(|name| WrittenClass::named(name.to_string())).collect())))
}

/// The coding of the classes in the file at `path`.
fn coding(written: Written, path: &Path) -> Result<Coding, DataError> {
    let Written { classes, palette, ignore_index: ignored, ignore_color, coding, nearest, threshold, .. } = written;
    let wrong = |problem: String| DataError::malformed(path, problem);
    if let Some(Byte(threshold)) = threshold {
        return of_threshold(classes, threshold, &ignored, path);
    }
    if let Some(palette) = &palette
        && palette.len() != classes.len()
    {
        let (colors, classes) = (palette.len(), classes.len());
        return Err(wrong(format!("palette has {colors} colors for {classes} classes; give one for each")));
    }
    let is_said = ignored.contains(&IGNORED);
    let mut builder = Builder { colors: HashMap::new(), values: [None; 256], list: ClassList::default() };
    builder.values[usize::from(IGNORED)] = Some(IGNORED);
    let mut ignored_words = Vec::new();
    for (position, class) in classes.into_iter().enumerate() {
        let WrittenClass { name, color, value } = class;
        let value = value.map(|Byte(value)| value).or(u8::try_from(position).ok());
        let value = value.ok_or_else(|| wrong("more than 255 classes".into()))?;
        let color = color.or_else(|| palette.as_ref().map(|p| p[position])).map(|Rgb(color)| color);
        if ignored.contains(&value) {
            ignored_words.push(format!("value {value} ({name})"));
            builder.ignore(value, color);
        } else {
            builder.add(name, value, color).map_err(wrong)?;
        }
    }
    for value in ignored {
        let slot = &mut builder.values[usize::from(value)];
        if slot.is_none() {
            *slot = Some(IGNORED);
            ignored_words.push(format!("value {value}"));
        }
    }
    if let Some(Rgb([r, g, b])) = ignore_color {
        ignored_words.push(format!("color #{r:02x}{g:02x}{b:02x}"));
        builder.colors.insert([r, g, b], IGNORED);
    }
    if builder.values[usize::from(IGNORED)] == Some(IGNORED) && coding != Some(WrittenCoding::Color) {
        ignored_words.push("value 255".into());
    }
    builder.list.ignored = if ignored_words.is_empty() { "nothing".into() } else { ignored_words.join(", ") };
    builder.list.source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let coding = builder.finish(coding == Some(WrittenCoding::Color), is_said).map_err(wrong)?;
    Ok(if nearest { coding.by_nearest() } else { coding })
}

/// The coding of masks beside which no file lists classes: values below `threshold` and values from it on.
///
/// # Errors
/// Where the threshold is 0.
pub(super) fn by_threshold(threshold: u8, root: &Path) -> Result<Coding, DataError> {
    let mut coding = of_threshold(Vec::new(), threshold, &[], root)?;
    let list = ClassList { source: format!("a threshold of {threshold}"), ..(*coding.classes).clone() };
    coding.classes = Arc::new(list);
    Ok(coding)
}

/// Two classes: values below `threshold` and values from it on.
fn of_threshold(classes: Vec<WrittenClass>, threshold: u8, ignored: &[u8], path: &Path) -> Result<Coding, DataError> {
    let names: Vec<String> = match classes.len() {
        0 => vec!["background".into(), "foreground".into()],
        2 => classes.into_iter().map(|class| class.name).collect(),
        count => {
            let problem = format!("has a threshold, which makes 2 classes, and lists {count}; list 2 or none");
            return Err(DataError::malformed(path, problem));
        }
    };
    if threshold == 0 {
        return Err(DataError::malformed(path, "threshold is 0, expected 1 to 255"));
    }
    let mut values: ValueTable = std::array::from_fn(|value| Some(u8::from(value >= usize::from(threshold))));
    ignored.iter().for_each(|&value| values[usize::from(value)] = Some(IGNORED));
    let words: Vec<String> = ignored.iter().map(|value| format!("value {value}")).collect();
    let list = ClassList {
        palette: (0..2).map(voc_color).collect(),
        names,
        ignored: if words.is_empty() { "nothing".into() } else { words.join(", ") },
        source: format!("{} (threshold {threshold})", name_of(path)),
    };
    Ok(Coding {
        classes: Arc::new(list),
        values: Some(Box::new(values)),
        colors: None,
        nearest: false,
        by_brightness: true,
        assumes_ignored: false,
    })
}

/// Builder of a coding.
struct Builder {
    list: ClassList,
    values: ValueTable,
    colors: HashMap<[u8; 3], u8>,
}

impl Builder {
    fn ignore(&mut self, value: u8, color: Option<[u8; 3]>) {
        self.values[usize::from(value)] = Some(IGNORED);
        self.colors.extend(color.map(|color| (color, IGNORED)));
    }

    fn add(&mut self, name: String, value: u8, color: Option<[u8; 3]>) -> Result<(), String> {
        let id = self.list.len();
        if id >= usize::from(IGNORED) {
            return Err("more than 255 classes; a mask of 8 bits cannot name them".into());
        }
        if self.list.names.contains(&name) {
            return Err(format!("class '{name}' is listed twice; give each class a name of its own"));
        }
        let slot = &mut self.values[usize::from(value)];
        if slot.is_some_and(|other| other != IGNORED) {
            return Err(format!("value {value} stands for two classes, the second is '{name}'"));
        }
        *slot = Some(id as u8);
        if let Some([r, g, b]) = color
            && self.colors.insert([r, g, b], id as u8).is_some()
        {
            return Err(format!("color #{r:02x}{g:02x}{b:02x} stands for two classes, the second is '{name}'"));
        }
        self.list.names.push(name);
        self.list.palette.push(color.unwrap_or_else(|| voc_color(id as u8)));
        Ok(())
    }

    fn finish(self, palettes_are_colors: bool, is_ignored_said: bool) -> Result<Coding, String> {
        if self.list.len() < 2 {
            let (count, ignored) = (self.list.len(), &self.list.ignored);
            return Err(format!(
                "lists {count} classes that are not ignored (ignored: {ignored}); at least 2 are needed: if the ignored \
                 one is the background, rename it to background, or list the classes in a classes.toml"
            ));
        }
        let assumes_ignored =
            !palettes_are_colors && !is_ignored_said && self.values[usize::from(IGNORED)] == Some(IGNORED);
        let values = (!palettes_are_colors).then(|| Box::new(self.values));
        let colors = (!self.colors.is_empty()).then_some(self.colors);
        Ok(Coding {
            classes: Arc::new(self.list),
            values,
            colors,
            nearest: false,
            by_brightness: false,
            assumes_ignored,
        })
    }
}
