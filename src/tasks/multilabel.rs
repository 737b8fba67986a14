//! Multi-label classification: several labels per image. Each label has a threshold, chosen on the validation images.

mod evaluation;
mod labels;
pub(crate) mod metrics;
mod objective;
mod predict;
mod results;
mod scores;
mod set;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use evaluation::MultiLabelEvaluation;
pub use metrics::{Decisions, Scored};
pub use objective::MultiLabelClassification;
pub use predict::MultiLabelPredictor;
pub use scores::{MACRO_F1, MEAN_AVERAGE_PRECISION, MICRO_AVERAGE_PRECISION, MICRO_F1};
pub use settings::{MultiLabelConfig, PositiveWeights};

use super::data::{Chosen, DataSource, Part, both, on_demand_line, resumed_classes, unreadable};
use super::export::{OnnxNetwork, OnnxOutput};
use super::hub::HubTask;
use super::labeled_images::{SCENES_VAL, SCENES_VAL_SEED, squares};
use super::predict::Predictor;
use super::samples::Samples;
use super::{Example, Task, TaskError};
use crate::data::augment::Keeps;
use crate::data::check::{CheckOptions, CheckReport, check_multi_label};
use crate::data::correct::{Corrected, correct_multi_label};
use crate::data::scenes::SceneOptions;
use crate::data::{MultiLabelSource, MultiLabelSplits, PreparedLabels, Source, open_multi_label, prepare};
use crate::exec::AnyEngine;
use crate::graph::{OnnxInput, OnnxNode};
use crate::nn::Averaged;
use crate::run::Checkpoint;
use crate::run::card::ModelCard;
use crate::run::image_size::Fit;
use crate::run::task_card::TaskCard;
use crate::train::open::TrainingData;
use crate::train::settings::Resolved;
use crate::train::start::{self, StartFile};
use crate::train::{Observer, Outcome, TrainError, Trainer};

/// A mirrored sign may have another label, and an erased object loses its label. Colors do not decide labels.
const KEEPS: Keeps = Keeps { mirror: false, color: true, erase: false };

/// The task.
pub struct MultiLabel;

