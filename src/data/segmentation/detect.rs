//! Finding the classes of masks that come without a list of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::classes::{ClassList, voc_color};
use super::coding::{Coding, color_table};
use super::mask::{self, Stored};
use super::{IGNORED, Pair};
use crate::data::DataError;

/// More classes than a mask can name, or so many that the pictures are no masks.
const MAX_CLASSES: usize = 255;

/// What all masks of a set hold.
#[derive(Default)]
struct Seen {
    values: BTreeSet<u8>,
    value_files: usize,
    palette: Option<Vec<[u8; 3]>>,
    colors: BTreeSet<[u8; 3]>,
    color_files: usize,
}

impl Seen {
    fn of(stored: Stored) -> Self {
        let mut seen = Self::default();
        match stored {
            Stored::Values(values, palette) => {
                let mut present = [false; 256];
                values.iter().for_each(|&v| present[usize::from(v)] = true);
                seen.values = (0..=255u8).filter(|&v| present[usize::from(v)]).collect();
                (seen.palette, seen.value_files) = (palette, 1);
            }
            Stored::Colors(mut colors) => {
                colors.dedup();
                for color in colors {
                    // A photograph has tens of thousands; one more than the limit tells as much.
                    if seen.colors.len() > MAX_CLASSES {
                        break;
                    }
                    seen.colors.insert(color);
                }
                seen.color_files = 1;
            }
        }
        seen
    }

    fn plus(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        self.value_files += other.value_files;
        self.palette = self.palette.or(other.palette);
        self.colors.extend(other.colors.into_iter().take(MAX_CLASSES + 1));
        self.color_files += other.color_files;
        self
    }
}

/// Looks at every mask (unreadable ones are reported when the set is prepared).
///
/// # Errors
/// Where no mask can be read, or they hold too many colours to be masks, or a single class.
pub(crate) fn detect(root: &Path, parts: &[&[Pair]]) -> Result<Coding, DataError> {
    let masks: Vec<&Path> = parts.iter().flat_map(|part| part.iter().map(|pair| pair.mask.as_path())).collect();
    let seen: Vec<Seen> =
        masks.par_iter().filter_map(|path| mask::read(path).ok()).map(|raw| Seen::of(raw.stored)).collect();
    let seen = seen.into_iter().fold(Seen::default(), Seen::plus);
    if seen.value_files + seen.color_files == 0 {
        let problem = format!("none of the {} masks can be read; masks are 8-bit PNG files", masks.len());
        return Err(DataError::malformed(root, problem));
    }
    if seen.color_files > seen.value_files { of_colors(root, seen) } else { of_values(root, seen) }
}

/// With one class there is nothing to learn: the loss is 0 and every score perfect from the start.
fn single_class(root: &Path, found: &str) -> DataError {
    let problem = format!(
        "its masks hold {found}, but at least 2 classes are needed; check that these are the masks, or list the classes \
         in a classes.toml"
    );
    DataError::malformed(root, problem)
}

fn of_colors(root: &Path, seen: Seen) -> Result<Coding, DataError> {
    // Grey levels saved as colours are values.
    if seen.colors.len() <= MAX_CLASSES && seen.colors.iter().all(|[r, g, b]| r == g && g == b) {
        let values = seen.colors.iter().map(|c| c[0]).collect();
        return of_values(root, Seen { values, ..Seen::default() });
    }
    let palette: Vec<[u8; 3]> = seen.colors.into_iter().collect();
    if palette.len() > MAX_CLASSES {
        let problem = "its masks hold more than 255 colours, so they are photographs or were saved with loss; \
                       list the classes and their colours in a classes.toml, or save the masks as PNG";
        return Err(DataError::malformed(root, problem));
    }
    let names: Vec<String> = palette.iter().map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}")).collect();
    if let [only] = names.as_slice() {
        return Err(single_class(root, &format!("the colour {only} alone")));
    }
    let source = "the colours in the masks; name them in a classes.toml".to_string();
    let classes = ClassList { names, palette: palette.clone(), ignored: "nothing".into(), source };
    Ok(Coding { classes: Arc::new(classes), values: None, colors: color_table(&palette) })
}

fn of_values(root: &Path, seen: Seen) -> Result<Coding, DataError> {
    let present: Vec<u8> = seen.values.iter().copied().filter(|&v| v != IGNORED).collect();
    let has_ignored = seen.values.contains(&IGNORED);
    let source = "the values in the masks; name them in a classes.toml".to_string();
    let list = |names: Vec<String>, ignored: &str| {
        let own = |id: usize| seen.palette.as_ref().and_then(|p| p.get(id).copied());
        let palette = (0..names.len()).map(|id| own(id).unwrap_or_else(|| voc_color(id as u8))).collect();
        ClassList { names, palette, ignored: ignored.into(), source: source.clone() }
    };
    if present == [0] && has_ignored && seen.palette.is_none() {
        let mut coding = Coding::by_position(list(
            vec!["background".into(), "foreground".into()],
            "nothing (255 is the foreground)",
        ));
        if let Some(table) = &mut coding.values {
            table[usize::from(IGNORED)] = Some(1);
        }
        return Ok(coding);
    }
    match present.as_slice() {
        [] => return Err(single_class(root, "nothing but value 255, which is ignored")),
        [only] => return Err(single_class(root, &format!("value {only} alone"))),
        _ => {}
    }
    let ignored = if has_ignored { "value 255" } else { "nothing (value 255 would be)" };
    let highest = present.last().map_or(0, |&v| usize::from(v));
    if highest + 1 > present.len() * 2 + 8 {
        // Grey levels spread over the range, such as 0, 85, 170: each is a class of its own.
        let names = present.iter().map(|v| format!("value {v}")).collect();
        let mut coding = Coding::by_position(list(names, ignored));
        if let Some(table) = &mut coding.values {
            table[..usize::from(IGNORED)].fill(None);
            present.iter().enumerate().for_each(|(id, &v)| table[usize::from(v)] = Some(id as u8));
        }
        return Ok(coding);
    }
    Ok(Coding::by_position(list((0..=highest).map(|id| format!("class {id}")).collect(), ignored)))
}
