//! `shadegrad lr-find`

use std::process::ExitCode;

use super::progress::Progress;
use super::train::{INTERRUPTED, stop_on_interrupt};
use super::{CliError, print};
use crate::train::config::{
    ClassifyConfig, ClassifyOverrides, ColorizeConfig, ColorizeOverrides, SegmentConfig, SegmentOverrides,
};
use crate::train::lr_finder::{LrCurve, LrRange};
use crate::train::run_dir::new_folder;
use crate::train::{classify, colorize, segment};

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
            config.out = Some(new_folder(config.out.as_deref(), "lr-find")?);
            $task::open(&config, &progress)?.find_lr(range, &progress, &stop)?
        }};
    }
    let curve = match task {
        Task::Classify(args) => find!(classify, ClassifyConfig, args),
        Task::Segment(args) => find!(segment, SegmentConfig, args),
        Task::Colorize(args) => find!(colorize, ColorizeConfig, args),
    };
    progress.end();
    report(&curve)?;
    Ok(if stop.load(std::sync::atomic::Ordering::Relaxed) { INTERRUPTED.into() } else { ExitCode::SUCCESS })
}

fn report(curve: &LrCurve) -> Result<(), CliError> {
    print(format_args!("curve:    {0}/lr_find.png, {0}/lr_find.csv", curve.run.display()))?;
    match (curve.steepest, curve.lowest) {
        (Some(steepest), Some(lowest)) => {
            print(format_args!("steepest: the loss falls fastest at a learning rate of {steepest:.1e}"))?;
            print(format_args!("lowest:   it is lowest at {lowest:.1e}; above that it rises"))?;
            print(format_args!("try:      --lr {:.1e} (sgd), --lr {:.1e} (adam)", steepest, steepest / 10.0))
        }
        _ => print("the loss falls nowhere in this range: widen it (--from, --to) or take more steps (--steps)"),
    }
}
