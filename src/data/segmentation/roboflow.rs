//! Roboflow's "semantic segmentation masks": `train/`, `valid/` and `test/`, each with `x.jpg`, `x_mask.png` and
//! `_classes.csv`.

use std::path::{Path, PathBuf};

use super::class_list::{ClassList, IGNORED, voc_color};
use super::coding::Coding;
use super::folders;
use super::found::Found;
use crate::data::format::{Evidence, Format};
use crate::data::listing::{relative, subfolders};
use crate::data::text::read_text;
use crate::data::{DataError, SetOptions};

/// Roboflow's masks.
pub(crate) struct RoboflowMasks;

impl Format for RoboflowMasks {
    type Opened = Found;
    type Options = SetOptions;

    fn name(&self) -> &'static str {
        "Roboflow masks"
    }

    fn looks_for(&self) -> &'static str {
        "`_classes.csv` of pixel values and classes beside `x.jpg` and `x_mask.png`, here or in `train/`, `valid/`, `test/`"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        Ok(tables(root)?.first().map(|table| Evidence::certain([relative(root, table)])))
    }

    fn open(&self, root: &Path, _: &SetOptions) -> Result<Found, DataError> {
        let tables = tables(root)?;
        let mut known: Option<(Vec<(u8, String)>, PathBuf)> = None;
        for table in tables {
            let classes = read(&table)?;
            match &known {
                Some((first, at)) if *first != classes => {
                    let problem = format!("lists other classes than {}; export the parts together", at.display());
                    return Err(DataError::malformed(&table, problem));
                }
                Some(_) => {}
                None => known = Some((classes, table)),
            }
        }
        let known = known.map(|(classes, table)| coding(&classes, &table)).transpose()?;
        Ok(Found { known, ..folders::find(root)? })
    }
}

/// The tables of pixel values, one per part.
fn tables(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folders = std::iter::once(root.to_path_buf()).chain(subfolders(root)?);
    let mut found = Vec::new();
    for table in folders.map(|folder| folder.join("_classes.csv")).filter(|table| table.is_file()) {
        if value_column(&read_text(&table)?).is_some() {
            found.push(table);
        }
    }
    Ok(found)
}

/// Whether the column `Pixel Value` is the first one; `None` for another table.
fn value_column(text: &str) -> Option<bool> {
    let header = text.trim_start().lines().next()?.to_lowercase();
    let cells: Vec<&str> = header.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"')).collect();
    match cells.as_slice() {
        ["pixel value", ..] => Some(true),
        [_, "pixel value"] => Some(false),
        _ => None,
    }
}

/// Value and name of each class. The names have a blank before their quotes: `1, "cat, small"`.
fn read(table: &Path) -> Result<Vec<(u8, String)>, DataError> {
    let text = read_text(table)?;
    let is_first = value_column(&text).unwrap_or(true);
    let class = |(number, line): (usize, &str)| {
        let read = || {
            let separators = [',', ';', '\t'];
            let (value, name) = match is_first {
                true => line.split_once(separators)?,
                false => line.rsplit_once(separators).map(|(name, value)| (value, name))?,
            };
            let name = name.trim();
            let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
            let name = quoted.map_or_else(|| name.to_string(), |name| name.replace("\"\"", "\""));
            Some((value.trim().trim_matches('"').parse().ok()?, name))
        };
        read().ok_or_else(|| {
            let problem = "is not 'value, class' with a value from 0 to 255; correct the line".to_string();
            DataError::CsvRow { path: table.to_path_buf(), line: number as u64 + 1, problem }
        })
    };
    text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()).map(class).collect()
}

fn coding(classes: &[(u8, String)], table: &Path) -> Result<Coding, DataError> {
    let mut sorted = classes.to_vec();
    sorted.sort();
    if sorted.len() < 2 || sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(DataError::malformed(table, "must list at least 2 classes, each with another value"));
    }
    let colors: Vec<(&str, [u8; 3])> =
        sorted.iter().enumerate().map(|(id, (_, name))| (name.as_str(), voc_color(id as u8))).collect();
    let mut coding = Coding::by_position(ClassList::of(&colors, "value 255", "_classes.csv"));
    if let Some(values) = &mut coding.values {
        values.fill(None);
        values[usize::from(IGNORED)] = Some(IGNORED);
        sorted.iter().enumerate().for_each(|(id, (value, _))| values[usize::from(*value)] = Some(id as u8));
    }
    Ok(coding)
}
