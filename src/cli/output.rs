//! Lines for the standard output and the standard error, which may be closed.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use super::color::marked;
use super::error::CliError;
use crate::run::RunDir;
use crate::text::escaped;

/// Prints a line of results. `println!` would panic when the reader is gone (`… | head`) or the disk is full.
pub(super) fn print(line: impl Display) -> Result<(), CliError> {
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
pub(super) static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether a line about a training could not be printed to the standard output.
pub(super) static LOST_RESULTS: AtomicBool = AtomicBool::new(false);

pub(super) fn require_output() -> std::io::Result<()> {
    if CLOSED.load(Ordering::Relaxed) { Err(std::io::Error::other("it is closed")) } else { Ok(()) }
}

/// Prints help or version. clap returns both as errors.
pub(super) fn print_help(help: &clap::Error) -> Result<ExitCode, CliError> {
    require_output()?;
    help.print()?;
    std::io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Text for a terminal. Escape sequences in file names, and characters that reverse the direction of text, are escaped.
/// Line breaks stay.
pub(super) fn shown(text: impl Display) -> String {
    text.to_string().split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Prints a line to the standard error. `eprintln!` would panic when it is closed.
pub(super) fn complain(line: impl Display) {
    let lines: Vec<String> = shown(line).split('\n').map(marked).collect();
    if writeln!(std::io::stderr().lock(), "{}", lines.join("\n")).is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Whether a line could not be printed to the standard error. The exit code then is not 0.
pub(super) static LOST: AtomicBool = AtomicBool::new(false);

/// Warns of damaged files in the folder of a run.
pub(super) fn complain_of_damage(run: &Path) {
    let damage = RunDir::open_unfinished(run).map(|run| run.damage()).unwrap_or_default();
    damage.into_iter().for_each(|line| complain(format_args!("warning: {line}")));
}
