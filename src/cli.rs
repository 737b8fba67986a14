//! The command line: thin verbs over the library, one file each. Errors go to stderr and end with exit code 2.

mod advice;
mod bench;
mod color;
mod compare;
mod completions;
mod data;
mod demo;
mod devices;
mod doctor;
mod dry_run;
mod eval;
mod export;
pub(crate) mod flags;
pub(crate) mod groups;
mod hints;
mod limits;
mod lr_find;
mod model;
mod plan;
mod predict;
mod progress;
mod ranks;
mod report;
mod summary;
mod sweep;
mod train;
mod watch;
mod weights;

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser, Subcommand};

use crate::run::RunDir;
use crate::tasks::Task;
use crate::text::{escaped, one_of, word};
use crate::workflows::WorkflowError;

/// Exit codes, below the help.
const EXIT_CODES: &str = "Exit codes: 0 success, 1 `doctor` found a fault, 2 an error, 75 a rank was lost (mpirun), 130 interrupted, with a checkpoint (Ctrl-C, SIGTERM, SIGHUP)";

/// Position in the help of the flags that all verbs share: after the verb's own flags.
const LAST: usize = 900;

/// Train convolutional vision models on any GPU, or without one.
#[derive(Parser)]
#[command(name = "shadegrad", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    /// Print results and errors only: no description of the run, no progress
    #[arg(short, long, global = true, display_order = LAST)]
    quiet: bool,
    /// Also print every setting of a training with its origin, and a line for each step
    #[arg(short, long, global = true, conflicts_with = "quiet", display_order = LAST)]
    verbose: bool,
    /// Color of messages; auto: in a terminal, unless the variable NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(display_order = LAST)]
    color: color::Color,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train classification, segmentation and colorization on built-in data in minutes, with one report
    Demo(demo::Args),
    /// Train a model
    #[command(subcommand)]
    Train(flags::TaskArgs),
    /// Find a good learning rate: train while the rate rises, and plot the loss (Smith 2017)
    #[command(subcommand)]
    LrFind(lr_find::Args),
    /// Compute loss and scores of a trained run on a data set
    Eval(eval::Args),
    /// Predict classes, masks or colors of images with a trained run
    Predict(predict::Args),
    /// Write a trained run as an ONNX model
    Export(export::Args),
    /// Train a run for each row of a list or grid of settings, and tabulate their scores
    Sweep(sweep::Args),
    /// Print the layers of a model with shapes, parameters, FLOP and memory
    Summary(summary::Args),
    /// Time training steps and their kernels
    Bench(bench::Args),
    /// Score trained runs on the same images, in a table and a figure
    Compare(compare::Args),
    /// Write one HTML page about runs, which works offline
    Report(report::Args),
    /// Show runs under way in a browser: curves, scores, time left
    Watch(watch::Args),
    /// Check a data set, or preview augmentation
    #[command(subcommand)]
    Data(data::Verb),
    /// List the devices of this machine
    Devices,
    /// Check a device: every kernel of a training step against a reference, and that steps repeat to the same bits
    Doctor(doctor::Args),
    /// Print the kernels of a model's training step with shapes, FLOP and memory
    Plan(plan::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
    /// Write manual pages
    Man(completions::ManArgs),
}

/// Error of a verb: an error of the library, or one of the command line.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error("{0}")]
    Usage(String),
    #[error("cannot write the results to the standard output: {0}; check where it is redirected to")]
    Output(#[from] std::io::Error),
}

macro_rules! through_workflow_error {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(e: $error) -> Self {
                CliError::Workflow(e.into())
            }
        })*
    };
}

through_workflow_error!(
    crate::data::DataError,
    crate::exec::ExecError,
    crate::graph::GraphError,
    crate::interop::onnx::OnnxError,
    crate::report::ReportError,
    crate::run::RunError,
    crate::run::pictures::PictureError,
    crate::tasks::TaskError,
    crate::train::TrainError,
    crate::train::settings::ConfigError,
);

/// Prints a line of results. `println!` would panic when the reader is gone (`… | head`) or the disk is full.
fn print(line: impl Display) -> Result<(), CliError> {
    require_output()?;
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

/// The standard output of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Open when the process started.
    Open,
    /// Closed when the process started.
    Closed,
}

/// Whether the standard output was closed when the process started.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a line about a training could not be printed to the standard output.
static LOST_RESULTS: AtomicBool = AtomicBool::new(false);

fn require_output() -> std::io::Result<()> {
    if CLOSED.load(Ordering::Relaxed) { Err(std::io::Error::other("it is closed")) } else { Ok(()) }
}

