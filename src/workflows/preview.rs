//! What augmentation does to training samples, as a picture: the way to see whether a setting goes too far.

use image::RgbImage;

use crate::data::augment::{Picture, Purpose};
use crate::data::{Augment, IGNORED, Mix, Mixed, cover_into, nearest_into, square_into, stretch_into};
use crate::run::card::TaskKind;
use crate::run::pictures::Comparison;
use crate::tasks::classify;
use crate::tasks::colorize;
use crate::tasks::segment;
use crate::train::TrainError;
use crate::train::config::{ClassifyConfig, ColorizeConfig, ImageSize, SegmentConfig};

/// What to show.
#[derive(Debug, Clone)]
pub struct PreviewOptions {
    /// The task that the samples are for.
    pub task: TaskKind,
    /// How they are changed.
    pub augment: Augment,
    /// How samples to classify are mixed; nothing else is.
    pub mix: Mix,
    /// Folder of the data; built-in scenes when not given.
    pub data: Option<std::path::PathBuf>,
    /// Size that images are brought to; that of the task's training where not given.
    pub image_size: Option<ImageSize>,
    /// Seed of the run to be looked at.
    pub seed: u64,
    /// Share held out where the data has no split of its own.
    pub val_split: f64,
    /// Samples, a row each; at least 1.
    pub samples: usize,
    /// Epochs, a column each beside the sample as it is; at least 1.
    pub epochs: usize,
}

impl PreviewOptions {
    /// Six samples in five epochs, of built-in scenes.
    pub fn new(task: TaskKind, augment: Augment) -> Self {
        PreviewOptions {
            task,
            augment,
            mix: Mix::default(),
            data: None,
            image_size: None,
            seed: 0,
            val_split: 0.2,
            samples: 6,
            epochs: 5,
        }
    }
}

/// A sample at its size in training.
struct Sample {
    index: usize,
    name: String,
    rgb: Vec<u8>,
    mask: Vec<u8>,
}

