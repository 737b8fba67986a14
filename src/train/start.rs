//! The weights that a run starts from: their file, their loading, and the normalization of the images that they were trained on.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::TrainError;
use super::model::LoadedModel;
use super::observer::Observer;
use super::settings::{Normalize, StartOf, TrainSettings};
use crate::data::Normalization;
use crate::interop::files::read_text;
use crate::interop::pretrained::table::{PUBLISHED, published};
use crate::interop::pretrained::{self, Options, PretrainedError, Published};
use crate::interop::start;
use crate::interop::weight_file::WeightFile;
use crate::nn::Network;
use crate::run::ModelCard;
use crate::run::checkpoint::weights_path;

/// Most bytes of a description beside weights.
const MOST_BYTES: u64 = 1 << 20;

/// The file of the weights that a run starts from.
pub struct StartFile {
    path: PathBuf,
    /// The line of the table, for published weights.
    published: Option<&'static Published<'static>>,
}

impl StartFile {
    /// The file that settings name; published weights are fetched where no folder has them. `None` for random weights.
    ///
    /// # Errors
    /// When there is no file, or nobody published weights of the network's encoder.
    pub fn find(
        network: &Network,
        common: &TrainSettings,
        observer: &dyn Observer,
    ) -> Result<Option<Self>, TrainError> {
        common.start().map(|start| Self::of(start, network, common.offline, observer)).transpose()
    }

