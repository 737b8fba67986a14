//! The scores of segmentation, and the description of its runs.

use super::settings::ROLES;
use crate::run::Score;
use crate::run::confusion::ClassScore;
use crate::run::score::{Better, Panel, TRAIN_ACCURACY, Unit};
use crate::run::task_card::{Balance, ConfusionCard, TaskCard};

/// Mean over the classes of intersection over union.
pub const MEAN_IOU: Score = Score::new("val_mean_iou", "mean IoU", Unit::Share, Better::Higher);
/// Intersection over union, each class weighted by its pixels.
pub const WEIGHTED_IOU: Score = Score::new("val_weighted_iou", "weighted IoU", Unit::Share, Better::Higher);
/// Share of the pixels predicted correctly.
pub const PIXEL_ACCURACY: Score = Score::new("val_pixel_accuracy", "pixel accuracy", Unit::Percent, Better::Higher);

/// [`MEAN_IOU`] at the masks' own sizes.
pub const OWN_MEAN_IOU: Score = Score::new("val_own_mean_iou", "own-size mean IoU", Unit::Share, Better::Higher);
/// [`WEIGHTED_IOU`] at the masks' own sizes.
pub const OWN_WEIGHTED_IOU: Score =
    Score::new("val_own_weighted_iou", "own-size weighted IoU", Unit::Share, Better::Higher);
/// [`PIXEL_ACCURACY`] at the masks' own sizes.
pub const OWN_PIXEL_ACCURACY: Score =
    Score::new("val_own_pixel_accuracy", "own-size pixel accuracy", Unit::Percent, Better::Higher);

/// Scores at the size of the images that the network sees; the first decides which epoch is best.
pub(super) const SCORES: [Score; 3] = [MEAN_IOU, WEIGHTED_IOU, PIXEL_ACCURACY];
/// Scores at the masks' own sizes.
pub(super) const OWN_SCORES: [Score; 3] = [OWN_MEAN_IOU, OWN_WEIGHTED_IOU, OWN_PIXEL_ACCURACY];

/// The description of the task's runs.
pub(super) fn task_card(task: &str) -> TaskCard {
    TaskCard {
        task: task.to_owned().into(),
        title: "Segmentation".into(),
        scores: SCORES.into_iter().chain(OWN_SCORES).collect(),
        panels: vec![
            Panel::new(
                "Intersection over union",
                "intersection over union",
                &[("mean", MEAN_IOU), ("mean, own size", OWN_MEAN_IOU), ("weighted", WEIGHTED_IOU)],
            ),
            Panel::new(
                "Pixel accuracy",
                "correct pixels",
                &[("training", TRAIN_ACCURACY), ("validation", PIXEL_ACCURACY)],
            ),
        ],
        confusion: Some(ConfusionCard { unit: "pixels".into(), score: ClassScore::Iou }),
        tables: vec![],
        // Dice loss weighs all classes alike and takes no class weights.
        balance: Some(Balance {
            unless: Some(("loss".into(), "dice".into())),
            ..Balance::new("class_weights", "median")
        }),
        roles: ROLES,
    }
}
