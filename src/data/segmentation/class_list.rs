//! Names and colors of the classes of a segmentation set.

use std::collections::HashMap;
use std::fmt;

/// Train id of an ignored pixel: it counts neither in the loss nor in a metric.
pub const IGNORED: u8 = crate::label::IGNORED_BYTE;

/// Names and colors of the classes. A train id is an index into both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassList {
    /// Names.
    pub names: Vec<String>,
    /// Red, green and blue of each class in pictures.
    pub palette: Vec<[u8; 3]>,
    /// The ignored values, in words: `value 11 (Void), value 255`.
    pub ignored: String,
    /// Source of the list, in words.
    pub source: String,
}

impl ClassList {
    /// Number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no classes.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// A list of these names and colors, for formats and scenes with fixed classes.
    pub(crate) fn of(classes: &[(&str, [u8; 3])], ignored: &str, source: &str) -> Self {
        let (names, palette) = classes.iter().map(|(name, color)| (name.to_string(), *color)).unzip();
        Self { names, palette, ignored: ignored.into(), source: source.into() }
    }
}

impl fmt::Display for ClassList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, ignored, source, .. } = self;
        write!(f, "{} classes, from {source}: {}; ignored: {ignored}", names.len(), names.join(", "))
    }
}

/// Color of class `id` in Pascal VOC's map. The bits of `id` go to red, green and blue in turn, from the highest bit of
/// each down. All ids have distinct colors; 0 is black.
pub(crate) fn voc_color(id: u8) -> [u8; 3] {
    let bit = |at: u8| (id >> at) & 1;
    std::array::from_fn(|c| {
        let c = c as u8;
        (0..3).map(|level| if c + 3 * level < 8 { bit(c + 3 * level) << (7 - level) } else { 0 }).sum()
    })
}

/// The class of each color; `None` if two classes share a color.
pub(crate) fn color_table(palette: &[[u8; 3]]) -> Option<HashMap<[u8; 3], u8>> {
    let table: HashMap<_, _> = palette.iter().enumerate().map(|(id, &color)| (color, id as u8)).collect();
    (table.len() == palette.len()).then_some(table)
}
