//! `shadegrad demo`

use std::path::PathBuf;
use std::process::ExitCode;

use super::sweep::SweepProgress;
use super::train::{INTERRUPTED, stop_on_interrupt};
use super::{CliError, print};
use crate::train::Observer;
use crate::workflows::demo::{self, DemoObserver, DemoOptions};
use crate::workflows::sweep::{SweepObserver, SweepRunState};

/// Arguments of `demo`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder to create for runs and report; runs/demo-NNN when not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
    /// Train one epoch of a few images per task, which takes about a minute
    #[arg(long)]
    short: bool,
}

/// Prints parts, the sweep's runs and their steps.
struct DemoProgress(SweepProgress);

impl SweepObserver for DemoProgress {
    fn run(&self, number: usize, of: usize, cell: &str, state: &SweepRunState) {
        self.0.run(number, of, cell, state);
    }
    fn steps(&self) -> &dyn Observer {
        self.0.steps()
    }
}

impl DemoObserver for DemoProgress {
    fn part(&self, number: usize, of: usize, title: &str, seconds_left: f64) {
        let minutes = (seconds_left / 60.0).ceil();
        let unit = if minutes == 1.0 { "minute" } else { "minutes" };
        self.steps().begins(&[format!("\n[{number}/{of}] {title}: about {minutes:.0} {unit} to the end of the demo")]);
    }
}

/// Runs the demo.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let stop = stop_on_interrupt();
    // An unknown device is refused before the folder is made.
    crate::exec::open(&args.device)?;
    let out = demo::new_folder(args.out.as_deref())?;
    let options = DemoOptions { out, device: args.device.clone(), short: args.short };
    let Some(made) = demo::run(&options, &DemoProgress(SweepProgress::new()), &stop)? else {
        print(format_args!("interrupted; the finished parts are in {}", options.out.display()))?;
        return Ok(ExitCode::from(INTERRUPTED));
    };
    for table in &made.tables {
        print(format_args!("\n{table}"))?;
    }
    print(format_args!("report: {} (open it in a browser)", made.report.display()))?;
    Ok(ExitCode::SUCCESS)
}
