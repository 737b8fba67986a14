//! CVAT's `labelmap.txt`.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new(
        "labelmap.txt",
        &["JPEGImages/a.png", "JPEGImages/b.png"],
        &["SegmentationClass/a.png", "SegmentationClass/b.png"],
    )
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
