//! `shadegrad predict RUN IMAGES…`

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::{choice, tile, tiled};
use super::{CliError, complain, complain_of_damage, print};
use crate::data::{Walk, Why};
use crate::run::{Checkpoint, ImageSize};
use crate::tasks::{Explain, Method};
use crate::text::{count_of, escaped, word};
use crate::workflows::evaluation::{MIRRORED, mirrored};
use crate::workflows::predict::{Predicted, Predictions};

/// Arguments of `predict`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folder, or a checkpoint in one
    run: PathBuf,
    /// Images, or folders of images at any depth
    #[arg(required = true)]
    images: Vec<PathBuf>,
    /// Print one JSON object per image: the probability of every class, or the files written; for masks also the class
    /// names in the order of their numbers
    #[arg(long)]
    json: bool,
    /// Folder to create for masks, colorized pictures or explanations; runs/predict-NNN when not given. A pixel of NAME-mask.png holds the
    /// number of its class, from 0, whatever values the training masks had; `classes` of --json names the classes
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Tiles of large pictures, for a segmentation model trained with --crop [default: the largest within 512 MiB]
    #[arg(long, value_name = "HxW", value_parser = tile)]
    tile: Option<ImageSize>,
    /// Average the predictions for each image and its mirror image (flips at test time)
    #[arg(long)]
    tta: bool,
    /// Write a picture of what the network looks at in each image: gradcam (unless another method is named), the parts that
    /// decide about a class; occlusion, the parts that it needs (not for segment); features, what its layers compute. For classify,
    /// multi-label and segment
    #[arg(long, value_name = "METHOD", num_args = 0..=1, default_missing_value = "gradcam", value_parser = choice::<Method>())]
    explain: Option<Method>,
    /// Class that --explain is about [default: the most probable one of each image]
    #[arg(long, value_name = "NAME", requires = "explain")]
    class: Option<String>,
    /// Layer whose feature map Grad-CAM takes, such as layer3 [default: the encoder's last one of at least 4x4 pixels]; layers that
    /// features draws [default: the first, and the last of each size]
    #[arg(long, value_name = "LAYER", requires = "explain")]
    layer: Option<String>,
    /// Side of the grey patch of an occlusion map, in pixels of the network's images [default: a fifth of their side]
    #[arg(long, value_name = "PIXELS", requires = "explain")]
    patch: Option<usize>,
    /// Distance between places of that patch, in pixels [default: half the patch]
    #[arg(long, value_name = "PIXELS", requires = "explain")]
    stride: Option<usize>,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
}

/// The requested explanation, if any.
///
/// # Errors
/// A flag of another method.
fn explain(args: &Args) -> Result<Option<Explain>, CliError> {
    let Some(method) = args.explain else { return Ok(None) };
    let refuse = |flag: &str, other: &str| Err(CliError::Usage(format!("{flag}: needs --explain {other}")));
    match method {
        Method::GradCam if args.patch.is_some() => return refuse("--patch", "occlusion"),
        Method::GradCam if args.stride.is_some() => return refuse("--stride", "occlusion"),
        Method::Occlusion if args.layer.is_some() => return refuse("--layer", "gradcam or features"),
        Method::Features if args.class.is_some() => return refuse("--class", "gradcam or occlusion"),
        Method::Features if args.patch.is_some() => return refuse("--patch", "occlusion"),
        Method::Features if args.stride.is_some() => return refuse("--stride", "occlusion"),
        _ => {}
    }
    let Args { class, layer, patch, stride, .. } = args;
    Ok(Some(Explain { method, class: class.clone(), layer: layer.clone(), patch: *patch, stride: *stride }))
}

/// The images of files and folders, in the order given. In a folder, they are the images that training would read: masks
/// beside them are left out, and counted on stderr.
fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let (mut images, mut masks) = (Vec::new(), 0);
    for path in paths {
        if !path.is_dir() {
            images.push(path.clone());
            continue;
        }
        let Walk { images: found, left_out } = Walk::pictures(path)?;
        masks += left_out.iter().filter(|one| one.why == Why::Mask).count();
        if found.is_empty() {
            return Err(CliError::Usage(format!(
                "{}: holds no JPEG, PNG, WebP, BMP, GIF or TIFF file",
                path.display()
            )));
        }
        images.extend(found);
    }
    if masks > 0 {
        let (masks, are) = (count_of(masks, "mask"), if masks == 1 { "is" } else { "are" });
        complain(format_args!(
            "note: {masks} beside these images {are} left out; to predict for a mask, give its file"
        ));
    }
    Ok(images)
}

/// Refuses a run that stands after the images.
fn swapped(args: &Args) -> Result<(), CliError> {
    let is_run = |path: &PathBuf| path.join("config.toml").is_file();
    let Some(run) = args.images.iter().find(|path| is_run(path)).filter(|_| !is_run(&args.run)) else { return Ok(()) };
    let (run, images) = (word(&run.to_string_lossy()), word(&args.run.to_string_lossy()));
    Err(CliError::Usage(format!("{run} is the run, and stands before the images: shadegrad predict {run} {images}")))
}

/// Predicts for every image. An unreadable image is named on stderr, and the exit code is then 2.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    swapped(args)?;
    let (images, explain) = (collect(&args.images)?, explain(args)?);
    complain_of_damage(&args.run);
    let checkpoint = tiled(Checkpoint::open(&args.run)?, args.tile)?;
    let checkpoint = if args.tta { mirrored(checkpoint)? } else { checkpoint };
    let mut predictions = Predictions::open(&checkpoint, &args.device, args.out.as_deref())?;
    if let Some(how) = explain {
        predictions = predictions.explained(&checkpoint, how)?;
    }
    if let Some(out) = args.out.as_deref().filter(|_| !predictions.writes()) {
        let (out, task) = (out.display(), &checkpoint.card.task);
        return Err(CliError::Usage(format!("--out {out}: {task} prints its predictions and writes no file")));
    }
    predictions.note().into_iter().for_each(|note| complain(format_args!("note: {note}")));
    if args.tta {
        complain(format_args!("note: {MIRRORED}"));
    }
    let mut failed = 0;
    predictions.look_at(&images);
    for chunk in images.chunks(predictions.batch()) {
        let (found, missed) = predictions.predict(chunk)?;
        for one in missed {
            // The advice of `advice::flags` is for whole commands.
            complain(format_args!("error: {}", escaped(&one.to_string())));
            failed += 1;
        }
        found.into_iter().try_for_each(|one| print_one(one, args))?;
    }
    predictions.note_on_images().into_iter().for_each(|note| complain(format_args!("note: {note}")));
    if failed > 0 && images.len() > 1 {
        complain(format_args!("{failed} of {} images have no prediction", images.len()));
    }
    Ok(if failed > 0 { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn print_one(one: Predicted, args: &Args) -> Result<(), CliError> {
    let Predicted { image, files, text, json: mut object } = one;
    let (image, files) = (image.display().to_string(), files.iter().map(|f| f.display().to_string()));
    if args.json {
        if args.tta {
            object.insert("tta".into(), true.into());
        }
        object.insert("image".into(), image.into());
        if files.len() > 0 {
            object.insert("files".into(), files.collect());
        }
        return print(serde_json::Value::Object(object));
    }
    let image = escaped(&image);
    let files: Vec<String> = files.map(|file| escaped(&file)).collect();
    match (files.is_empty(), text.is_empty()) {
        (true, _) => print(format_args!("{image}: {text}")),
        (false, true) => print(format_args!("{image} -> {}", files.join(", "))),
        (false, false) => print(format_args!("{image} -> {} ({text})", files.join(", "))),
    }
}
