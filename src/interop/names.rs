//! Names of the same network in files of other programs: prefixes of wrappers, and the names of transformers' ResNet.

use std::collections::{HashMap, HashSet};

/// Largest number of a name's parts that a prefix may have.
const MOST_PARTS: usize = 8;

/// How the names of a file map to the names of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Renaming {
    /// Prefix that all names of the network have in the file, such as `module.`.
    prefix: String,
    /// Whether the file has the names of transformers' ResNet.
    transformers: bool,
}

impl Renaming {
    /// The renaming by which most names of a file are found in the network. An error lists the prefixes if several are
    /// equally good and find at least half of the network's names; with fewer names the file is of another network.
    pub(super) fn find<'f>(
        file: impl Iterator<Item = &'f str> + Clone,
        network: &HashSet<&str>,
    ) -> Result<Self, Vec<String>> {
        let transformers = file.clone().any(|name| name.ends_with("embedder.embedder.convolution.weight"));
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in file {
            let name = translated(name, transformers);
            let starts = name.match_indices('.').map(|(dot, _)| dot + 1).take(MOST_PARTS);
            for start in std::iter::once(0).chain(starts).filter(|&start| network.contains(&name[start..])) {
                *counts.entry(name[..start].to_owned()).or_default() += 1;
            }
        }
        let most = counts.values().copied().max().unwrap_or(0);
        let mut best: Vec<String> = counts.into_iter().filter(|(_, n)| *n == most).map(|(prefix, _)| prefix).collect();
        match best.len() {
            several if several > 1 && 2 * most < network.len() => Ok(Renaming { prefix: String::new(), transformers }),
            0 => Ok(Renaming { prefix: String::new(), transformers }),
            1 => Ok(Renaming { prefix: best.remove(0), transformers }),
            _ => {
                best.sort_unstable();
                Err(best)
            }
        }
    }

    /// The name in the network of a tensor of the file; `None` for a tensor without the prefix.
    pub(super) fn apply(&self, name: &str) -> Option<String> {
        translated(name, self.transformers).strip_prefix(&self.prefix).map(str::to_owned)
    }

    /// The renaming in words; `None` if it changes nothing.
    pub(super) fn describe(&self) -> Option<String> {
        let prefix = (!self.prefix.is_empty()).then(|| format!("without the prefix `{}`", self.prefix));
        let style = self.transformers.then(|| "converted from those of transformers".to_owned());
        let done: Vec<_> = style.into_iter().chain(prefix).collect();
        (!done.is_empty()).then(|| format!("names {}", done.join(" and ")))
    }
}

/// The torchvision name for a name of transformers' ResNet, whose prefix stays; any other name as it is.
fn translated(name: &str, transformers: bool) -> String {
    let part = ["embedder.embedder.", "encoder.stages.", "classifier.1."]
        .into_iter()
        .filter(|_| transformers)
        .find_map(|part| name.find(part).map(|start| name.split_at(start)));
    let Some((prefix, rest)) = part else { return name.to_owned() };
    let prefix = prefix.strip_suffix("resnet.").unwrap_or(prefix);
    torchvision_name(rest).map_or_else(|| name.to_owned(), |ours| format!("{prefix}{ours}"))
}

/// | transformers | torchvision |
/// |---|---|
/// | `embedder.embedder.convolution`, `.normalization` | `conv1`, `bn1` |
/// | `encoder.stages.S.layers.B.layer.I.convolution`, `.normalization` | `layer(S+1).B.conv(I+1)`, `.bn(I+1)` |
/// | `encoder.stages.S.layers.B.shortcut.convolution`, `.normalization` | `layer(S+1).B.downsample.0`, `.1` |
/// | `classifier.1` | `fc` |
fn torchvision_name(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |text: &str| text.parse::<u8>().ok().and_then(|number| number.checked_add(1));
    let kind = |layer: &str, names: [&'static str; 2]| match layer {
        "convolution" => Some(names[0]),
        "normalization" => Some(names[1]),
        _ => None,
    };
    Some(match parts[..] {
        ["embedder", "embedder", layer, value] => format!("{}.{value}", kind(layer, ["conv1", "bn1"])?),
        ["encoder", "stages", stage, "layers", block, "layer", index, layer, value] => {
            format!("layer{}.{block}.{}{}.{value}", number(stage)?, kind(layer, ["conv", "bn"])?, number(index)?)
        }
        ["encoder", "stages", stage, "layers", block, "shortcut", layer, value] => {
            format!("layer{}.{block}.downsample.{}.{value}", number(stage)?, kind(layer, ["0", "1"])?)
        }
        ["classifier", "1", value] => format!("fc.{value}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: [&str; 5] =
        ["conv1.weight", "bn1.running_var", "layer2.0.conv2.weight", "layer2.0.downsample.1.bias", "fc.bias"];

    /// The names of a file under which the network's names are found.
    fn renamed(file: &[&str]) -> Result<(Vec<String>, Option<String>), Vec<String>> {
        let renaming = Renaming::find(file.iter().copied(), &HashSet::from(NETWORK))?;
        Ok((file.iter().filter_map(|name| renaming.apply(name)).collect(), renaming.describe()))
    }

    #[test]
    fn prefixes_are_taken_off_where_names_then_fit() {
        assert_eq!(renamed(&NETWORK), Ok((NETWORK.map(str::to_owned).to_vec(), None)));
        for prefix in ["module.", "model.", "_orig_mod.", "backbone.", "encoder.", "module.model.backbone."] {
            let file = NETWORK.map(|name| format!("{prefix}{name}"));
            let mut file: Vec<&str> = file.iter().map(String::as_str).collect();
            file.push("loss.weight");
            let (names, done) = renamed(&file).expect("one reading");
            assert_eq!(names, NETWORK);
            assert_eq!(done, Some(format!("names without the prefix `{prefix}`")));
        }
    }

    #[test]
    fn two_networks_in_one_file_are_refused() {
        let file: Vec<String> =
            ["student.", "teacher."].iter().flat_map(|prefix| NETWORK.map(|name| format!("{prefix}{name}"))).collect();
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        assert_eq!(renamed(&file), Err(vec!["student.".to_owned(), "teacher.".to_owned()]));
    }

    #[test]
    fn a_few_equal_names_of_another_network_are_no_reading() {
        let file = ["down0.conv1.weight", "down1.conv1.weight", "down1.bn1.running_var", "down0.bn1.running_var"];
        let (names, done) = renamed(&file).expect("one reading");
        assert_eq!((names.len(), done), (4, None), "the names stay as they are");
    }

    #[test]
    fn names_of_transformers_become_those_of_torchvision() {
        let file = [
            "resnet.embedder.embedder.convolution.weight",
            "resnet.embedder.embedder.normalization.running_var",
            "resnet.encoder.stages.1.layers.0.layer.1.convolution.weight",
            "resnet.encoder.stages.1.layers.0.shortcut.normalization.bias",
            "classifier.1.bias",
        ];
        let (names, done) = renamed(&file).expect("one reading");
        assert_eq!(names, NETWORK);
        assert_eq!(done.as_deref(), Some("names converted from those of transformers"));
        let bare: Vec<&str> = file.iter().map(|name| name.trim_start_matches("resnet.")).collect();
        assert_eq!(renamed(&bare).expect("one reading").0, NETWORK);
    }

    #[test]
    fn names_of_dots_take_bounded_time() {
        let dots = ".".repeat(1 << 20);
        assert_eq!(renamed(&[&dots]).expect("one reading").1, None);
    }
}
