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
mod error;
mod eval;
mod export;
pub(crate) mod flags;
mod groups;
mod hints;
mod limits;
mod lr_find;
mod model;
mod output;
mod plan;
mod predict;
mod progress;
mod ranks;
mod report;
mod slips;
mod summary;
mod sweep;
mod train;
mod watch;
mod weights;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{CommandFactory, Parser, Subcommand};
use error::CliError;
pub use output::Output;
use output::{CLOSED, LOST, LOST_RESULTS, complain, complain_of_damage, print, print_help, require_output, shown};

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
            if let Some(hint) = slips::hint(&error, &words) {
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
