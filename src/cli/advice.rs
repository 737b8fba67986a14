//! Which flags an error of the library is about: the library knows no command line.

use super::CliError;
use crate::data::{DataError, MissingHint};
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::tasks::TaskError;
use crate::train::TrainError;
use crate::workflows::WorkflowError;

/// A line with the flags that help.
pub(super) fn flags(error: &CliError) -> Option<String> {
    let CliError::Workflow(WorkflowError::Task(error)) = error else { return None };
    let error = match error {
        TaskError::Onnx(OnnxError::Taken { .. }) => return Some("flags: --out".into()),
        TaskError::Train(error) => error,
        _ => return None,
    };
    let flags = match error {
        TrainError::Exec(ExecError::OutOfMemory { .. } | ExecError::TooLarge { .. }) => {
            "--batch-size or --image-size, or a smaller network (--base, --depth)"
        }
        TrainError::Exec(ExecError::DeviceLost { .. }) => "--batch-size; --resume goes on from the last checkpoint",
        TrainError::Exec(ExecError::NoDevice { .. }) => "--device",
        TrainError::Graph(GraphError::OneValue { .. }) => "--batch-size or --image-size",
        TrainError::Data(error) if error.hint().is_some() => return error.hint().map(of_hint),
        TrainError::Data(DataError::NoTable { .. }) => "--path-column, --label-column, --image-root",
        TrainError::Data(DataError::BadImage(_) | DataError::BadImages { .. }) => "--skip-bad",
        _ => return None,
    };
    Some(format!("flags: {flags}"))
}

/// A line with the flags that give a hint.
pub(super) fn of_hint(hint: MissingHint) -> String {
    match hint {
        MissingHint::Columns => {
            "flags: --path-column NAME --label-column NAME; --image-root DIR for images elsewhere".into()
        }
        MissingHint::ImageRoot => "flags: --image-root DIR for images elsewhere".into(),
        MissingHint::MaskThreshold(value) => format!("flags: --mask-threshold {value} makes two classes of the values"),
    }
}
