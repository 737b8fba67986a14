//! The scores of multi-label classification, and the description of its runs.

use crate::run::score::{Better, Panel, Score, Unit};
use crate::run::task_card::{Balance, TaskCard};
use crate::tasks::image_model::IMAGE_ROLES;

/// Mean over the classes of average precision. It is the decisive score.
pub const MEAN_AVERAGE_PRECISION: Score =
    Score::new("val_mean_average_precision", "mean average precision", Unit::Share, Better::Higher);
/// Average precision of all (image, class) pairs together.
pub const MICRO_AVERAGE_PRECISION: Score =
    Score::new("val_micro_average_precision", "micro average precision", Unit::Share, Better::Higher);
/// Mean over the classes of F1, each at its threshold.
pub const MACRO_F1: Score = Score::new("val_macro_f1", "macro F1", Unit::Share, Better::Higher);
/// F1 of all decisions together.
pub const MICRO_F1: Score = Score::new("val_micro_f1", "micro F1", Unit::Share, Better::Higher);

/// Table of the classes in a run's folder.
pub(super) const CLASSES_FILE: &str = "classes.csv";

/// The description of the task's runs.
pub(super) fn task_card(task: &str) -> TaskCard {
    TaskCard {
        task: task.to_owned().into(),
        title: "Multi-label classification".into(),
        scores: vec![MEAN_AVERAGE_PRECISION, MICRO_AVERAGE_PRECISION, MACRO_F1, MICRO_F1],
        panels: vec![
            Panel::new(
                "Average precision",
                "average precision",
                &[("micro", MICRO_AVERAGE_PRECISION), ("mean over classes", MEAN_AVERAGE_PRECISION)],
            ),
            Panel::new("F1", "F1 at the best thresholds", &[("micro", MICRO_F1), ("macro", MACRO_F1)]),
        ],
        confusion: None,
        tables: vec![(CLASSES_FILE.into(), "Classes of the validation images, each at its threshold".into())],
        balance: Some(Balance::new("positive_weights", "balanced")),
        roles: IMAGE_ROLES,
    }
}
