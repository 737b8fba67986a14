//! The description of a model in the metadata of its checkpoint. It holds everything that using the model needs.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::error::RunError;
use super::image_size::{ImageSize, MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
use crate::data::{Inputs, Normalization};
use crate::interop::safetensors::TensorFile;
use crate::nn::{Architecture, Network, Settings, list};

/// The description of a trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// Name of its task, such as `classify`.
    pub task: String,
    /// The network.
    pub network: Network,
    /// Names of the outputs in order: classes, or color channels.
    pub classes: Vec<String>,
    /// Color of each class in figures; empty without masks.
    pub palette: Vec<[u8; 3]>,
    /// Height and width of the training images, in pixels.
    pub image_size: [usize; 2],
    /// Mean and standard deviation that normalize pixels.
    pub normalization: Normalization,
    /// Entries of the task itself, such as thresholds.
    pub own: BTreeMap<String, String>,
}

const SAMPLE_BITS: &str = "sample_bits";
const PIXELS: &str = "pixels";
const OWN: &str = "own";
const TILE: &str = "tile";
const RESIZE: &str = "resize";
const CHANNELS: &str = "channels";
const FOURTH: &str = "fourth";

/// Metadata key: the epoch after which the checkpoint was written. A checkpoint written within an epoch lacks it.
pub const EPOCH: &str = "epoch";

/// Metadata key: the validation loss of that epoch, as `metrics.csv` has it. It identifies the run of a checkpoint.
pub const VAL_LOSS: &str = "val_loss";

/// Keys of the description, besides those of the model's settings.
const KEYS: [&str; 10] =
    ["format", "task", "model", "image_size", "classes", "palette", "mean", "std", EPOCH, VAL_LOSS];

impl ModelCard {
    /// Bits per sample of 16-bit images; see [`crate::data::SampleDepth`].
    pub fn sample_bits(&self) -> u8 {
        let written = self.own.get(SAMPLE_BITS).and_then(|bits| bits.parse().ok());
        written.filter(|bits| (1..=16).contains(bits)).unwrap_or(16)
    }

    /// [`Self::sample_bits`]; `None` if the training had no 16-bit image.
    pub(crate) fn known_sample_bits(&self) -> Option<u8> {
        self.own.contains_key(SAMPLE_BITS).then(|| self.sample_bits())
    }

    /// Adds the entry for `bits` bits per sample of 16-bit images; `None` adds nothing.
    pub fn with_sample_bits(mut self, bits: Option<u8>) -> Self {
        self.own.extend(bits.map(|bits| (SAMPLE_BITS.to_owned(), bits.to_string())));
        self
    }

    /// Channels of the images: 1 for lightness, 3 for red, green and blue, 4 with an additional channel.
    pub fn channels(&self) -> usize {
        let written = self.own.get(CHANNELS).and_then(|channels| channels.parse().ok());
        written.filter(|channels| [1, 4].contains(channels)).unwrap_or(3)
    }

    /// Mean and deviation of the fourth channel.
    pub fn fourth(&self) -> (f32, f32) {
        let of = |text: &String| serde_json::from_str::<[f32; 2]>(text).ok();
        let values = self.own.get(FOURTH).and_then(of);
        let values = values.filter(|[mean, std]| mean.is_finite() && std.is_finite() && *std > 0.0);
        values.map_or((0.0, 1.0), |[mean, std]| (mean, std))
    }

    /// Sets the number of channels, and mean and deviation of the fourth.
    pub fn with_channels(mut self, channels: usize, fourth: Option<(f32, f32)>) -> Self {
        if channels != 3 {
            self.own.insert(CHANNELS.into(), channels.to_string());
        }
        self.own.extend(fourth.map(|(mean, std)| (FOURTH.to_owned(), serde_json::json!([mean, std]).to_string())));
        self
    }

    /// How images become the network's input.
    pub fn inputs(&self) -> Inputs {
        Inputs::new(&self.normalization, self.channels(), self.fourth())
    }

    /// Whether the network sees the pixels of a picture as they are: it was trained on crops, and takes pictures of any size.
    pub fn sees_own_pixels(&self) -> bool {
        self.own.get(PIXELS).is_some_and(|pixels| pixels == OWN)
    }

    /// Adds the entry for [`Self::sees_own_pixels`].
    pub fn with_own_pixels(mut self) -> Self {
        self.own.insert(PIXELS.into(), OWN.into());
        self
    }

    /// Length in pixels to which the shorter side of a picture is resized before the center is cut; `None` for the side
    /// of the center.
    pub fn resize(&self) -> Option<usize> {
        let side: usize = self.own.get(RESIZE)?.parse().ok()?;
        (self.image_size[0]..=MAX_IMAGE_SIZE).contains(&side).then_some(side)
    }

