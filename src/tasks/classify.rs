//! Classification: one class per image.

mod compare;
mod evaluation;
pub(crate) mod graphs;
mod objective;
mod predict;
mod settings;
mod weights;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use evaluation::ClassifyEvaluation;
pub use objective::Classification;
pub use predict::ClassifyPredictor;
pub use settings::{AugmentFrom, ClassifyConfig};
pub use weights::{EvaluatedWeights, WeightsOptions, evaluate_weights};

use super::data::{
    Chosen, Compared, DataSource, ImageSet, Part, both, fourth_channel, on_demand_line, resumed_classes, typed,
    unreadable,
};
use super::export::{OnnxNetwork, OnnxOutput};
use super::hub::HubTask;
use super::labeled_images::{SCENES_VAL, SCENES_VAL_SEED, squares};
use super::predict::Predictor;
use super::samples::Samples;
use super::{Example, Task, TaskError};
use crate::data::augment::Keeps;
use crate::data::check::{CheckOptions, CheckReport, check_classification};
use crate::data::correct::{Corrected, correct_classification};
use crate::data::scenes::{SceneDataset, SceneOptions};
use crate::data::{
    BadImage, ClassificationDataset, ClassificationSource, Decisions, PrepareOptions, PreparedClasses, Source, Splits,
    open_classification, prepare,
};
use crate::exec::AnyEngine;
use crate::graph::{OnnxInput, OnnxNode};
use crate::nn::Averaged;
use crate::run::card::ModelCard;
use crate::run::confusion::ClassScore;
use crate::run::image_size::Fit;
use crate::run::score::{Better, Panel, TRAIN_ACCURACY, Unit};
use crate::run::task_card::{Balance, ConfusionCard, TaskCard};
use crate::run::{Checkpoint, ImageSize, Score};
use crate::train::open::{self, TrainingData};
use crate::train::settings::{Resolved, TaskSettings};
use crate::train::start::{self, StartFile};
use crate::train::{Evaluation, Objective, Observer, Outcome, TrainError, Trainer};

/// Share of the validation images predicted correctly.
pub const ACCURACY: Score = Score::new("val_accuracy", "accuracy", Unit::Percent, Better::Higher);

/// Limit on the bytes of decoded training images kept for augmentation; further images are decoded at each use.
const ORIGINALS: u64 = 2 << 30;

/// A mirrored digit or arrow may have another class. Colors do not decide the class.
const KEEPS: Keeps = Keeps { mirror: false, color: true, erase: true };

/// The task.
pub struct Classify;

