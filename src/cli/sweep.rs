//! `shadegrad sweep FILE.toml`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use super::color::heading;
use super::progress::ProgressDisplay;
use super::ranks;
use super::train::{INTERRUPTED, stop_on_interrupt};
use super::{CliError, print};
use crate::ranks::Ranks;
use crate::text::count_of;
use crate::train::Observer;
use crate::train::open::device_of;
use crate::workflows::WorkflowError;
use crate::workflows::sweep::{Sweep, SweepObserver, SweepRunState};

/// Arguments of `sweep`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// TOML file with the task, a table [base] of settings, and rows [[run]] or a [grid] of lists
    file: PathBuf,
    /// Folder of the sweep, created if missing; finished runs in it are skipped
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of runs to draw at random from the list or grid
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// Seed of the draw
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Successive halving: after each part of the epochs, the best run in ETA continues and the others stop
    #[arg(long, value_name = "ETA", value_parser = clap::value_parser!(u32).range(2..))]
    halving: Option<u32>,
    /// Setting of all runs, as in the file; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Factor of the epochs of all runs, for a small trial: 0.2 runs 3 epochs instead of 15
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    scale_epochs: Option<f64>,
    /// Training images of every run, drawn by its seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Device of all runs: auto, gpu, cpu, or the name or index of an adapter
    #[arg(long)]
    device: Option<String>,
}

/// `KEY=WORD` as a text setting: a shell removes the quotes of a text, and a bare word has no other meaning in TOML.
fn of_word(setting: &str) -> Option<toml::Table> {
    let (key, word) = setting.split_once('=')?;
    let (key, word) = (key.trim(), word.trim());
    let plain = |text: &str, more: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || more.contains(c))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || more.contains(c))
    };
    (plain(key, "") && plain(word, "./")).then(|| toml::Table::from_iter([(key.to_owned(), word.into())]))
}

/// A factor of epochs.
fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| *factor > 0.0 && *factor <= 1000.0);
    factor.ok_or_else(|| "expected a factor above 0, such as 0.2".into())
}

/// Prints runs and their steps.
pub(super) struct SweepProgress(ProgressDisplay);

impl SweepProgress {
    /// Bars go to the standard error, lines to the standard output.
    pub(super) fn new() -> Self {
        SweepProgress(ProgressDisplay::new())
    }
}

impl SweepObserver for SweepProgress {
    fn run(&self, number: usize, of: usize, cell: &str, state: &SweepRunState) {
        let state = match state {
            SweepRunState::Begins => "begins".to_owned(),
            SweepRunState::Done(rows) => format!("is done, {}", count_of(rows.len(), "epoch")),
            SweepRunState::Paused(rows) => format!("paused after epoch {}", rows.len()),
            SweepRunState::Diverged => "diverged".to_owned(),
            SweepRunState::Failed(reason) => format!("failed: {reason}"),
        };
        self.0.begins(&[format!("\nrun {number} of {of} ({cell}) {state}")]);
    }

    fn steps(&self) -> &dyn Observer {
        &self.0
    }
}

/// Runs the sweep; prints its table and writes it as `sweep.md`, `sweep.csv` and `sweep.json`.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let ranks = ranks::start()?;
    let result = run_on(args, &*ranks);
    ranks::end_all(&*ranks, result)
}

/// Runs the sweep as one of the ranks. Rank 0 hands runs out and prints.
fn run_on(args: &Args, ranks: &dyn Ranks) -> Result<ExitCode, CliError> {
    let mut sweep = Sweep::read(&args.file, args.sample.map(|n| n as usize), args.seed).map_err(WorkflowError::from)?;
    sweep.halving = args.halving.map_or(sweep.halving, |eta| eta as usize);
    for setting in &args.set {
        let refused = |problem: &str| {
            CliError::Usage(format!("--set {setting}: {problem}; expected KEY=VALUE as in a TOML file"))
        };
        let table: toml::Table =
            toml::from_str(setting).or_else(|e| of_word(setting).ok_or(e)).map_err(|e| refused(e.message()))?;
        if table.is_empty() {
            return Err(refused("it sets nothing"));
        }
        sweep.set(&table).map_err(WorkflowError::from)?;
    }
    if let Some(limit) = args.limit {
        let table = toml::Table::from_iter([("limit".to_owned(), i64::from(limit).into())]);
        sweep.set(&table).map_err(WorkflowError::from)?;
    }
    if let Some(factor) = args.scale_epochs {
        sweep.scale_epochs(factor).map_err(WorkflowError::from)?;
    }
    // A missing device is refused before the folder is made.
    let own = args.device.as_deref().map(|device| device_of(device, ranks.local()));
    own.map_or(Ok(()), |device| crate::exec::open(&device).map(drop))?;
    let stop = stop_on_interrupt();
    let device = args.device.as_deref();
    if ranks.rank() > 0 {
        sweep.serve(ranks, &args.out, device, &stop).map_err(WorkflowError::from)?;
        return Ok(ended(&stop));
    }
    let progress = SweepProgress::new();
    let table = sweep.run_over(ranks, &args.out, device, (&progress, &stop)).map_err(WorkflowError::from)?;
    print(format_args!("\n{}", table.table().text(|text| heading(&text))))?;
    table.chance().map_or(Ok(()), print)?;
    print(format_args!("written: {0}/sweep.md, {0}/sweep.csv, {0}/sweep.json", args.out.display()))?;
    table.check().map_err(WorkflowError::from)?;
    Ok(ended(&stop))
}

/// The exit code of a sweep that has ended.
fn ended(stop: &AtomicBool) -> ExitCode {
    if stop.load(Ordering::Relaxed) { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
}
