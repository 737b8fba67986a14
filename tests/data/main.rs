//! Data sets: every format opens, every fault is named with its remedy, and batches depend on the seed alone. The tests
//! write their files.

mod annotations;
mod augment;
mod bounds;
mod colorization;
mod correct;
mod data_check;
mod formats;
mod hints;
mod images;
mod loading;
mod meant;
mod memory;
mod modes;
mod multilabel;
mod segmentation;
mod sets;
mod streets;
mod tiff;
mod tones;
mod tools;
mod undivided;
mod views;

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use shadegrad::data::{DataError, OpenOptions, Splits, open_classification};
use tempfile::TempDir;

/// A picture without symmetry, so that all its turns and flips differ.
fn picture(width: u32, height: u32, tone: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([tone, (x * 13 % 256) as u8, (y * 29 % 256) as u8]))
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn save(path: &Path, image: &RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// Writes `count` images in each of the class folders below `root`.
fn class_folders(root: &Path, classes: &[&str], count: usize) {
    for (tone, class) in classes.iter().enumerate() {
        for i in 0..count {
            save(&root.join(class).join(format!("{i}.png")), &picture(9, 7, (tone * 60 + i) as u8));
        }
    }
}

fn open(path: &Path) -> Result<Splits, DataError> {
    open_classification(path, &OpenOptions { val_split: 0.25, seed: 5, ..OpenOptions::default() })
}

/// A text whose paths have the separators of Unix on every system.
fn slashed(text: impl Into<String>) -> String {
    let text = text.into();
    if cfg!(windows) { text.replace('\\', "/") } else { text }
}

/// Whether `folder` keeps names apart that differ in case only. Folders of Windows and macOS usually do not.
fn keeps_case(folder: &Path) -> bool {
    fs::write(folder.join("Case"), "").unwrap();
    let kept = !folder.join("cASE").exists();
    fs::remove_file(folder.join("Case")).unwrap();
    kept
}

/// The message of an error that must mention all of `parts`. Its paths have the separators of Unix.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, DataError>, parts: &[&str]) -> String {
    let message = slashed(result.expect_err("an error was expected").to_string());
    for part in parts {
        assert!(message.contains(part), "'{part}' is missing in: {message}");
    }
    message
}
