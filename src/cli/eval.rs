//! `shadegrad eval RUN [--data DIR]`; `cli/weights.rs` has `eval --weights`

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::{choice, tile, tiled};
use super::hints::HintArgs;
use super::{CliError, complain, complain_of_damage, print, shown, weights};
use crate::run::{Checkpoint, ImageSize};
use crate::text::number;
use crate::train::settings::MAX_BATCH_SIZE;
use crate::workflows::evaluation::{EvalOptions, Evaluated, MIRRORED, Part, evaluate, mirrored};

/// Arguments of `eval`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folder, or a checkpoint in one
    #[arg(required_unless_present = "weights")]
    run: Option<PathBuf>,
    #[command(flatten)]
    weights: weights::WeightsArgs,
    /// Data set, in any format that training reads; the run's own when not given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Part of the data set [default: val; all images of another data set than that of the run, if it has no parts]
    #[arg(long, value_parser = choice::<Part>())]
    split: Option<Part>,
    #[command(flatten)]
    hints: HintArgs,
    /// Tiles of large pictures, for a segmentation model trained with --crop [default: the largest within 512 MiB]
    #[arg(long, value_name = "HxW", value_parser = tile)]
    tile: Option<ImageSize>,
    /// Average the predictions for each image and its mirror image (flips at test time)
    #[arg(long)]
    tta: bool,
    /// Print one JSON object: the loss, notes on the images, the scores under their names in metrics.csv, and as `trust` the
    /// scores of each class, top-5 accuracy, calibration and boundary F1
    #[arg(long)]
    json: bool,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
    /// Images per batch
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// List unreadable images and evaluate without them, instead of stopping
    #[arg(long)]
    skip_bad: bool,
    /// Share of the images held out for validation, for data without a split [default: that of the run]
    #[arg(long)]
    val_split: Option<f64>,
    /// Seed that chooses the images held out [default: that of the run]
    #[arg(long)]
    seed: Option<u64>,
}

/// Prints loss and scores of the whole set and of each class.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !(1..=MAX_BATCH_SIZE).contains(&args.batch_size) {
        return Err(CliError::Usage(format!("--batch-size {}: expected at least 1, at most 1000000", args.batch_size)));
    }
    if args.val_split.is_some_and(|share| !(share > 0.0 && share < 1.0)) {
        let share = number(args.val_split.unwrap_or_default());
        return Err(CliError::Usage(format!("--val-split {share}: expected above 0 and below 1")));
    }
    let Some(run) = &args.run else {
        if args.tta {
            return Err(CliError::Usage("--tta: weights are evaluated as they were published; name a run".into()));
        }
        let on = weights::On {
            data: args.data.as_ref(),
            hints: args.hints.hints(),
            device: &args.device,
            batch_size: args.batch_size,
        };
        return weights::run(&args.weights, on);
    };
    complain_of_damage(run);
    let checkpoint = tiled(Checkpoint::open(run)?, args.tile)?;
    let checkpoint = if args.tta { mirrored(checkpoint)? } else { checkpoint };
    let options = EvalOptions {
        data: args.data.clone(),
        part: Some(args.split.unwrap_or(Part::Val)),
        whole: args.split.is_none() && args.val_split.is_none() && args.seed.is_none(),
        val_split: args.val_split,
        seed: args.seed,
        hints: args.hints.hints(),
        skip_bad: args.skip_bad,
        device: args.device.clone(),
        batch_size: args.batch_size,
    };
    let Evaluated { on, skipped, notes, found } = evaluate(&checkpoint, &options)?;
    for bad in skipped {
        complain(format_args!("skipped {bad}"));
    }
    if args.json {
        let scores: serde_json::Map<String, serde_json::Value> =
            found.scores().into_iter().map(|(score, value)| (score.key.into_owned(), value.into())).collect();
        let object = serde_json::json!({
            "data": on, "notes": notes, "tta": args.tta, "loss": found.loss(), "scores": scores, "trust": found.trust()
        });
        print(object)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(format_args!("data: {}", shown(on)))?;
    notes.iter().try_for_each(|note| print(format_args!("note: {}", shown(note))))?;
    if args.tta {
        print(format_args!("tta:  {MIRRORED}"))?;
    }
    print(found.summary())?;
    Ok(ExitCode::SUCCESS)
}
