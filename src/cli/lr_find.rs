//! `shadegrad lr-find TASK`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::flags::{TaskArgs, auto_switch, command};
use super::progress::{ProgressDisplay, QUIET};
use super::ranks::{self, Follower};
use super::train::{INTERRUPTED, stop_on_interrupt};
use super::{CliError, dry_run, print};
use crate::ranks::Ranks;
use crate::run::Next;
use crate::run::names::{check_free, free_beside, next_numbered};
use crate::tasks::tasks;
use crate::text;
use crate::train::lr_finder::{LrCurve, LrRange};
use crate::train::settings::{Given, Origin};

/// Arguments of `lr-find`: a task with the settings of `train`, and the range of learning rates.
#[derive(Clone)]
pub(super) struct Args(TaskArgs);

impl clap::FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Args(TaskArgs::of(matches)?))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Subcommand for Args {
    fn augment_subcommands(with: Command) -> Command {
        let range = LrRange::default();
        let flags = [
            ("from", "Learning rate of the first step", format!("{:?}", range.from)),
            ("to", "Learning rate of the last step", format!("{:?}", range.to)),
            ("steps", "Number of steps", range.steps.to_string()),
        ];
        let flag = |(name, help, default): &(&'static str, &'static str, String)| {
            let arg = Arg::new(*name).long(*name).help(*help).value_name(name.to_uppercase());
            let arg = arg.default_value(default.clone());
            if *name == "steps" { arg.value_parser(value_parser!(usize)) } else { arg.value_parser(value_parser!(f64)) }
        };
        let of_task = |with: Command, task: &'static dyn crate::tasks::Task| {
            let about = format!("Find a learning rate for `train {}`, with its settings", task.name());
            with.subcommand(command(task).about(about).args(flags.iter().map(flag)).arg(auto_switch()))
        };
        tasks().into_iter().fold(with, of_task).subcommand_required(true).arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(with: Command) -> Command {
        Self::augment_subcommands(with)
    }

    fn has_subcommand(name: &str) -> bool {
        crate::tasks::task(name).is_ok()
    }
}

impl Args {
    fn range(&self) -> Result<LrRange, CliError> {
        let number = |key: &str, default: f64| self.0.matches.get_one::<f64>(key).copied().unwrap_or(default);
        let usual = LrRange::default();
        let (from, to) = (number("from", usual.from), number("to", usual.to));
        let steps = self.0.matches.get_one::<usize>("steps").copied().unwrap_or(usual.steps);
        if !(from > 0.0 && from < to && to.is_finite()) {
            let (from, to) = (text::number(from), text::number(to));
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

/// Runs the learning-rate range test.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let ranks = ranks::start()?;
    let result = find(args, &ranks);
    ranks::end_all(&*ranks, result)
}

/// Runs the test as one of the ranks. Rank 0 prints.
fn find(args: &Args, ranks: &Arc<dyn Ranks>) -> Result<ExitCode, CliError> {
    let stop = stop_on_interrupt();
    let (range, task) = (args.range()?, args.0.task);
    let mut fitted = args.0.fitted(ranks.size())?;
    // The test sets the rate of each step.
    fitted.choices.retain(|choice| !["lr", "epochs", "schedule"].contains(&choice.key));
    let given = &fitted.given;
    let mut settings = task.resolve(given)?;
    if settings.common.resume.is_some() {
        return Err(CliError::Usage("--resume: a learning rate test cannot continue a run; remove the flag".into()));
    }
    // In a config file `out` is the folder of an earlier run, so the test gets another one.
    let of_file = settings.common.out.clone().filter(|_| matches!(given.origin("out"), Origin::File(_)));
    if settings.common.out.is_none() || of_file.is_some() {
        // As for a run, the folder is made after all settings are checked.
        let out = next_numbered(Path::new("runs"), "lr-find")?;
        settings.table.insert("out".into(), out.to_string_lossy().into_owned().into());
        let path: PathBuf = "the flags".into();
        settings = task.resolve(&Given::of_table(settings.table, &path))?;
    }
    settings.ranks = ranks.clone();
    let optimizer = settings.common.optimizer;
    if ranks.rank() > 0 {
        task.open(&settings, &Follower)?.find_lr(range, &Follower, &stop)?;
    } else {
        let progress = ProgressDisplay::new();
        if !QUIET.load(Ordering::Relaxed) {
            fitted.lines().iter().try_for_each(print)?;
        }
        let curve = task.open(&settings, &progress)?.find_lr(range, &progress, &stop)?;
        progress.end();
        report(&curve)?;
        if let Some(rate) = curve.suggested {
            let settings = [("optimizer", optimizer.name().to_owned()), ("lr", format!("{rate:.1e}"))];
            let step = Next::Train(settings.map(|(key, value)| (key.to_owned(), value)).to_vec());
            fitted.own = trained(fitted.own, of_file.as_deref());
            print(format_args!("next:     {}", dry_run::fitted_command(task, &fitted, &step)))?;
        }
    }
    Ok(if stop.load(Ordering::Relaxed) { INTERRUPTED.into() } else { ExitCode::SUCCESS })
}

/// The settings of a training after the test. Its folder is neither that of the test nor `of_file`, that of an earlier run.
fn trained(mut given: Given, of_file: Option<&Path>) -> Given {
    given.settings.remove("out");
    if let Some(free) = of_file.filter(|out| check_free(out).is_err()).and_then(|out| free_beside(out).next()) {
        given.settings.insert("out".into(), free.to_string_lossy().into_owned().into());
    }
    given
}

fn report(curve: &LrCurve) -> Result<(), CliError> {
    print(format_args!("curve:    {0}/lr_find.png, {0}/lr_find.csv", curve.run.display()))?;
    match (curve.suggested, curve.lowest) {
        (Some(suggested), Some(lowest)) => {
            let at_the_end = curve.points.last().is_some_and(|last| last.lr <= 1.5 * lowest);
            let above = if at_the_end { "where the test ends: raise --to" } else { "above that it rises" };
            print(format_args!("lowest:   the loss is lowest at a learning rate of {lowest:.1e}; {above}"))?;
            print(format_args!("rate:     {suggested:.1e} is suggested: three quarters of the fall are done there"))
        }
        _ => print("the loss falls nowhere in this range: widen it (--from, --to) or take more steps (--steps)"),
    }
}
