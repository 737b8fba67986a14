//! `train.txt` beside `images/` and `masks/`.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new(
        "train.txt",
        &["images/a.png", "images/b c.png", "images/d.png"],
        &["masks/a.png", "masks/b c.png", "masks/d.png"],
    )
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
    FOLDER.images(bytes);
});
