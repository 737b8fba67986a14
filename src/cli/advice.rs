//! Errors of the library in the words of the command line. The library knows the keys of settings, but no flags.

use super::CliError;
use crate::data::{DataError, MissingHint};
use crate::exec::{ExecError, MAKING_STATES};
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::interop::pretrained::PretrainedError;
use crate::precision::Precision;
use crate::ranks::RankError;
use crate::report::ReportError;
use crate::run::{RunError, Unresumable};
use crate::tasks::TaskError;
use crate::text::one_of;
use crate::train::TrainError;
use crate::train::settings::{ConfigError, Needs, Origin};
use crate::workflows::sweep::SweepError;
use crate::workflows::{Incomparable, WorkflowError};

/// The flag of a setting.
fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// The text of an error. It names the flag of a setting that a flag gave.
pub(super) fn message(error: &CliError) -> String {
    let text = match Kind::of(error) {
        Kind::Task(TaskError::ImageTooSmall { .. } | TaskError::NotSquare { .. })
        | Kind::Train(TrainError::Freeze { .. }) => with_flag(&error.to_string()),
        Kind::Train(TrainError::Config(error)) => of_config(error),
        Kind::Workflow(WorkflowError::NoSetting { key, task }) => {
            Some(format!("{}: the task `{task}` has no such setting; remove it", flag(key)))
        }
        _ => None,
    };
    text.unwrap_or_else(|| error.to_string())
}

/// Whether the same command may succeed later: a rank or a device was lost.
pub(super) fn may_pass(error: &CliError) -> bool {
    let Kind::Train(error) = Kind::of(error) else { return false };
    matches!(error, TrainError::Ranks(RankError::Silent { .. }) | TrainError::Exec(ExecError::DeviceLost { .. }))
}

/// `key = value: problem` as `--key value: problem`.
fn with_flag(text: &str) -> Option<String> {
    let (key, rest) = text.split_once(" = ")?;
    Some(format!("{} {rest}", flag(key)))
}

fn of_config(error: &ConfigError) -> Option<String> {
    match error {
        ConfigError::Value { origin: Origin::Given, .. } | ConfigError::NotKept { .. } => with_flag(&error.to_string()),
        ConfigError::NoEffect { key, value, needs } => {
            let needs = match needs {
                Needs::OneOf(key, values) => format!("without {} {}", flag(key), one_of(values)),
                Needs::Unset(key) => format!("beside {}", flag(key)),
                Needs::Set(keys) => {
                    let flags: Vec<String> = keys.iter().map(|key| flag(key)).collect();
                    format!("without {}", one_of(&flags))
                }
            };
            Some(format!("{} {value}: no effect {needs}", flag(key)))
        }
        ConfigError::BesideResume { key, value } => Some(format!(
            "{} {value}: --resume continues a run in its own folder, with its own weights and config.toml; remove {0}, and \
             change single settings by their flags",
            flag(key)
        )),
        _ => None,
    }
}

/// A line with flags or verbs that help.
pub(super) fn flags(error: &CliError) -> Option<String> {
    if let Kind::Train(TrainError::Data(error)) = Kind::of(error)
        && let Some(hint) = error.hint()
    {
        return Some(of_hint(hint));
    }
    let flags = match Kind::of(error) {
        Kind::Workflow(error) => return of_workflow(error),
        Kind::Task(error) => of_task(error)?.to_owned(),
        Kind::Train(error) => of_train(error)?,
        Kind::Other => return None,
    };
    Some(format!("flags: {flags}"))
}

fn of_workflow(error: &WorkflowError) -> Option<String> {
    let flags = match error {
        WorkflowError::Sweep(SweepError::TooManyRuns { .. }) => "--sample",
        WorkflowError::Sweep(
            SweepError::NotOurs { .. }
            | SweepError::Taken { .. }
            | SweepError::OtherSettings { .. }
            | SweepError::OtherData { .. }
            | SweepError::Unreadable { .. },
        )
        | WorkflowError::Report(ReportError::Taken { .. }) => "--out",
        WorkflowError::NotComparable { reason: Incomparable::Data { .. } | Incomparable::Split { .. }, .. } => "--data",
        WorkflowError::NotComparable {
            reason: Incomparable::NoComparison { .. } | Incomparable::Sizes { .. }, ..
        } => {
            return Some("verbs: eval scores each run, report puts runs on one page".into());
        }
        _ => return None,
    };
    Some(format!("flags: {flags}"))
}

