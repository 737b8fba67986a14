//! `shadegrad completions` and `shadegrad man`: what a package installs beside the program.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::{CliError, print};
use crate::interop::files::write_new;

/// Arguments of `completions`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Shell that completes
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(clap::Args)]
pub(super) struct ManArgs {
    /// Folder for the pages; made where it does not exist. No page is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Prints the completions of a shell.
pub(super) fn run(args: &Args, mut command: Command) -> Result<ExitCode, CliError> {
    let mut script = vec![];
    clap_complete::generate(args.shell, &mut command, "shadegrad", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a manual page for each command.
pub(super) fn man(args: &ManArgs, command: Command) -> Result<ExitCode, CliError> {
    let mut pages = vec![];
    gather(&[], command, &mut pages)?;
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(error.to_string());
    fs::create_dir_all(&args.out).map_err(|e| CliError::Usage(format!("{}: {e}", args.out.display())))?;
    let taken = pages.iter().map(|(name, _)| args.out.join(name)).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(CliError::Usage(format!(
            "{} exists already: choose another folder, or move it away",
            path.display()
        )));
    }
    for (name, page) in &pages {
        write_new(&args.out.join(name), |file| file.write_all(page)).map_err(|e| usage(&e))?;
    }
    print(format_args!("{} pages in {}", pages.len(), args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The pages of a command and of its subcommands: `shadegrad-train-classify.1`. `above` holds the names of its parent
/// commands.
fn gather(above: &[&str], command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    let command = command.disable_help_subcommand(true);
    let words = [above, &[command.get_name()]].concat();
    let (name, typed) = (words.join("-"), words.join(" "));
    for below in command.get_subcommands() {
        gather(&words, below.clone(), pages)?;
    }
    let mut page = vec![];
    clap_mangen::Man::new(command.name(name.clone()).bin_name(typed)).render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    Ok(())
}
