//! Evaluation of a file of weights as it is: no run, no training, the preprocessing of the published evaluations.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Classification, ClassifyConfig, ClassifyEvaluation};
use crate::data::{
    CenterCrop, CenterCropped, Hints, Loader, LoaderOptions, Normalization, OpenOptions, Source, open_classification,
};
use crate::exec;
use crate::interop::pretrained::Published;
use crate::nn::{ResNet, ResNetDepth};
use crate::run::card::ModelCard;
use crate::tasks::{Task, TaskError, typed};
use crate::train::settings::{ConfigError, Normalize, Origin, StartOf, TaskSettings};
use crate::train::start::{self, StartFile};
use crate::train::{LoadedModel, Observer, TrainError, Watch};

/// Weights, and the images that they are evaluated on.
#[derive(Clone, Debug)]
pub struct WeightsOptions {
    /// The network.
    pub model: ResNetDepth,
    /// A file, a folder of Hugging Face, or the name of published weights such as `imagenet`.
    pub weights: PathBuf,
    /// Data set with the classes of the weights. Class n is the n-th by name; ImageNet's folders are named by WordNet's
    /// ids, and torchvision's weights number the classes in the order of these ids.
    pub data: PathBuf,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Length in pixels that the shorter side is scaled to; by default that of the published evaluation, else 256.
    pub resize: Option<u32>,
    /// Side in pixels of the square that is cut from the middle; 224 by default.
    pub crop: Option<u32>,
    /// Device.
    pub device: String,
    /// Images per batch.
    pub batch_size: usize,
    /// Whether published weights must be on this machine.
    pub offline: bool,
}

/// Results of weights as they are.
pub struct EvaluatedWeights {
    /// Lines about weights, normalization and images.
    pub lines: Vec<String>,
    /// Top-1 accuracy in percent that was published for these weights.
    pub published: Option<f32>,
    /// Loss, accuracy and predictions.
    pub found: ClassifyEvaluation,
}

/// Shorter side in pixels if none was published.
const RESIZE: u32 = 256;

/// Evaluates weights. Of a data set with parts it takes the validation part, else all images.
///
/// # Errors
/// When the weights are missing or those of another network, the number of classes of the data set differs, or an image
/// cannot be read.
pub fn evaluate_weights(options: &WeightsOptions, observer: &dyn Observer) -> Result<EvaluatedWeights, TaskError> {
    // Refuses a name that is also a file, as training does.
    let init = Some(options.weights.clone());
    ClassifyConfig { init, ..ClassifyConfig::default() }.validate().map_err(TrainError::from)?;
    let network = |classes| ResNet::new(options.model, classes).into();
    let start = StartFile::of(StartOf::of(&options.weights), &network(1000), options.offline, observer)?;
    let published = start.published();
    let size = size(options, published)?;
    let (normalization, pixels) = start::normalization(Normalize::Auto, Some(&start), || Normalization::NONE)?;
    let opening = OpenOptions { hints: options.hints.clone(), ..OpenOptions::default() };
    let splits = open_classification(&options.data, &opening).map_err(TrainError::from)?;
    let classes = splits.train.class_names().to_vec();
    let (part, parts) = match splits.by_seed {
        true => ("all", vec![splits.train, splits.val]),
        false => ("validation", vec![splits.val]),
    };
    let source = Arc::new(CenterCropped::new(parts, size, &normalization));
    let card = ModelCard {
        task: super::Classify.name().to_owned(),
        network: network(classes.len()),
        classes,
        palette: vec![],
        image_size: [size.crop as usize; 2],
        normalization,
        own: Default::default(),
    };
    let mut lines = vec![format!("weights: {}", start.describe())];
    lines.extend(pixels);
    lines.push(format!(
        "data:    {}, {part} images: {}, {} classes in the order of their names; shorter side {} pixels, center crop {}",
        options.data.display(),
        source.len(),
        card.classes.len(),
        size.resize,
        size.crop,
    ));
    let objective = Classification::trained(card)?;
    let engine = exec::open(&options.device).map_err(TrainError::from)?;
    let mut model = LoadedModel::of_weights(&objective, engine, start.path())?;
    let batch = options.batch_size.min(source.len());
    let loading = LoaderOptions { shuffle: false, ..LoaderOptions::new(batch, 0) };
    let loader = Loader::new(source, loading).map_err(TrainError::from)?;
    let found = model.evaluate(&objective, &loader, batch, Watch::nobody())?;
    let found = typed::<ClassifyEvaluation>(&[found])[0].clone();
    Ok(EvaluatedWeights { lines, published: published.map(|weights| weights.top1), found })
}

fn size(options: &WeightsOptions, published: Option<&Published<'_>>) -> Result<CenterCrop, TrainError> {
    let crop = options.crop.unwrap_or(Published::CROP);
    let resize = options.resize.unwrap_or(published.map_or(RESIZE, |weights| weights.resize));
    let refuse = |key, value: u32, expected| {
        Err(ConfigError::Value { key, value: value.to_string(), origin: Origin::Given, expected }.into())
    };
    if !(ResNet::MIN_IMAGE_SIZE as u32..=8192).contains(&crop) {
        return refuse("crop", crop, "5 to 8192 pixels");
    }
    match (crop..=16384).contains(&resize) {
        true => Ok(CenterCrop { resize, crop }),
        false => refuse("resize", resize, "at least the side of the crop, at most 16384 pixels"),
    }
}