/// A line with the flags that give a hint.
pub(super) fn of_hint(hint: MissingHint) -> String {
    let flags = match hint {
        MissingHint::Columns => "--path-column NAME --label-column NAME; --image-root DIR for images elsewhere".into(),
        MissingHint::ImageRoot => "--image-root DIR for images elsewhere".into(),
        MissingHint::MaskThreshold(value) => format!("--mask-threshold {value} makes two classes of the values"),
        MissingHint::SeveralLabels => {
            return "verbs: `train multi-label` and `data check --task multi-label` read several labels an image"
                .into();
        }
    };
    format!("flags: {flags}")
}

fn of_task(error: &TaskError) -> Option<&'static str> {
    Some(match error {
        TaskError::Onnx(OnnxError::Taken { .. }) => "--out",
        TaskError::NoTestPart { .. } => "--split",
        TaskError::DataMoved { .. } | TaskError::OtherClasses { .. } => "--data",
        _ => return None,
    })
}

fn of_train(error: &TrainError) -> Option<String> {
    let flags = match error {
        TrainError::Exec(ExecError::OutOfMemory { during, .. }) if during == MAKING_STATES => {
            "--model, --base or --depth"
        }
        TrainError::Exec(ExecError::OutOfMemory { .. } | ExecError::TooLarge { .. }) => {
            "--batch-size or --image-size, or a smaller network (--base, --depth)"
        }
        TrainError::Exec(ExecError::DeviceLost { .. }) => "--batch-size; --resume continues from the last checkpoint",
        TrainError::Exec(ExecError::NoDevice { .. }) => "--device",
        TrainError::NoClasses => "--sampler",
        TrainError::NoStages { .. } => "--model resnetNN, resnetNN-seg, or unet with --encoder resnetNN",
        TrainError::Graph(GraphError::OneValue { .. }) => "--batch-size or --image-size",
        TrainError::Data(DataError::NoTable { .. }) => "--path-column, --label-column, --image-root",
        TrainError::Data(DataError::BadImage(_) | DataError::BadImages { .. }) => "--skip-bad",
        TrainError::NotFinite { precision: Precision::F16, .. } => {
            "--precision f32, a lower --lr, --clip 1 or --normalize dataset"
        }
        TrainError::NotFinite { precision: Precision::F32, .. } => "a lower --lr, --clip 1 or --normalize dataset",
        TrainError::Run(RunError::Taken { .. }) => "--out",
        TrainError::Pretrained(PretrainedError::None { .. }) => "--model or --encoder",
        TrainError::Pretrained(PretrainedError::Offline { .. } | PretrainedError::NotFetched { .. }) => {
            "--init FILE for a file elsewhere on this machine; of eval, --weights FILE"
        }
        TrainError::Run(RunError::CannotResume { reason, .. }) => return of_resume(reason),
        _ => return None,
    };
    Some(flags.to_owned())
}

fn of_resume(reason: &Unresumable) -> Option<String> {
    Some(match reason {
        Unresumable::Done { .. } => "--epochs".to_owned(),
        Unresumable::EndedEarly { .. } => "--early-stop".to_owned(),
        Unresumable::MidEpoch { setting: Some(key), before, .. } => format!("{} {before}", flag(key)),
        Unresumable::Changed { .. } => "--allow-changed-data".to_owned(),
        Unresumable::Lost { weights, .. } | Unresumable::NoState { weights } => format!("--init {}", weights.display()),
        _ => return None,
    })
}

/// The innermost error, without the errors that wrap it.
enum Kind<'a> {
    Workflow(&'a WorkflowError),
    Task(&'a TaskError),
    Train(&'a TrainError),
    Other,
}

impl Kind<'_> {
    fn of(error: &CliError) -> Kind<'_> {
        match error {
            CliError::Workflow(WorkflowError::Task(error)) => Kind::of_task(error),
            CliError::Workflow(error) => Kind::Workflow(error),
            _ => Kind::Other,
        }
    }

    fn of_task(error: &TaskError) -> Kind<'_> {
        match error {
            TaskError::Train(TrainError::Task(error)) => match error.downcast_ref() {
                Some(error) => Kind::of_task(error),
                None => Kind::Other,
            },
            TaskError::Train(error) => Kind::Train(error),
            error => Kind::Task(error),
        }
    }
}
