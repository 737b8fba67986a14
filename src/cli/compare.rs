//! `shadegrad compare RUN RUN… [--data DIR]`

use std::path::{MAIN_SEPARATOR, PathBuf};
use std::process::ExitCode;

use super::flags::{choice, tile};
use super::hints::HintArgs;
use super::{CliError, complain, complain_of_damage, print};
use crate::run::names::{names, new_folder};
use crate::run::pictures::take_missing;
use crate::run::{Checkpoint, ImageSize, RunDir};
use crate::workflows::compare::compare;
use crate::workflows::evaluation::{EvalOptions, Part, mirrored};

/// Arguments of `compare`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folders, or checkpoints, of one task
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Data set; that of the runs when not given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Part of the data set [default: test if the data has one, else val; all images of another data set without parts]
    #[arg(long, value_parser = choice::<Part>())]
    split: Option<Part>,
    /// Folder to create for table and figure; runs/compare-NNN when not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    hints: HintArgs,
    /// Tiles of large pictures, for segmentation models trained with --crop [default: the largest within 512 MiB]
    #[arg(long, value_name = "HxW", value_parser = tile)]
    tile: Option<ImageSize>,
    /// Average the predictions for each image and its mirror image (flips at test time)
    #[arg(long)]
    tta: bool,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
    /// Images per batch
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    /// Compare without unreadable images, instead of stopping
    #[arg(long)]
    skip_bad: bool,
}

/// Prints the table, and writes table and figure.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    args.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
    args.runs.iter().for_each(|run| complain_of_damage(run));
    let names = names(&args.runs);
    let open = |(name, path): (String, &PathBuf)| Ok((name, Checkpoint::open(path)?));
    let mut models = names.into_iter().zip(&args.runs).map(open).collect::<Result<Vec<_>, CliError>>()?;
    if args.tta {
        let averaged = |(name, model)| Ok((name, mirrored(model)?));
        models = models.into_iter().map(averaged).collect::<Result<_, CliError>>()?;
    }
    for (_, model) in &mut models {
        // Models that see resized pictures have no tiles.
        let tile = args.tile.filter(|_| model.card.sees_own_pixels());
        model.card = model.card.clone().with_tile(tile);
    }
    let options = EvalOptions {
        data: args.data.clone(),
        part: args.split,
        whole: args.split.is_none(),
        val_split: None,
        seed: None,
        hints: args.hints.hints(),
        skip_bad: args.skip_bad,
        device: args.device.clone(),
        batch_size: args.batch_size.into(),
    };
    let compared = compare(&models, &options)?;
    let folder = new_folder(args.out.as_deref(), "compare")?;
    let written = compared.write(&folder)?;
    print(format_args!("{}\n", compared.on))?;
    print(compared.compared.table.text(|text| text))?;
    if let Some(classes) = &compared.compared.classes {
        print(classes.text(|text| text))?;
    }
    take_missing().into_iter().for_each(|note| complain(format_args!("note: {note}")));
    print(format_args!("written: {}{MAIN_SEPARATOR}{}", folder.display(), written.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}
