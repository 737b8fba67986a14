//! The corrected copies of the kinds of sets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use super::target::{self, Target};
use super::{Corrected, Kept, Samples, choose, counts, write_images};
use crate::data::check::CheckOptions;
use crate::data::open::open_with;
use crate::data::prepare::{SampleSet, count};
use crate::data::{
    BadImage, ClassificationDataset, DataError, IGNORED, ImageDataset, ImageProblem, MultiLabelSet, SampleDepth,
    SegmentationDataset, open_classification, open_images, open_multi_label,
};

const NAMES: [&str; 3] = ["train", "val", "test"];

/// A set of one part.
trait Part: SampleSet {
    /// See [`Samples::label`].
    fn label(&self, _index: usize) -> Option<String> {
        None
    }

    /// See [`Samples::check`].
    fn check(&self, _index: usize, _image: &RgbImage) -> Result<(), DataError> {
        Ok(())
    }
}

impl Part for Arc<dyn ClassificationDataset> {
    fn label(&self, index: usize) -> Option<String> {
        self.class_names().get((**self).label(index) as usize).cloned()
    }
}

impl Part for MultiLabelSet {
    fn label(&self, index: usize) -> Option<String> {
        Some(format!("{:?}", self.labels(index)))
    }
}

impl Part for Arc<dyn ImageDataset> {}

impl Part for Arc<dyn SegmentationDataset> {
    fn check(&self, index: usize, image: &RgbImage) -> Result<(), DataError> {
        let bad = self.other_size(index, image.dimensions(), self.mask(index)?.dimensions());
        bad.map_or(Ok(()), |bad| Err(DataError::BadImage(bad)))
    }
}

/// Sets of one kind, a part each.
struct Parts<P>(Vec<P>);

impl<P: Part> Parts<P> {
    fn new(train: P, val: P, test: Option<P>) -> Self {
        Parts([train, val].into_iter().chain(test).collect())
    }
}

impl<P: Part> Samples for Parts<P> {
    fn parts(&self) -> Vec<(&'static str, usize)> {
        NAMES.into_iter().zip(self.0.iter().map(SampleSet::len)).collect()
    }

    fn name(&self, part: usize, index: usize) -> String {
        self.0[part].name(index)
    }

    fn image(&self, part: usize, index: usize) -> Result<RgbImage, DataError> {
        self.0[part].image(index)
    }

    fn label(&self, part: usize, index: usize) -> Option<String> {
        Part::label(&self.0[part], index)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        self.0[0].depth()
    }

    fn check(&self, part: usize, index: usize, image: &RgbImage) -> Result<(), DataError> {
        Part::check(&self.0[part], index, image)
    }
}

