//! CamVid's `train.txt` of image and mask paths.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new("train.txt", &["train/a.png", "train/b.png"], &["trainannot/a.png", "trainannot/b.png"])
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
