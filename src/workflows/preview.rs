//! A picture of training samples before and after augmentation.

use std::path::PathBuf;

use image::RgbImage;

use super::WorkflowError;
use super::auto;
use super::evaluation::require_hints;
use crate::data::augment::Picture;
use crate::data::{Augment, Augmentation, Hints, Mix, MixOf, Mixed};
use crate::label::IGNORED_BYTE;
use crate::memory;
use crate::run::ImageSize;
use crate::run::pictures::{PictureTable, reduced, spread};
use crate::tasks::samples::{Sample, Samples};
use crate::tasks::{Task, TaskError};
use crate::train::settings::{ConfigError, Given};

/// Task, data and augmentation of a preview.
#[derive(Clone)]
pub struct PreviewOptions {
    /// Task of the samples.
    pub task: &'static dyn Task,
    /// Augmentation.
    pub augment: Augment,
    /// mixup and CutMix, for a task that has them.
    pub mix: Mix,
    /// Folder of the data; built-in scenes when not given.
    pub data: Option<PathBuf>,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Size of the images; by default that of the task's training.
    pub image_size: Option<ImageSize>,
    /// Size of random crops from pictures at their own size, for a task that has them.
    pub crop: Option<ImageSize>,
    /// Range of the factors that scale pictures before crops, such as `0.5..2`.
    pub scale: Option<String>,
    /// Seed of the run that is previewed.
    pub seed: u64,
    /// Share held out, for data without a split.
    pub val_split: f64,
    /// Number of samples, one per row; at least 1.
    pub samples: usize,
    /// Number of epochs, one per column after the original; at least 1.
    pub epochs: usize,
}

impl PreviewOptions {
    /// Six samples of the built-in scenes in five epochs.
    pub fn new(task: &'static dyn Task, augment: Augment) -> Self {
        PreviewOptions {
            task,
            augment,
            mix: Mix::default(),
            data: None,
            hints: Hints::default(),
            image_size: None,
            crop: None,
            scale: None,
            seed: 0,
            val_split: 0.2,
            samples: 6,
            epochs: 5,
        }
    }

    /// The training samples of these options.
    fn read(&self) -> Result<Samples, WorkflowError> {
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: toml::Value| drop(table.insert(key.to_owned(), value));
        for (key, alpha) in [("mixup", self.mix.mixup), ("cutmix", self.mix.cutmix)] {
            // NaN passes too, so that the settings refuse it.
            if alpha != 0.0 {
                if !self.task.settings().iter().any(|setting| setting.key == key) {
                    return Err(WorkflowError::NoSetting { key, task: self.task.name() });
                }
                set(key, alpha.into());
            }
        }
        if let Some(ImageSize { height, width }) = self.image_size.filter(|size| !size.is_auto()) {
            if self.task.takes_squares() && height != width {
                return Err(TaskError::NotSquare { height, width }.into());
            }
            let size = if height == width { (height as i64).into() } else { format!("{height}x{width}").into() };
            set("image_size", size);
        }
        let crop = self.crop.map(|size| format!("{}x{}", size.height, size.width));
        for (key, text) in [("crop", crop), ("scale", self.scale.clone())] {
            if let Some(text) = text {
                if !self.task.settings().iter().any(|setting| setting.key == key) {
                    return Err(WorkflowError::NoSetting { key, task: self.task.name() });
                }
                set(key, text.into());
            }
        }
        require_hints(self.task, &self.hints)?;
        table.extend(toml::Table::try_from(&self.hints).map_err(ConfigError::NoToml).map_err(TaskError::from)?);
        let mut set = |key: &str, value: toml::Value| drop(table.insert(key.to_owned(), value));
        match &self.data {
            Some(data) => set("data", data.to_string_lossy().into_owned().into()),
            None => set("scenes", (self.samples.max(10) as i64).into()),
        }
        set("seed", (self.seed as i64).into());
        set("val_split", self.val_split.into());
        let mut given = Given { settings: table, ..Given::default() };
        if self.image_size.is_none() {
            // The training refuses settings and data that cannot be read.
            let chosen = auto::choose(self.task, &given, 1).unwrap_or_default();
            let size = chosen.into_iter().find(|choice| choice.key == "image_size");
            given.settings.extend(size.map(|size| (size.key.to_owned(), size.value)));
        }
        Ok(self.task.samples(&self.task.resolve(&given)?)?)
    }

    fn title(&self) -> String {
        let mixing = [("mixup", self.mix.mixup), ("cutmix", self.mix.cutmix)];
        let mixing: String = mixing.iter().filter(|(_, a)| *a > 0.0).map(|(key, a)| format!(", {key} {a}")).collect();
        format!("{}: augment {}{mixing}, seed {}", self.task.name(), self.augment, self.seed)
    }
}

/// No change, for crops without augmentation.
static UNCHANGED: Augmentation = Augmentation::none();

