//! COCO's JSON: polygons and run lengths.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> =
    LazyLock::new(|| Folder::new("annotations.json", &["images/a.png", "images/b.png"], &[]));

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