    /// The file that a path or a name of published weights stands for.
    ///
    /// # Errors
    /// As [`StartFile::find`].
    pub fn of(
        start: StartOf<'_>,
        network: &Network,
        offline: bool,
        observer: &dyn Observer,
    ) -> Result<Self, TrainError> {
        let name = match start {
            StartOf::Path(path) => return Ok(StartFile { path: weights_path(path)?, published: None }),
            StartOf::Published(name) => name,
        };
        let encoder = network.architecture().encoder_name;
        let weights = encoder.and_then(|encoder| published(encoder, name)).ok_or_else(|| PretrainedError::None {
            name: name.to_owned(),
            network: network.name().to_owned(),
            encoders: PUBLISHED.iter().filter(|weights| weights.name == name).map(|weights| weights.encoder).collect(),
        })?;
        let mut options = Options::of_environment();
        options.offline |= offline;
        let path = pretrained::obtain(weights, &options, &|progress| observer.fetching(progress))?;
        Ok(StartFile { path, published: Some(weights) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line of the table, for published weights.
    pub fn published(&self) -> Option<&'static Published<'static>> {
        self.published
    }

    /// The weights in words.
    pub fn describe(&self) -> String {
        let path = self.path.display();
        self.published.map_or_else(|| path.to_string(), |weights| format!("{}, {path}", weights.describe()))
    }

    /// Loads the tensors whose name and shape the model of a card has. A head for other classes, or for the same in another order, is not
    /// loaded. Returns a line that names the weights and counts the tensors that were loaded, that are missing and that were not used.
    ///
    /// # Errors
    /// When the file cannot be read or the encoder of the network does not fit.
    pub fn load(&self, model: &mut LoadedModel, card: &ModelCard) -> Result<String, TrainError> {
        let file = WeightFile::open(&self.path)?;
        let architecture = card.network.architecture();
        let classes = file.metadata().get("classes").and_then(|names| serde_json::from_str::<Vec<String>>(names).ok());
        let differs = classes.is_some_and(|names| names != card.classes);
        let head = architecture.head.split('.').next().filter(|_| differs);
        let found = start::load(&mut model.session, &file, architecture.encoder, head)?;
        Ok(format!("start:   {}: {found}", self.describe()))
    }
}

/// The normalization of a run, and lines about it. A run that starts from weights normalizes as they were trained, unless a
/// setting says otherwise; then a line names the difference. `of_data` measures the training images.
///
/// # Errors
/// When the weights cannot be read.
pub fn normalization(
    setting: Normalize,
    start: Option<&StartFile>,
    of_data: impl FnOnce() -> Normalization,
) -> Result<(Normalization, Vec<String>), TrainError> {
    // A resumed run has its normalization in its settings.
    let Some(start) = start else {
        return Ok((setting.known().unwrap_or_else(of_data), vec![]));
    };
    let (weights, source) = match start.published {
        Some(Published { mean, std, .. }) => {
            (Normalization { mean: *mean, std: *std }, "as the weights were trained".to_owned())
        }
        None => trained_with(&start.path)?,
    };
    match setting {
        Normalize::Auto => Ok((weights, vec![format!("pixels:  {}, {source}", words(&weights))])),
        setting => {
            let chosen = setting.known().unwrap_or_else(of_data);
            let note =
                format!("note:    pixels have {}; the weights expect {} ({source})", words(&chosen), words(&weights));
            Ok((chosen, if chosen == weights { vec![] } else { vec![note] }))
        }
    }
}

fn words(of: &Normalization) -> String {
    let three = |[r, g, b]: [f32; 3]| format!("{r:.4} {g:.4} {b:.4}");
    format!("mean {}, std {}", three(of.mean), three(of.std))
}

/// The normalization with which the weights of a file were trained, for pixels from 0 to 1, and its source in words.
fn trained_with(path: &Path) -> Result<(Normalization, String), TrainError> {
    let file = WeightFile::open(path)?;
    let entry = |key: &str| serde_json::from_str(file.metadata().get(key)?).ok();
    let own = entry("mean").zip(entry("std")).and_then(|(mean, std)| usable(mean, std));
    if let Some(own) = own {
        return Ok((own, "as the weights were trained".into()));
    }
    for name in ["config.json", "preprocessor_config.json"] {
        let text = read_text(&path.with_file_name(name), MOST_BYTES).ok();
        if let Some(found) = text.and_then(|text| serde_json::from_str::<Description>(&text).ok()?.normalization()) {
            return Ok((found, format!("as {name} beside the weights says")));
        }
    }
    Ok((
        Normalization::IMAGENET,
        "ImageNet's, as torchvision's weights expect: assumed, since the file does not say".into(),
    ))
}

fn usable(mean: [f32; 3], std: [f32; 3]) -> Option<Normalization> {
    let finite = mean.iter().chain(&std).all(|value| value.is_finite()) && std.iter().all(|&value| value > 0.0);
    finite.then_some(Normalization { mean, std })
}

/// The preprocessing that timm (`config.json`) and transformers (`preprocessor_config.json`) write beside weights.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Description {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    pretrained_cfg: Option<Box<Description>>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_normalize: Option<bool>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
}

impl Description {
    fn normalization(self) -> Option<Normalization> {
        if let Some(inner) = self.pretrained_cfg {
            return inner.normalization();
        }
        let (mean, std) = match (self.image_mean.zip(self.image_std), self.do_normalize) {
            (Some(_), Some(false)) => ([0.0; 3], [1.0; 3]),
            (Some(values), _) => values,
            (None, _) => self.mean.zip(self.std)?,
        };
        // A byte b becomes (b·r − mean) / std. Pixels from 0 to 1 are b/255, so both are divided by 255·r.
        let range = match (self.do_rescale, self.rescale_factor) {
            (Some(false), _) => 255.0,
            (_, Some(factor)) => 255.0 * factor,
            (_, None) => 1.0,
        };
        // 1/255 has no exact decimal form.
        let range = if (range - 1.0).abs() < 1e-6 { 1.0 } else { range };
        let scaled = |values: [f32; 3]| values.map(|value| (f64::from(value) / range) as f32);
        usable(scaled(mean), scaled(std))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Normalization> {
        serde_json::from_str::<Description>(text).ok()?.normalization()
    }

    #[test]
    fn descriptions_of_others_are_read() {
        let half = Normalization { mean: [0.5; 3], std: [0.25; 3] };
        let timm =
            r#"{"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}"#;
        assert_eq!(of(timm), Some(half));
        let transformers =
            |more: &str| format!(r#"{{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]{more}}}"#);
        assert_eq!(of(&transformers("")), Some(half));
        assert_eq!(of(&transformers(r#", "do_rescale": true, "rescale_factor": 0.00392156862745098"#)), Some(half));
        // Pixels from 0 to 255, and from 0 to 2.
        let by_255 = Normalization { mean: [0.5 / 255.0; 3], std: [0.25 / 255.0; 3] };
        assert_eq!(of(&transformers(r#", "do_rescale": false"#)), Some(by_255));
        let by_2 = Normalization { mean: [0.25; 3], std: [0.125; 3] };
        assert_eq!(of(&transformers(r#", "rescale_factor": 0.00784313725490196"#)).map(|n| n.mean), Some(by_2.mean));
        assert_eq!(of(&transformers(r#", "do_normalize": false"#)), Some(Normalization::NONE));
        for none in ["{}", r#"{"mean": [0.5, 0.5, 0.5], "std": [0, 0, 0]}"#, r#"{"mean": [0.5], "std": [0.5]}"#] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
