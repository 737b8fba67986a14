//! The list of tasks. Verbs and workflows use a task only through its name and the trait [`Task`].
//!
//! To add a task:
//! 1. Make a folder `tasks/NAME/` with
//!    - its settings, declared with [`task_settings!`](crate::task_settings): the command line and config files take them from
//!      there;
//!    - its [`Objective`](crate::train::Objective): the graphs of a training step and of an evaluation, what goes into them, and
//!      an [`Evaluation`](crate::train::Evaluation) that turns their outputs into scores, pictures and tables of a run;
//!    - its scores, as constants of [`Score`](crate::run::Score), and its [`TaskCard`]: title, scores and panels of its runs;
//!    - a type that implements [`Task`].
//! 2. Add a line to the list below. A user of the library calls [`register`] instead, as `examples/custom_task.rs` does.
//!
//! Only the first six methods of [`Task`] are required, which is enough to train, resume, sweep, find a learning rate, examine a device
//! and report. Each other method adds what its name says: evaluation and comparison ([`Task::image_set`]), prediction, preview,
//! data checks, export.

use std::sync::{PoisonError, RwLock};

use super::task::Task;
use super::{TaskError, classify, colorize, multilabel, segment};
use crate::run::task_card::TaskCard;

/// The built-in tasks.
static BUILT_IN: [&dyn Task; 4] =
    [&classify::Classify, &multilabel::MultiLabel, &segment::Segment, &colorize::Colorize];

/// Tasks that users registered.
static REGISTERED: RwLock<Vec<&'static dyn Task>> = RwLock::new(vec![]);

/// All tasks.
pub fn tasks() -> Vec<&'static dyn Task> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    BUILT_IN.into_iter().chain(registered.iter().copied()).collect()
}

/// The descriptions of all tasks' runs, for a report.
pub fn cards() -> Vec<TaskCard> {
    tasks().iter().map(|task| task.card()).collect()
}

/// The task with a name.
///
/// # Errors
/// When there is no such task.
pub fn task(name: &str) -> Result<&'static dyn Task, TaskError> {
    let known = tasks();
    let found = known.iter().find(|task| task.name() == name).copied();
    found.ok_or_else(|| TaskError::Unknown { name: name.to_owned(), known: known.iter().map(|t| t.name()).collect() })
}

/// Adds a task. Returns false, and adds nothing, if the name is taken.
pub fn register(added: &'static dyn Task) -> bool {
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    let taken = BUILT_IN.iter().chain(registered.iter()).any(|known| known.name() == added.name());
    if !taken {
        registered.push(added);
    }
    !taken
}
