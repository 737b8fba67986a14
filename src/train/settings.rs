//! Settings of training: those that all tasks share, and the declaration of a task's own.

mod common;
mod declare;
mod differences;
mod error;
mod normalize;
mod optimizer;
mod read;
mod reasons;
mod resolved;
mod rule;

pub(crate) use crate::setting::is_ignored;
pub use crate::setting::{Kind, Setting, SettingComparison, SettingGroup, SettingPlace};
pub use common::{MAX_BATCH_SIZE, StartOf, TrainSettings};
pub(crate) use differences::{Difference, differences};
pub(crate) use error::in_words;
pub use error::{ConfigError, Needs, Origin};
pub use normalize::Normalize;
pub use optimizer::Optimizer;
pub use read::{Given, TaskSettings};
pub(crate) use reasons::{reasons, with_reasons};
pub use resolved::Resolved;
pub use rule::Rule;
pub(crate) use rule::{FOCAL_GAMMA, check_focal};
