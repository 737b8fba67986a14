//! The files of a run: its folder, the history of its epochs, the card of its model, its scores and its pictures.

pub(crate) mod card;
pub(crate) mod checkpoint;
pub(crate) mod confusion;
pub(crate) mod damage;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod fingerprint;
pub(crate) mod folder;
pub(crate) mod history;
pub(crate) mod image_size;
mod journal;
pub mod layers;
pub(crate) mod lock;
pub(crate) mod markdown;
pub(crate) mod mistakes;
pub(crate) mod names;
pub(crate) mod pictures;
pub(crate) mod repair;
pub(crate) mod resume;
mod rewind;
pub(crate) mod score;
pub(crate) mod setting_roles;
pub(crate) mod sweep_facts;
pub(crate) mod table;
pub(crate) mod task_card;
pub(crate) mod tensorboard;
pub(crate) mod trust;
pub(crate) mod verdict;

pub use card::ModelCard;
pub use checkpoint::Checkpoint;
pub use confusion::{ClassOutOfRange, ClassScore, ConfusionMatrix};
pub use error::{RunError, Unresumable};
pub use facts::RunFacts;
pub use fingerprint::{DataPrint, EvaluatedOn, ImagePrint, PartPrint};
pub use folder::RunDir;
pub use history::{EpochRow, LrPoint, NormRow};
pub use image_size::ImageSize;
pub use lock::FolderLock;
pub use names::{new_folder, next_numbered};
pub use pictures::{PictureError, PictureTable};
pub use score::{Better, Panel, Score, TRAIN_ACCURACY, Unit};
pub use setting_roles::{ColorRoles, Condition, EncoderRoles, InputRoles, SettingRoles, Smoothing, Switch, WidthRoles};
pub use table::Table;
pub use task_card::{Balance, ConfusionCard, TaskCard};
pub use trust::{Bin, Calibration, ClassTrust, Trust};
pub use verdict::{
    Baseline, Doubt, DoubtKind, Evidence, Finding, FindingKind, Next, PartPixels, Pixels, Prospect, Truth, Verdict,
    Yardstick,
};
