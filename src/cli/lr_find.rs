//! `shadegrad lr-find`

use std::path::Path;
use std::process::ExitCode;

use super::progress::Progress;
use super::train::{INTERRUPTED, stop_on_interrupt};
use super::{CliError, print};
use crate::run::run_dir::next_numbered;
use crate::tasks::classify;
use crate::tasks::colorize;
use crate::tasks::segment;
use crate::train::config::{
    ClassifyConfig, ClassifyOverrides, ColorizeConfig, ColorizeOverrides, Optimizer, SegmentConfig, SegmentOverrides,
};
use crate::train::lr_finder::{LrCurve, LrRange};

/// The task whose learning rate is sought; its settings are those of `train`.
#[derive(clap::Subcommand)]
pub(super) enum Task {
    /// As `train classify`
    Classify(Args<ClassifyOverrides>),
    /// As `train segment`
    Segment(Args<SegmentOverrides>),
    /// As `train colorize`
    Colorize(Args<ColorizeOverrides>),
}

/// The range, and the settings of the run.
#[derive(clap::Args)]
pub(super) struct Args<O: clap::Args> {
    /// First learning rate
    #[arg(long, default_value_t = LrRange::default().from)]
    from: f64,
    /// Last learning rate
    #[arg(long, default_value_t = LrRange::default().to)]
    to: f64,
    /// Steps between them
    #[arg(long, default_value_t = LrRange::default().steps)]
    steps: usize,
    #[command(flatten)]
    settings: O,
}

impl<O: clap::Args> Args<O> {
    fn range(&self) -> Result<LrRange, CliError> {
        let LrRange { from, to, steps } = LrRange { from: self.from, to: self.to, steps: self.steps };
        if !(from > 0.0 && from < to && to.is_finite()) {
            return Err(CliError::Usage(format!(
                "--from {from} --to {to}: expected a first rate above 0 and below the last"
            )));
        }
        if !(10..=100_000).contains(&steps) {
            return Err(CliError::Usage(format!("--steps {steps}: expected 10 to 100000")));
        }
        Ok(LrRange { from, to, steps })
    }
}

/// Runs the test.
pub(super) fn run(task: &Task) -> Result<ExitCode, CliError> {
    let (progress, stop) = (Progress::new(), stop_on_interrupt());
    macro_rules! find {
        ($task:ident, $config:ident, $args:ident) => {{
            let range = $args.range()?;
            let mut config = $config::resolve(&$args.settings)?;
            if config.resume.is_some() {
                return Err(CliError::Usage(
                    "--resume: the test of learning rates is a run of its own; leave it away".into(),
                ));
            }
            // It is made when all is known to be well, like that of a run.
            config.out = Some(config.out.map_or_else(|| next_numbered(Path::new("runs"), "lr-find"), Ok)?);
            ($task::open(&config, &progress)?.find_lr(range, &progress, &stop)?, config.optimizer)
        }};
    }
    let (curve, optimizer) = match task {
        Task::Classify(args) => find!(classify, ClassifyConfig, args),
        Task::Segment(args) => find!(segment, SegmentConfig, args),
        Task::Colorize(args) => find!(colorize, ColorizeConfig, args),
    };
    progress.end();
    report(&curve, optimizer)?;
    Ok(if stop.load(std::sync::atomic::Ordering::Relaxed) { INTERRUPTED.into() } else { ExitCode::SUCCESS })
}

fn report(curve: &LrCurve, optimizer: Optimizer) -> Result<(), CliError> {
    print(format_args!("curve:    {0}/lr_find.png, {0}/lr_find.csv", curve.run.display()))?;
    match (curve.suggested, curve.lowest) {
        (Some(suggested), Some(lowest)) => {
            let at_the_end = curve.points.last().is_some_and(|last| last.lr <= 1.5 * lowest);
            let above = if at_the_end { "where the test ends: raise --to" } else { "above that it rises" };
            print(format_args!("lowest:   the loss is lowest at a learning rate of {lowest:.1e}; {above}"))?;
            print(format_args!("fallen:   by three quarters of that at {suggested:.1e}"))?;
            let optimizer = format!("{optimizer:?}").to_lowercase();
            print(format_args!("try:      --optimizer {optimizer} --lr {suggested:.1e}"))
        }
        _ => print("the loss falls nowhere in this range: widen it (--from, --to) or take more steps (--steps)"),
    }
}
