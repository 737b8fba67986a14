//! The command line: thin verbs over the library, one file each. Errors go to stderr and end with exit code 2.

mod devices;
mod eval;
mod plan;
mod predict;
mod progress;
mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::train::TrainError;

/// Train convolutional vision models on any GPU, or without one.
#[derive(Parser)]
#[command(name = "shadegrad", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train a model
    #[command(subcommand)]
    Train(train::Task),
    /// Evaluate a trained run on a data set
    Eval(eval::Args),
    /// Classify images with a trained run
    Predict(predict::Args),
    /// List the devices there are
    Devices,
    /// Print the plan of a model's training step: kernels, shapes, work, memory
    Plan(plan::Args),
}

/// Why a verb failed: an error of the library, or one that only the command line knows.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error("{0}")]
    Usage(String),
}

macro_rules! through_train_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(e: $error) -> Self {
                CliError::Train(e.into())
            }
        })*
    };
}

through_train_error!(
    crate::data::DataError,
    crate::exec::ExecError,
    crate::graph::GraphError,
    crate::train::config::ConfigError,
    crate::train::run_dir::RunDirError,
    crate::interop::safetensors::SafetensorsError,
);

/// Parses the arguments and runs the verb.
pub fn run() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Train(train::Task::Classify(args)) => train::classify(&args),
        Verb::Eval(args) => eval::run(&args),
        Verb::Predict(args) => predict::run(&args),
        Verb::Devices => {
            devices::run();
            Ok(ExitCode::SUCCESS)
        }
        Verb::Plan(args) => plan::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
