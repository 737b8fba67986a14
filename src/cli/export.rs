//! `shadegrad export RUN`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, complain_of_damage, print};
use crate::interop::onnx::check_free;
use crate::run::Checkpoint;
use crate::workflows::export::{default_path, export};

/// Arguments of `export`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folder, or a checkpoint in one
    run: PathBuf,
    /// File to write; it must not exist; model.onnx in the run's folder when not given
    #[arg(long, value_name = "FILE.onnx")]
    out: Option<PathBuf>,
}

/// Writes the model, and describes its input and output.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let out = args.out.clone().unwrap_or_else(|| default_path(&args.run));
    check_free(&out)?;
    complain_of_damage(&args.run);
    let exported = export(&Checkpoint::open(&args.run)?)?;
    exported.model.write_new(&out)?;
    print(format_args!("written: {}\n{}", out.display(), exported.about))?;
    Ok(ExitCode::SUCCESS)
}
