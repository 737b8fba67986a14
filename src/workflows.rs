//! Workflows over tasks: sweeps, comparisons, evaluation, prediction, export, previews, benchmarks, the demo and the
//! doctor. They know only the trait of a task.

pub(crate) mod auto;
#[cfg(feature = "cli")]
pub(crate) mod bench;
pub(crate) mod compare;
#[cfg(feature = "cli")]
pub(crate) mod demo;
pub(crate) mod doctor;
#[cfg(feature = "cli")]
pub(crate) mod drawing;
pub(crate) mod dry_run;
mod error;
pub(crate) mod evaluation;
pub(crate) mod export;
pub(crate) mod hub;
#[cfg(feature = "cli")]
pub(crate) mod limits;
pub(crate) mod predict;
pub(crate) mod preview;
#[cfg(feature = "cli")]
pub(crate) mod summary;
pub(crate) mod sweep;
#[cfg(feature = "cli")]
pub(crate) mod watch;

pub use compare::{Comparison, compare};
pub use dry_run::{ClassShare, DryRun, ExpectedTime, RankWork, dry_run};
pub use error::{Incomparable, WorkflowError};
pub use evaluation::{EvalOptions, Evaluated, evaluate};
pub use export::{Exported, export};
pub use hub::{HubOptions, export_hub};
pub use predict::{Missed, Predicted, Predictions};
pub use preview::{PreviewOptions, preview};
pub use sweep::{Sweep, SweepError, SweepObserver, SweepRow, SweepRun, SweepRunState, SweepTable};
