//! Predictions that are pictures themselves: masks and colours.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{GrayImage, RgbImage};

use super::{Args, read};
use crate::cli::{CliError, print};
use crate::data::{one_line, stretch_into};
use crate::exec;
use crate::interop::files::{FileError, write_atomic};
use crate::run::pictures::{painted, save_png};
use crate::run::run_dir::{RunDir, RunDirError, new_folder};
use crate::tasks::colorize::Colorization;
use crate::tasks::segment::Segmentation;
use crate::train::TrainError;
use crate::train::model::{Checkpoint, Model};

/// Names for results: the image's, with a number where that is taken.
struct Names {
    /// As asked for.
    out: Option<PathBuf>,
    /// Made with the first result, so that none is left empty.
    folder: Option<PathBuf>,
    /// In lower case, since not all disks tell the cases apart.
    taken: HashSet<String>,
}

impl Names {
    fn new(args: &Args) -> Result<Self, CliError> {
        args.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
        Ok(Names { out: args.out.clone(), folder: None, taken: HashSet::new() })
    }

    fn next(&mut self, image: &Path) -> String {
        let stem = image.file_stem().map_or_else(|| "image".into(), |s| s.to_string_lossy().into_owned());
        let mut name = stem.clone();
        for number in 2.. {
            if self.taken.insert(name.to_lowercase()) {
                break;
            }
            name = format!("{stem}-{number}");
        }
        name
    }

    fn path(&mut self, file: &str) -> Result<PathBuf, CliError> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => new_folder(self.out.as_deref(), "predict")?,
        };
        let path = folder.join(file);
        self.folder = Some(folder);
        Ok(path)
    }
}

fn save(picture: &RgbImage, path: &Path) -> Result<(), CliError> {
    Ok(save_png(picture, path).map_err(TrainError::from)?)
}

/// Saves class numbers as a PNG of 8 bits whose palette is the classes' colours: an index mask to programs, a picture to
/// the eye.
fn save_mask(mask: &GrayImage, palette: &[[u8; 3]], path: &Path) -> Result<(), CliError> {
    let failed = |e: png::EncodingError| RunDirError::from(FileError::writing(path, e.into()));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, mask.width(), mask.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.write_header().and_then(|mut png| png.write_image_data(mask)).map_err(failed)?;
    Ok(write_atomic(path, |writer| writer.write_all(&bytes)).map_err(RunDirError::from)?)
}

/// Writes for each image the class of every pixel (`NAME-mask.png`) and the image tinted with the classes' colours
/// (`NAME-overlay.png`), both of the image's own size.
pub(super) fn segment(args: &Args, checkpoint: &Checkpoint, images: &[PathBuf]) -> Result<usize, CliError> {
    let task = Segmentation::trained(checkpoint.card.clone(), None)?;
    let mut model = Model::trained(&task, exec::open(&args.device)?, checkpoint)?;
    let card = &checkpoint.card;
    let ([h, w], table) = (card.image_size, card.normalization.table());
    let (mut names, mut failed) = (Names::new(args)?, 0);
    for path in images {
        let Some(image) = read(path)? else {
            failed += 1;
            continue;
        };
        let mut bytes = vec![0; 3 * h * w];
        stretch_into(&image, w as u32, h as u32, &mut bytes);
        let pixels = bytes.iter().enumerate().map(|(i, &v)| table[i % 3][usize::from(v)]).collect();
        let classes = task.predict(&mut model, pixels)?;
        let small = GrayImage::from_raw(w as u32, h as u32, classes).unwrap_or_default();
        let mask = image::imageops::resize(&small, image.width(), image.height(), FilterType::Nearest);
        let name = names.next(path);
        let files = [names.path(&format!("{name}-mask.png"))?, names.path(&format!("{name}-overlay.png"))?];
        save_mask(&mask, &card.palette, &files[0])?;
        let colours = painted((image.height(), image.width()), mask.as_raw(), &card.palette);
        let mut overlay = image.clone();
        overlay.iter_mut().zip(colours.iter()).for_each(|(v, &c)| *v = ((u16::from(*v) + u16::from(c)) / 2) as u8);
        save(&overlay, &files[1])?;
        let mut shares = vec![0usize; card.classes.len()];
        mask.iter().for_each(|&class| shares[usize::from(class)] += 1);
        report(args.json, path, &files, &card.classes, &shares_of(&card.classes, &shares))?;
    }
    Ok(failed)
}

/// Classes with their share of the pixels, the largest first.
fn shares_of(classes: &[String], pixels: &[usize]) -> Vec<(String, f64)> {
    let total = pixels.iter().sum::<usize>().max(1) as f64;
    let mut shares: Vec<_> = classes.iter().cloned().zip(pixels.iter().map(|&n| n as f64 / total)).collect();
    shares.retain(|(_, share)| *share > 0.0);
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// Writes each photograph in the colours that the run gives it, at its full size (`NAME-colour.png`).
pub(super) fn colorize(args: &Args, checkpoint: &Checkpoint, images: &[PathBuf]) -> Result<usize, CliError> {
    let task = Colorization::trained(checkpoint.card.clone(), None)?;
    let mut model = Model::trained(&task, exec::open(&args.device)?, checkpoint)?;
    let (mut names, mut failed) = (Names::new(args)?, 0);
    for path in images {
        let Some(image) = read(path)? else {
            failed += 1;
            continue;
        };
        let coloured = task.colorize(&mut model, &image)?;
        let name = names.next(path);
        let file = names.path(&format!("{name}-colour.png"))?;
        save(&coloured, &file)?;
        report(args.json, path, &[file], &[], &[])?;
    }
    Ok(failed)
}

/// Prints what was written. A mask's numbers are places in `classes`; pictures have none.
fn report(
    json: bool,
    image: &Path,
    files: &[PathBuf],
    classes: &[String],
    shares: &[(String, f64)],
) -> Result<(), CliError> {
    let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    if json {
        let shares: serde_json::Map<String, serde_json::Value> =
            shares.iter().map(|(class, share)| (class.clone(), (*share).into())).collect();
        let image = image.display().to_string();
        let object = serde_json::json!({ "image": image, "files": files, "classes": classes, "shares": shares });
        return print(object);
    }
    let shares: Vec<_> =
        shares.iter().take(5).map(|(class, share)| format!("{} {:.1} %", one_line(class), 100.0 * share)).collect();
    let shares = if shares.is_empty() { String::new() } else { format!(" ({})", shares.join(", ")) };
    print(format_args!("{} -> {}{shares}", image.display(), files.join(", ")))
}
