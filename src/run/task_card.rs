//! The description of a task's runs for displays and reports: title, scores, panels, tables. It is stored in `run.json`, so
//! a report needs only the run's folder.

use serde::{Deserialize, Serialize};

use super::confusion::ClassScore;
use super::score::{Panel, Score, Text};
use super::setting_roles::SettingRoles;
use crate::text::capitalized;

/// The description of a task's runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskCard {
    /// Name of the task, such as `classify`.
    pub task: Text,
    /// Heading of its runs, such as `Classification`.
    pub title: Text,
    /// Scores of the validation images; the first decides which epoch is best.
    pub scores: Vec<Score>,
    /// Panels of curves; the first is drawn beside the loss in `curves.png`.
    pub panels: Vec<Panel>,
    /// Description of `confusion.csv`, if the runs write one.
    #[serde(default)]
    pub confusion: Option<ConfusionCard>,
    /// CSV files of a run that a report shows as tables: name of the file and caption.
    #[serde(default)]
    pub tables: Vec<(Text, Text)>,
    /// The setting that gives rare classes more weight, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// The roles of its settings in the rules of verdicts and of automatic choice. Runs do not keep them.
    #[serde(skip)]
    pub roles: SettingRoles,
}

/// A setting that gives rare classes more weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Key and value.
    pub setting: (Text, Text),
    /// Key and value of another setting with which it has no effect.
    pub unless: Option<(Text, Text)>,
}

impl Balance {
    /// A setting that always has an effect.
    pub const fn new(key: &'static str, value: &'static str) -> Self {
        Balance { setting: (Text::Borrowed(key), Text::Borrowed(value)), unless: None }
    }
}

/// Description of a confusion matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionCard {
    /// The counted unit: `images` or `pixels`.
    pub unit: Text,
    /// The score that each class gets from its row and column.
    pub score: ClassScore,
}

impl TaskCard {
    /// A task with scores, each in its own panel.
    pub fn new(task: &'static str, title: &'static str, scores: Vec<Score>) -> Self {
        let panel = |score: &Score| Panel {
            title: capitalized(&score.name).into(),
            axis: score.name.clone(),
            lines: vec![("validation".into(), score.clone())],
        };
        let panels = scores.iter().map(panel).collect();
        TaskCard {
            task: task.into(),
            title: title.into(),
            scores,
            panels,
            confusion: None,
            tables: vec![],
            balance: None,
            roles: SettingRoles::default(),
        }
    }

    /// The score that decides which epoch is best.
    pub fn decisive(&self) -> Option<&Score> {
        self.scores.first()
    }

    /// All scores of the list and of the panels, including those of the training images.
    pub fn known_scores(&self) -> impl Iterator<Item = &Score> {
        self.scores.iter().chain(self.panels.iter().flat_map(|panel| panel.lines.iter().map(|(_, score)| score)))
    }
}
