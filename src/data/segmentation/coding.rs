//! Maps the values or colors stored in a mask to train ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use image::GrayImage;

use super::class_files::{Wishes, WrittenCoding};
use super::class_list::{ClassList, IGNORED, color_table};
use super::raw::{RawMask, Samples, Shown, Stored};
use crate::data::{ClassReading, ImageProblem};

/// Train id of each stored value; `None` for values of no class.
pub(crate) type ValueTable = [Option<u8>; 256];

/// The coding of masks.
#[derive(Debug, Clone)]
pub(crate) struct Coding {
    pub classes: Arc<ClassList>,
    /// For masks of values. Without it a palette is looked up by its colors.
    pub values: Option<Box<ValueTable>>,
    /// For masks of colors.
    pub colors: Option<HashMap<[u8; 3], u8>>,
    /// Whether a color of no class becomes that of the nearest class.
    pub nearest: bool,
    /// How the samples of a mask are taken.
    pub samples: Samples,
    /// Whether a file or the masks say which are the classes: the values, or the colors of palettes.
    pub is_said: bool,
    /// Whether value 255 is ignored by convention alone: neither a file nor the masks say so.
    pub assumes_ignored: bool,
}

impl Coding {
    /// Values are train ids, and [`IGNORED`] is ignored; colors are those of the palette.
    pub fn by_position(classes: ClassList) -> Self {
        let values: Vec<u8> = (0..classes.len()).map(|id| id as u8).collect();
        Self { assumes_ignored: true, ..Self::by_values(classes, &values, &[]) }
    }

    /// `values` are those of the classes in their order; `ignored` and [`IGNORED`] are ignored; colors are those of the
    /// palette.
    pub fn by_values(classes: ClassList, values: &[u8], ignored: &[u8]) -> Self {
        let mut table: Box<ValueTable> = Box::new([None; 256]);
        ignored.iter().chain([&IGNORED]).for_each(|&value| table[usize::from(value)] = Some(IGNORED));
        values.iter().zip(0..).for_each(|(&value, id)| table[usize::from(value)] = Some(id));
        let colors = color_table(&classes.palette);
        Self {
            classes: Arc::new(classes),
            values: Some(table),
            colors,
            nearest: false,
            samples: Samples::Numbers,
            is_said: false,
            assumes_ignored: false,
        }
    }

