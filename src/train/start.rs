//! The weights that a run starts from: their file, their loading, and the normalization of the images that they were trained on.

use std::path::{Path, PathBuf};

use super::TrainError;
use super::beside::{Beside, usable};
use super::model::LoadedModel;
use super::observer::Observer;
use super::settings::{Normalize, StartOf, TrainSettings};
use crate::data::Normalization;
use crate::interop::pretrained::table::{PUBLISHED, published};
use crate::interop::pretrained::{self, Options, PretrainedError, Published};
use crate::interop::start;
use crate::interop::weight_file::WeightFile;
use crate::nn::Network;
use crate::run::ModelCard;
use crate::run::checkpoint::weights_path;

/// The file of the weights that a run starts from.
pub struct StartFile {
    path: PathBuf,
    /// The line of the table, for published weights.
    published: Option<&'static Published<'static>>,
}

impl StartFile {
    /// The file that settings name; published weights are fetched if no folder has them. `None` for random weights.
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
            StartOf::Path(path) => {
                let path = weights_path(path)?;
                Beside::of(&path).require_network(network)?;
                return Ok(StartFile { path, published: None });
            }
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

    /// Its path.
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
        let classes = match self.published {
            None => Beside::of(&self.path).classes(classes)?,
            Some(_) => classes,
        };
        let differs = classes.is_some_and(|names| names != card.classes);
        let head = architecture.head.split('.').next().filter(|_| differs);
        let found = start::load(&mut model.session, &file, architecture.encoder, head)?;
        Ok(format!("start:   {}: {found}", self.describe()))
    }
}

/// The normalization of a run, and lines about it. A run that starts from weights has the normalization with which
/// these were trained, unless a setting says otherwise; then a line names the difference. `of_data` measures the
/// training images.
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
    if let Some(found) = Beside::of(path).normalization(own)? {
        return Ok(found);
    }
    Ok((
        Normalization::IMAGENET,
        "ImageNet's, as torchvision's weights expect: assumed, since the file does not say".into(),
    ))
}
