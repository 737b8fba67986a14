//! A file of YOLO polygons.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new("labels/a.txt", &["images/a.png", "images/b.png"], &[])
        .with("labels/b.txt", "0 0.1 0.1 0.9 0.1 0.5 0.9\n")
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
