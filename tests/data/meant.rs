//! Ambiguous data is read in the intended way, or refused with both readings and the setting that decides. Each case was
//! once misread silently.

mod annotations;
mod classes;
mod columns;
mod divisions;
mod exports;
mod files;
mod layouts;
mod lists;
mod mask_layouts;
mod masks;
mod pixels;
mod tables;

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use shadegrad::data::{DataError, SegmentationSplits, SetOptions, open_segmentation};

use crate::{picture, save};

const WIDTH: u32 = 40;
const HEIGHT: u32 = 32;

fn segmentation(root: &Path) -> Result<SegmentationSplits, DataError> {
    open_segmentation(root, &SetOptions { val_split: 0.25, seed: 3, ..SetOptions::default() })
}

/// A mask of vertical stripes.
fn stripes(values: &[u8]) -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, _| Luma([values[x as usize * values.len() / WIDTH as usize]]))
}

fn save_grey(path: &Path, mask: &GrayImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mask.save(path).unwrap();
}

/// `images/NAME.png` and `masks/NAME.png` for each name.
fn pairs<'a>(root: &Path, names: impl IntoIterator<Item = &'a str>, mask: impl Fn(usize) -> GrayImage) {
    for (number, name) in names.into_iter().enumerate() {
        save(&root.join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, number as u8));
        save_grey(&root.join(format!("masks/{name}.png")), &mask(number));
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

const NAMES: [&str; 6] = ["im 0", "im 1", "im 2", "im 3", "im 4", "im 5"];

#[cfg(unix)]
fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
