//! `shadegrad report RUN…`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, complain, print};
use crate::report::{Report, check_free, default_path, default_title};
use crate::tasks;

/// Arguments of `report`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folders of any tasks, and folders of sweeps
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// File to write; when not given, report.html in the folder of a single run, or beside the first of several
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Title of the page
    #[arg(long)]
    title: Option<String>,
}

/// Writes the page.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let out = args.out.clone().unwrap_or_else(|| default_path(&args.runs));
    check_free(&out)?;
    let mut report = Report::new(args.title.clone().unwrap_or_else(|| default_title(&args.runs)), tasks::cards());
    report.runs(&args.runs)?;
    report.damage().iter().for_each(|line| complain(format_args!("warning: {line}")));
    report.write(&out)?;
    print(format_args!("written: {}", out.display()))?;
    Ok(ExitCode::SUCCESS)
}
