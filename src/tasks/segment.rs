//! Segmentation: one class per pixel.

pub(crate) mod boundary;
mod evaluation;
mod explain;
mod grid;
mod input;
pub(crate) mod metrics;
mod objective;
mod own_masks;
mod picture;
mod predict;
mod scale;
mod scores;
mod set;
mod settings;
mod tiles;
mod upscale;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use evaluation::SegmentEvaluation;
pub use metrics::{ClassWeighting, SegmentationScores};
pub use objective::Segmentation;
pub use predict::SegmentPredictor;
pub use scale::ScaleRange;
pub use scores::{MEAN_IOU, OWN_MEAN_IOU, OWN_PIXEL_ACCURACY, OWN_WEIGHTED_IOU, PIXEL_ACCURACY, WEIGHTED_IOU};
pub use settings::{SegmentConfig, SegmentLoss, SegmentModel};

use set::{SegmentedImages, whole};

use super::data::{Chosen, DataSource, Part, STREETS_VAL, both, fourth_channel, on_demand_line, resumed_classes};
use super::export::{OnnxNetwork, OnnxOutput};
use super::hub::HubTask;
use super::predict::Predictor;
use super::samples::{Sample, Samples};
use super::{Example, Task, TaskError};
use crate::data::augment::Keeps;
use crate::data::check::{CheckOptions, CheckReport, check_segmentation};
use crate::data::correct::{Corrected, correct_segmentation};
use crate::data::{
    BadImage, CropSource, Crops, Place, PreparedPairs, SegmentationSource, SegmentationSplits, SetOptions, Source,
    nearest_into, open_segmentation, prepare, stretch_into,
};
use crate::exec::AnyEngine;
use crate::nn::Averaged;
use crate::run::card::ModelCard;
use crate::run::image_size::Fit;
use crate::run::task_card::TaskCard;
use crate::run::{Checkpoint, ImageSize};
use crate::train::open::TrainingData;
use crate::train::settings::Resolved;
use crate::train::start::{self, StartFile};
use crate::train::{Observer, Outcome, TrainError, Trainer};

/// Limit on the bytes of decoded training pictures kept for crops; further pictures are decoded for each crop.
const ORIGINALS: u64 = 2 << 30;

/// A mirrored photograph keeps its classes. An erased patch would hide classes that must be predicted.
const KEEPS: Keeps = Keeps { mirror: true, color: true, erase: false };

/// The task.
pub struct Segment;

