//! Bits of 16-bit images, compared between classes. A network can learn the kind of file instead of the objects.
//!
//! | the images | reading |
//! |---|---|
//! | each 16-bit image of one class is brighter than the bits of another class hold | refused: that class has another white, or is dark |
//! | those of one class have 16 bits, those of another 8 | a note |

use std::path::Path;

use rayon::prelude::*;

use super::decode::{decode_file_at, has_16_bits};
use super::depth::bits_for;
use super::names::one_line;
use super::{ClassificationDataset, DataError, SampleDepth};

/// Largest number of images of a class that are read.
const SAMPLE: usize = 16;
/// Least number of images for a statement about a class.
const FEWEST: usize = 3;

/// Some images of a class: the highest value of each of 16 bits, and the number of those of 8 bits.
struct Class<'a> {
    name: &'a str,
    first: &'a Path,
    highest: Vec<u32>,
    flat: usize,
}

/// Compares the classes of a training part that has 16-bit images. Returns a note.
///
/// # Errors
/// Where each image of one class is brighter than the bits of another class hold.
pub(super) fn compare(set: &dyn ClassificationDataset) -> Result<Option<String>, DataError> {
    let mut of_class: Vec<Vec<&Path>> = vec![vec![]; set.class_names().len()];
    for index in 0..set.len() {
        let paths = of_class.get_mut(set.label(index) as usize).filter(|paths| paths.len() < SAMPLE);
        if let (Some(paths), Some(path)) = (paths, set.path(index)) {
            paths.push(path);
        }
    }
    let named: Vec<(&String, Vec<&Path>)> = set.class_names().iter().zip(of_class).collect();
    let classes: Vec<Class<'_>> = named.par_iter().filter_map(|(name, paths)| look(name, paths)).collect();
    let deep: Vec<&Class<'_>> = classes.iter().filter(|class| class.highest.len() >= FEWEST).collect();
    for dark in &deep {
        let most = dark.highest.iter().copied().max().unwrap_or(0);
        let bits = bits_for(most);
        let white = (1u32 << bits) - 1;
        let is_apart = |class: &&&Class<'_>| class.highest.iter().all(|&highest| highest > white);
        if let Some(bright) = deep.iter().find(is_apart) {
            return Err(apart(dark, bright, (most, bits)));
        }
    }
    let flat = classes.iter().find(|class| class.highest.is_empty() && class.flat >= FEWEST);
    let deep = deep.into_iter().find(|class| class.flat == 0);
    Ok(flat.zip(deep).map(|(flat, deep)| {
        format!(
            "the images of class '{}' have 16 bits a sample and those of class '{}' 8: a network can learn this difference in place \
             of the objects",
            one_line(deep.name),
            one_line(flat.name)
        )
    }))
}

fn look<'a>(name: &'a str, paths: &[&'a Path]) -> Option<Class<'a>> {
    let (deep, flat): (Vec<&Path>, Vec<&Path>) = paths.iter().copied().partition(|path| has_16_bits(path));
    let highest = |path: &&Path| {
        let depth = SampleDepth::default();
        decode_file_at(path, &depth).ok().map(|_| depth.highest())
    };
    Some(Class { name, first: paths.first()?, highest: deep.iter().filter_map(highest).collect(), flat: flat.len() })
}

fn apart(dark: &Class<'_>, bright: &Class<'_>, (most, bits): (u32, u8)) -> DataError {
    let least = bright.highest.iter().min().copied().unwrap_or(0);
    let problem = format!(
        "is one of the 16-bit images of class '{}', whose values reach {most} ({bits} bits), and each of class '{}' reaches {least} or \
         more: either their white differs, or those of class '{}' are dark, and a network would learn this difference; save all images \
         with 8 bits, with the white that is meant",
        one_line(dark.name),
        one_line(bright.name),
        one_line(dark.name)
    );
    DataError::malformed(dark.first, problem)
}