/// Trains, and writes the results into a new run folder. `stop` ends training after the current step.
///
/// # Errors
/// See [`TrainError`]. Files written before the error stay.
pub fn train(config: &ClassifyConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data, builds the model and creates the run folder.
///
/// # Errors
/// As [`train`].
pub fn open(config: &ClassifyConfig, observer: &dyn Observer) -> Result<Trainer, TrainError> {
    Classify.open(&Resolved::of(config)?, observer)
}

/// As [`train`], on given images, such as [`Splits::in_memory`].
///
/// # Errors
/// As [`train`].
pub fn train_on(
    splits: Splits,
    config: &ClassifyConfig,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    config.model.require_large_images(config.image_size)?;
    let read = || Classify.prepare(config, splits, observer);
    open::open(&Resolved::of(config)?, read, observer)?.train(observer, stop)
}

impl Classify {
    /// Reads all images, and returns what training needs.
    fn prepare(
        &self,
        config: &ClassifyConfig,
        splits: Splits,
        observer: &dyn Observer,
    ) -> Result<TrainingData, TrainError> {
        let start = StartFile::find(&config.network(1), &config.settings(), observer)?;
        let options = PrepareOptions { skip_bad: config.skip_bad, ..PrepareOptions::square(config.image_size as u32) };
        let splits = splits.with_channels(config.channels);
        let side = config.eval_resize.unwrap_or(config.image_size);
        let options = PrepareOptions { margin: side as f64 / config.image_size as f64, ..options };
        let [train, val] = both([splits.train, splits.val], &options, observer)?;
        let (card, pixel_lines) = self.card_of(config, &train, start.as_ref())?;
        let (table, count) = (card.normalization, card.classes.len());
        let inputs = card.inputs();
        let source =
            |part: &Arc<PreparedClasses>| ClassificationSource::new(part.clone(), &table).with_inputs(inputs.clone());
        let augmentation = config.augment.prepare(KEEPS, config.seed);
        let training = source(&train).augmented(augmentation).mixed(config.mix());
        let from_originals = config.augment_from == AugmentFrom::Original || config.channels == 4;
        let training = if from_originals { training.from_originals(ORIGINALS) } else { training };
        let originals = from_originals.then(|| originals_line(&train));
        let sources: [Arc<dyn Source>; 2] = [Arc::new(training), Arc::new(source(&val))];
        let mut decisions = splits.decisions;
        decisions.notes.extend(train.depth_note());
        Ok(TrainingData {
            objective: Box::new(Classification::training(card, config, Some(val.clone()))),
            sources,
            stem: format!("{}-{}", self.name(), config.model.name()),
            lines: [format!(
                "data:    {}, {} training and {} validation images, {count} classes",
                splits.format,
                train.len(),
                val.len(),
            )]
            .into_iter()
            .chain(on_demand_line([&train, &val]))
            .chain(originals)
            .chain(pixel_lines)
            .collect(),
            decisions,
            skipped: unreadable([&train, &val]),
        })
    }

    /// The card of a model for these images, and lines about their normalization.
    fn card_of(
        &self,
        config: &ClassifyConfig,
        train: &PreparedClasses,
        start: Option<&StartFile>,
    ) -> Result<(ModelCard, Vec<String>), TrainError> {
        let classes = train.class_names().to_vec();
        let (normalization, pixel_lines) =
            start::normalization(config.normalize, start, || train.facts().normalization())?;
        let card = ModelCard {
            task: self.name().to_owned(),
            network: config.network(classes.len()),
            palette: vec![],
            image_size: [config.image_size; 2],
            normalization: normalization.of_channels(config.channels),
            classes,
            own: Default::default(),
        }
        .with_sample_bits(train.known_sample_bits())
        .with_resize(config.eval_resize);
        let fourth = fourth_channel(config.channels, config.normalize, train)?;
        Ok((card.with_channels(config.channels, fourth), pixel_lines))
    }
}

impl Task for Classify {
    crate::settings_of_task!(ClassifyConfig);

    fn help(&self) -> &'static str {
        "Train a classifier: one label per image"
    }

    fn examples(&self) -> &'static [Example] {
        &[
            Example { settings: &[], about: "built-in scenes, no data needed" },
            Example { settings: &[("data", "photos")], about: "a folder with a folder per class" },
            Example { settings: &[("data", "photos"), ("model", "cnn")], about: "a small network, for a processor" },
            Example {
                settings: &[("data", "photos"), ("init", "resnet18.pth"), ("lr", "1e-4"), ("augment", "light")],
                about: "",
            },
        ]
    }

    fn card(&self) -> TaskCard {
        TaskCard {
            task: self.name().into(),
            title: "Classification".into(),
            scores: vec![ACCURACY],
            panels: vec![Panel::new(
                "Accuracy",
                "correct images",
                &[("training", TRAIN_ACCURACY), ("validation", ACCURACY)],
            )],
            confusion: Some(ConfusionCard { unit: "images".into(), score: ClassScore::F1 }),
            tables: vec![],
            balance: Some(Balance::new("sampler", "balanced")),
            roles: settings::ROLES,
        }
    }

    fn read(&self, settings: &Resolved, observer: &dyn Observer) -> Result<TrainingData, TrainError> {
        let config: ClassifyConfig = settings.read()?;
        config.model.require_large_images(config.image_size)?;
        let mut from = DataSource::of(settings, config.size());
        let mut splits = open_data(&from)?;
        if let Some(classes) = resumed_classes(&settings.common)? {
            splits = splits.aligned(&classes)?;
        }
        let picture = |index| splits.train.image(index).ok();
        from.note_size(splits.train.len(), picture, (Fit::Square, &mut splits.decisions));
        self.prepare(&config, splits, observer)
    }

    fn image_set(&self, card: &ModelCard, from: &DataSource, part: Option<Part>) -> Result<Chosen, TaskError> {
        let splits = open_data(from)?;
        let other =
            || TaskError::OtherClasses { data: splits.train.class_names().to_vec(), model: card.classes.clone() };
        let splits = splits.aligned(&card.classes).map_err(|_| other())?.with_channels(card.channels());
        let (set, part) = from.choose(part, (splits.train, splits.val, splits.test))?;
        set.depth().into_iter().for_each(|depth| depth.fix_to(card.known_sample_bits()));
        let options = PrepareOptions { margin: card.margin(), ..from.prepare_options() };
        let prepared = Arc::new(prepare(&[set], &options, &|_, _| {})?.remove(0));
        Ok(Chosen { set: Box::new(ClassifiedImages(prepared)), part, by_seed: splits.by_seed })
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
        Ok(Box::new(ClassifyPredictor::new(checkpoint, engine)?))
    }

    fn samples(&self, settings: &Resolved) -> Result<Samples, TaskError> {
        let config: ClassifyConfig = settings.read()?;
        let (train, side) = (open_data(&DataSource::of(settings, config.size()))?.train, config.image_size);
        let count = train.len();
        let read =
            move |index: usize| Ok((train.image(index)?, train.class_names()[train.label(index) as usize].clone()));
        Ok(squares((count, side), KEEPS, config.mix(), read))
    }

    fn takes_squares(&self) -> bool {
        true
    }

    fn check_data(&self, data: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, TaskError> {
        Ok(check_classification(data, options)?)
    }

    fn correct_data(&self, data: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, TaskError> {
        Ok(correct_classification(data, options, to)?)
    }

    fn view(&self) -> &'static str {
        "the middle square of a picture"
    }

    fn hub(&self) -> HubTask {
        HubTask { pipeline: "image-classification", center_crop: true }
    }

    fn export(&self, onnx: &mut OnnxNetwork<'_>) -> Result<OnnxOutput, TaskError> {
        let classes = onnx.card.classes.len();
        let logits = onnx.of_normalized()?;
        let softmax = OnnxNode::new("Softmax", [OnnxInput::Value(0)]).int("axis", 1);
        let value = onnx.builder.nodes("", &[softmax], &[&logits])?;
        let about = format!("[N,{classes}]: the probability of each class");
        Ok(OnnxOutput { name: "probabilities", value, axes: vec![classes], about, metadata: vec![] })
    }
}

