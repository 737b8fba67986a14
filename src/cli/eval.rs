//! `shadegrad eval RUN --data DIR`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::predict::open_run;
use super::{CliError, print};
use crate::data::{
    ClassificationSource, Loader, LoaderOptions, OpenOptions, PrepareOptions, open_classification, prepare,
};
use crate::train::TrainError;

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
    /// Share held out, where the data has no split of its own
    #[arg(long, default_value_t = 0.2)]
    val_split: f32,
    /// Seed of that split
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Prints loss, accuracy and the scores of each class.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    if args.batch_size == 0 {
        return Err(CliError::Usage("--batch-size 0: expected at least 1".into()));
    }
    if !(args.val_split > 0.0 && args.val_split < 1.0) {
        return Err(CliError::Usage(format!("--val-split {}: expected above 0 and below 1", args.val_split)));
    }
    let mut classifier = open_run(&args.run, &args.device)?;
    let splits = open_classification(&args.data, &OpenOptions { val_split: args.val_split, seed: args.seed })?;
    let set = if args.split == Part::Val { splits.val } else { splits.train };
    if set.class_names() != classifier.card.classes {
        let (data, model) = (set.class_names().to_vec(), classifier.card.classes.clone());
        return Err(TrainError::OtherClasses { data, model }.into());
    }
    let options = PrepareOptions { skip_bad: args.skip_bad, ..PrepareOptions::new(classifier.card.image_size as u32) };
    let prepared = Arc::new(prepare(&[set], &options, &|_, _| {})?.remove(0));
    for bad in prepared.bad() {
        eprintln!("skipped {bad}");
    }
    let source = ClassificationSource::new(prepared.clone(), &classifier.card.normalization);
    let loader_options = LoaderOptions { shuffle: false, ..LoaderOptions::new(args.batch_size, 0) };
    let loader = Loader::new(Arc::new(source), loader_options)?;
    let result = classifier.evaluate(&loader, args.batch_size)?;
    let accuracy = 100.0 * result.accuracy();
    print(format_args!("{} images, loss {:.4}, accuracy {accuracy:.2} %\n", prepared.len(), result.loss))?;
    print(format_args!("{:<24} {:>7} {:>9} {:>9}", "class", "images", "recall", "precision"))?;
    let percent = |v: Option<f64>| v.map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
    for (k, name) in classifier.card.classes.iter().enumerate() {
        let (recall, precision) = (percent(result.confusion.recall(k)), percent(result.confusion.precision(k)));
        print(format_args!("{name:<24} {:>7} {recall:>9} {precision:>9}", result.confusion.row_total(k)))?;
    }
    Ok(ExitCode::SUCCESS)
}
