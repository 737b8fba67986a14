//! A corrected copy of a data set in a new folder: the samples as training gets them, without the faulty ones.
//!
//! | in the set | in the copy |
//! |---|---|
//! | a JPEG of 1 or 3 channels that is not turned | the same file |
//! | any other image | an 8-bit RGB PNG: upright, on white, the first page |
//! | a mask, stored in any way | an 8-bit PNG of class numbers; 255 is ignored |
//! | classes | `classes.toml`, or the labels in `labels.csv` |
//! | parts | `train.txt`, `val.txt`, `test.txt`, or the column `split` |
//! | an unreadable file; an image without mask, or a mask without image; a duplicate in another part or class | left out |
//! | a class without a training image or pixel | left out; pixels of it are ignored |

mod sets;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image::RgbImage;
use rayon::prelude::*;

use super::check::hash_of;
use super::decode::Head;
use super::depth::Basis;
use super::truncation::jpeg_frame;
use super::{BadImage, DataError, ImageProblem, SampleDepth};
pub use sets::{correct_classification, correct_images, correct_multi_label, correct_segmentation};
use target::Target;

/// Content of a corrected copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// Parts and the number of their images.
    pub parts: Vec<(&'static str, usize)>,
    /// Classes that the copy lacks, since no training image has them.
    pub lost_classes: Vec<String>,
    /// Images and masks that were left out, with the reason.
    pub left_out: Vec<BadImage>,
}

/// A set as the correction reads it: parts of samples.
trait Samples: Sync {
    /// Name and number of samples of each part, the training part first.
    fn parts(&self) -> Vec<(&'static str, usize)>;
    /// The file of a sample, or another name.
    fn name(&self, part: usize, index: usize) -> String;
    /// The picture as training reads it.
    fn image(&self, part: usize, index: usize) -> Result<RgbImage, DataError>;
    /// The label or labels. Two equal pictures must have the same.
    fn label(&self, _part: usize, _index: usize) -> Option<String> {
        None
    }
    /// How 16-bit samples are read.
    fn depth(&self) -> Option<&SampleDepth>;
    /// Checks other parts of a sample than its image.
    fn check(&self, _part: usize, _index: usize, _image: &RgbImage) -> Result<(), DataError> {
        Ok(())
    }
}

/// A sample that goes into the copy.
#[derive(Debug, Clone)]
struct Kept {
    part: usize,
    index: usize,
    /// Its name in the copy, without extension.
    stem: String,
}

/// Reads every sample. Those that are good and contradict no other are kept; the others are added to `left_out`.
fn choose(set: &dyn Samples, left_out: &mut Vec<BadImage>) -> Result<Vec<Kept>, DataError> {
    let places: Vec<(usize, usize)> =
        set.parts().iter().enumerate().flat_map(|(part, (_, count))| (0..*count).map(move |i| (part, i))).collect();
    let read = |&(part, index): &(usize, usize)| {
        let image = set.image(part, index)?;
        set.check(part, index, &image)?;
        Ok(hash_of(&image))
    };
    let hashes: Vec<Result<u64, DataError>> = places.par_iter().map(read).collect();
    let mut seen: BTreeMap<u64, Vec<(usize, usize)>> = BTreeMap::new();
    for (place, hash) in places.iter().zip(&hashes) {
        if let Ok(hash) = hash {
            seen.entry(*hash).or_default().push(*place);
        }
    }
    if let Some(depth) = set.depth() {
        depth.settle(Basis::All);
    }
    let mut kept = Vec::new();
    for ((part, index), hash) in places.into_iter().zip(hashes) {
        let name = set.name(part, index);
        let hash = match hash {
            Ok(hash) => hash,
            Err(DataError::BadImage(bad)) => {
                left_out.push(bad);
                continue;
            }
            Err(other) => return Err(other),
        };
        let same = &seen[&hash];
        let labels: BTreeSet<Option<String>> = same.iter().map(|&(part, index)| set.label(part, index)).collect();
        let (first_part, first) = same[0];
        let problem = if labels.len() > 1 {
            let others = same.iter().filter(|place| **place != (part, index));
            let other = others.map(|&(part, index)| set.name(part, index)).next().unwrap_or_default();
            Some(format!("is the same picture as {other}, which has another label; one of them is wrong"))
        } else if part != first_part {
            Some(format!(
                "is the same picture as {} of the {} part",
                set.name(first_part, first),
                set.parts()[first_part].0
            ))
        } else {
            None
        };
        match problem {
            Some(problem) => left_out.push(BadImage { image: name, problem: ImageProblem::Repeated(problem) }),
            None => kept.push(Kept { part, index, stem: format!("{:06}-{}", kept.len(), plain(&name)) }),
        }
    }
    Ok(kept)
}

/// Writes the pictures of the samples that are kept, and returns their names below the copy.
fn write_images(set: &dyn Samples, kept: &[Kept], to: &Target) -> Result<Vec<String>, DataError> {
    let write = |one: &Kept| {
        let name = set.name(one.part, one.index);
        match as_it_is(Path::new(&name)) {
            Some(bytes) => {
                let file = format!("images/{}.jpg", one.stem);
                to.write(&file, &bytes).map(|()| file)
            }
            None => {
                let file = format!("images/{}.png", one.stem);
                to.write(&file, &target::png(&set.image(one.part, one.index)?.into())?).map(|()| file)
            }
        }
    };
    kept.par_iter().map(write).collect()
}

/// The bytes of a JPEG that every reader decodes alike; `None` for other files.
fn as_it_is(path: &Path) -> Option<Vec<u8>> {
    let is_jpeg = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"));
    if !is_jpeg || Head::of(path)?.is_turned() {
        return None;
    }
    let bytes = super::decode::read_bytes(path, &Default::default()).ok()?;
    matches!(jpeg_frame(&bytes)?.components, 1 | 3).then_some(bytes)
}

/// The stem of a file's name, with characters that every file system accepts; at most 60.
fn plain(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(60).collect()
}

/// Number of kept samples of each part.
///
/// # Errors
/// Where the training or validation part has no such sample.
fn counts(set: &dyn Samples, kept: &[Kept], root: &Path) -> Result<Vec<(&'static str, usize)>, DataError> {
    let count = |part: usize| kept.iter().filter(|one| one.part == part).count();
    let counts: Vec<_> = set.parts().into_iter().enumerate().map(|(part, (name, _))| (name, count(part))).collect();
    match counts.iter().take(2).find(|(_, count)| *count == 0) {
        Some((name, _)) => {
            let split = if *name == "train" { "train" } else { "validation" };
            let reason = "no image of it can be read that is not also in another part".to_string();
            Err(DataError::EmptySplit { path: root.to_path_buf(), split, reason })
        }
        None => Ok(counts),
    }
}