/// Trains, and writes the results into a new run folder. `stop` ends training after the current step.
///
/// # Errors
/// See [`TrainError`]. Files written before the error stay.
pub fn train(config: &SegmentConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data, builds the model and creates the run folder.
///
/// # Errors
/// As [`train`].
pub fn open(config: &SegmentConfig, observer: &dyn Observer) -> Result<Trainer, TrainError> {
    Segment.open(&Resolved::of(config)?, observer)
}

impl Task for Segment {
    crate::settings_of_task!(SegmentConfig);

    fn help(&self) -> &'static str {
        "Train segmentation: one label per pixel"
    }

    fn examples(&self) -> &'static [Example] {
        &[
            Example { settings: &[("base", "16"), ("lr", "1e-3")], about: "built-in streets, no data needed" },
            Example {
                settings: &[
                    ("data", "DIR"),
                    ("model", "unet"),
                    ("base", "16"),
                    ("lr", "1e-3"),
                    ("class_weights", "median"),
                ],
                about: "",
            },
            Example { settings: &[("data", "DIR"), ("model", "resnet18-seg"), ("decoder", "fcn8s")], about: "" },
        ]
    }

    fn card(&self) -> TaskCard {
        scores::task_card(self.name())
    }

    fn read(&self, settings: &Resolved, observer: &dyn Observer) -> Result<TrainingData, TrainError> {
        let config: SegmentConfig = settings.read()?;
        let start = StartFile::find(&config.network(1), &settings.common, observer)?;
        let mut from = DataSource::of(settings, config.image_size);
        let mut splits = open_data(&from, &[])?;
        if let Some(classes) = resumed_classes(&settings.common)? {
            splits = splits.aligned(&classes)?;
        }
        let picture = |index| splits.train.image(index).ok();
        match config.crop {
            Some(_) => drop(from.decide_size(splits.train.len(), picture)),
            None => from.note_size(splits.train.len(), picture, (Fit::Stretched, &mut splits.decisions)),
        }
        let splits = splits.with_channels(config.channels);
        let mut decisions = splits.decisions;
        let [train, val] = both([splits.train, splits.val], &from.prepare_options(), observer)?;
        for (part, name) in [(&train, "train"), (&val, "val")] {
            decisions.notes.extend(part.missing_classes(name));
        }
        decisions.notes.extend(train.depth_note());
        let classes = train.classes();
        let (normalization, pixel_lines) =
            start::normalization(config.normalize, start.as_ref(), || train.facts().sums.normalization())?;
        let card = ModelCard {
            task: self.name().to_owned(),
            network: config.network(classes.len()),
            classes: classes.names.clone(),
            palette: classes.palette.clone(),
            image_size: config.crop.map_or([from.size.height, from.size.width], |crop| [crop.height, crop.width]),
            normalization: normalization.of_channels(config.channels),
            own: Default::default(),
        }
        .with_sample_bits(train.known_sample_bits());
        let fourth = fourth_channel(config.channels, config.normalize, &train)?;
        let card = card.with_channels(config.channels, fourth);
        let card = if config.crop.is_some() { card.with_own_pixels().with_tile(config.tile) } else { card };
        let weights = config.class_weights.weights(&train.facts().class_pixels, &train.facts().class_image_pixels);
        let class_weights = (config.class_weights != Default::default()).then_some(weights);
        let sources = sources(&config, &card, [&train, &val], from.size);
        let crop_lines = config.crops().map(|crops| crop_line(&train, &crops, config.channels));
        let skipped = splits.left_out.iter().chain(train.bad()).chain(val.bad());
        Ok(TrainingData {
            objective: Box::new(Segmentation::training(card, &config, class_weights, Some(val.clone()))),
            sources,
            stem: format!("{}-{}", self.name(), config.network(classes.len()).name()),
            lines: [
                format!("data:    {}, {} training and {} validation images", splits.format, train.len(), val.len()),
                format!("classes: {}, from {}", classes.len(), classes.source),
            ]
            .into_iter()
            .chain(on_demand_line([&train, &val]))
            .chain(crop_lines)
            .chain(pixel_lines)
            .collect(),
            decisions,
            skipped: skipped.map(BadImage::to_string).collect(),
        })
    }

    fn image_set(&self, card: &ModelCard, from: &DataSource, part: Option<Part>) -> Result<Chosen, TaskError> {
        let mut from = from.clone();
        if card.sees_own_pixels() && from.data.is_none() {
            // Built-in scenes are drawn at their usual size.
            from.size = ImageSize::STREETS;
        }
        let splits = open_data(&from, &card.classes)?;
        let other =
            || TaskError::OtherClasses { data: splits.train.classes().names.clone(), model: card.classes.clone() };
        let splits = splits.aligned(&card.classes).map_err(|_| other())?.with_channels(card.channels());
        let (set, part) = from.choose(part, (splits.train, splits.val, splits.test))?;
        set.depth().into_iter().for_each(|depth| depth.fix_to(card.known_sample_bits()));
        if card.sees_own_pixels() {
            // Figures show small pictures in their proportions.
            from.size = ImageSize::AUTO;
            from.decide_size(set.len(), |index| set.image(index).ok());
        }
        let prepared = Arc::new(prepare(&[set], &from.prepare_options(), &|_, _| {})?.remove(0));
        Ok(Chosen { set: Box::new(SegmentedImages(prepared)), part, by_seed: splits.by_seed })
    }

    fn compares(&self) -> bool {
        true
    }

    fn compares_proportions(&self) -> bool {
        true
    }

    fn averaged(&self, _: &ModelCard) -> Option<Averaged> {
        Some(Averaged::Softmax)
    }

    fn predictor(&self, checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Box<dyn Predictor>, TaskError> {
        Ok(Box::new(SegmentPredictor::new(checkpoint, engine)?))
    }

    fn samples(&self, settings: &Resolved) -> Result<Samples, TaskError> {
        let config: SegmentConfig = settings.read()?;
        let mut from = DataSource::of(settings, config.image_size);
        let train = open_data(&from, &[])?.train;
        from.decide_size(train.len(), |index| train.image(index).ok());
        let (size, crops) = (from.size, config.crops());
        let classes = train.classes();
        let legend = classes.names.iter().cloned().zip(classes.palette.iter().copied()).collect();
        let (count, area) = (train.len(), size.height * size.width);
        let read = move |index: usize| {
            if crops.is_some() {
                let (image, mask) = (train.image(index)?, train.mask(index)?);
                let own = (image.height() as usize, image.width() as usize);
                return Ok(Sample {
                    index,
                    name: train.name(index),
                    rgb: image.into_raw(),
                    mask: mask.into_raw(),
                    size: own,
                    own,
                });
            }
            let (mut rgb, mut mask) = (vec![0; 3 * area], vec![0; area]);
            let image = train.image(index)?;
            let own = (image.height() as usize, image.width() as usize);
            stretch_into(&image, size.width as u32, size.height as u32, &mut rgb);
            nearest_into(&train.mask(index)?, size.width as u32, size.height as u32, &mut mask);
            Ok(Sample { index, name: train.name(index), rgb, mask, size: (size.height, size.width), own })
        };
        let size = config.crop.unwrap_or(size);
        Ok(Samples { count, size, crops, legend, keeps: KEEPS, mix: None, read: Box::new(read) })
    }

    fn check_data(&self, data: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, TaskError> {
        Ok(check_segmentation(data, options)?)
    }

    fn correct_data(&self, data: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, TaskError> {
        Ok(correct_segmentation(data, options, to)?)
    }

    fn hub(&self) -> HubTask {
        HubTask { pipeline: "image-segmentation", center_crop: false }
    }

    fn export(&self, onnx: &mut OnnxNetwork<'_>) -> Result<OnnxOutput, TaskError> {
        let ([h, w], classes) = (onnx.card.image_size, onnx.card.classes.len());
        let value = onnx.of_normalized()?;
        let about = format!("[N,{classes},{h},{w}]: scores; the largest of a pixel is its class");
        Ok(OnnxOutput { name: "logits", value, axes: vec![classes, h, w], about, metadata: vec![] })
    }
}

/// Training and validation images: crops, or whole images resized to a size. Four channels are read from the original images.
fn sources(
    config: &SegmentConfig,
    card: &ModelCard,
    [train, val]: [&Arc<PreparedPairs>; 2],
    size: ImageSize,
) -> [Arc<dyn Source>; 2] {
    let (augmentation, inputs) = (config.augment.prepare(KEEPS, config.seed), card.inputs());
    let seen = match config.crops() {
        Some(crops) => Some([crops, Crops { place: Place::Center, ..crops }]),
        None => (config.channels == 4).then(|| [whole(size); 2]),
    };
    match seen {
        Some([training, validation]) => {
            let source = |part: &Arc<PreparedPairs>, crops, how, budget| {
                let source = CropSource::new(part.clone(), inputs.clone(), crops, budget).augmented(how);
                Arc::new(source) as Arc<dyn Source>
            };
            [source(train, training, augmentation, ORIGINALS), source(val, validation, None, 0)]
        }
        None => [(train, augmentation), (val, None)].map(|(part, how)| {
            let source = SegmentationSource::new(part.clone(), &card.normalization).with_inputs(inputs.clone());
            Arc::new(source.augmented(how)) as Arc<dyn Source>
        }),
    }
}

/// How crops are cut, in words, and the memory of decoded pictures.
fn crop_line(train: &PreparedPairs, crops: &Crops, channels: usize) -> String {
    let pixels = |&(height, width): &(u32, u32)| u64::from(height) * u64::from(width);
    let (height, width) = train.own_sizes().iter().copied().max_by_key(pixels).unwrap_or_default();
    let all = (1 + channels.max(3) as u64) * train.own_pixels();
    let ([least, most], (h, w)) = (crops.scale, crops.size);
    let scaled = if crops.scale == [1.0; 2] { String::new() } else { format!(" scaled by {least} to {most}") };
    let kept = all.min(ORIGINALS).div_ceil(1 << 20);
    format!(
        "crops:   {h}x{w} from pictures of up to {height}x{width}{scaled}; {kept} of {} MiB stay decoded; validation \
         takes whole pictures",
        all.div_ceil(1 << 20)
    )
}

/// The named data set, or the built-in street scenes. For a trained model, the classes are those of the model.
fn open_data(from: &DataSource, model_classes: &[String]) -> Result<SegmentationSplits, TrainError> {
    match &from.data {
        Some(path) => {
            let options = SetOptions { model_classes: model_classes.to_vec(), ..from.set_options() };
            Ok(open_segmentation(path, &options)?)
        }
        None => Ok(SegmentationSplits::streets(from.seed, [from.scenes, STREETS_VAL, 0], from.size_u32())),
    }
}