/// Writes a corrected copy of the classification set at `path` into the folder `to`: `images/` and `labels.csv`.
///
/// # Errors
/// Where the set cannot be opened, `to` is not empty, or a part has no good image.
pub fn correct_classification(path: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, DataError> {
    let target = Target::new(to, path)?;
    let splits = open_classification(path, &options.open_options())?;
    let set = Parts::new(splits.train, splits.val, splits.test);
    let mut left_out = Vec::new();
    let mut kept = choose(&set, &mut left_out)?;
    let label = |one: &Kept| set.label(one.part, one.index).unwrap_or_default();
    let learned: BTreeSet<String> = kept.iter().filter(|one| one.part == 0).map(label).collect();
    retain_learned(&set, &mut kept, &mut left_out, |one| learned.contains(&label(one)));
    let parts = counts(&set, &kept, path)?;
    let files = write_images(&set, &kept, &target)?;
    let rows = kept.iter().zip(files).map(|(one, file)| vec![file, NAMES[one.part].into(), label(one)]);
    target.write("labels.csv", &table(["path", "split", "label"].map(String::from).to_vec(), rows)?)?;
    target.finish()?;
    let lost_classes = set.0[0].class_names().iter().filter(|name| !learned.contains(*name)).cloned().collect();
    Ok(Corrected { parts, lost_classes, left_out })
}

/// Writes a corrected copy of the multi-label set at `path` into the folder `to`: `images/` and `labels.csv` with a
/// column of 0 and 1 for each class.
///
/// # Errors
/// As [`correct_classification`].
pub fn correct_multi_label(path: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, DataError> {
    let target = Target::new(to, path)?;
    let splits = open_multi_label(path, &options.open_options())?;
    let set = Parts::new(splits.train, splits.val, splits.test);
    let mut left_out = Vec::new();
    let kept = choose(&set, &mut left_out)?;
    let parts = counts(&set, &kept, path)?;
    let has = |one: &Kept, class: usize| set.0[one.part].labels(one.index).contains(&(class as u32));
    let names = set.0[0].class_names();
    let is_learned = |class: usize| kept.iter().any(|one| one.part == 0 && has(one, class));
    let (learned, lost): (Vec<usize>, Vec<usize>) = (0..names.len()).partition(|&class| is_learned(class));
    let header =
        ["path", "split"].map(String::from).into_iter().chain(learned.iter().map(|&class| names[class].clone()));
    let files = write_images(&set, &kept, &target)?;
    let rows = kept.iter().zip(files).map(|(one, file)| {
        let flags = learned.iter().map(|&class| u8::from(has(one, class)).to_string());
        [file, NAMES[one.part].into()].into_iter().chain(flags).collect()
    });
    target.write("labels.csv", &table(header.collect(), rows)?)?;
    target.finish()?;
    Ok(Corrected { parts, lost_classes: lost.into_iter().map(|class| names[class].clone()).collect(), left_out })
}

/// Writes a corrected copy of the image set at `path` into the folder `to`: `images/` and a list for each part.
///
/// # Errors
/// As [`correct_classification`].
pub fn correct_images(path: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, DataError> {
    let target = Target::new(to, path)?;
    let splits = open_images(path, &options.set_options())?;
    let set = Parts::new(splits.train, splits.val, splits.test);
    let mut left_out = Vec::new();
    let kept = choose(&set, &mut left_out)?;
    let parts = counts(&set, &kept, path)?;
    let files = write_images(&set, &kept, &target)?;
    write_lists(&target, &kept, &files)?;
    target.finish()?;
    Ok(Corrected { parts, lost_classes: vec![], left_out })
}

/// Writes a corrected copy of the segmentation set at `path` into the folder `to`: `images/`, `masks/` of class
/// numbers, `classes.toml` and a list for each part.
///
/// # Errors
/// As [`correct_classification`]; where the masks can be read in two ways; where fewer than two classes have training
/// pixels.
pub fn correct_segmentation(path: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, DataError> {
    let target = Target::new(to, path)?;
    let mut left_out = Vec::new();
    let splits = open_with(path, &options.set_options(), &mut left_out)?;
    let set = Parts::new(splits.train, splits.val, splits.test);
    let mut kept = choose(&set, &mut left_out)?;
    let list = set.0[0].classes().clone();
    let pixels: Vec<Vec<u64>> = kept
        .par_iter()
        .map(|one| Ok(count(&set.0[one.part].mask(one.index)?, list.len()).0))
        .collect::<Result<_, DataError>>()?;
    let in_training = |class: usize| kept.iter().zip(&pixels).any(|(one, pixels)| one.part == 0 && pixels[class] > 0);
    let (learned, lost): (Vec<usize>, Vec<usize>) = (0..list.len()).partition(|&class| in_training(class));
    if learned.len() < 2 {
        let classes = learned.iter().map(|&class| list.names[class].clone()).collect();
        return Err(DataError::TooFewClasses { path: path.to_path_buf(), classes });
    }
    let counting: Vec<bool> = pixels.iter().map(|pixels| learned.iter().any(|&class| pixels[class] > 0)).collect();
    let mut counts_for = counting.iter();
    retain_learned(&set, &mut kept, &mut left_out, |_| counts_for.next().copied().unwrap_or(true));
    let parts = counts(&set, &kept, path)?;
    let mut ids = [IGNORED; 256];
    learned.iter().enumerate().for_each(|(id, &class)| ids[class] = id as u8);
    target.folder("masks")?;
    let files = write_images(&set, &kept, &target)?;
    kept.par_iter().try_for_each(|one| {
        let mut mask: GrayImage = set.0[one.part].mask(one.index)?;
        mask.iter_mut().for_each(|id| *id = ids[usize::from(*id)]);
        target.write(&format!("masks/{}.png", one.stem), &target::png(&mask.into())?)
    })?;
    let classes = learned.iter().enumerate().map(|(id, &class)| {
        let color = list.palette[class].map(|channel| toml::Value::from(i64::from(channel))).to_vec();
        let mut entry = toml::Table::new();
        entry.insert("name".into(), list.names[class].clone().into());
        entry.insert("value".into(), (id as i64).into());
        entry.insert("color".into(), color.into());
        toml::Value::Table(entry)
    });
    let classes = toml::Value::Array(classes.collect());
    let ignored = toml::Value::from(i64::from(IGNORED));
    let entries = [("ignore_index".to_string(), ignored), ("classes".to_string(), classes)];
    let text = toml::Table::from_iter(entries).to_string();
    target.write("classes.toml", text.as_bytes())?;
    let lines: Vec<String> =
        kept.iter().zip(files).map(|(one, file)| format!("{file} masks/{}.png", one.stem)).collect();
    write_lists(&target, &kept, &lines)?;
    target.finish()?;
    Ok(Corrected { parts, lost_classes: lost.into_iter().map(|class| list.names[class].clone()).collect(), left_out })
}

/// Leaves out the samples without a learned class, which is one that a training image has.
fn retain_learned(
    set: &dyn Samples,
    kept: &mut Vec<Kept>,
    left_out: &mut Vec<BadImage>,
    mut is_learned: impl FnMut(&Kept) -> bool,
) {
    kept.retain(|one| {
        let keeps = is_learned(one);
        if !keeps {
            let problem = ImageProblem::Repeated("has no class that a training image has".into());
            left_out.push(BadImage { image: set.name(one.part, one.index), problem });
        }
        keeps
    });
}

/// Writes a list of lines for each part.
fn write_lists(target: &Target, kept: &[Kept], lines: &[String]) -> Result<(), DataError> {
    for (part, name) in NAMES.iter().enumerate() {
        let own = kept.iter().zip(lines).filter(|(one, _)| one.part == part);
        let text: String = own.map(|(_, line)| format!("{line}\n")).collect();
        if !text.is_empty() {
            target.write(&format!("{name}.txt"), text.as_bytes())?;
        }
    }
    Ok(())
}

/// A table as CSV.
fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, DataError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows) {
        // Writing to memory does not fail.
        writer.write_record(&row).map_err(|e| DataError::malformed(Path::new("labels.csv"), e.to_string()))?;
    }
    writer.into_inner().map_err(|e| DataError::malformed(Path::new("labels.csv"), e.to_string()))
}
