//! `shadegrad eval RUN [--data DIR]`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, complain, print};
use crate::data::{BadImage, one_line};
use crate::run::card::TaskKind;
use crate::tasks::colorize::metrics::ImageScores;
use crate::train::config::MAX_BATCH_SIZE;
use crate::train::model::Checkpoint;
use crate::workflows::evaluation::{self, Chosen, EvalOptions, Part};

/// What to evaluate.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run directory, or a checkpoint in one
    run: PathBuf,
    /// Data set, in any format that training for the run's task reads; the run's own when not given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Part of the data set (`compare` takes test where there is one)
    #[arg(long, value_enum, default_value = "val")]
    split: Part,
    /// Where to compute: auto, gpu, cpu, an adapter's name or its index
    #[arg(long, default_value = "auto")]
    device: String,
    /// Images per batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Leave out unreadable images, listing them
    #[arg(long)]
    skip_bad: bool,
    /// Share held out, where the data has no split of its own [default: that of the run]
    #[arg(long)]
    val_split: Option<f64>,
    /// Seed of that split [default: that of the run]
    #[arg(long)]
    seed: Option<u64>,
}

/// Prints loss and scores, for the whole set and for each class.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !(1..=MAX_BATCH_SIZE).contains(&args.batch_size) {
        return Err(CliError::Usage(format!("--batch-size {}: expected at least 1, at most 1000000", args.batch_size)));
    }
    if args.val_split.is_some_and(|share| !(share > 0.0 && share < 1.0)) {
        let share = args.val_split.unwrap_or_default();
        return Err(CliError::Usage(format!("--val-split {share}: expected above 0 and below 1")));
    }
    let checkpoint = Checkpoint::open(&args.run)?;
    let options = EvalOptions {
        data: args.data.clone(),
        part: Some(args.split),
        val_split: args.val_split,
        seed: args.seed,
        skip_bad: args.skip_bad,
        device: args.device.clone(),
        batch_size: args.batch_size,
    };
    match checkpoint.card.task {
        TaskKind::Classify => classification(&checkpoint, &options)?,
        TaskKind::Segment => segmentation(&checkpoint, &options)?,
        TaskKind::Colorize => colorization(&checkpoint, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn classification(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<(), CliError> {
    let chosen = evaluation::classified(checkpoint, options)?;
    let prepared = &chosen.set;
    skipped(prepared.bad());
    let result = evaluation::classification(checkpoint, prepared, options)?;
    print_origin(&chosen)?;
    let accuracy = 100.0 * result.accuracy();
    print(format_args!("{} images, loss {:.4}, accuracy {accuracy:.2} %\n", prepared.len(), result.loss()))?;
    print(format_args!("{:<24} {:>7} {:>9} {:>9}", "class", "images", "recall", "precision"))?;
    let percent = |v: Option<f64>| v.map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
    for (k, name) in checkpoint.card.classes.iter().enumerate() {
        let (recall, precision) = (percent(result.confusion.recall(k)), percent(result.confusion.precision(k)));
        let name = one_line(name);
        print(format_args!("{name:<24} {:>7} {recall:>9} {precision:>9}", result.confusion.row_total(k)))?;
    }
    Ok(())
}

fn segmentation(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<(), CliError> {
    let chosen = evaluation::pairs(checkpoint, options)?;
    let pairs = &chosen.set;
    skipped(pairs.bad());
    let result = evaluation::segmentation(checkpoint, pairs, options)?;
    print_origin(&chosen)?;
    let scores = result.scores();
    let text = |v: Option<f64>| v.map_or("–".into(), |v| format!("{v:.4}"));
    print(format_args!(
        "{} images, loss {:.4}, mean IoU {}, weighted IoU {}, pixel accuracy {}\n",
        pairs.len(),
        result.loss(),
        text(scores.mean_iou),
        text(scores.weighted_iou),
        text(scores.pixel_accuracy)
    ))?;
    print(format_args!("{:<24} {:>12} {:>8}", "class", "pixels", "IoU"))?;
    for (k, (name, iou)) in checkpoint.card.classes.iter().zip(&scores.iou).enumerate() {
        let name = one_line(name);
        print(format_args!("{name:<24} {:>12} {:>8}", result.confusion.row_total(k), text(*iou)))?;
    }
    Ok(())
}

fn colorization(checkpoint: &Checkpoint, options: &EvalOptions) -> Result<(), CliError> {
    let chosen = evaluation::images(checkpoint, options)?;
    let images = &chosen.set;
    skipped(images.bad());
    let result = evaluation::colorization(checkpoint, images, options)?;
    print_origin(&chosen)?;
    let mean = ImageScores::mean(&result.images).unwrap_or_default();
    print(format_args!(
        "{} images, PSNR {:.2} dB, SSIM {:.4}, ΔE {:.2}, colourfulness {:.2} (truth {:.2})",
        images.len(),
        mean.psnr,
        mean.ssim,
        mean.delta_e,
        mean.colourfulness,
        mean.true_colourfulness
    ))
}

/// Says what was measured on: without --data that is the run's own.
fn print_origin<T>(chosen: &Chosen<T>) -> Result<(), CliError> {
    print(format_args!("data: {chosen}"))
}

fn skipped(bad: &[BadImage]) {
    for bad in bad {
        complain(format_args!("skipped {bad}"));
    }
}