/// Draws training samples as they are and as they are in the first epochs (from 1, as in a run): for the same seed and
/// settings what a run sees, where no image of the data is left out as unreadable. Masks lie over the images in the
/// classes' colours; what is ignored is darkened.
///
/// # Errors
/// Settings out of range, data that cannot be read, more than one picture holds.
pub fn preview(options: &PreviewOptions) -> Result<RgbImage, TrainError> {
    let (data, seed, val_split) = (options.data.clone(), options.seed, options.val_split);
    let scenes = options.samples.max(10);
    let rows = |len| classify::spread(len, options.samples);
    let mut legend = vec![];
    let mut others = None;
    let (purpose, size, samples) = match options.task {
        TaskKind::Classify => {
            let Mix { mixup, cutmix, .. } = options.mix;
            let mut config =
                ClassifyConfig { data, seed, val_split, scenes, mixup, cutmix, ..ClassifyConfig::default() };
            if let Some(size) = options.image_size {
                config.image_size = size.height;
                if size.height != size.width {
                    return Err(TrainError::NotSquare { height: size.height, width: size.width });
                }
            }
            config.validate()?;
            let (train, side) = (classify::open_data(&config)?.train, config.image_size);
            let mut samples = vec![];
            let set = train.clone();
            let sample = move |index: usize| -> Result<Sample, TrainError> {
                let mut rgb = vec![0; 3 * side * side];
                square_into(&set.image(index)?, side as u32, &mut rgb);
                let name = set.class_names()[set.label(index) as usize].clone();
                Ok(Sample { index, name, rgb, mask: vec![] })
            };
            for index in rows(train.len()) {
                samples.push(sample(index)?);
            }
            others = (options.mix.is_on() && train.len() > 1).then_some((train.len(), sample));
            (Purpose::Classify, ImageSize { height: side, width: side }, samples)
        }
        TaskKind::Segment => {
            let mut config = SegmentConfig { data, seed, val_split, scenes, ..SegmentConfig::default() };
            config.image_size = options.image_size.unwrap_or(config.image_size);
            config.validate()?;
            let (train, size) = (segment::open_data(&config)?.train, config.image_size);
            let (classes, area) = (train.classes(), size.height * size.width);
            legend = classes.names.iter().cloned().zip(classes.palette.iter().copied()).collect();
            let mut samples = vec![];
            for index in rows(train.len()) {
                let (mut rgb, mut mask) = (vec![0; 3 * area], vec![0; area]);
                stretch_into(&train.image(index)?, size.width as u32, size.height as u32, &mut rgb);
                nearest_into(&train.mask(index)?, size.width as u32, size.height as u32, &mut mask);
                samples.push(Sample { index, name: train.name(index), rgb, mask });
            }
            (Purpose::Segment, size, samples)
        }
        TaskKind::Colorize => {
            let mut config = ColorizeConfig { data, seed, val_split, scenes, ..ColorizeConfig::default() };
            config.image_size = options.image_size.unwrap_or(config.image_size);
            config.validate()?;
            let (train, size) = (colorize::open_data(&config)?.train, config.image_size);
            let mut samples = vec![];
            for index in rows(train.len()) {
                let mut rgb = vec![0; 3 * size.height * size.width];
                cover_into(&train.image(index)?, size.width as u32, size.height as u32, &mut rgb);
                samples.push(Sample { index, name: train.name(index), rgb, mask: vec![] });
            }
            (Purpose::Colorize, size, samples)
        }
    };
    let augmentation = options.augment.prepare(purpose, seed);
    let columns = std::iter::once("as it is".to_owned()).chain((1..=options.epochs).map(|e| format!("epoch {e}")));
    let mixing = [("mixup", options.mix.mixup), ("cutmix", options.mix.cutmix)];
    let mixing: String = mixing.iter().filter(|(_, a)| *a > 0.0).map(|(key, a)| format!(" --{key} {a}")).collect();
    let title = format!("train {} --augment {}{mixing} --seed {seed}", options.task.name(), options.augment);
    let mut sheet = Comparison::new(title, columns.collect());
    sheet.legend = legend;
    let shown = |rgb: &[u8], mask: &[u8]| {
        let bytes = overlaid(rgb, mask, &sheet.legend);
        RgbImage::from_raw(size.width as u32, size.height as u32, bytes).unwrap_or_default()
    };
    let changed = |sample: &Sample, epoch| {
        let picture = Picture { size: (size.height, size.width), rgb: &sample.rgb, mask: &sample.mask };
        match &augmentation {
            Some(augmentation) => augmentation.with(picture, epoch, sample.index, shown),
            None => shown(&sample.rgb, &sample.mask),
        }
    };
    let mut rows = vec![];
    for sample in &samples {
        let mut row = vec![(shown(&sample.rgb, &sample.mask), sample.name.clone())];
        for epoch in 1..=options.epochs as u64 {
            let mut cell = (changed(sample, epoch), String::new());
            if let Some((count, other)) = &others {
                let mixed = Mix { seed, ..options.mix }.draw(epoch, sample.index, *count, (size.height, size.width));
                let other = other(mixed.other)?;
                cell.0 = mix(&mixed, &cell.0, &changed(&other, epoch));
                cell.1 = format!("{:.0} % {}", 100.0 * (1.0 - mixed.share), other.name);
            }
            row.push(cell);
        }
        rows.push(row);
    }
    rows.into_iter().for_each(|row| sheet.row(row));
    Ok(sheet.draw()?)
}

/// Two pictures of one size mixed.
fn mix(mixed: &Mixed, picture: &RgbImage, other: &RgbImage) -> RgbImage {
    let values = |picture: &RgbImage| picture.iter().map(|&v| f32::from(v)).collect::<Vec<f32>>();
    let mut bytes = values(picture);
    mixed.apply(&mut bytes, &values(other), picture.width() as usize, 3);
    let bytes = bytes.into_iter().map(|v| v.round() as u8).collect();
    RgbImage::from_raw(picture.width(), picture.height(), bytes).unwrap_or_default()
}

/// A picture half covered by the colours of its mask; ignored pixels are at a third of their brightness.
fn overlaid(rgb: &[u8], mask: &[u8], classes: &[(String, [u8; 3])]) -> Vec<u8> {
    let mut bytes = rgb.to_vec();
    for (pixel, &class) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(mask) {
        match classes.get(usize::from(class)) {
            _ if class == IGNORED => *pixel = pixel.map(|v| v / 3),
            Some((_, colour)) => *pixel = std::array::from_fn(|c| pixel[c].midpoint(colour[c])),
            None => {}
        }
    }
    bytes
}
