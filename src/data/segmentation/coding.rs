//! From the values or colours stored in a mask to train ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use image::GrayImage;

use super::mask::{RawMask, Stored};
use super::{ClassList, IGNORED};
use crate::data::ImageProblem;

/// Train id of each stored value; `None` for values that stand for nothing.
pub(crate) type ValueTable = [Option<u8>; 256];

/// How masks are coded.
#[derive(Debug, Clone)]
pub(crate) struct Coding {
    pub classes: Arc<ClassList>,
    /// For masks of values. Without it a palette is looked up by its colours.
    pub values: Option<Box<ValueTable>>,
    /// For masks of colours.
    pub colors: Option<HashMap<[u8; 3], u8>>,
}

impl Coding {
    /// Values are train ids, [`IGNORED`] is ignored; colours are the palette's.
    pub fn by_position(classes: ClassList) -> Self {
        let mut values = Box::new([None; 256]);
        (0..classes.len()).for_each(|id| values[id] = Some(id as u8));
        values[usize::from(IGNORED)] = Some(IGNORED);
        let colors = color_table(&classes.palette);
        Self { classes: Arc::new(classes), values: Some(values), colors }
    }

    /// The train id of each pixel.
    ///
    /// # Errors
    /// [`ImageProblem::OutsideClasses`] with every value or colour that stands for no class and how
    /// many pixels have it.
    pub fn apply(&self, raw: &RawMask) -> Result<GrayImage, ImageProblem> {
        let ids = match &raw.stored {
            Stored::Values(values, palette) => match (&self.values, palette) {
                (Some(table), _) => self.ids_of_values(values, table),
                (None, Some(palette)) => {
                    let color = |&value: &u8| palette.get(usize::from(value)).copied().unwrap_or_default();
                    self.ids_of_colors(&values.iter().map(color).collect::<Vec<_>>())
                }
                (None, None) => self.ids_of_colors(&values.iter().map(|&v| [v; 3]).collect::<Vec<_>>()),
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
        let known = |color: &[u8; 3]| self.colors.as_ref().and_then(|table| table.get(color).copied());
        let mut outside: BTreeMap<[u8; 3], u64> = BTreeMap::new();
        let mut last = ([0; 3], known(&[0; 3]));
        let id = |&color: &[u8; 3]| {
            // Neighbours are mostly alike, which saves the look-up.
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
            // Values saved with three equal channels.
            return self.ids_of_values(&colors.iter().map(|c| c[0]).collect::<Vec<_>>(), table);
        }
        let name = |[r, g, b]: [u8; 3]| format!("colour #{r:02x}{g:02x}{b:02x}");
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

/// The class of each colour; `None` where two classes share one.
pub(crate) fn color_table(palette: &[[u8; 3]]) -> Option<HashMap<[u8; 3], u8>> {
    let table: HashMap<_, _> = palette.iter().enumerate().map(|(id, &color)| (color, id as u8)).collect();
    (table.len() == palette.len()).then_some(table)
}