    /// Sets [`Self::resize`], if one is given.
    pub fn with_resize(mut self, side: Option<usize>) -> Self {
        self.own.extend(side.map(|side| (RESIZE.to_owned(), side.to_string())));
        self
    }

    /// [`Self::resize`] as a factor of the image size, at least 1.
    pub fn margin(&self) -> f64 {
        self.resize().map_or(1.0, |side| side as f64 / self.image_size[0] as f64)
    }

    /// Height and width of the tiles of large pictures; `None` if memory decides.
    pub fn tile(&self) -> Option<[usize; 2]> {
        let size = ImageSize::parse(self.own.get(TILE)?).ok()?;
        size.within(1, MAX_IMAGE_SIZE).then_some([size.height, size.width])
    }

    /// Sets the size of tiles, if one is given.
    pub fn with_tile(mut self, tile: Option<ImageSize>) -> Self {
        self.own.extend(tile.map(|tile| (TILE.to_owned(), tile.to_string())));
        self
    }

    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.image_size[0] * self.image_size[1]
    }

    /// The description as the metadata of a checkpoint.
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let json = |v: Json| v.to_string();
        let mut entries = self.own.clone();
        entries.insert("model".to_owned(), self.network.name().to_owned());
        for (key, value) in self.network.settings() {
            entries.insert(key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        let size = match self.image_size {
            [h, w] if h == w => h.to_string(),
            [h, w] => format!("{h}x{w}"),
        };
        for (key, value) in [
            ("format", "pt".to_owned()),
            ("task", self.task.clone()),
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

    /// The description in the metadata of a checkpoint.
    ///
    /// # Errors
    /// When shadegrad's training did not write the file.
    pub fn from_metadata(file: &TensorFile, path: &Path) -> Result<ModelCard, RunError> {
        let bad = |key: &str| RunError::NotACheckpoint { path: path.to_owned(), key: key.to_owned() };
        let text = |key: &str| file.metadata.get(key).ok_or_else(|| bad(key));
        fn parse<T: DeserializeOwned>(s: &str) -> Option<T> {
            serde_json::from_str(s).ok()
        }
        let task = text("task")?.clone();
        let classes: Vec<String> =
            parse(text("classes")?).filter(|c: &Vec<_>| !c.is_empty()).ok_or_else(|| bad("classes"))?;
        let network = network(file, classes.len()).map_err(bad)?;
        // The number of names must match the head, so a forged list of names cannot take much memory.
        if head(file, &network) != classes.len() {
            return Err(bad("classes"));
        }
        let palette: Vec<[u8; 3]> = file.metadata.get("palette").map_or(Some(vec![]), |p| parse(p)).unwrap_or_default();
        if !palette.is_empty() && palette.len() != classes.len() {
            return Err(bad("palette"));
        }
        let sizes = MIN_IMAGE_SIZE..=MAX_IMAGE_SIZE;
        let image_size = ImageSize::parse(text("image_size")?).map(|s| [s.height, s.width]).ok();
        let image_size = image_size.filter(|s| s.iter().all(|s| sizes.contains(s))).ok_or_else(|| bad("image_size"))?;
        let finite = |values: &[f32; 3]| values.iter().all(|v| v.is_finite());
        let mean = parse(text("mean")?).filter(finite).ok_or_else(|| bad("mean"))?;
        let positive = |values: &[f32; 3]| finite(values) && values.iter().all(|&v| v > 0.0);
        let std = parse(text("std")?).filter(positive).ok_or_else(|| bad("std"))?;
        let normalization = Normalization { mean, std };
        let described = |key: &str| KEYS.contains(&key) || network.architecture().has(key);
        let own = file.metadata.iter().filter(|(key, _)| !described(key));
        let own = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(ModelCard { task, network, classes, palette, image_size, normalization, own })
    }
}

/// The network that the metadata describe, or the entry that is wrong.
fn network(file: &TensorFile, outputs: usize) -> Result<Network, &'static str> {
    let architecture = file.metadata.get("model").and_then(|name| list::architecture(name)).ok_or("model")?;
    let keys = architecture.settings.iter().map(|setting| setting.key);
    let mut settings = Settings::new();
    for key in keys.clone() {
        let text = file.metadata.get(key).ok_or(key)?;
        settings.insert(key.to_owned(), Architecture::value(text));
    }
    let first_axis = |name: &str| file.tensors.get(name).and_then(|tensor| tensor.shape.first().copied());
    let network = (architecture.build)(outputs, &settings).ok().filter(|_| (architecture.fits)(&settings, &first_axis));
    network.ok_or(keys.clone().next().unwrap_or("model"))
}

/// Number of outputs, from the bias of the last layer.
fn head(file: &TensorFile, network: &Network) -> usize {
    file.tensors.get(network.architecture().head).map_or(0, |t| t.data.len())
}
