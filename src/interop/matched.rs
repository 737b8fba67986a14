//! The tensors of a file by their names in a network.

use std::collections::{BTreeMap, HashSet};

use super::names::Renaming;
use super::torchvision::{self, CheckpointError};
use super::weight_file::WeightFile;
use crate::graph::StateSpec;

/// The tensors of a file, matched with the states of a network.
#[derive(Debug, Default)]
pub(super) struct Matched {
    /// For each tensor that the network has: its name in the file, by its name in the network.
    pub(super) own: BTreeMap<String, String>,
    /// Tensors of the file that the network lacks, without BatchNorm's step counters.
    pub(super) others: Vec<String>,
    /// The names that the tensors of `others` would have in the network.
    pub(super) renamed: Vec<String>,
    /// Changes of the names, in words.
    pub(super) notes: Vec<String>,
}

impl Matched {
    /// Matches names, without the prefix that the file adds to most names of the network.
    ///
    /// # Errors
    /// When several prefixes fit equally well.
    pub(super) fn find(file: &WeightFile, specs: &[StateSpec]) -> Result<Self, CheckpointError> {
        let network: HashSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let names = file.shapes().map(|(name, _)| name);
        let renaming = Renaming::find(names.clone(), &network).map_err(|prefixes| {
            let problems =
                prefixes.iter().map(|prefix| format!("the network's names are there with the prefix `{prefix}`"));
            let remedy = "its networks are equally good readings: save a file with one of them";
            torchvision::mismatch(file.path(), problems.collect(), remedy)
        })?;
        let mut matched = Matched::default();
        for name in names {
            match renaming.apply(name) {
                Some(ours) if network.contains(ours.as_str()) => drop(matched.own.insert(ours, name.to_owned())),
                _ if name.ends_with(torchvision::COUNTER) => {}
                ours => {
                    matched.others.push(name.to_owned());
                    matched.renamed.extend(ours);
                }
            }
        }
        let part = file.part().map(|(part, others)| match others {
            [] => format!("found under `{part}`"),
            others => format!("found under `{part}`; not read: {}", others.join(", ")),
        });
        matched.notes = part.into_iter().chain(renaming.describe()).collect();
        Ok(matched)
    }
}
