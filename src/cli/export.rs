//! `shadegrad export RUN`: an ONNX model, or a folder for a hub of models

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, complain_of_damage, print};
use crate::interop::onnx::check_free;
use crate::run::{Checkpoint, RunDir};
use crate::workflows::export::{default_path, export};
use crate::workflows::{HubOptions, export_hub};

/// Arguments of `export`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folder, or a checkpoint in one
    run: PathBuf,
    /// File to write; it must not exist; model.onnx in the run's folder when not given
    #[arg(long, value_name = "FILE.onnx")]
    out: Option<PathBuf>,
    /// Write a folder for a hub of models instead: weights, config.json, preprocessor, model card, figures
    #[arg(long, value_name = "DIR", requires = "license", conflicts_with = "out")]
    hub: Option<PathBuf>,
    /// License of the weights on the model card, such as mit, apache-2.0 or cc-by-4.0
    #[arg(long, value_name = "ID", requires = "hub")]
    license: Option<String>,
    /// Name of the data set on the model card, as the hub has it; its folder's name when not given
    #[arg(long, value_name = "NAME", requires = "hub")]
    dataset: Option<String>,
}

/// Writes the model, and describes its input and output; or the folder.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if let (Some(hub), Some(license)) = (&args.hub, &args.license) {
        // Hubs know licenses by identifiers such as cc-by-4.0.
        if license.is_empty()
            || !license.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c))
        {
            let small = license.to_lowercase().replace([' ', '_'], "-");
            return Err(CliError::Usage(format!(
                "--license {license}: expected an identifier in lower case, such as mit, apache-2.0 or cc-by-4.0; try {small}"
            )));
        }
        RunDir::check_free(hub).map_err(|error| CliError::Usage(error.to_string()))?;
        complain_of_damage(&args.run);
        let commands = "shadegrad predict FOLDER/model.safetensors IMAGES\n\
                        shadegrad train TASK --data DATA --init FOLDER --finetune\n";
        let options =
            HubOptions { license: license.clone(), dataset: args.dataset.clone(), commands: commands.to_owned() };
        let files = export_hub(&args.run, hub, &options)?;
        print(format_args!("written: {} ({})", hub.display(), files.join(", ")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let out = args.out.clone().unwrap_or_else(|| default_path(&args.run));
    check_free(&out)?;
    complain_of_damage(&args.run);
    let exported = export(&Checkpoint::open(&args.run)?)?;
    exported.model.write_new(&out)?;
    print(format_args!("written: {}\n{}", out.display(), exported.about))?;
    Ok(ExitCode::SUCCESS)
}