/// Trains, and writes the results into a new run folder. `stop` ends training after the current step.
///
/// # Errors
/// See [`TrainError`]. Files written before the error stay.
pub fn train(config: &MultiLabelConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data, builds the model and creates the run folder.
///
/// # Errors
/// As [`train`].
pub fn open(config: &MultiLabelConfig, observer: &dyn Observer) -> Result<Trainer, TrainError> {
    MultiLabel.open(&Resolved::of(config)?, observer)
}

impl Task for MultiLabel {
    crate::settings_of_task!(MultiLabelConfig);

    fn help(&self) -> &'static str {
        "Train a multi-label classifier: several labels per image"
    }

    fn examples(&self) -> &'static [Example] {
        &[
            Example { settings: &[], about: "built-in scenes, no data needed" },
            Example { settings: &[("data", "labels.csv"), ("positive_weights", "balanced")], about: "" },
        ]
    }

    fn card(&self) -> TaskCard {
        scores::task_card(self.name())
    }

    fn read(&self, settings: &Resolved, observer: &dyn Observer) -> Result<TrainingData, TrainError> {
        let config: MultiLabelConfig = settings.read()?;
        config.model.require_large_images(config.image_size)?;
        let start = StartFile::find(&config.network(1), &settings.common, observer)?;
        let mut from = DataSource::of(settings, config.size());
        let mut splits = open_data(&from)?;
        if let Some(classes) = resumed_classes(&settings.common)? {
            splits = splits.aligned(&classes)?;
        }
        let picture = |index| splits.train.image(index).ok();
        from.note_size(splits.train.len(), picture, (Fit::Square, &mut splits.decisions));
        let [train, val] = both([splits.train, splits.val], &from.prepare_options(), observer)?;
        let classes = train.class_names().to_vec();
        let (normalization, pixel_lines) =
            start::normalization(config.normalize, start.as_ref(), || train.facts().normalization())?;
        let card = ModelCard {
            task: self.name().to_owned(),
            network: config.network(classes.len()),
            palette: vec![],
            image_size: [config.image_size; 2],
            normalization,
            classes,
            own: Default::default(),
        }
        .with_sample_bits(train.known_sample_bits());
        let mut lines = vec![data_line(splits.format, [&train, &val])];
        lines.extend(on_demand_line([&train, &val]));
        lines.extend(pixel_lines);
        let mut decisions = splits.decisions;
        decisions.notes.extend(train.depth_note());
        let table = card.normalization;
        let source = |part: &Arc<PreparedLabels>| MultiLabelSource::new(part.clone(), &table);
        let augmentation = config.augment.prepare(KEEPS, config.seed);
        let sources: [Arc<dyn Source>; 2] =
            [Arc::new(source(&train).augmented(augmentation).mixed(config.mix())), Arc::new(source(&val))];
        let skipped = unreadable([&train, &val]);
        let weights = config.positive_weights.weights(&train.positives(), train.len());
        Ok(TrainingData {
            objective: Box::new(MultiLabelClassification::training(card, &config, weights, val)),
            sources,
            stem: format!("{}-{}", self.name(), config.model.name()),
            lines,
            decisions,
            skipped,
        })
    }

    fn image_set(&self, card: &ModelCard, from: &DataSource, part: Option<Part>) -> Result<Chosen, TaskError> {
        let splits = open_data(from)?;
        let other =
            || TaskError::OtherClasses { data: splits.train.class_names().to_vec(), model: card.classes.clone() };
        let splits = splits.aligned(&card.classes).map_err(|_| other())?;
        let (set, part) = from.choose(part, (splits.train, splits.val, splits.test))?;
        set.depth().into_iter().for_each(|depth| depth.fix_to(card.known_sample_bits()));
        let prepared = Arc::new(prepare(&[set], &from.prepare_options(), &|_, _| {})?.remove(0));
        Ok(Chosen { set: Box::new(set::LabeledImages(prepared)), part, by_seed: splits.by_seed })
    }

    fn compares(&self) -> bool {
        true
    }

    fn compares_proportions(&self) -> bool {
        true
    }

    fn averaged(&self, _: &ModelCard) -> Option<Averaged> {
        Some(Averaged::Sigmoid)
    }

    fn predictor(&self, checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Box<dyn Predictor>, TaskError> {
        Ok(Box::new(MultiLabelPredictor::new(checkpoint, engine)?))
    }

    fn samples(&self, settings: &Resolved) -> Result<Samples, TaskError> {
        let config: MultiLabelConfig = settings.read()?;
        let (train, side) = (open_data(&DataSource::of(settings, config.size()))?.train, config.image_size);
        let count = train.len();
        let read = move |index: usize| {
            let names: Vec<&String> = train.labels(index).iter().map(|&l| &train.class_names()[l as usize]).collect();
            Ok((train.image(index)?, labels::joined(&names)))
        };
        Ok(squares((count, side), KEEPS, config.mix(), read))
    }

    fn takes_squares(&self) -> bool {
        true
    }

    fn check_data(&self, data: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, TaskError> {
        Ok(check_multi_label(data, options)?)
    }

    fn correct_data(&self, data: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, TaskError> {
        Ok(correct_multi_label(data, options, to)?)
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
        let value = onnx.builder.nodes("", &[OnnxNode::new("Sigmoid", [OnnxInput::Value(0)])], &[&logits])?;
        let about = format!(
            "[N,{classes}]: the probability of each label; a label is present from its threshold on (metadata: thresholds)"
        );
        Ok(OnnxOutput { name: "probabilities", value, axes: vec![classes], about, metadata: vec![] })
    }
}

/// The named data set, or the built-in scenes.
fn open_data(from: &DataSource) -> Result<MultiLabelSplits, TrainError> {
    match &from.data {
        Some(path) => Ok(open_multi_label(path, &from.open_options())?),
        None => {
            let train = SceneOptions { seed: from.seed, count: from.scenes, side: from.size.height as u32 };
            let val = SceneOptions { seed: from.seed ^ SCENES_VAL_SEED, count: SCENES_VAL, ..train };
            Ok(MultiLabelSplits::scenes(train, val))
        }
    }
}

/// A line about the data of a run.
fn data_line(format: &str, [train, val]: [&PreparedLabels; 2]) -> String {
    let labels = train.positives().iter().sum::<usize>() as f64 / train.len() as f64;
    format!(
        "data:    {format}, {} training and {} validation images, {} classes, {labels:.2} labels per image",
        train.len(),
        val.len(),
        train.class_names().len()
    )
}