/// Images to evaluate classifiers on.
struct ClassifiedImages(Arc<PreparedClasses>);

impl ImageSet for ClassifiedImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn skipped(&self) -> &[BadImage] {
        self.0.bad()
    }

    fn note(&self) -> Option<String> {
        self.0.note_for_model()
    }

    fn measure(&self, card: &ModelCard) -> Result<(Box<dyn Objective>, Arc<dyn Source>), TaskError> {
        let source = ClassificationSource::new(self.0.clone(), &card.normalization).with_inputs(card.inputs());
        Ok((Box::new(Classification::trained(card.clone())?), Arc::new(source)))
    }

    fn compare(
        &self,
        card: &ModelCard,
        names: &[String],
        found: &[Box<dyn Evaluation>],
    ) -> Result<Compared, TaskError> {
        compare::compare(&self.0, card, names, &typed::<ClassifyEvaluation>(found))
    }
}

/// How augmentation gets its images, in words, with the memory of decoded ones.
fn originals_line(train: &PreparedClasses) -> String {
    let all = 3 * train.own_pixels();
    let [kept, all] = [all.min(ORIGINALS), all].map(|bytes| bytes.div_ceil(1 << 20));
    format!("augment: from the original images; {kept} of {all} MiB stay decoded")
}

/// The named data set, or the built-in scenes.
fn open_data(from: &DataSource) -> Result<Splits, TrainError> {
    if let Some(path) = &from.data {
        return Ok(open_classification(path, &from.open_options())?);
    }
    let of_training = SceneOptions { seed: from.seed, count: from.scenes, side: from.size.height as u32 };
    let of_validation = SceneOptions { seed: from.seed ^ SCENES_VAL_SEED, count: SCENES_VAL, ..of_training };
    let train = Arc::new(SceneDataset::new(of_training));
    let decisions = Decisions::of_scenes(train.class_names(), from.seed);
    Ok(Splits {
        train,
        val: Arc::new(SceneDataset::new(of_validation)),
        test: None,
        by_seed: false,
        format: "built-in scenes",
        decisions,
    })
}

impl ClassifyConfig {
    /// Height and width of the images.
    fn size(&self) -> ImageSize {
        ImageSize { height: self.image_size, width: self.image_size }
    }
}
