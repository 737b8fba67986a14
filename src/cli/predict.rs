//! `shadegrad predict RUN IMAGES…`

mod pictures;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::RgbImage;

use super::{CliError, complain, print};
use crate::data::{DataError, decode_file, images_below, one_line, square};
use crate::exec;
use crate::run::card::TaskKind;
use crate::tasks::classify::Classification;
use crate::train::model::{Checkpoint, Model};

/// What to classify.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run directory, or a checkpoint in one
    run: PathBuf,
    /// Images, or folders of images, which are read at any depth
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// One JSON object per image: the probability of every class, or the files written and, for masks, the names of the
    /// classes in the order of their numbers
    #[arg(long)]
    json: bool,
    /// Folder to create for masks or coloured pictures; runs/predict-NNN when not given. NAME-mask.png holds the number
    /// of each pixel's class (from 0; `classes` of --json names them), whatever values the masks had that were learned
    /// from, and the classes' colours as its palette
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where to compute: auto, gpu, cpu, an adapter's name or its index
    #[arg(long, default_value = "auto")]
    device: String,
}

/// Images computed together.
const BATCH: usize = 16;

/// The images of files and folders, in the order given; those of a folder are what training would find in it.
fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut images = Vec::new();
    for path in paths {
        if !path.is_dir() {
            images.push(path.clone());
            continue;
        }
        let found = images_below(path)?;
        if found.is_empty() {
            return Err(CliError::Usage(format!("{}: holds no JPEG, PNG, WebP or BMP file", path.display())));
        }
        images.extend(found);
    }
    Ok(images)
}

/// Applies the run to every image; an image that cannot be read is named on stderr and makes the exit code 2.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let images = collect(&args.images)?;
    let checkpoint = Checkpoint::open(&args.run)?;
    let failed = match checkpoint.card.task {
        TaskKind::Classify => classify(args, &checkpoint, &images)?,
        TaskKind::Segment => pictures::segment(args, &checkpoint, &images)?,
        TaskKind::Colorize => pictures::colorize(args, &checkpoint, &images)?,
    };
    Ok(if failed > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Reads an image, or says what is wrong with it.
fn read(path: &Path) -> Result<Option<RgbImage>, CliError> {
    match decode_file(path) {
        Ok(image) => Ok(Some(image)),
        // Says the file and what is wrong; the remedies of other verbs are left out.
        Err(DataError::BadImage(bad)) => {
            complain(format_args!("error: {bad}"));
            Ok(None)
        }
        Err(other) => Err(other.into()),
    }
}

/// Prints a line per image; gives the number of those that could not be read.
fn classify(args: &Args, checkpoint: &Checkpoint, images: &[PathBuf]) -> Result<usize, CliError> {
    if let Some(out) = &args.out {
        return Err(CliError::Usage(format!(
            "--out {}: classification prints its results and writes no file",
            out.display()
        )));
    }
    let task = Classification::trained(checkpoint.card.clone())?;
    let mut model = Model::trained(&task, exec::open(&args.device)?, checkpoint)?;
    let card = &checkpoint.card;
    let (size, table) = (card.image_size[0] as u32, card.normalization.table());
    let mut failed = 0;
    for chunk in images.chunks(BATCH) {
        let mut names = Vec::new();
        let mut pixels = Vec::new();
        for path in chunk {
            match read(path)? {
                Some(image) => {
                    let bytes = square(&image, size);
                    pixels.extend(bytes.iter().enumerate().map(|(i, &v)| table[i % 3][v as usize]));
                    names.push(path);
                }
                None => failed += 1,
            }
        }
        if names.is_empty() {
            continue;
        }
        let probabilities = task.predict(&mut model, BATCH, pixels)?;
        for (path, p) in names.iter().zip(&probabilities) {
            print_one(path, p, &card.classes, args.json)?;
        }
    }
    Ok(failed)
}

fn print_one(path: &Path, p: &[f32], classes: &[String], json: bool) -> Result<(), CliError> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    if json {
        let all: serde_json::Map<String, serde_json::Value> =
            classes.iter().zip(p).map(|(c, &p)| (c.clone(), p.into())).collect();
        let class = &classes[order[0]];
        let object = serde_json::json!({
            "image": path.display().to_string(), "class": class, "probability": p[order[0]], "probabilities": all,
        });
        print(object)
    } else {
        let top: Vec<_> =
            order.iter().take(3).map(|&k| format!("{} {:.1} %", one_line(&classes[k]), 100.0 * p[k])).collect();
        print(format_args!("{}: {}", path.display(), top.join(", ")))
    }
}
