//! `shadegrad train TASK`

use std::path::{MAIN_SEPARATOR, Path};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::color::heading;
use super::dry_run::{name_choices, print_settings};
use super::flags::TaskArgs;
use super::progress::{OPENING, ProgressDisplay, QUIET, VERBOSE};
use super::ranks::{self, Follower};
use super::{CliError, complain, print, shown};
use crate::ranks::Ranks;
use crate::report::{Place, commands, resumption};
use crate::run::pictures::take_missing;
use crate::text::word;
use crate::train::Outcome;
use crate::train::settings::TrainSettings;
use crate::workflows::dry_run::values;

/// Exit code of a run that Ctrl-C or SIGTERM ended: 128 + SIGINT, as in shells.
pub(super) const INTERRUPTED: u8 = 130;

/// Trains.
pub(super) fn run(args: &TaskArgs) -> Result<ExitCode, CliError> {
    let ranks = ranks::start()?;
    if args.switch("dry_run") {
        let result = super::dry_run::run(args, args.switch("json"), &ranks);
        return ranks::end_all(&*ranks, result);
    }
    let result = if ranks.rank() == 0 { lead(args, &ranks) } else { follow(args, &ranks) };
    ranks::end_all(&*ranks, result)
}

/// Trains as rank 0, or as the only process.
fn lead(args: &TaskArgs, ranks: &Arc<dyn Ranks>) -> Result<ExitCode, CliError> {
    let progress = ProgressDisplay::new();
    let fitted = args.fitted(ranks.size())?;
    if !QUIET.load(Ordering::Relaxed) {
        fitted.lines().iter().try_for_each(print)?;
    }
    let mut settings = fitted.resolve(args.task)?;
    settings.ranks = ranks.clone();
    if VERBOSE.load(Ordering::Relaxed) {
        let mut values = values(args.task, &fitted.given, &settings, &settings.table);
        name_choices(&mut values, &fitted.choices);
        print_settings(&values)?;
    }
    let stop = stop_on_interrupt();
    let outcome = args.task.open(&settings, &progress)?.train(&progress, &stop)?;
    report(&outcome, args.task.name(), &settings.common)
}

/// Trains as another rank, which prints nothing.
fn follow(args: &TaskArgs, ranks: &Arc<dyn Ranks>) -> Result<ExitCode, CliError> {
    // The same data gives the same choices on every rank.
    let mut settings = args.fitted(ranks.size())?.resolve(args.task)?;
    settings.ranks = ranks.clone();
    let stop = stop_on_interrupt();
    let outcome = args.task.open(&settings, &Follower)?.train(&Follower, &stop)?;
    Ok(if outcome.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// Signals within this time count as one, because a terminal and a wrapper (a job scheduler) may both send it.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

/// A flag that Ctrl-C and SIGTERM set. Clusters and containers end a job with SIGTERM. A second signal, later than
/// [`ONE_SIGNAL`], ends the process.
pub(super) fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let mut first: Option<Instant> = None;
    #[expect(
        clippy::exit,
        reason = "an interrupt ends the process where there is nothing to save, or at once where it comes a second time"
    )]
    let handler = move || {
        if let Some(first) = first {
            if first.elapsed() >= ONE_SIGNAL {
                std::process::exit(INTERRUPTED.into());
            }
            return;
        }
        if OPENING.load(Ordering::Relaxed) {
            complain("\ninterrupted before the first step: nothing of this run is lost");
            std::process::exit(INTERRUPTED.into());
        }
        first = Some(Instant::now());
        flag.store(true, Ordering::Relaxed);
        complain("\nstopping after this step and writing a checkpoint; press Ctrl-C again to stop at once");
    };
    let install = || ctrlc::set_handler(handler);
    #[cfg(unix)]
    let installed = signals::with_hangups_and_usr1(&stop, install);
    #[cfg(not(unix))]
    let installed = install();
    if let Err(error) = installed {
        complain(format_args!("warning: Ctrl-C will end the run without a checkpoint of the last steps: {error}"));
    }
    stop
}

