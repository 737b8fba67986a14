//! Which flags an error of the library is about: the library knows no command line.

use super::CliError;
use crate::data::DataError;
use crate::exec::ExecError;
use crate::graph::GraphError;
use crate::interop::onnx::OnnxError;
use crate::train::TrainError;

/// A line for people with the flags that help.
pub(super) fn flags(error: &CliError) -> Option<String> {
    let CliError::Train(error) = error else { return None };
    let flags = match error {
        TrainError::Exec(ExecError::OutOfMemory { .. } | ExecError::TooLarge { .. }) => "--batch-size or --image-size",
        TrainError::Exec(ExecError::DeviceLost { .. }) => "--batch-size; --resume goes on from the last checkpoint",
        TrainError::Exec(ExecError::NoDevice { .. }) => "--device",
        TrainError::Graph(GraphError::OneValue { .. }) => "--batch-size or --image-size",
        TrainError::Data(DataError::BadImage(_) | DataError::BadImages { .. }) => "--skip-bad",
        TrainError::Onnx(OnnxError::Taken { .. }) => "--out",
        _ => return None,
    };
    Some(format!("flags: {flags}"))
}
