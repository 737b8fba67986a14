//! What a checkpoint says of its model, so that it can be used without anything else: the metadata of the file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::data::Normalization;
use crate::interop::safetensors::TensorFile;
use crate::nn::{Network, ResNet18};
use crate::train::TrainError;
use crate::train::config::MAX_IMAGE_SIZE;

/// What a model was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// One class per image.
    Classify,
    /// One class per pixel.
    Segment,
    /// Colours from lightness.
    Colorize,
}

impl TaskKind {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Classify => "classify",
            TaskKind::Segment => "segment",
            TaskKind::Colorize => "colorize",
        }
    }
}

/// The description of a trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// What it is for.
    pub task: TaskKind,
    /// The network.
    pub network: Network,
    /// Names of the outputs in their order: classes, or colour channels.
    pub classes: Vec<String>,
    /// Colour of each class in figures; empty where there are no masks.
    pub palette: Vec<[u8; 3]>,
    /// Height and width of the images that it was trained on.
    pub image_size: [usize; 2],
    /// How pixels are normalized.
    pub normalization: Normalization,
}

/// Entries of the network's description that follow from the names of the outputs.
const COUNTS: [&str; 2] = ["classes", "outputs"];

impl ModelCard {
    /// Values of one image that go in: height x width x channels.
    pub fn input_len(&self) -> usize {
        let channels = if self.task == TaskKind::Colorize { 1 } else { 3 };
        self.image_size[0] * self.image_size[1] * channels
    }

    /// As the metadata of a checkpoint.
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let json = |v: Json| v.to_string();
        let mut entries = BTreeMap::new();
        if let Ok(Json::Object(network)) = serde_json::to_value(self.network) {
            for (key, value) in network.into_iter().filter(|(key, _)| !COUNTS.contains(&key.as_str())) {
                entries.insert(key, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        let size = match self.image_size {
            [h, w] if h == w => h.to_string(),
            [h, w] => format!("{h}x{w}"),
        };
        for (key, value) in [
            ("format", "pt".to_owned()),
            ("task", self.task.name().to_owned()),
            ("image_size", size),
            ("classes", json(self.classes.clone().into())),
            ("palette", json(serde_json::json!(self.palette))),
            ("mean", json(serde_json::json!(self.normalization.mean))),
            ("std", json(serde_json::json!(self.normalization.std))),
        ] {
            entries.insert(key.to_owned(), value);
        }
        entries
    }

    /// From the metadata of a checkpoint.
    ///
    /// # Errors
    /// When the file was not written by shadegrad's training.
    pub fn from_metadata(file: &TensorFile, path: &Path) -> Result<ModelCard, TrainError> {
        let bad = |key: &str| TrainError::NotACheckpoint { path: path.to_owned(), key: key.to_owned() };
        let text = |key: &str| file.metadata.get(key).ok_or_else(|| bad(key));
        fn parse<T: DeserializeOwned>(s: &str) -> Option<T> {
            serde_json::from_str(s).ok()
        }
        let tasks = [TaskKind::Classify, TaskKind::Segment, TaskKind::Colorize];
        let named = text("task")?;
        let task = tasks.into_iter().find(|t| t.name() == named).ok_or_else(|| bad("task"))?;
        let classes: Vec<String> =
            parse(text("classes")?).filter(|c: &Vec<_>| c.len() > 1).ok_or_else(|| bad("classes"))?;
        let network = network(file, classes.len()).map_err(bad)?;
        // The head bounds the names: memory is taken for as many classes as there are names.
        if head(file, &network) != classes.len() {
            return Err(bad("classes"));
        }
        let palette: Vec<[u8; 3]> = file.metadata.get("palette").map_or(Some(vec![]), |p| parse(p)).unwrap_or_default();
        if task == TaskKind::Segment && palette.len() != classes.len() {
            return Err(bad("palette"));
        }
        let sizes = ResNet18::MIN_IMAGE_SIZE..=MAX_IMAGE_SIZE;
        let image_size = crate::train::config::ImageSize::parse(text("image_size")?).map(|s| [s.height, s.width]).ok();
        let image_size = image_size.filter(|s| s.iter().all(|s| sizes.contains(s))).ok_or_else(|| bad("image_size"))?;
        let finite = |values: &[f32; 3]| values.iter().all(|v| v.is_finite());
        let mean = parse(text("mean")?).filter(finite).ok_or_else(|| bad("mean"))?;
        let positive = |values: &[f32; 3]| finite(values) && values.iter().all(|&v| v > 0.0);
        let std = parse(text("std")?).filter(positive).ok_or_else(|| bad("std"))?;
        Ok(ModelCard { task, network, classes, palette, image_size, normalization: Normalization { mean, std } })
    }
}

/// The network that the metadata describe, or the entry that is wrong.
fn network(file: &TensorFile, outputs: usize) -> Result<Network, &'static str> {
    let settings: &[&'static str] = match file.metadata.get("model").map(String::as_str) {
        Some("resnet18") => &["stem"],
        Some("resnet18-seg") => &["decoder"],
        Some("unet") => &["depth", "base", "up", "skips"],
        _ => return Err("model"),
    };
    let mut object: serde_json::Map<String, Json> = std::iter::once(&"model")
        .chain(settings)
        .filter_map(|key| {
            let text = file.metadata.get(*key)?;
            let value = match serde_json::from_str(text) {
                Ok(value @ (Json::Number(_) | Json::Bool(_))) => value,
                _ => Json::String(text.clone()),
            };
            Some(((*key).to_owned(), value))
        })
        .collect();
    COUNTS.iter().for_each(|count| drop(object.insert((*count).into(), outputs.into())));
    let missing = settings.iter().find(|key| !file.metadata.contains_key(**key)).or(settings.first());
    let network = serde_json::from_value(Json::Object(object)).ok().filter(|network| plausible(file, network));
    network.ok_or(missing.copied().unwrap_or("model"))
}

/// Sizes in the description are those of the tensors, so that no memory is taken for a claim.
fn plausible(file: &TensorFile, network: &Network) -> bool {
    let Network::UNet(unet) = network else { return true };
    let channels = u32::try_from(unet.depth).ok().filter(|&d| d <= 8).and_then(|d| unet.base.checked_shl(d));
    file.tensors.get("bottom.conv1.weight").and_then(|t| t.shape.first()).is_some_and(|&n| Some(n) == channels)
}

/// Outputs of the last layer.
fn head(file: &TensorFile, network: &Network) -> usize {
    let name = match network {
        Network::ResNet18 { .. } => "fc.bias",
        Network::ResNet18Seg { .. } => "score.bias",
        Network::UNet(_) => "head.bias",
    };
    file.tensors.get(name).map_or(0, |t| t.data.len())
}
