//! Descriptions of weights in files beside them, as timm and transformers write them. Such a file may belong to other
//! weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::TrainError;
use crate::data::Normalization;
use crate::interop::files::read_text;
use crate::interop::torchvision::mismatch;
use crate::nn::Network;
use crate::text::escaped;

/// Maximum number of bytes of a description beside weights.
const MOST_BYTES: u64 = 1 << 20;
/// Types of transformers that hold a ResNet, or any network of timm.
const OF_RESNETS: [&str; 3] = ["resnet", "timm_wrapper", "timm_backbone"];
/// The remedy if a description contradicts its weights.
const REMEDY: &str = "correct or remove that file, which may be of other weights";

/// The descriptions beside a file of weights, by the names of their files.
pub(super) struct Beside {
    weights: PathBuf,
    files: Vec<(&'static str, Description)>,
}

impl Beside {
    /// The descriptions beside the weights at `path`. Files of these names that are not descriptions are left out.
    pub fn of(path: &Path) -> Self {
        let read = |name: &'static str| {
            let text = read_text(&path.with_file_name(name), MOST_BYTES).ok()?;
            Some((name, Description::of(&serde_json::from_str(&text).ok()?)))
        };
        let files = ["config.json", "preprocessor_config.json"].into_iter().filter_map(read).collect();
        Self { weights: path.to_owned(), files }
    }

    fn refused(&self, problem: String) -> TrainError {
        mismatch(&self.weights, vec![problem], REMEDY).into()
    }

    /// The normalization of the pixels, and its source in words, from the file of weights itself (`own`) or a
    /// description.
    ///
    /// # Errors
    /// When two of them differ.
    pub fn normalization(&self, own: Option<Normalization>) -> Result<Option<(Normalization, String)>, TrainError> {
        let of =
            |(name, description): &(&'static str, Description)| Some((description.clone().normalization()?, *name));
        let found: Vec<(Normalization, &'static str)> = self.files.iter().filter_map(of).collect();
        if let [(first, one), (second, other)] = &found[..]
            && !are_near(first, second)
        {
            return Err(
                self.refused(format!("{one} and {other} beside it give other means or deviations of the pixels"))
            );
        }
        match (own, found.into_iter().next()) {
            (Some(own), Some((said, name))) if !are_near(&own, &said) => Err(self.refused(format!(
                "{name} beside it gives other means or deviations of the pixels than the file itself"
            ))),
            (Some(own), _) => Ok(Some((own, "as the weights were trained".into()))),
            (None, said) => Ok(said.map(|(said, name)| (said, format!("as {name} beside the weights says")))),
        }
    }

    /// Refuses a description of another network.
    ///
    /// # Errors
    /// When `config.json` names another architecture.
    pub fn require_network(&self, network: &Network) -> Result<(), TrainError> {
        let own = network.architecture().encoder_name.unwrap_or(network.name());
        for (name, description) in &self.files {
            let is_own = |said: &str| said.split(['.', '_', '/']).any(|word| word.eq_ignore_ascii_case(own));
            let is_resnet = own.starts_with("resnet");
            let other = match (&description.architecture, &description.model_type) {
                (Some(said), _) => Some(said).filter(|said| !is_own(said)),
                (None, Some(said)) => Some(said).filter(|said| !(is_resnet && OF_RESNETS.contains(&said.as_str()))),
                (None, None) => None,
            };
            if let Some(other) = other {
                let problem =
                    format!("{name} beside it describes the network '{}', and the model has {own}", escaped(other));
                return Err(self.refused(problem));
            }
        }
        Ok(())
    }

    /// The names of the outputs, from the file of weights itself (`own`) or a description.
    ///
    /// # Errors
    /// When both have names, and these differ.
    pub fn classes(&self, own: Option<Vec<String>>) -> Result<Option<Vec<String>>, TrainError> {
        let said = self.files.iter().find_map(|(name, description)| Some((*name, description.classes()?)));
        match (own, said) {
            (Some(own), Some((name, said))) if own != said => Err(self
                .refused(format!("{name} beside it names other classes, or in another order, than the file itself"))),
            (own, said) => Ok(own.or(said.map(|(_, said)| said))),
        }
    }
}

/// Whether two normalizations are the same up to rounding.
fn are_near(a: &Normalization, b: &Normalization) -> bool {
    let pairs = a.mean.iter().zip(&b.mean).chain(a.std.iter().zip(&b.std));
    pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3)
}

/// A normalization, if it can be applied.
pub(super) fn usable(mean: [f32; 3], std: [f32; 3]) -> Option<Normalization> {
    let finite = mean.iter().chain(&std).all(|value| value.is_finite()) && std.iter().all(|&value| value > 0.0);
    finite.then_some(Normalization { mean, std })
}

/// The preprocessing that timm (`config.json`) and transformers (`preprocessor_config.json`) write beside weights.
#[derive(Clone)]
struct Description {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    pretrained_cfg: Option<Box<Description>>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
    do_normalize: Option<bool>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    architecture: Option<String>,
    model_type: Option<String>,
    label_names: Option<Vec<String>>,
    id2label: Option<BTreeMap<String, String>>,
}

impl Description {
    /// The known entries of a description.
    fn of(json: &Json) -> Self {
        fn entry<T: DeserializeOwned>(json: &Json, key: &str) -> Option<T> {
            serde_json::from_value(json.get(key)?.clone()).ok()
        }
        Self {
            mean: entry(json, "mean"),
            std: entry(json, "std"),
            pretrained_cfg: json
                .get("pretrained_cfg")
                .filter(|inner| inner.is_object())
                .map(|inner| Box::new(Self::of(inner))),
            image_mean: entry(json, "image_mean"),
            image_std: entry(json, "image_std"),
            do_normalize: entry(json, "do_normalize"),
            do_rescale: entry(json, "do_rescale"),
            rescale_factor: entry(json, "rescale_factor"),
            architecture: entry(json, "architecture"),
            model_type: entry(json, "model_type"),
            label_names: entry(json, "label_names"),
            id2label: entry(json, "id2label"),
        }
    }

    /// Names of the outputs in their order.
    fn classes(&self) -> Option<Vec<String>> {
        if let Some(names) = &self.label_names {
            return Some(names.clone());
        }
        let ids = self.id2label.as_ref()?;
        let names: Option<Vec<String>> = (0..ids.len()).map(|id| ids.get(&id.to_string()).cloned()).collect();
        // Without names transformers writes LABEL_0, LABEL_1.
        names.filter(|names| !names.iter().all(|name| name.starts_with("LABEL_")))
    }

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
        Description::of(&serde_json::from_str(text).ok()?).normalization()
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
