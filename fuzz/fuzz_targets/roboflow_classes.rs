//! Roboflow's `_classes.csv`, for masks and for labels.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new("train/_classes.csv", &["train/a.png", "train/b.png"], &["train/a_mask.png", "train/b_mask.png"])
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
    FOLDER.labels(bytes);
});