    /// The representation of each class, in words.
    pub fn readings(&self) -> Vec<ClassReading> {
        const SHOWN: usize = 3;
        let from = |id: u8| {
            let stands = |(_, slot): &(usize, &Option<u8>)| **slot == Some(id);
            let values: Vec<usize> =
                self.values.iter().flat_map(|table| table.iter().enumerate().filter(stands)).map(|(v, _)| v).collect();
            match values.as_slice() {
                [] => {
                    let [r, g, b] = self.classes.palette.get(usize::from(id)).copied().unwrap_or_default();
                    format!("#{r:02x}{g:02x}{b:02x}")
                }
                [value] => format!("value {value}"),
                values if values.len() <= SHOWN => {
                    format!("values {}", values.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
                }
                [first, .., last] => format!("{} values from {first} to {last}", values.len()),
            }
        };
        let reading = |(id, name): (usize, &String)| ClassReading { name: name.clone(), from: from(id as u8) };
        self.classes.names.iter().enumerate().map(reading).collect()
    }

    /// Maps every value and color to the class of the nearest listed one.
    pub fn by_nearest(mut self) -> Self {
        if let Some(table) = &mut self.values {
            let listed: Vec<(usize, u8)> =
                table.iter().enumerate().filter_map(|(value, id)| id.map(|id| (value, id))).collect();
            for (value, slot) in table.iter_mut().enumerate() {
                let nearest = listed.iter().min_by_key(|(known, _)| known.abs_diff(value));
                *slot = slot.or(nearest.map(|(_, id)| *id));
            }
        }
        Self { nearest: true, ..self }
    }

    /// This coding, changed as `classes.toml` asks.
    ///
    /// # Errors
    /// Where fewer than 2 classes remain, or classes have no colors.
    pub(super) fn wished(self, wishes: &Wishes) -> Result<Self, String> {
        let mut coding = self.ignoring(wishes)?;
        match wishes.coding {
            None => {}
            Some(WrittenCoding::Color) if coding.colors.is_some() => {
                (coding.values, coding.samples, coding.is_said) = (None, Samples::Colors, true);
            }
            Some(WrittenCoding::Color) => (coding.samples, coding.is_said) = (Samples::Colors, true),
            Some(WrittenCoding::Value) if coding.values.is_none() => {
                return Err(format!("{} lists colors, not values; give each class its value", coding.classes.source));
            }
            Some(WrittenCoding::Value) => coding.is_said = true,
        }
        Ok(if wishes.nearest { coding.by_nearest() } else { coding })
    }

    /// This coding with ignored values and an ignored color; the classes of these are removed.
    ///
    /// # Errors
    /// Where fewer than 2 classes are left.
    pub(super) fn ignoring(mut self, wishes: &Wishes) -> Result<Self, String> {
        let mut classes = (*self.classes).clone();
        let (mut gone, mut words) = (Vec::new(), Vec::new());
        for &value in &wishes.ignored {
            let Some(table) = &mut self.values else { break };
            gone.extend(table[usize::from(value)].replace(IGNORED).filter(|&id| id != IGNORED));
            words.push(format!("value {value}"));
        }
        if let Some([r, g, b]) = wishes.ignored_color {
            gone.extend(self.colors.get_or_insert_default().insert([r, g, b], IGNORED).filter(|&id| id != IGNORED));
            words.push(format!("color #{r:02x}{g:02x}{b:02x}"));
        }
        if words.is_empty() {
            return Ok(self);
        }
        let kept: Vec<u8> = (0..classes.len()).map(|id| id as u8).filter(|id| !gone.contains(id)).collect();
        if kept.len() < 2 {
            return Err(format!("ignores {}, so that fewer than 2 classes are left", words.join(", ")));
        }
        let place = |id: u8| kept.iter().position(|&one| one == id).map_or(IGNORED, |at| at as u8);
        self.values.iter_mut().flat_map(|table| table.iter_mut()).for_each(|slot| *slot = slot.map(place));
        self.colors.iter_mut().flat_map(HashMap::values_mut).for_each(|id| *id = place(*id));
        classes.names = kept.iter().map(|&id| classes.names[usize::from(id)].clone()).collect();
        classes.palette = kept.iter().map(|&id| classes.palette[usize::from(id)]).collect();
        words.extend(Some(classes.ignored).filter(|said| !said.starts_with("nothing") && !words.contains(said)));
        classes.ignored = words.join(", ");
        self.assumes_ignored &= !wishes.ignored.contains(&IGNORED);
        Ok(Self { classes: Arc::new(classes), ..self })
    }

    /// The train id of each pixel.
    ///
    /// # Errors
    /// [`ImageProblem::OutsideClasses`] with every value or color of no class and its number of pixels.
    pub fn apply(&self, raw: &RawMask) -> Result<GrayImage, ImageProblem> {
        let ids = match &raw.stored {
            Stored::Values(values, shown) => match (&self.values, self.samples) {
                (Some(table), Samples::Numbers) => self.ids_of_values(values, table),
                (Some(table), Samples::Brightness) if shows_greys(shown, values) => {
                    let greys: Vec<u8> = values.iter().map(|&value| shown.color(value)[0]).collect();
                    self.ids_of_values(&greys, table)
                }
                (Some(table), Samples::Brightness) => self.ids_of_values(values, table),
                _ => self.ids_of_colors(&values.iter().map(|&value| shown.color(value)).collect::<Vec<_>>()),
            },
            Stored::Colors(colors) => self.ids_of_colors(colors),
        }?;
        GrayImage::from_raw(raw.width, raw.height, ids)
            .ok_or_else(|| ImageProblem::Damaged("its pixels are fewer than its header says".into()))
    }

    fn ids_of_values(&self, values: &[u8], table: &ValueTable) -> Result<Vec<u8>, ImageProblem> {
        let mut outside = BTreeMap::new();
        let id = |&value: &u8| {
            table[usize::from(value)].unwrap_or_else(|| {
                *outside.entry(value).or_insert(0) += 1;
                IGNORED
            })
        };
        let ids = values.iter().map(id).collect();
        self.complete(ids, outside.into_iter().map(|(value, pixels)| (format!("value {value}"), pixels)))
    }

    fn ids_of_colors(&self, colors: &[[u8; 3]]) -> Result<Vec<u8>, ImageProblem> {
        let distance =
            |a: &[u8; 3], b: &[u8; 3]| -> u32 { a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
        let known = |color: &[u8; 3]| {
            let table = self.colors.as_ref()?;
            // At equal distance the smaller color, whatever the order of the table.
            let nearest = || table.iter().min_by_key(|(known, _)| (distance(known, color), **known)).map(|(_, id)| *id);
            table.get(color).copied().or_else(|| if self.nearest { nearest() } else { None })
        };
        let mut outside: BTreeMap<[u8; 3], u64> = BTreeMap::new();
        let mut last = ([0; 3], known(&[0; 3]));
        let id = |&color: &[u8; 3]| {
            // Neighboring pixels mostly have the same color, which saves the look-up.
            if color != last.0 {
                last = (color, known(&color));
            }
            last.1.unwrap_or_else(|| {
                *outside.entry(color).or_insert(0) += 1;
                IGNORED
            })
        };
        let ids = colors.iter().map(id).collect();
        if !outside.is_empty()
            && let Some(table) = &self.values
            && colors.iter().all(|[r, g, b]| r == g && g == b)
        {
            // Values stored as three equal channels.
            return self.ids_of_values(&colors.iter().map(|c| c[0]).collect::<Vec<_>>(), table);
        }
        let name = |[r, g, b]: [u8; 3]| format!("color #{r:02x}{g:02x}{b:02x}");
        self.complete(ids, outside.into_iter().map(|(color, pixels)| (name(color), pixels)))
    }

    fn complete(&self, ids: Vec<u8>, outside: impl Iterator<Item = (String, u64)>) -> Result<Vec<u8>, ImageProblem> {
        let outside: Vec<(String, u64)> = outside.collect();
        if outside.is_empty() {
            return Ok(ids);
        }
        Err(ImageProblem::OutsideClasses { outside, classes: self.classes.len() })
    }
}

/// Whether the colors that `values` show are greys.
pub(super) fn shows_greys(shown: &Shown, values: &[u8]) -> bool {
    let mut used = [false; 256];
    values.iter().for_each(|&value| used[usize::from(value)] = true);
    let is_grey = |value: u8| matches!(shown.color(value), [r, g, b] if r == g && g == b);
    (0..=255u8).filter(|&value| used[usize::from(value)]).all(is_grey)
}