/// Prints help or version. clap returns both as errors.
fn print_help(help: &clap::Error) -> Result<ExitCode, CliError> {
    require_output()?;
    help.print()?;
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Text for a terminal. Escape sequences in file names, and characters that reverse the direction of text, are escaped.
/// Line breaks stay.
fn shown(text: impl Display) -> String {
    text.to_string().split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Prints a line to the standard error. `eprintln!` would panic when it is closed.
fn complain(line: impl Display) {
    let lines: Vec<String> = shown(line).split('\n').map(color::marked).collect();
    if writeln!(std::io::stderr().lock(), "{}", lines.join("\n")).is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether a line could not be printed to the standard error. The exit code then is not 0.
static LOST: AtomicBool = AtomicBool::new(false);

/// Warns of damaged files in the folder of a run.
fn complain_of_damage(run: &Path) {
    let damage = RunDir::open_unfinished(run).map(|run| run.damage()).unwrap_or_default();
    damage.into_iter().for_each(|line| complain(format_args!("warning: {line}")));
}

/// Exit code of a process that SIGPIPE ends, as shells report it: 128 + 13.
const BROKEN_PIPE: u8 = 141;

/// Parses the arguments and runs the verb.
pub fn run(output: Output) -> ExitCode {
    limits::catch_aborts();
    CLOSED.store(output == Output::Closed, Ordering::Relaxed);
    let verb = match Cli::try_parse() {
        Ok(cli) => {
            progress::QUIET.store(cli.quiet, Ordering::Relaxed);
            progress::VERBOSE.store(cli.verbose, Ordering::Relaxed);
            cli.color.set();
            cli.verb
        }
        Err(help) if help.exit_code() == 0 => return ended(print_help(&help)),
        Err(error) => {
            let words: Vec<String> = std::env::args().skip(1).collect();
            if let Some(hint) = without_task(&words).or_else(|| misplaced(&error, &words)) {
                complain(format_args!("error: {hint}"));
                return ExitCode::from(2);
            }
            error.exit()
        }
    };
    ended(limits::make_threads().and_then(|()| dispatch(verb)))
}

/// The exit code for a verb's result. Prints the error, if any.
fn ended(result: Result<ExitCode, CliError>) -> ExitCode {
    match result {
        Ok(ExitCode::SUCCESS) if LOST.load(Ordering::Relaxed) => {
            let _ = print(
                "warning: lines for the standard error could not be written there; check where it is redirected to",
            );
            ExitCode::from(2)
        }
        Ok(ExitCode::SUCCESS) if LOST_RESULTS.load(Ordering::Relaxed) => {
            complain(
                "error: lines for the standard output could not be written there; the files are complete: check where it is \
                 redirected to",
            );
            ExitCode::from(2)
        }
        Ok(code) => code,
        // The reader of the results has closed the pipe, and results are lost.
        Err(CliError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(BROKEN_PIPE),
        Err(error) => {
            complain(format_args!("error: {}", advice::message(&error)));
            advice::flags(&error).into_iter().for_each(complain);
            ExitCode::from(2)
        }
    }
}

/// The message for a verb with flags but without a task: `train --data photos`.
fn without_task(words: &[String]) -> Option<String> {
    let [verb, flag, ..] = words else { return None };
    if !["train", "lr-find"].contains(&verb.as_str()) || !flag.starts_with('-') || HELP.contains(&flag.as_str()) {
        return None;
    }
    let tasks = crate::tasks::tasks();
    let known: String = tasks.iter().map(|task| format!("\n  {:<12} {}", task.name(), task.help())).collect();
    let rest: Vec<String> = words[1..].iter().map(|one| word(one)).collect();
    Some(format!(
        "`{verb}` needs a task before its flags:{known}\nfor example: shadegrad {verb} {} {}",
        tasks.first().map_or("TASK", |task| task.name()),
        rest.join(" ")
    ))
}

/// The message for a data set without its flag (`train classify photos`), or for a flag of another task.
fn misplaced(error: &clap::Error, words: &[String]) -> Option<String> {
    let [verb, task, ..] = words else { return None };
    let tasks = crate::tasks::tasks();
    let of_training = ["train", "lr-find"].contains(&verb.as_str());
    let known = tasks.iter().any(|one| one.name() == task);
    if !of_training || (!known && !Path::new(task).is_dir()) {
        return None;
    }
    if !known {
        let names: Vec<&str> = tasks.iter().map(|task| task.name()).collect();
        let rest: Vec<String> = words[2..].iter().map(|one| word(one)).collect();
        let (data, rest) = (word(task), rest.join(" "));
        let line = format!("shadegrad {verb} {} --data {data} {rest}", names.first()?);
        return Some(format!(
            "{task} is a folder, and `{verb}` needs a task before its data: {}; for example: {}",
            one_of(&names),
            line.trim_end()
        ));
    }
    let Some(clap::error::ContextValue::String(unknown)) = error.get(clap::error::ContextKind::InvalidArg) else {
        return None;
    };
    if Path::new(unknown).exists() && !unknown.starts_with('-') {
        return Some(format!(
            "{unknown}: a data set is named by --data: shadegrad {verb} {task} --data {}",
            word(unknown)
        ));
    }
    let key = unknown.strip_prefix("--")?.replace('-', "_");
    let has = |one: &&&dyn Task| one.settings().iter().any(|setting| setting.key == key);
    let owners: Vec<&str> = tasks.iter().filter(has).map(|one| one.name()).collect();
    (!owners.is_empty()).then(|| format!("{unknown}: a setting of {}, which `{task}` does not have", one_of(&owners)))
}

/// Flags that need no task.
const HELP: [&str; 4] = ["-h", "--help", "-V", "--version"];

fn dispatch(verb: Verb) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Train(args) => train::run(&args),
        Verb::LrFind(args) => lr_find::run(&args),
        Verb::Eval(args) => eval::run(&args),
        Verb::Predict(args) => predict::run(&args),
        Verb::Export(args) => export::run(&args),
        Verb::Data(verb) => data::run(&verb),
        Verb::Sweep(args) => sweep::run(&args),
        Verb::Summary(args) => summary::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Watch(args) => watch::run(&args),
        Verb::Devices => devices::run(),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Plan(args) => plan::run(&args),
        Verb::Completions(args) => completions::run(&args, Cli::command()),
        Verb::Man(args) => completions::man(&args, Cli::command()),
    }
}
