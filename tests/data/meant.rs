//! Ambiguous data is read in the intended way, or refused with both readings and the setting that decides. Each case
//! was once misread silently.

mod annotations;
mod archives;
mod cells;
mod classes;
mod columns;
mod copies;
mod divisions;
mod exports;
mod files;
mod layouts;
mod lists;
mod lone_annotations;
mod mask_layouts;
mod masks;
mod notations;
mod numbers;
mod pair_tables;
mod pixels;
mod regions;
mod rivals;
mod said_parts;
mod tables;

use std::path::Path;

use crate::sets::{HEIGHT, WIDTH, pairs, save_grey, segmentation, stripes, write};

const NAMES: [&str; 6] = ["im 0", "im 1", "im 2", "im 3", "im 4", "im 5"];

#[cfg(unix)]
fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
