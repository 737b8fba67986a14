//! `shadegrad data check --task TASK DIR` and `shadegrad data preview --task TASK [DIR] --out FILE.png`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, print};
use crate::data::check::CheckOptions;
use crate::data::{Augment, Mix};
use crate::run::ImageSize;
use crate::run::pictures::save_png;
use crate::tasks::{self, Task};
use crate::workflows::preview::{PreviewOptions, preview};

/// Verbs about a data set.
#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Read a whole data set and list every fault; exit code 0 without faults, 2 with faults
    Check(CheckArgs),
    /// Draw training samples and what augmentation makes of them in each epoch
    Preview(PreviewArgs),
}

/// A task by its name.
fn task(name: &str) -> Result<&'static dyn Task, String> {
    tasks::task(name).map_err(|e| e.to_string())
}

/// Arguments of `data check`.
#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// Data set, in any format that training reads
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Task of the data set
    #[arg(long, value_parser = task)]
    task: &'static dyn Task,
    /// Share of the images held out for validation, for data without a split
    #[arg(long, default_value_t = 0.2)]
    val_split: f32,
    /// Seed that chooses the images held out
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Arguments of `data preview`.
#[derive(clap::Args)]
pub(super) struct PreviewArgs {
    /// Data set; built-in scenes when not given
    #[arg(value_name = "DIR")]
    data: Option<PathBuf>,
    /// Task of the data set
    #[arg(long, value_parser = task)]
    task: &'static dyn Task,
    /// Augmentation: none, light, strong, trivial, or a list of operations as in a config file
    #[arg(long, default_value_t = Augment::LIGHT, value_name = "none|light|strong|trivial")]
    augment: Augment,
    /// α of mixup, as in training; 0 switches it off
    #[arg(long, default_value_t = 0.0, value_name = "ALPHA")]
    mixup: f64,
    /// α of CutMix, as in training; 0 switches it off
    #[arg(long, default_value_t = 0.0, value_name = "ALPHA")]
    cutmix: f64,
    /// PNG file to write; it must not exist
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Replace the file that --out names
    #[arg(long)]
    force: bool,
    /// HEIGHTxWIDTH in pixels, or one number for a square; that of training when not given
    #[arg(long)]
    image_size: Option<ImageSize>,
    /// Samples, one per row
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=50))]
    samples: u16,
    /// Epochs, one per column
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=20))]
    epochs: u16,
    /// Share of the images held out for validation, for data without a split
    #[arg(long, default_value_t = 0.2)]
    val_split: f64,
    /// Seed of the training run
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the verb.
pub(super) fn run(verb: &Verb) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Check(args) => check(args),
        Verb::Preview(args) => draw(args),
    }
}

fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    if !(args.val_split > 0.0 && args.val_split < 1.0) {
        return Err(CliError::Usage(format!("--val-split {}: expected above 0 and below 1", args.val_split)));
    }
    let options = CheckOptions { val_split: args.val_split, seed: args.seed, ..CheckOptions::default() };
    let report = args.task.check_data(&args.data, &options)?;
    print(&report)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn draw(args: &PreviewArgs) -> Result<ExitCode, CliError> {
    if !args.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        let out = args.out.display();
        return Err(CliError::Usage(format!("--out {out}: the picture is a PNG; give it a name that ends with .png")));
    }
    if !args.force && args.out.symlink_metadata().is_ok() {
        let out = args.out.display();
        return Err(CliError::Usage(format!(
            "--out {out}: exists already; give another name, or --force to replace it"
        )));
    }
    let options = PreviewOptions {
        mix: Mix { mixup: args.mixup, cutmix: args.cutmix, seed: args.seed },
        data: args.data.clone(),
        image_size: args.image_size,
        seed: args.seed,
        val_split: args.val_split,
        samples: args.samples.into(),
        epochs: args.epochs.into(),
        ..PreviewOptions::new(args.task, args.augment.clone())
    };
    save_png(&preview(&options)?, &args.out)?;
    print(format!("wrote {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
