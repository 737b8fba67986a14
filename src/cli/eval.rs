//! `shadegrad eval RUN --data DIR`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::{CliError, complain, print};
use crate::data::{
    ClassificationSource, Loader, LoaderOptions, OpenOptions, PrepareOptions, open_classification, prepare,
};
use crate::exec;
use crate::train::TrainError;
use crate::train::classify::Classification;
use crate::train::config::{ClassifyConfig, MAX_BATCH_SIZE};
use crate::train::model::{Checkpoint, Model};

/// Which part of the data.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The validation (or test) part
    Val,
    /// The training part
    Train,
}

/// What to evaluate.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run directory, or a checkpoint in one
    run: PathBuf,
    /// Data set, in any format that `train classify` reads
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Part of the data set
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

/// The split that the run was trained with, unless the flags say otherwise: under another one, images that it has
/// learned would count as validation images.
fn split(args: &Args) -> Result<OpenOptions, CliError> {
    let folder = if args.run.is_dir() { Some(args.run.as_path()) } else { args.run.parent() };
    let config = folder.map(|f| f.join("config.toml")).filter(|f| f.is_file());
    let trained = config.map_or_else(|| Ok(ClassifyConfig::default()), |path| ClassifyConfig::from_file(&path))?;
    let val_split = args.val_split.unwrap_or(trained.val_split);
    if !(val_split > 0.0 && val_split < 1.0) {
        return Err(CliError::Usage(format!("--val-split {val_split}: expected above 0 and below 1")));
    }
    Ok(OpenOptions { val_split: val_split as f32, seed: args.seed.unwrap_or(trained.seed) })
}

/// Prints loss, accuracy and the scores of each class.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if !(1..=MAX_BATCH_SIZE).contains(&args.batch_size) {
        return Err(CliError::Usage(format!("--batch-size {}: expected at least 1, at most 1000000", args.batch_size)));
    }
    let split = split(args)?;
    let checkpoint = Checkpoint::open(&args.run)?;
    let card = &checkpoint.card;
    let task = Classification::trained(card.clone())?;
    let splits = open_classification(&args.data, &split)?;
    let set = if args.split == Part::Val { splits.val } else { splits.train };
    if set.class_names() != card.classes {
        let (data, model) = (set.class_names().to_vec(), card.classes.clone());
        return Err(TrainError::OtherClasses { data, model }.into());
    }
    let options = PrepareOptions { skip_bad: args.skip_bad, ..PrepareOptions::new(card.image_size[0] as u32) };
    let prepared = Arc::new(prepare(&[set], &options, &|_, _| {})?.remove(0));
    for bad in prepared.bad() {
        complain(format_args!("skipped {bad}"));
    }
    let source = ClassificationSource::new(prepared.clone(), &card.normalization);
    let loader_options = LoaderOptions { shuffle: false, ..LoaderOptions::new(args.batch_size, 0) };
    let loader = Loader::new(Arc::new(source), loader_options)?;
    let mut model = Model::trained(&task, exec::open(&args.device)?, &checkpoint)?;
    let result = model.evaluate(&task, &loader, args.batch_size.min(prepared.len()))?;
    let accuracy = 100.0 * result.accuracy();
    print(format_args!("{} images, loss {:.4}, accuracy {accuracy:.2} %\n", prepared.len(), result.loss()))?;
    print(format_args!("{:<24} {:>7} {:>9} {:>9}", "class", "images", "recall", "precision"))?;
    let percent = |v: Option<f64>| v.map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
    for (k, name) in card.classes.iter().enumerate() {
        let (recall, precision) = (percent(result.confusion.recall(k)), percent(result.confusion.precision(k)));
        print(format_args!("{name:<24} {:>7} {recall:>9} {precision:>9}", result.confusion.row_total(k)))?;
    }
    Ok(ExitCode::SUCCESS)
}
