//! The coding of the classes that a file lists: names, values, colors and ignored values.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::class_files::{Said, Wishes, Written, WrittenCoding, written_beside};
use super::class_list::{ClassList, IGNORED, voc_color};
use super::coding::{Coding, ValueTable};
use super::raw::Samples;
use super::written::{Byte, Rgb, WrittenClass};
use crate::data::DataError;
use crate::data::decode::Posture;
use crate::data::listing::name_of;

/// Settings in a file beside a set.
#[derive(Default)]
pub(super) struct Beside {
    pub coding: Option<Coding>,
    /// Posture of pictures that EXIF turns, and of their masks.
    pub orientation: Option<Posture>,
    /// Entries of a `classes.toml` without classes.
    pub wishes: Wishes,
}

/// The class file in `root`: the first of `classes.toml`, `info.json`, `label_colors.txt`, `class_dict.csv`,
/// `class_dict_seg.csv`, `objectInfo150.txt`, `labelmap.txt`, `class_names.txt` and `codes.txt` that exists.
///
/// # Errors
/// Where the file cannot be read or contradicts itself.
pub(super) fn read_beside(root: &Path, threshold: Option<u8>) -> Result<Beside, DataError> {
    let Said { written, orientation, wishes } = written_beside(root)?;
    let Some((mut written, path)) = written else { return Ok(Beside { coding: None, orientation, wishes }) };
    written.threshold = threshold.map(Byte).or(written.threshold);
    Ok(Beside { coding: Some(coding(written, &path)?), orientation, wishes })
}

/// The coding of names with their values. A first name `__ignore__` or `void` is ignored.
pub(super) fn of_values(names: Vec<(u8, String)>, path: &Path) -> Result<Coding, DataError> {
    let is_void = |name: &str| matches!(name.to_lowercase().as_str(), "void" | "__ignore__");
    let ignored = names.iter().filter(|(_, name)| is_void(name)).map(|(value, _)| *value).collect();
    let class = |(value, name)| WrittenClass { value: Some(Byte(value)), ..WrittenClass::named(name) };
    let classes = names.into_iter().map(class).collect();
    coding(Written { ignore_index: ignored, ..Written::of(classes) }, path)
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
    let is_coding_said = coding.is_some();
    let coding = builder.finish(coding == Some(WrittenCoding::Color), is_said).map_err(wrong)?;
    let coding = Coding { is_said: is_coding_said, ..coding };
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
        samples: Samples::Brightness,
        is_said: true,
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
            return Err(format!("class '{name}' is listed twice; give each class another name"));
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
        // Classes without colors are greys by their values.
        let has_values = !palettes_are_colors || self.colors.is_empty();
        let assumes_ignored = has_values && !is_ignored_said && self.values[usize::from(IGNORED)] == Some(IGNORED);
        let values = has_values.then(|| Box::new(self.values));
        let colors = (!self.colors.is_empty()).then_some(self.colors);
        let samples = if palettes_are_colors { Samples::Colors } else { Samples::Numbers };
        Ok(Coding {
            classes: Arc::new(self.list),
            values,
            colors,
            nearest: false,
            samples,
            is_said: false,
            assumes_ignored,
        })
    }
}
