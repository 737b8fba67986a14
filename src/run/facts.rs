//! `run.json`: facts of a run besides its settings and epochs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fingerprint::DataPrint;
use super::score::Score;
use super::task_card::TaskCard;
use super::verdict::{Verdict, Yardstick};
use crate::data::Decisions;

/// The processes that train a run together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankFacts {
    /// Device of each rank.
    pub devices: Vec<String>,
    /// Share of each rank in the shards of a batch.
    pub shares: Vec<usize>,
}

/// Contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of shadegrad that trained.
    pub version: String,
    /// Name of the task, such as `classify`.
    pub task: String,
    /// Name of the device.
    pub device: String,
    /// Number of trained parameters.
    pub parameters: usize,
    /// Names of the outputs: classes, or color channels.
    pub outputs: Vec<String>,
    /// Height and width of the network's input, in pixels.
    pub image_size: [usize; 2],
    /// Number of training images.
    pub training_images: usize,
    /// Number of validation images.
    pub validation_images: usize,
    /// Fingerprint of the data, without those of single images. Runs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataPrint>,
    /// Path of a validation image, if the images are files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// How the data set was read. Runs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Decisions>,
    /// Digest of `config.toml`, to detect damage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_digest: Option<String>,
    /// Digest of `metrics.csv`, once the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_digest: Option<String>,
    /// Digest of each file of results, once the run has ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub result_digests: BTreeMap<String, String>,
    /// Uncertainty and baseline of the best epoch's score, once the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<Yardstick>,
    /// The verdict, once the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Learning rates of the stages of the network, in words, if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<String>,
    /// The ranks, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<RankFacts>,
    /// Description of the task's runs. Runs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<TaskCard>,
}

impl RunFacts {
    /// The scores that the run describes; empty for runs of earlier versions.
    pub fn known_scores(&self) -> impl Iterator<Item = &Score> {
        self.shown.iter().flat_map(TaskCard::known_scores)
    }
}
