//! The error of a verb.

use crate::workflows::WorkflowError;

/// Error of a verb: an error of the library, or one of the command line.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the results to the standard output: {0}; check where it is redirected to")]
    Output(#[from] std::io::Error),
}

macro_rules! through_workflow_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(e: $error) -> Self {
                CliError::Workflow(e.into())
            }
        })*
    };
}

through_workflow_error!(
    crate::data::DataError,
    crate::exec::ExecError,
    crate::graph::GraphError,
    crate::interop::onnx::OnnxError,
    crate::report::ReportError,
    crate::run::RunError,
    crate::run::pictures::PictureError,
    crate::tasks::TaskError,
    crate::train::TrainError,
    crate::train::settings::ConfigError,
);
