//! A score is a value that a task owns: a column of `metrics.csv` with its name, its unit and the direction in which it is
//! better. A panel groups scores that share an axis.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Text of a built-in task or of a stored run.
pub type Text = Cow<'static, str>;

/// Unit of a score. It decides the text of a value and the scale of its axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A share from 0 to 1, written as `93.1 %`.
    Percent,
    /// A share from 0 to 1, written as `0.931`, along its axis too.
    Share,
    /// An index up to 1, written as `0.931`; its axis spans the values.
    Index,
    /// Decibels: `23.45 dB`.
    Decibel,
    /// Any other number: `23.45`.
    Number,
}

/// Which of two values of a score is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The higher one.
    Higher,
    /// The lower one.
    Lower,
    /// Neither; the value is for information.
    Neither,
}

/// A measure of an epoch besides the loss. Scores are equal if their keys are equal.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Column of `metrics.csv`: `val_…` for a score of the validation images, `train_…` for one of the training images.
    pub key: Text,
    /// Name for people.
    pub name: Text,
    /// Unit of its values.
    pub unit: Unit,
    /// Whether higher or lower is better.
    pub better: Better,
}

/// Share of the training images (or pixels) that an epoch's steps predicted correctly.
pub const TRAIN_ACCURACY: Score = Score::new("train_accuracy", "training accuracy", Unit::Percent, Better::Neither);

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Score {
    /// A score of a task.
    pub const fn new(key: &'static str, name: &'static str, unit: Unit, better: Better) -> Self {
        Score { key: Cow::Borrowed(key), name: Cow::Borrowed(name), unit, better }
    }

    /// The score of a column without description: `val_mean_iou` is named `mean iou`. `None` if the key is not that of a
    /// score.
    pub fn of_key(key: &str) -> Option<Self> {
        let name = key.strip_prefix("val_").or_else(|| key.strip_prefix("train_"))?;
        let name = if key.starts_with("train_") { format!("training {name}") } else { name.to_owned() };
        let name = name.replace('_', " ").into();
        Some(Score { key: key.to_owned().into(), name, unit: Unit::Number, better: Better::Neither })
    }

    /// A value with its unit.
    pub fn format(&self, value: f64) -> String {
        match self.unit {
            Unit::Percent => format!("{:.1} %", 100.0 * value),
            Unit::Share | Unit::Index => format!("{value:.3}"),
            Unit::Decibel => format!("{value:.2} dB"),
            Unit::Number => format!("{value:.2}"),
        }
    }

    /// A difference of two values with its unit. Percentages differ by points.
    pub fn format_difference(&self, difference: f64) -> String {
        match self.unit {
            Unit::Percent => format!("{:.1} points", 100.0 * difference),
            _ => self.format(difference),
        }
    }

    /// Whether the training images are scored, not the validation images.
    pub fn of_training(&self) -> bool {
        self.key.starts_with("train_")
    }

    /// 1 if higher is better, −1 if lower is better, else 0.
    pub fn direction(&self) -> f64 {
        match self.better {
            Better::Higher => 1.0,
            Better::Lower => -1.0,
            Better::Neither => 0.0,
        }
    }

    /// The value with the sign that makes higher better. It decides which epoch is the best.
    pub fn merit(&self, value: f64) -> f64 {
        if self.better == Better::Lower { -value } else { value }
    }
}

/// Scores that share an axis: a panel of `curves.png` and of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    /// Title.
    pub title: Text,
    /// Name of the axis.
    pub axis: Text,
    /// Name and score of each line; the last one decides whether a run has the panel.
    pub lines: Vec<(Text, Score)>,
}

impl Panel {
    /// A panel of at least one line.
    pub fn new(title: &'static str, axis: &'static str, lines: &[(&'static str, Score)]) -> Self {
        let lines = lines.iter().map(|(name, score)| (Cow::Borrowed(*name), score.clone())).collect();
        Panel { title: title.into(), axis: axis.into(), lines }
    }

    /// Unit of the lines' values.
    pub fn unit(&self) -> Unit {
        self.lines.first().map_or(Unit::Number, |(_, score)| score.unit)
    }
}
