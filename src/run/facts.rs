//! Facts of a run besides its settings and its epochs: `run.json`.

use serde::{Deserialize, Serialize};

use super::fingerprint::DataPrint;
use super::task_card::TaskCard;
use crate::data::Decisions;

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
    /// What the run was trained on, without its single images; runs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataPrint>,
    /// How the data set was read; runs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Decisions>,
    /// Digest of `config.toml`, by which damage is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_digest: Option<String>,
    /// Digest of `metrics.csv`, once the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_digest: Option<String>,
    /// How the task's runs are shown; runs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<TaskCard>,
}
