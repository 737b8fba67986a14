//! `shadegrad train`

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress::Progress;
use super::{CliError, complain, print};
use crate::train::classify::train;
use crate::train::config::{ClassifyConfig, ClassifyOverrides};

/// What to train for.
#[derive(clap::Subcommand)]
pub(super) enum Task {
    /// ResNet18 for classification; built-in scenes when no data is given
    Classify(Box<ClassifyOverrides>),
}

/// Exit code of a run that Ctrl-C ended, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Trains a classifier.
pub(super) fn classify(args: &ClassifyOverrides) -> Result<ExitCode, CliError> {
    let config = ClassifyConfig::resolve(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        complain("\nstopping after this step and writing a checkpoint; press Ctrl-C again to stop at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        complain(format_args!("warning: Ctrl-C will end the run without a checkpoint of the last steps: {error}"));
    }
    let outcome = train(&config, &Progress::new(), &stop)?;
    let run = outcome.run.display();
    if outcome.interrupted {
        print(format_args!("interrupted; the weights so far are in {run}/last.safetensors"))?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if let Some((accuracy, epoch)) = outcome.best {
        print(format_args!("best validation accuracy {:.1} % after epoch {epoch}", 100.0 * accuracy))?;
    }
    print(format_args!("weights:  {run}/best.safetensors, last.safetensors"))?;
    print(format_args!("pictures: {run}/curves.png, confusion.png, samples.png"))?;
    print(format_args!("next:     shadegrad predict {run} IMAGES…"))?;
    Ok(ExitCode::SUCCESS)
}