/// Draws training samples: the original and its augmented versions in the first epochs, from 1. For the same seed and
/// settings a run sees the same pictures, unless it leaves out unreadable images. With crops, the original is the whole picture at its
/// own size. Masks lie over the images in the colors of their classes. Ignored pixels are darkened.
///
/// # Errors
/// Settings out of range, data that cannot be read, more pictures than fit.
pub fn preview(options: &PreviewOptions) -> Result<RgbImage, WorkflowError> {
    let from = options.read()?;
    let (size, seed) = (from.size, options.seed);
    require_memory((size.height, size.width), from.mix.is_some())?;
    let augmentation = options.augment.prepare(from.keeps, seed);
    let columns = std::iter::once("as it is".to_owned()).chain((1..=options.epochs).map(|e| format!("epoch {e}")));
    let mut sheet = PictureTable::new(options.title(), columns.collect());
    sheet.legend.clone_from(&from.legend);
    let shown = |rgb: &[u8], mask: &[u8], (height, width): (usize, usize)| {
        let bytes = overlaid(rgb, mask, &from.legend);
        RgbImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default()
    };
    let changed = |sample: &Sample, epoch| {
        let picture = Picture { size: sample.size, rgb: &sample.rgb, mask: &sample.mask };
        let take = |rgb: &[u8], mask: &[u8]| shown(rgb, mask, (size.height, size.width));
        match (&augmentation, &from.crops) {
            (how, Some(crops)) => {
                let view = crops.view(sample.size, epoch, sample.index);
                how.as_deref().unwrap_or(&UNCHANGED).with_view(picture, view, epoch, sample.index, take)
            }
            (Some(augmentation), None) => augmentation.with(picture, epoch, sample.index, take),
            (None, None) => take(&sample.rgb, &sample.mask),
        }
    };
    for place in spread(from.count, options.samples) {
        let sample = &(from.read)(place)?;
        require_memory(sample.size, from.mix.is_some())?;
        let mut row = vec![(reduced(shown(&sample.rgb, &sample.mask, sample.size)), sample.name.clone())];
        for epoch in 1..=options.epochs as u64 {
            let mut cell = (changed(sample, epoch), String::new());
            if let Some(mix) = from.mix.filter(|_| from.count > 1) {
                let (index, size) = (sample.index, (size.height, size.width));
                let mixed = Mix { seed, ..mix }.draw(MixOf { epoch, index, samples: from.count, size });
                let other = (from.read)(mixed.other)?;
                cell.0 = mix_pictures(&mixed, &cell.0, &changed(&other, epoch));
                cell.1 = format!("{:.0} % {}", 100.0 * (1.0 - mixed.share), other.name);
            }
            row.push((reduced(cell.0), cell.1));
        }
        sheet.row(row);
    }
    Ok(sheet.draw()?.picture)
}

/// Bytes per pixel of a sample while it is changed: the sample, the picture of its file, the changed picture and the drawn one.
/// Pictures of the table are reduced already.
const PIXEL: u64 = 16;
/// Further bytes per pixel if samples are mixed, as floats.
const MIXED_PIXEL: u64 = 32;

/// Refuses samples that do not fit into memory; one is drawn at a time.
fn require_memory((height, width): (usize, usize), is_mixed: bool) -> Result<(), WorkflowError> {
    let each = PIXEL + if is_mixed { MIXED_PIXEL } else { 0 };
    let bytes = (height as u64).saturating_mul(width as u64).saturating_mul(each);
    match memory::available() {
        Some(available) if available < bytes => Err(WorkflowError::NoMemory { what: "a sample", bytes, available }),
        _ => Ok(()),
    }
}

/// Two pictures of one size mixed.
fn mix_pictures(mixed: &Mixed, picture: &RgbImage, other: &RgbImage) -> RgbImage {
    let values = |picture: &RgbImage| picture.iter().map(|&v| f32::from(v)).collect::<Vec<f32>>();
    let mut bytes = values(picture);
    mixed.apply(&mut bytes, &values(other), picture.width() as usize, 3);
    let bytes = bytes.into_iter().map(|v| v.round() as u8).collect();
    RgbImage::from_raw(picture.width(), picture.height(), bytes).unwrap_or_default()
}

/// The mean of a picture and the colors of its mask. Ignored pixels have a third of their brightness.
fn overlaid(rgb: &[u8], mask: &[u8], classes: &[(String, [u8; 3])]) -> Vec<u8> {
    let mut bytes = rgb.to_vec();
    for (pixel, &class) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(mask) {
        match classes.get(usize::from(class)) {
            _ if class == IGNORED_BYTE => *pixel = pixel.map(|v| v / 3),
            Some((_, color)) => *pixel = std::array::from_fn(|c| pixel[c].midpoint(color[c])),
            None => {}
        }
    }
    bytes
}
