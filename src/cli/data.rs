//! `shadegrad data check --task TASK DIR` and `shadegrad data preview --task TASK [DIR] --out FILE.png`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::hints::HintArgs;
use super::{CliError, advice, complain, print, shown};
use crate::data::check::{CheckOptions, CheckReport};
use crate::data::correct::Corrected;
use crate::data::{Augment, Mix};
use crate::run::ImageSize;
use crate::run::pictures::{save_png, take_missing};
use crate::tasks::{self, Task};
use crate::workflows::evaluation::require_hints;
use crate::workflows::preview::{PreviewOptions, preview};

/// Verbs about a data set.
#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// Read a whole data set and list every fault; exit code 0 without faults, 2 with faults
    Check(CheckArgs),
    /// Draw training samples beside their augmented versions of each epoch
    Preview(PreviewArgs),
}

/// A task by its name.
fn task(name: &str) -> Result<&'static dyn Task, String> {
    tasks::task(name).map_err(|e| e.to_string())
}

/// The data set of `data check`.
#[derive(clap::Args)]
struct SetArg {
    /// Data set, in any format that training reads
    #[arg(value_name = "DIR", required_unless_present = "data")]
    dir: Option<PathBuf>,
    /// The same as DIR
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    data: Option<PathBuf>,
}

impl SetArg {
    fn path(&self) -> &Path {
        self.dir.as_deref().or(self.data.as_deref()).unwrap_or(Path::new("."))
    }
}

/// Arguments of `data check`.
#[derive(clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    set: SetArg,
    /// Task of the data set
    #[arg(long, value_parser = task)]
    task: &'static dyn Task,
    /// Share of the images held out for validation, for data without a split
    #[arg(long, default_value_t = 0.2)]
    val_split: f32,
    /// Seed that chooses the images held out
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    hints: HintArgs,
    /// Print the whole result as one JSON object; docs/data.md lists its keys
    #[arg(long)]
    json: bool,
    /// Write a corrected copy into a new folder: images converted, masks of class numbers, faulty files left out. The exit
    /// code is then that of the copy
    #[arg(long, value_name = "DIR")]
    fix: Option<PathBuf>,
}

/// Arguments of `data preview`.
#[derive(clap::Args)]
pub(super) struct PreviewArgs {
    /// Data set; built-in scenes when not given
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The same as DIR
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
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
    #[command(flatten)]
    hints: HintArgs,
    /// HEIGHTxWIDTH in pixels, or one number for a square; that of training when not given
    #[arg(long)]
    image_size: Option<ImageSize>,
    /// Random crops of this size from pictures at their own size, as in training
    #[arg(long, value_name = "HxW")]
    crop: Option<ImageSize>,
    /// Range of the random factor that scales pictures before --crop, as in training
    #[arg(long, value_name = "MIN..MAX", requires = "crop")]
    scale: Option<String>,
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
    let hints = args.hints.hints();
    require_hints(args.task, &hints)?;
    let options = CheckOptions { val_split: args.val_split, seed: args.seed, hints, ..CheckOptions::default() };
    let report = args.task.check_data(args.set.path(), &options)?;
    let mut result = report.json();
    if !args.json {
        print(shown(&report))?;
    }
    let is_good = match args.fix.as_deref() {
        None => report.is_good(),
        Some(to) => {
            let corrected = args.task.correct_data(args.set.path(), &options, to)?;
            let copy = args.task.check_data(to, &CheckOptions::default())?;
            result["copy"] = copy_json(&corrected, &copy, to);
            if !args.json {
                print(shown(copy_words(&corrected, &copy, to)))?;
            }
            copy.is_good()
        }
    };
    if args.json {
        print(&result)?;
    } else {
        report.faults.iter().filter_map(|fault| fault.hint).map(advice::of_hint).for_each(complain);
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The content of a corrected copy and its remaining faults, as text.
fn copy_words(corrected: &Corrected, copy: &CheckReport, to: &Path) -> String {
    let parts: Vec<String> = corrected.parts.iter().map(|(name, images)| format!("{images} {name}")).collect();
    let mut lines = vec![format!("\ncopy: {}, with {} images", to.display(), parts.join(", "))];
    lines.extend(corrected.left_out.iter().map(|one| format!("left out: {one}")));
    lines
        .extend(corrected.lost_classes.iter().map(|class| format!("left out: class '{class}', without training data")));
    lines.extend(copy.faults.iter().map(|fault| format!("still wrong: {fault}")));
    lines.join("\n")
}

/// The content of a corrected copy and its remaining faults, as JSON.
fn copy_json(corrected: &Corrected, copy: &CheckReport, to: &Path) -> Value {
    let parts: Map<String, Value> = corrected.parts.iter().map(|(name, n)| ((*name).to_string(), json!(n))).collect();
    let left_out = corrected.left_out.iter().map(|one| json!({ "path": one.image, "why": one.problem.to_string() }));
    json!({
        "path": to.display().to_string(),
        "images": parts,
        "lost_classes": corrected.lost_classes,
        "left_out": left_out.collect::<Vec<_>>(),
        "check": copy.json(),
    })
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
        data: args.dir.clone().or_else(|| args.data.clone()),
        hints: args.hints.hints(),
        image_size: args.image_size,
        crop: args.crop,
        scale: args.scale.clone(),
        seed: args.seed,
        val_split: args.val_split,
        samples: args.samples.into(),
        epochs: args.epochs.into(),
        ..PreviewOptions::new(args.task, args.augment.clone())
    };
    save_png(&preview(&options)?, &args.out)?;
    take_missing().into_iter().for_each(|note| complain(format_args!("note: {note}")));
    print(format!("wrote {}", args.out.display()))?;
    Ok(ExitCode::SUCCESS)
}
