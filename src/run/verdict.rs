//! The verdict on a run: its score with the uncertainty of the validation set and a baseline, findings with their evidence, and
//! next steps. `run.json` holds it, and the report shows it first.

mod doubts;
mod next;
mod pixels;
mod rules;
pub(crate) mod yardstick;

use serde::{Deserialize, Serialize};

pub use doubts::{Doubt, DoubtKind, Prospect};
pub use next::Next;
pub use pixels::{PartPixels, Pixels};
pub use rules::{Finding, FindingKind};
pub use yardstick::{Baseline, Truth, Yardstick};

use super::confusion::ConfusionMatrix;
use super::history::EpochRow;
use super::score::Score;
use super::setting_roles::{self, Condition, SettingRoles};
use super::task_card::TaskCard;
use super::trust::Calibration;
use crate::text::count_of;

/// The verdict on a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The score of the best epoch, with its uncertainty and the baseline.
    pub headline: String,
    /// Findings, the most important first.
    pub findings: Vec<Finding>,
    /// At most three steps that fit the findings.
    pub next: Vec<Next>,
}

/// The facts from which a verdict follows.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The description of the task.
    pub task: &'a TaskCard,
    /// Number of training images.
    pub training_images: usize,
    /// Number of validation images.
    pub validation_images: usize,
    /// Names of the classes, or of the color channels.
    pub outputs: &'a [String],
    /// The settings of the run, as its `config.toml` holds them.
    pub settings: &'a toml::Table,
    /// All epochs.
    pub rows: &'a [EpochRow],
    /// The best epoch.
    pub best: &'a EpochRow,
    /// Uncertainty and baseline of the decisive score.
    pub yardstick: &'a Yardstick,
    /// Counts of the best epoch, if the task has them.
    pub confusion: Option<&'a ConfusionMatrix>,
    /// Confidence compared with accuracy in the best epoch, if the task has it.
    pub calibration: Option<&'a Calibration>,
    /// Training and validation images of each class, if images have classes.
    pub class_counts: Option<&'a [[usize; 2]]>,
    /// Pixels of both parts, if they were compared.
    pub pixels: Option<&'a PartPixels>,
    /// Height and width of the network's input, in pixels.
    pub image_size: [usize; 2],
    /// Height and width of a typical picture of the data, where pictures are resized.
    pub picture: Option<[usize; 2]>,
    /// Whether the network has BatchNorm layers, whose running statistics normalize in validation.
    pub batch_norm: bool,
    /// Whether the loss grew far above that of the first batch.
    pub diverged: bool,
}

impl Evidence<'_> {
    /// The verdict; `None` without a score or an epoch.
    pub fn verdict(&self) -> Option<Verdict> {
        let (score, value) = self.decisive()?;
        let findings = rules::findings(self);
        let next = next::steps(self, &findings);
        Some(Verdict { headline: self.headline(score, value), findings, next })
    }

    /// The decisive score and its value in the best epoch; `None` without a number.
    fn decisive(&self) -> Option<(&Score, f64)> {
        let score = self.task.decisive()?;
        Some((score, self.best.score(score).filter(|value| !value.is_nan())?))
    }

    fn headline(&self, score: &Score, value: f64) -> String {
        let sigma = self.yardstick.sigma.map_or(String::new(), |sigma| format!(" ± {}", deviation_text(score, sigma)));
        let images = count_of(self.validation_images, "validation image");
        let mut text = format!(
            "{} {}{sigma} on {images}, after epoch {} of {}",
            score.name,
            score.format(value),
            self.best.epoch,
            self.rows.len()
        );
        if let Some(baseline) = &self.yardstick.baseline {
            text += &format!("; {} gives {}", baseline.name, score.format(baseline.value));
        }
        text
    }

    /// Batches of all epochs; `None` if the settings have no batch size.
    fn batches(&self) -> Option<usize> {
        self.number("batch_size").map(|batch| self.groups(batch))
    }

    /// Optimizer steps of all epochs; `None` if the settings have no batch size.
    fn steps(&self) -> Option<usize> {
        let batches = self.number("accumulate").unwrap_or(1).max(1);
        self.number("batch_size").map(|batch| self.groups(batch * batches))
    }

    /// Number of groups of `images` training images in all epochs. The last group of an epoch may be smaller.
    fn groups(&self, images: usize) -> usize {
        self.rows.len() * self.training_images.div_ceil(images.max(1))
    }

    /// A setting as a whole number.
    fn number(&self, key: &str) -> Option<usize> {
        self.setup().setting(key).parse().ok()
    }

    /// Task and settings.
    fn setup(&self) -> Setup<'_> {
        Setup { task: self.task, settings: self.settings }
    }
}

/// The facts of a run before it begins.
#[derive(Clone, Copy)]
struct Setup<'a> {
    task: &'a TaskCard,
    settings: &'a toml::Table,
}

impl Setup<'_> {
    /// A setting as text; empty if the run does not have it.
    fn setting(&self, key: &str) -> String {
        setting_roles::text(self.settings, key)
    }

    /// Whether training starts from random weights.
    fn starts_random(&self) -> bool {
        ["init", "pretrained"].iter().all(|key| matches!(self.setting(key).as_str(), "" | "false"))
    }

    /// The roles of the task's settings.
    fn roles(&self) -> &SettingRoles {
        &self.task.roles
    }

    /// Whether a condition of the task holds; false for tasks without the condition.
    fn holds(&self, condition: Option<Condition>) -> bool {
        setting_roles::holds(condition, self.settings)
    }

    /// Whether training and validation have the same loss.
    fn has_one_loss(&self) -> bool {
        !self.holds(self.roles().other_training_loss)
    }

    /// Whether the outputs are classes of pixels.
    fn has_masks(&self) -> bool {
        self.task.confusion.as_ref().is_some_and(|card| card.unit == "pixels")
    }

    /// Whether the outputs are classes of whole images.
    fn classifies(&self) -> bool {
        self.task.confusion.as_ref().is_some_and(|card| card.unit == "images")
    }
}

/// A standard error in the score's unit. That of a percentage is in points.
fn deviation_text(score: &Score, sigma: f64) -> String {
    match score.unit {
        super::Unit::Percent => format!("{:.1}", 100.0 * sigma),
        _ => score.format(sigma),
    }
}
