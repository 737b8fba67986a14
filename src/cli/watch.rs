//! `shadegrad watch RUN…`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, print};
use crate::report::Watched;
use crate::tasks;
use crate::workflows::watch::Watch;

/// Arguments of `watch`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folders of any tasks, and folders of sweeps
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Port on this machine; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Serves the page until the process is ended.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let runs = Watched::new(args.runs.clone(), tasks::cards())?;
    let watch = Watch::listen(runs, args.port).map_err(|error| CliError::Usage(error.to_string()))?;
    print(format_args!("open:    {}", watch.address()))?;
    print("the page follows the runs; Ctrl-C ends the watch, not the runs")?;
    watch.serve();
    Ok(ExitCode::SUCCESS)
}