/// Signals besides those of Ctrl-C and SIGTERM.
#[cfg(unix)]
mod signals {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::complain;

    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

    extern "C" fn set_stop(_: nix::libc::c_int) {
        if let Some(flag) = STOP.get() {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Runs `install`, which also handles SIGHUP. Then makes two more signals set the flag `stop`.
    ///
    /// | signal | sent by |
    /// |---|---|
    /// | SIGHUP | a terminal or connection that closes; it stays ignored under `nohup` |
    /// | SIGUSR1 | batch systems ahead of the end of a job; mpirun passes it on to all ranks |
    pub(super) fn with_hangups_and_usr1<R>(stop: &Arc<AtomicBool>, install: impl FnOnce() -> R) -> R {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: installs no function.
        let before = unsafe { sigaction(Signal::SIGHUP, &ignore) };
        let result = install();
        let is_first = STOP.set(stop.clone()).is_ok();
        let set = SigAction::new(SigHandler::Handler(set_stop), SaFlags::SA_RESTART, SigSet::empty());
        let is_ignored = before.is_ok_and(|before| matches!(before.handler(), SigHandler::SigIgn));
        let at_hangup = if is_ignored { &ignore } else { &set };
        for (signal, action) in [(Signal::SIGHUP, at_hangup), (Signal::SIGUSR1, &set)] {
            // SAFETY: the handler only reads and writes atomics.
            if is_first && let Err(error) = unsafe { sigaction(signal, action) } {
                complain(format_args!(
                    "warning: {signal} will end the run without a checkpoint of the last steps: {error}"
                ));
            }
        }
        result
    }
}

/// Prints the outcome, the paths of the results, and commands of the next steps.
fn report(outcome: &Outcome, task: &str, common: &TrainSettings) -> Result<ExitCode, CliError> {
    let run = outcome.run.display();
    if outcome.interrupted {
        print(format_args!("interrupted; the weights so far are in {run}/last.safetensors"))?;
        print(format_args!("{}     {}", heading("next:"), resumption(task, &outcome.run)))?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if outcome.ended_early {
        print(format_args!("ended after epoch {}: the score did not improve (--early-stop)", outcome.rows.len()))?;
    }
    for line in outcome.left_out.iter().chain(&take_missing()) {
        complain(format_args!("note: {line}"));
    }
    if let Some(best) = outcome.best.as_ref().filter(|_| !outcome.diverged) {
        let scores = best.scores.iter().filter(|(score, _)| !score.of_training());
        let scores: Vec<_> = scores.map(|(score, v)| format!("{} {}", score.name, score.format(*v))).collect();
        print(format_args!("best validation {} after epoch {}", scores.join(", "), best.epoch))?;
    }
    if let Some(verdict) = &outcome.verdict {
        print(format_args!("{}  {}", heading("verdict:"), verdict.headline))?;
        verdict.findings.iter().try_for_each(|finding| print(format_args!("          {}", shown(&finding.text))))?;
    }
    if !outcome.diverged {
        print(format_args!("weights:  {run}{MAIN_SEPARATOR}best.safetensors, last.safetensors"))?;
    }
    if !outcome.pictures.is_empty() {
        let pictures = outcome.pictures.iter().copied().filter(|file| !file.ends_with(".json"));
        print(format_args!("pictures: {run}{MAIN_SEPARATOR}{}", pictures.collect::<Vec<_>>().join(", ")))?;
        print(format_args!("page:     shadegrad report {} puts all of it on one page", word(&run.to_string())))?;
    }
    let data = common.data.as_deref().map_or("DATA".into(), Path::to_string_lossy);
    let (example, named) = (outcome.example.as_deref(), common.out.is_some());
    let place = Place { task, run: &outcome.run, data: &data, example, named };
    let commands = outcome.verdict.as_ref().map_or_else(Vec::new, |verdict| commands(verdict, &place));
    for (index, command) in commands.iter().enumerate() {
        let title = if index == 0 { format!("{}    ", heading("next:")) } else { " ".repeat(9) };
        print(format_args!("{title} {command}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
