//! The setting `normalize`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::data::Normalization;
use crate::setting::{Kind, SettingValue};
use crate::text::meant;

/// The per-channel mean and deviation that images are normalized with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Normalize {
    /// Those that the weights were trained with if a run starts from weights, else those of the training images. The
    /// `config.toml` of a run has the chosen values.
    #[default]
    Auto,
    /// Measured on the training images.
    Dataset,
    /// ImageNet's published values, for torchvision's weights.
    Imagenet,
    /// Pixels stay in 0..1.
    None,
    /// These values: `MEAN/STD`, each for red, green and blue, such as `0.5,0.5,0.5/0.25,0.25,0.25`.
    Values(Normalization),
}

const EXPECTED: &str = "auto, dataset, imagenet, none, or means and deviations of red, green and blue for pixels from 0 to 1, such \
                        as 0.5,0.5,0.5/0.25,0.25,0.25";

impl Normalize {
    /// The setting that stands for known values.
    pub fn of(values: Normalization) -> Self {
        match values {
            Normalization::IMAGENET => Normalize::Imagenet,
            Normalization::NONE => Normalize::None,
            values => Normalize::Values(values),
        }
    }

    /// The values, if they are known without the images.
    pub fn known(self) -> Option<Normalization> {
        match self {
            Normalize::Auto | Normalize::Dataset => None,
            Normalize::Imagenet => Some(Normalization::IMAGENET),
            Normalize::None => Some(Normalization::NONE),
            Normalize::Values(values) => Some(values),
        }
    }
}

impl FromStr for Normalize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let three = |text: &str| {
            let values: Option<Vec<f32>> = text.split(',').map(|value| value.trim().parse().ok()).collect();
            <[f32; 3]>::try_from(values?).ok().filter(|values| values.iter().all(|value| value.is_finite()))
        };
        Ok(match text {
            "auto" => Normalize::Auto,
            "dataset" => Normalize::Dataset,
            "imagenet" => Normalize::Imagenet,
            "none" => Normalize::None,
            values => {
                let parsed = values.split_once('/').and_then(|(mean, std)| Some((three(mean)?, three(std)?)));
                let parsed = parsed.filter(|(_, std)| std.iter().all(|&value| value > 0.0));
                let names = ["auto", "dataset", "imagenet", "none"];
                let (mean, std) = parsed.ok_or_else(|| format!("{EXPECTED}{}", meant(values, names)))?;
                Normalize::Values(Normalization { mean, std })
            }
        })
    }
}

impl TryFrom<String> for Normalize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|expected| format!("`{text}` is no normalization: expected {expected}"))
    }
}

impl From<Normalize> for String {
    fn from(setting: Normalize) -> String {
        setting.to_string()
    }
}

impl fmt::Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Normalize::Auto => f.write_str("auto"),
            Normalize::Dataset => f.write_str("dataset"),
            Normalize::Imagenet => f.write_str("imagenet"),
            Normalize::None => f.write_str("none"),
            Normalize::Values(Normalization { mean: [r, g, b], std: [x, y, z] }) => {
                write!(f, "{r},{g},{b}/{x},{y},{z}")
            }
        }
    }
}

impl SettingValue for Normalize {
    const KIND: Kind = Kind::Parsed(|text| text.parse::<Normalize>().map(drop));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_every_bit_as_text() {
        let values = Normalization { mean: [0.1, 1.0 / 3.0, -0.0], std: [f32::MIN_POSITIVE, 1e30, 0.225] };
        let text = Normalize::of(values).to_string();
        assert_eq!(text.parse::<Normalize>(), Ok(Normalize::Values(values)));
        for wrong in ["0.5,0.5,0.5", "1,1/1,1", "0,0,0/1,1,0", "0,0,nan/1,1,1", "dataset/imagenet", "Dataset", ""] {
            let error = wrong.parse::<Normalize>().expect_err(wrong);
            let slip = error.strip_prefix(EXPECTED).expect("says what is expected");
            assert!(slip.is_empty() || slip == "; did you mean `dataset`?", "{wrong}: {error}");
        }
    }
}
