//! `shadegrad data check --task TASK DIR`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, print};
use crate::data::check::{CheckOptions, check_classification, check_images, check_segmentation};

/// What to do with a data set.
#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Read a whole data set and name everything that is wrong with it; exit code 0 or 2
    Check(CheckArgs),
}

/// What the data is for.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Task {
    /// Images with a class each
    Classify,
    /// Images with a class for every pixel
    Segment,
    /// Colour images
    Colorize,
}

/// What to check.
#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// Data set, in any format that training for the task reads
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// What it is for
    #[arg(long, value_enum)]
    task: Task,
    /// Share held out, where the data has no split of its own
    #[arg(long, default_value_t = 0.2)]
    val_split: f32,
    /// Seed of that split
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the verb.
pub(super) fn run(verb: &Verb) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Check(args) => check(args),
    }
}

fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    if !(args.val_split > 0.0 && args.val_split < 1.0) {
        return Err(CliError::Usage(format!("--val-split {}: expected above 0 and below 1", args.val_split)));
    }
    let options = CheckOptions { val_split: args.val_split, seed: args.seed, ..CheckOptions::default() };
    let report = match args.task {
        Task::Classify => check_classification(&args.data, &options)?,
        Task::Segment => check_segmentation(&args.data, &options)?,
        Task::Colorize => check_images(&args.data, &options)?,
    };
    print(&report)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
